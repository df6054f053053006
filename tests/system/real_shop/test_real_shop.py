"""A shop that Magento itself has installed: every collector reads it, and the sandbox's tables are the same.

`MAGENTO_DUMP=shop.sql.gz .venv/bin/pytest tests/system/real_shop` takes a dump of a whole database, plain or
with gzip. None is part of this repository, so without one this is left out.
"""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter.collectors import all_collectors
from sandbox.servers.base import program
from sandbox.servers.mariadb import MariaDB
from sandbox.shop import install
from sandbox.shop.schema import VERSIONS
from tests.harness.limits import LONG
from tests.runbooks.pages import pages

DUMP: Final = os.environ.get("MAGENTO_DUMP", "")
VERSION: Final = os.environ.get("MAGENTO_DUMP_VERSION", "2.4.8")

# A real shop's database is somebody's data, so no dump stands in the repository: whoever has one names it.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DUMP, reason="left out: MAGENTO_DUMP names no dump of a shop's database"),
]

REAL, OURS = "magento_real", "magento_sandbox"
PASSWORD: Final = "of-the-reader"
NOT_COMPARED: Final = {"tfa_user_config": "a module that a shop may do without"}
"""Tables of the sandbox that a shop need not have."""

Parts = Mapping[tuple[str, str], Any]


@dataclass(frozen=True)
class Both:
    """The shop of the dump and one of the sandbox on one server, and a user with the rights of `grants`."""

    server: MariaDB
    prefix: str
    directory: Path

    def ask(self, what: str, name: str) -> list[list[Any]]:
        """Ask the server what it knows of one of the two; the first column is the table without prefix."""
        rows = self.server.execute(what, (name,))
        return [[str(table).removeprefix(self.prefix), *others] for table, *others in rows]

    def value(self, statement: str) -> float:
        """Ask the real shop as root; `{table}` stands for a table."""
        text = re.sub(r"\{(\w+)\}", rf"{self.prefix}\1", statement)
        ((found,),) = self.server.execute(text, database=REAL)
        return float(found)

    def run(self, *command: str, user: str = "reader") -> subprocess.CompletedProcess[str]:
        """Run the exporter as a user would, with settings alone."""
        address = {"socket": self.server.socket, "user": "root"} if user == "root" else {
            "host": self.server.host, "port": self.server.port, "user": user,
            "password_file": self.directory / "password",
        }  # fmt: skip
        settings = {**address, "name": REAL, "prefix": self.prefix}
        chosen = [word for name, value in settings.items() for word in ("--set", f"database.{name}={value}")]
        return subprocess.run(
            [sys.executable, "-m", "exporter", *command, *chosen],
            capture_output=True,
            text=True,
            timeout=LONG,
            check=False,
        )


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    directory = tmp_path_factory.mktemp("real")
    (directory / "password").write_text(PASSWORD)
    with MariaDB(directory / "db") as server:
        for name in (REAL, OURS):
            server.execute(f"CREATE DATABASE {name}")
        client = [program("mariadb"), "--no-defaults", f"--socket={server.socket}", "--user=root", REAL]
        subprocess.run(client, input=dump(Path(DUMP)), check=True, timeout=LONG)
        found = server.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = %s AND table_name LIKE %s",
            (REAL, "%core\\_config\\_data"),
        )
        both = Both(server, str(found[0][0]).removesuffix("core_config_data"), directory)
        with server.connect(OURS) as connection:
            install(connection, version=VERSION, prefix=both.prefix)
        printed = both.run(
            "grants", "--user", "reader", "--dialect", "mariadb",
            "--password-file", str(directory / "password"), user="root",
        )  # fmt: skip
        assert printed.returncode == 0, printed.stderr
        for line in printed.stdout.splitlines():
            if not line.startswith("--"):
                server.execute(line.removesuffix(";"))
        yield both


def dump(path: Path) -> bytes:
    """Return the statements, but for the line that only the newest clients know."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return data.split(b"\n", 1)[1] if data.startswith(b"/*M!999999") else data


# --- what is read ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def read(both: Both) -> dict[tuple[str, ...], float]:
    """What one scrape of every collector finds, by name and label values."""
    result = both.run("collect")
    assert result.returncode == 0, result.stderr
    families = text_string_to_metric_families(result.stdout)
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_every_collector_of_the_database_reads_it_as_the_granted_user(
    read: Mapping[tuple[str, ...], float],
) -> None:
    wanted = {collector.name for collector in all_collectors() if collector.source == "database"}
    done = {key[1] for key, value in read.items() if key[0] == "magento_collector_success" and value}
    assert wanted <= done
    assert not [key for key in read if key[0] == "magento_collector_member_not_observed"]


def test_the_doctor_misses_no_right_of_the_user(both: Both) -> None:
    found = both.run("doctor").stdout
    assert "what the collectors read, and nothing more" in found


def test_values_are_those_that_the_database_says(both: Both, read: Mapping[tuple[str, ...], float]) -> None:
    def total(metric: str, *labels: str) -> float:
        return sum(value for key, value in read.items() if key[0] == metric and set(labels) <= set(key))

    open_states = "'new', 'pending_payment', 'processing', 'payment_review', 'holded'"
    assert total("magento_orders_open") == both.value(
        f"SELECT COUNT(*) FROM {{sales_order}} WHERE state IN ({open_states})"
    )
    for status, name in ((4, "open"), (3, "failed"), (2, "failed_retriable"), (5, "rejected")):
        assert total("magento_bulk_operations", name) == both.value(
            f"SELECT COUNT(*) FROM {{magento_operation}} WHERE status = {status}"
        )
    views = both.server.execute(
        f"SELECT view_id, version_id FROM {both.prefix}mview_state WHERE mode = 'enabled'", database=REAL
    )
    assert total("magento_indexer_backlog") == sum(
        both.value(f"SELECT COUNT(DISTINCT entity_id) FROM {{{view}_cl}} WHERE version_id > {version}")
        for view, version in views
    )
    assert total("magento_indexer_mode", "schedule") == len(views)


# --- what a runbook asks -----------------------------------------------------------------------------

STATEMENT: Final = re.compile(r'mysql (?:-\w+ )*-e "(?:[^"\\]|\\.)*"(?! 2>/dev/null)')
"""One of a block. Where its page hides the error, it also says what that means."""
OWN: Final = re.compile(r"^\s*([A-Z][A-Z0-9_]*=\$\(.*\))$", re.MULTILINE)
"""A variable that a block sets for its statements."""
LABELS: Final = {
    "name": "default",  # a loop's variable
    "QUEUE": "async.operations.all",
    "JOB_CODE": "consumers_runner",
    "STORE": "default",
    "INDEXER": "catalog_product_price",
    "DOCUMENT": "order",
    "STATE": "processing",
    "METHOD": "checkmo",
}


@pytest.mark.parametrize("name", [REAL, OURS], ids=["real", "empty"])
def test_every_statement_of_a_runbook_runs(both: Both, name: str) -> None:
    """On the real shop, and on one in which nothing has happened: an empty answer is no error."""
    blocks = [block for page in pages() for block in page.blocks() if block.effect == "read-only"]
    asked = [
        "\n".join((*OWN.findall(block.text), statement))
        for block in blocks
        for statement in STATEMENT.findall(block.text)
    ]
    assert len(asked) > 100
    login = f"--no-defaults --socket={both.server.socket} --user=root --database={name}"
    function = f'mysql() {{ {program("mariadb")} {login} "$@"; }}'
    environment = {**os.environ, **LABELS, "PREFIX": both.prefix}
    complaints = []
    for statement in asked:
        command = ["bash", "-uc", f"{function}\n{statement}"]
        result = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=LONG, check=False
        )
        if result.returncode or result.stderr:
            complaints.append(f"{statement}\n{result.stderr}")
    assert complaints == []


# --- how it is built -------------------------------------------------------------------------------


def compared(both: Both, name: str, statement: str) -> list[list[Any]]:
    ours = {table for table, *_ in both.ask(TABLES, OURS)} - NOT_COMPARED.keys()
    return [row for row in both.ask(statement, name) if row[0] in ours]


TABLES: Final = "SELECT table_name FROM information_schema.tables WHERE table_schema = %s"
COLUMNS: Final = """
SELECT table_name, column_name, column_type, is_nullable, column_default, extra
FROM information_schema.columns WHERE table_schema = %s
"""
INDEXES: Final = """
SELECT table_name, MAX(non_unique), index_type, GROUP_CONCAT(column_name ORDER BY seq_in_index)
FROM information_schema.statistics WHERE table_schema = %s GROUP BY table_name, index_name, index_type
"""


# The sandbox has the tables of a few versions. Against another one every column would differ.
@pytest.mark.skipif(VERSION not in VERSIONS, reason=f"left out: the sandbox has no tables of {VERSION}")
@pytest.mark.parametrize("statement", [COLUMNS, INDEXES], ids=["columns", "indexes"])
def test_the_sandboxs_tables_are_built_as_magento_builds_them(both: Both, statement: str) -> None:
    """Collations are not compared: Magento has utf8mb3 up to 2.4.8, the sandbox what its server has."""
    real, ours = (sorted(map(str, compared(both, name, statement))) for name in (REAL, OURS))
    assert len(ours) > 200
    assert [row for row in ours if row not in real] == [], "in the sandbox only"
    assert [row for row in real if row not in ours] == [], "in the real shop only"


def test_what_the_sandbox_lacks_is_nothing_that_is_read(both: Both) -> None:
    """Tables of modules that nothing here reads are no part of it."""
    real = {table for table, *_ in both.ask(TABLES, REAL)}
    ours = {table for table, *_ in both.ask(TABLES, OURS)}
    reads = {
        table
        for collector in all_collectors()
        for query in collector.queries
        for table in query.reads
        if table not in query.named
    }
    assert {table for table in reads & real if table not in ours} == set()
    assert ours - real <= NOT_COMPARED.keys()
