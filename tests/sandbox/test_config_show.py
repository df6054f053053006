"""`config:show` answers as Magento does: the row of one scope, or an empty line."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.repairs import run
from sandbox.servers.mariadb import MariaDB
from sandbox.stack import ENDPOINTS


@pytest.fixture(scope="module")
def state(mariadb: MariaDB, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    mariadb.execute("CREATE DATABASE shown")
    with mariadb.connect("shown") as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE m2_store (store_id INT, code VARCHAR(32))")
        cursor.execute("CREATE TABLE m2_store_website (website_id INT, code VARCHAR(32))")
        cursor.execute(
            "CREATE TABLE m2_core_config_data (scope VARCHAR(8), scope_id INT, path VARCHAR(255), value TEXT)"
        )
        cursor.execute("INSERT INTO m2_store VALUES (2, 'de')")
        cursor.execute("INSERT INTO m2_store_website VALUES (1, 'base')")
        cursor.execute(
            "INSERT INTO m2_core_config_data VALUES ('default', 0, 'a/b/c', '0'),"
            " ('websites', 1, 'a/b/c', '1'), ('stores', 2, 'a/b/d', NULL)"
        )
    mariadb.execute("CREATE USER cli@'%' IDENTIFIED BY 'x'")
    mariadb.execute("GRANT SELECT ON shown.* TO cli@'%'")
    directory = tmp_path_factory.mktemp("config-show")
    where = {"host": mariadb.host, "port": mariadb.port, "user": "cli", "password": "x", "name": "shown"}
    (directory / ENDPOINTS).write_text(json.dumps({"database": {**where, "prefix": "m2_"}}))
    yield directory
    mariadb.execute("DROP DATABASE shown")
    mariadb.execute("DROP USER cli@'%'")


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        ("a/b/c", "0"),
        ("--scope=websites --scope-code=base a/b/c", "1"),
        ("a/b/c --scope=stores --scope-code=de", ""),
        ("a/b/d --scope=stores --scope-code=de", ""),
        ("a/b/c --scope=stores --scope-code=no-such", ""),
        ("payment/checkmo/active", ""),
    ],
)
def test_config_show_knows_rows_and_no_defaults(state: Path, arguments: str, printed: str) -> None:
    assert run(state, ["bin/magento", "config:show", *arguments.split()]) == printed
