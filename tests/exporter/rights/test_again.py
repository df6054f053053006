"""`grants` is run again: after an upgrade, for a new store view, by any login. The server takes all of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pymysql
import pytest

from exporter.rights.held import Held, held
from sandbox.servers.mariadb import MariaDB
from tests.harness.command import command
from tests.harness.shop import ShopInMariaDB, add_stores, shop_in_mariadb

USER, HOST, PASSWORD = "observer_again", "127.0.0.1", "of-the-observer"
ACCOUNT = f"'{USER}'@'{HOST}'"
NOT_NEEDED = "-- not needed any more: "


@dataclass
class Again:
    """A shop, and what `grants` prints about it."""

    shop: ShopInMariaDB
    password_file: Path

    @property
    def server(self) -> MariaDB:
        return self.shop.server

    def printed(self, *more: str, user: str = "root") -> list[str]:
        login = (
            [f"database.socket={self.server.socket}"]
            if user == "root"
            else [f"database.host={HOST}", f"database.port={self.server.port}",
                  f"database.password_file={self.password_file}"]
        )  # fmt: skip
        login += [f"database.user={user}", f"database.name={self.shop.name}"]
        chosen = [word for setting in login for word in ("--set", setting)]
        arguments = ["grants", "--user", USER, "--from-host", HOST, "--dialect", "mariadb", *chosen, *more]
        outcome = command(*arguments)
        assert outcome.returncode == 0, outcome.stderr
        return outcome.stdout.splitlines()

    def obey(self, lines: Sequence[str]) -> None:
        """Carry the statements out as the client would: comments are none."""
        for line in lines:
            if not line.startswith("--"):
                self.server.execute(line.removesuffix(";"))

    def shown(self) -> list[str]:
        return [str(line) for (line,) in self.server.execute(f"SHOW GRANTS FOR {ACCOUNT}")]

    def rights(self) -> set[Held]:
        return set(held(self.shown()))

    def may_log_in(self) -> bool:
        try:
            pymysql.connect(host=HOST, port=self.server.port, user=USER, password=PASSWORD).close()
        except pymysql.err.OperationalError:
            return False
        return True


@pytest.fixture(scope="module")
def made(mariadb: MariaDB, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Again]:
    file = tmp_path_factory.mktemp("again") / "password"
    file.write_text(PASSWORD)
    with shop_in_mariadb(mariadb) as shop:
        yield Again(shop, file)
        mariadb.execute(f"DROP USER IF EXISTS {ACCOUNT}")


@pytest.fixture
def again(made: Again) -> Again:
    """The user has what is wanted and nothing else, whatever a test before did."""
    made.server.execute(f"DROP USER IF EXISTS {ACCOUNT}")
    made.obey(made.printed("--password-file", str(made.password_file)))
    return made


def test_a_second_run_changes_nothing_and_has_nothing_to_revoke(again: Again) -> None:
    before = again.rights()
    printed = again.printed()
    again.obey(printed)
    assert again.rights() == before
    assert again.may_log_in()
    assert not [line for line in printed if line.startswith(NOT_NEEDED)]


def test_a_password_and_limits_that_are_given_are_those_of_the_user_that_is_there(again: Again) -> None:
    again.server.execute(f"ALTER USER {ACCOUNT} IDENTIFIED BY 'another' WITH MAX_USER_CONNECTIONS 1")
    again.obey(again.printed())
    assert not again.may_log_in()
    again.obey(again.printed("--password-file", str(again.password_file)))
    assert again.may_log_in()
    (limit,) = re.findall(r"MAX_USER_CONNECTIONS (\d+)", " ".join(again.shown()))
    assert int(limit) > 1


def test_rights_of_before_are_printed_to_be_revoked_and_are_gone_then(again: Again) -> None:
    """An earlier version read more, and somebody was generous."""
    wanted, name = again.rights(), again.shop.name
    for right in (
        f"SELECT (customer_email) ON {name}.sales_order",
        f"SELECT ON {name}.quote",
        f"SELECT ON {name}.*",
        f"INSERT, DELETE ON {name}.store",
        "PROCESS ON *.*",
    ):
        again.server.execute(f"GRANT {right} TO {ACCOUNT}")
    printed = again.printed()
    again.obey(printed)
    assert again.rights() != wanted
    again.obey([line.removeprefix(NOT_NEEDED) for line in printed if line.startswith(NOT_NEEDED)])
    assert again.rights() == wanted


def test_a_store_view_and_a_view_that_came_later_are_in_the_next_run(again: Again) -> None:
    (code,) = add_stores(again.shop, 1, numbered=[0])
    store_id = again.shop.database.value("SELECT store_id FROM {store} WHERE code = %s", (code,))
    table = f"{again.shop.name}`.`sequence_order_{store_id}` TO"
    again.shop.database.insert("mview_state", view_id="brand", mode="enabled", status="idle", version_id=0)
    again.shop.database.execute("CREATE TABLE {brand_cl} (version_id int PRIMARY KEY, entity_id int)")
    for user in ("root", USER):
        printed = "\n".join(again.printed(user=user))
        assert table in printed
        assert f"`{again.shop.name}`.`brand_cl` TO" in printed


def test_a_changelog_of_another_form_stops_no_other_right(again: Again) -> None:
    """Its columns are a module's own, and the client stops at the first statement that fails."""
    again.shop.database.insert(
        "mview_state", view_id="of_a_module", mode="enabled", status="idle", version_id=0
    )
    again.shop.database.execute("CREATE TABLE {of_a_module_cl} (version_id int PRIMARY KEY, product_id int)")
    printed = again.printed()
    again.obey(printed)
    (statement,) = (line for line in printed if "of_a_module_cl" in line)
    assert statement.startswith("GRANT SELECT (`version_id`) ON ")


def test_a_login_that_sees_only_its_own_tables_says_so_and_prints_all(again: Again) -> None:
    """It sees no column that it may not read, so it cannot tell which ones the shop lacks."""
    again.server.execute(f"REVOKE SELECT (state) ON {again.shop.name}.sales_order FROM {ACCOUNT}")
    printed = again.printed(user=USER)
    assert [line for line in printed if "sees only what it may read already" in line]
    (orders,) = (line for line in printed if "`sales_order` TO" in line)
    assert "`state`" in orders
    assert not [line for line in printed if "may not see" in line]


def test_without_a_look_at_the_rights_that_are_there_it_says_so(again: Again) -> None:
    """Somebody else's login, which may read the shop but not what others may do."""
    shops = f"'shops_own'@'{HOST}'"
    again.server.execute(f"CREATE USER {shops} IDENTIFIED BY '{PASSWORD}'")
    try:
        again.server.execute(f"GRANT ALL ON {again.shop.name}.* TO {shops}")
        printed = again.printed(user="shops_own")
    finally:
        again.server.execute(f"DROP USER {shops}")
    assert [line for line in printed if "may not see what" in line]
    again.obey(printed)
