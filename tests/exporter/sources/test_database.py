"""The database source against a real MariaDB: harmless sessions, limits in force, failures and healing.

`make matrix` runs them against MySQL, which Debian's stable release has not. Elsewhere the one thing that
differs there, the name of the statement limit, is tested with a cursor that says it is MySQL's.
"""

from __future__ import annotations

import gc
import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, Self

import pymysql
import pytest
from pymysql.cursors import DictCursor

from exporter.core.query import Connection, Query
from exporter.errors import (
    AccessDenied,
    LoginRefused,
    MissingColumn,
    MissingTable,
    SourceError,
    SourceLimited,
    SourceTimeout,
    SourceUnavailable,
    UnexpectedAnswer,
)
from exporter.sources.database import KEEP_ALIVE, LOCAL_SOCKETS, DatabaseLimits, MySQL, Target
from exporter.sources.database_errors import translated
from sandbox.process import wait_until
from sandbox.servers.mariadb import MariaDB
from sandbox.servers.mysql import ON_MYSQL, shop_database
from tests.harness.limits import LONG

PASSWORD = "correct horse"
LIMITS = DatabaseLimits(connect=2, lock_wait=1, statement=1, read=3, pause_after_failure=0.05)

_numbers = count(1)


def query(sql: str, *tables: str, connection: Connection = Connection.DEFAULT) -> Query:
    return Query("test", sql, reads=dict.fromkeys(tables, ("id",)), connection=connection)


ORDERS = query("SELECT id FROM {orders} ORDER BY id LIMIT 100", "orders")
ANSWER = query("SELECT 1 AS answer")
SESSION_NAMES = (
    ("@@max_execution_time / 1000", "@@transaction_isolation", "@@transaction_read_only")
    if ON_MYSQL
    else ("@@max_statement_time", "@@tx_isolation", "@@tx_read_only")
)
SESSION = query(
    "SELECT @@time_zone AS zone, @@autocommit AS autocommit, {} AS statement,"
    " @@lock_wait_timeout AS locks, @@innodb_lock_wait_timeout AS row_locks,"
    " @@wait_timeout AS idle, @@net_write_timeout AS written,"
    " {} AS isolation, {} AS read_only, CONNECTION_ID() AS id".format(*SESSION_NAMES)
)
# MySQL knows how many rows a COUNT(*) without a condition has, and does not read them.
ENDLESS = query("SELECT MAX(a.id ^ b.id ^ c.id) AS n FROM {orders} a, {orders} b, {orders} c", "orders")
SLEEP = query("SELECT SLEEP(%(seconds)s) AS slept")


class Place:
    """A database with one table, and a user of its own."""

    def __init__(self, server: MariaDB) -> None:
        self.server = server
        number = next(_numbers)
        self.database, self.user = f"source_{number}", f"exporter_{number}"
        self.password = PASSWORD
        self.root(f"CREATE DATABASE {self.database}")
        self.root(f"CREATE USER {self.user}@'%' IDENTIFIED BY '{PASSWORD}'")
        self.root(f"GRANT SELECT, INSERT, CREATE ON {self.database}.* TO {self.user}@'%'")
        self.execute("CREATE TABLE orders (id INT PRIMARY KEY AUTO_INCREMENT, email TEXT, at DATETIME)")

    def root(self, statement: str) -> tuple[tuple[Any, ...], ...]:
        return self.server.execute(statement)

    def execute(self, statement: str) -> tuple[tuple[Any, ...], ...]:
        return self.server.execute(statement, database=self.database)

    def target(self, **changes: Any) -> Target:
        values: dict[str, Any] = {
            "user": self.user,
            "password": lambda: self.password,
            "name": self.database,
            "host": self.server.host,
            "port": self.server.port,
        }
        return Target(**{**values, **changes})

    def open(self, *, prefix: str = "", limits: DatabaseLimits = LIMITS, **changes: Any) -> MySQL:
        return MySQL({Connection.DEFAULT: self.target(**changes)}, prefix=prefix, limits=limits)

    def connections(self) -> list[tuple[int, str | None]]:
        """Return (connection id, statement) of everything the user does on the server."""
        listing = self.root(
            f"SELECT id, info FROM information_schema.processlist WHERE user = '{self.user}' ORDER BY id"
        )
        return [(row[0], row[1]) for row in listing]


@pytest.fixture
def place(mariadb: MariaDB) -> Place:
    return Place(mariadb)


@pytest.fixture
def source(place: Place) -> Iterator[MySQL]:
    with closing(place.open()) as opened:
        yield opened


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Callable[..., MariaDB]]:
    """Start a server that the test may stop, freeze or configure."""
    started: list[MariaDB] = []

    def start(*arguments: str) -> MariaDB:
        server = shop_database(tmp_path / f"db{len(started)}", arguments=arguments)
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.stop()


def connection_id(source: MySQL) -> int:
    return int(source.rows(SESSION)[0]["id"])


# --- sessions ------------------------------------------------------------------------------------


def test_a_session_is_harmless(source: MySQL) -> None:
    (session,) = source.rows(SESSION)
    del session["id"]  # type: ignore[attr-defined]
    assert session == {
        "zone": "+00:00",
        "autocommit": 1,
        "idle": 150,
        "written": 10,
        "statement": 1.0,
        "locks": 1,
        "row_locks": 1,
        "isolation": "READ-COMMITTED",
        "read_only": 1,
    }


def test_times_are_utc_on_a_server_that_lives_elsewhere(own_server: Callable[..., MariaDB]) -> None:
    place = Place(own_server("--default-time-zone=+02:00"))
    (zone,) = place.root("SELECT TIMESTAMPDIFF(HOUR, UTC_TIMESTAMP(), NOW())")[0]
    assert zone == 2
    with closing(place.open()) as source:
        assert source.rows(SESSION)[0]["zone"] == "+00:00"
        noon = query("SELECT UNIX_TIMESTAMP('2026-01-02 12:00:00') AS unix")
        assert source.rows(noon) == [{"unix": 1_767_355_200}]


@pytest.mark.parametrize("statement", ["INSERT INTO {orders} VALUES ()", "CREATE TABLE {orders} (id INT)"])
def test_a_user_who_may_write_cannot(place: Place, source: MySQL, statement: str) -> None:
    with pytest.raises(UnexpectedAnswer, match="1792"):
        source.rows(query(statement, "orders"))
    assert place.execute("SELECT COUNT(*) FROM orders") == ((0,),)


def test_a_kept_connection_sees_what_was_committed_since(place: Place, source: MySQL) -> None:
    first = connection_id(source)
    assert source.rows(ORDERS) in ([], ())
    place.execute("INSERT INTO orders VALUES ()")
    assert source.rows(ORDERS) == [{"id": 1}]
    assert connection_id(source) == first


def test_tables_are_found_with_their_prefix(place: Place) -> None:
    place.execute("CREATE TABLE m2_orders (id INT PRIMARY KEY)")
    place.execute("INSERT INTO m2_orders VALUES (42)")
    with closing(place.open(prefix="m2_")) as source:
        assert source.rows(ORDERS) == [{"id": 42}]
        assert source.has_table("orders")
        assert not source.has_column("orders", "email")


def test_every_connection_of_a_split_shop_has_its_own_server_and_user(place: Place, mariadb: MariaDB) -> None:
    carts = Place(mariadb)
    carts.execute("INSERT INTO orders VALUES (7, NULL, NULL)")
    targets = {Connection.DEFAULT: place.target(), Connection.CHECKOUT: carts.target()}
    with closing(MySQL(targets, limits=LIMITS)) as source:
        there = query("SELECT id FROM {orders}", "orders", connection=Connection.CHECKOUT)
        elsewhere = query("SELECT id FROM {orders}", "orders", connection=Connection.SALES)
        assert source.rows(there) == [{"id": 7}]
        assert source.rows(elsewhere) in ([], ())
        carts.execute("DROP TABLE orders")
        assert not source.has_table("orders", connection=Connection.CHECKOUT)
        assert source.has_table("orders", connection=Connection.SALES)


def test_there_are_no_more_connections_than_threads_and_close_closes_all(place: Place) -> None:
    source = place.open()
    together = threading.Barrier(3)

    def work(_: int) -> set[int]:
        together.wait(timeout=LONG)
        return {connection_id(source) for _ in range(20)}

    with ThreadPoolExecutor(3) as threads:
        used = set.union(*threads.map(work, range(3)))
    assert {number for number, _ in place.connections()} == used
    assert 1 <= len(used) <= 3
    source.close()
    wait_until(lambda: not place.connections(), seconds=LONG, what="connections stay open")


def test_the_kernel_asks_after_an_idle_server(source: MySQL) -> None:
    with closing(source._connect(next(iter(source._targets.values())))) as connection:
        sock = connection._sock  # type: ignore[attr-defined]
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert {option: sock.getsockopt(socket.IPPROTO_TCP, option) for option in KEEP_ALIVE} == KEEP_ALIVE


def test_a_statement_names_its_query_to_the_shops_administrator(place: Place) -> None:
    patient = DatabaseLimits(statement=30, read=40)
    with ThreadPoolExecutor(1) as thread, closing(place.open(limits=patient)) as source:
        running = thread.submit(source.rows, SLEEP, seconds=0.8)
        wait_until(
            lambda: any("/* magento-exporter test */" in (text or "") for _, text in place.connections()),
            seconds=LONG,
            what="the statement is not seen",
        )
        running.result()


def test_the_observer_is_told_rows_and_seconds(place: Place) -> None:
    seen: list[tuple[str, int]] = []
    place.execute("INSERT INTO orders VALUES (), (), ()")
    source = MySQL(
        {Connection.DEFAULT: place.target()}, observer=lambda q, rows, _seconds: seen.append((q.name, rows))
    )
    with closing(source):
        source.rows(ORDERS)
    assert seen == [("test", 3)]


# --- limits --------------------------------------------------------------------------------------


def test_a_long_statement_is_ended_on_the_server_and_the_connection_survives(
    place: Place, source: MySQL
) -> None:
    before = connection_id(source)
    place.execute("INSERT INTO orders (id) SELECT seq FROM seq_1_to_2000")
    with pytest.raises(SourceTimeout):
        source.rows(ENDLESS)
    # The error is sent before the list of processes is tidied up.
    wait_until(lambda: place.connections() == [(before, None)], seconds=LONG, what="the statement goes on")
    assert connection_id(source) == before


# On MariaDB, that is in `make test`, it always runs. Only `make matrix` has a MySQL.
@pytest.mark.skipif(ON_MYSQL, reason="MySQL ends a SLEEP without an error")
def test_a_statement_that_waits_is_ended_as_well(source: MySQL) -> None:
    before = connection_id(source)
    with pytest.raises(SourceTimeout):
        source.rows(SLEEP, seconds=60)
    assert connection_id(source) == before


def test_a_metadata_lock_is_not_waited_for_longer_than_allowed(place: Place, source: MySQL) -> None:
    source.rows(ORDERS)
    with place.server.connect(place.database) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLES orders WRITE")
        with pytest.raises(SourceTimeout):
            source.rows(ORDERS)
        cursor.execute("UNLOCK TABLES")
    assert source.rows(ORDERS) in ([], ())


def test_a_row_that_somebody_has_locked_is_read_as_it_was(place: Place, source: MySQL) -> None:
    place.execute("INSERT INTO orders VALUES (1, 'old', NULL)")
    with place.server.connect(place.database) as other, other.cursor() as cursor:
        other.begin()
        cursor.execute("UPDATE orders SET email = 'new'")
        assert source.rows(query("SELECT email FROM {orders}", "orders")) == [{"email": "old"}]
        other.rollback()


def test_mysql_is_given_its_own_statement_limit() -> None:
    said: list[str] = []

    class Cursor:
        def execute(self, text: str) -> None:
            said.append(text)

        def fetchall(self) -> list[dict[str, str]]:
            return [{"version": "8.0.36-28"}]

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    class Session:
        cursor = Cursor

    source = MySQL({}, limits=DatabaseLimits(statement=1.5))
    source._set_up(Session())  # type: ignore[arg-type]
    assert said[1].startswith("SET SESSION max_execution_time = 1500 /*!80003 , SESSION information_schema_")
    assert "*/, SESSION lock_wait_timeout = 1, " in said[1]
    assert "max_statement_time" not in " ".join(said)


def test_mariadb_takes_a_long_list_as_a_list(source: MySQL) -> None:
    """MySQL has no such variable, and no such conversion."""
    said = source.rows(query("SHOW SESSION VARIABLES LIKE 'in_predicate_conversion_threshold'"))
    assert [row["Value"] for row in said] == ([] if ON_MYSQL else ["0"])


# --- failures and healing ------------------------------------------------------------------------


def test_a_connection_that_the_server_closed_is_replaced_unnoticed(place: Place, source: MySQL) -> None:
    before = connection_id(source)
    place.root(f"KILL CONNECTION {before}")
    assert source.rows(ANSWER) == [{"answer": 1}]
    assert connection_id(source) != before


def test_a_connection_that_idled_too_long_is_replaced_unnoticed(place: Place) -> None:
    """The server itself closes it: a client that the network cut off would keep its place for hours."""
    with closing(place.open(limits=replace(LIMITS, idle=1))) as source:
        before = connection_id(source)
        wait_until(
            lambda: before not in [number for number, _ in place.connections()],
            seconds=LONG,
            what="the server keeps the idle connection",
        )
        assert source.rows(ANSWER) == [{"answer": 1}]


def test_a_killed_statement_is_a_time_out_and_keeps_its_connection(place: Place) -> None:
    limits = DatabaseLimits(statement=30, read=40)
    with closing(place.open(limits=limits)) as source:
        before = connection_id(source)
        place.execute("INSERT INTO orders (id) SELECT seq FROM seq_1_to_5000")
        with ThreadPoolExecutor(1) as thread:
            other = place.open(limits=limits)
            running = thread.submit(other.rows, ENDLESS)
            wait_until(
                lambda: any("MAX" in (text or "") for _, text in place.connections()),
                seconds=LONG,
                what="the statement does not run",
            )
            (number,) = [number for number, text in place.connections() if "MAX" in (text or "")]
            place.root(f"KILL QUERY {number}")
            with pytest.raises(SourceTimeout):
                running.result(timeout=LONG)
            other.close()
        assert connection_id(source) == before


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "new"])
def test_a_frozen_server_does_not_look_dead_and_heals(
    own_server: Callable[..., MariaDB],
    kept: bool,
) -> None:
    place = Place(own_server())
    with closing(place.open()) as source:
        if kept:
            assert source.rows(ANSWER)
        place.server.pause()
        try:
            for _ in range(2):
                with pytest.raises(SourceTimeout):
                    source.rows(ANSWER)
        finally:
            place.server.resume()
        assert heals(source)


def test_a_killed_server_is_unavailable_in_time_and_heals_on_the_same_port(
    own_server: Callable[..., MariaDB],
) -> None:
    place = Place(own_server())
    with closing(place.open()) as source:
        assert source.rows(ANSWER)
        place.server.kill()
        for _ in range(2):
            with pytest.raises(SourceUnavailable):
                source.rows(ANSWER)
        place.server.start()
        assert heals(source)


def heals(source: MySQL) -> bool:
    def answers() -> bool:
        try:
            return bool(source.rows(ANSWER))
        except (SourceUnavailable, SourceTimeout):
            return False

    wait_until(answers, seconds=LONG, what="the source does not heal")
    return True


def test_a_server_that_is_down_is_left_alone_for_a_while(place: Place) -> None:
    limits = DatabaseLimits(pause_after_failure=60)
    with closing(place.open(port=1, limits=limits)) as source:
        for text in ("2003", "a moment ago"):
            with pytest.raises(SourceUnavailable, match=text):
                source.rows(ANSWER)


def test_a_login_that_is_refused_is_not_tried_again_at_once(place: Place) -> None:
    """A server may lock an account, or a host, after many wrong passwords."""
    asked: list[int] = []

    def password() -> str:
        asked.append(1)
        return "wrong"

    with closing(place.open(password=password, limits=DatabaseLimits(pause_after_failure=60))) as source:
        for _ in range(5):
            with pytest.raises(AccessDenied):
                source.rows(ANSWER)
    assert len(asked) == 1


def test_a_statement_that_fails_does_not_stop_the_others(place: Place) -> None:
    """Only what says that the server is gone, full or closed to us makes us leave it alone."""
    broken: dict[str, type[Exception] | tuple[type[Exception], ...]] = {
        "SELECT id FROM {missing}": MissingTable,
        "SELECT nothing FROM {orders}": MissingColumn,
        "SELECT FROM": UnexpectedAnswer,
        "SELECT ~0 + 1 AS too_big": UnexpectedAnswer,
        "SELECT (SELECT 1 UNION SELECT 2) AS two_rows": UnexpectedAnswer,
        "SELECT no_such_function() AS x": (UnexpectedAnswer, AccessDenied),
    }
    with closing(place.open(limits=DatabaseLimits(pause_after_failure=60))) as source:
        before = connection_id(source)
        for sql, error in broken.items():
            with pytest.raises(error):
                source.rows(query(sql, *re.findall(r"{(\w+)}", sql)))
            assert connection_id(source) == before


def test_a_result_that_breaks_in_the_middle_does_not_mix_with_the_next(
    source: MySQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left of the broken answer on the wire must not be taken for the next one."""
    before = connection_id(source)
    read = pymysql.connections.MySQLResult._read_row_from_packet  # type: ignore[attr-defined]

    def breaks(self: Any, packet: Any) -> Any:
        if self.field_count == 1:
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "planted")
        return read(self, packet)

    three = query("SELECT 1 AS n UNION ALL SELECT 2 UNION ALL SELECT 3")
    with monkeypatch.context() as broken:
        broken.setattr(pymysql.connections.MySQLResult, "_read_row_from_packet", breaks)
        with pytest.raises(UnexpectedAnswer, match="UnicodeDecodeError"):
            source.rows(three)
    assert source.rows(ANSWER) == [{"answer": 1}]
    assert connection_id(source) != before


# --- logins and rights ---------------------------------------------------------------------------


def test_a_rotated_password_is_followed(place: Place, source: MySQL) -> None:
    assert source.rows(ANSWER)
    place.root(f"SET PASSWORD FOR {place.user}@'%' = PASSWORD('rotated')")
    place.root(f"KILL USER {place.user}")
    with pytest.raises(AccessDenied):
        source.rows(ANSWER)
    place.password = "rotated"
    wait_until(lambda: answers(source), seconds=LONG, what="the new password is not used")


def answers(source: MySQL) -> bool:
    try:
        return bool(source.rows(ANSWER))
    except AccessDenied:
        return False


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"password": lambda: "wrong"}, AccessDenied),
        ({"user": "nobody"}, AccessDenied),
        ({"name": "no_such_database"}, AccessDenied),
        ({"port": 1}, SourceUnavailable),
        ({"host": "no-such-host.invalid"}, SourceUnavailable),
    ],
    ids=["password", "user", "database", "port", "host"],
)
def test_a_login_that_cannot_work(place: Place, changes: dict[str, Any], error: type[Exception]) -> None:
    with closing(place.open(**changes)) as source, pytest.raises(error) as raised:
        source.rows(ANSWER)
    assert PASSWORD not in str(raised.value)
    assert place.user not in str(raised.value)


def test_localhost_is_the_socket_as_for_php(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user of ``localhost`` may come in by the socket only; the port that is given does not matter."""
    user = f"local_{place.user}"
    place.root(f"CREATE USER {user}@localhost IDENTIFIED BY '{PASSWORD}'")
    elsewhere = place.target(user=user, host="LOCALHOST", port=1, socket_of_localhost=True)
    assert elsewhere.unix_socket() in (None, *LOCAL_SOCKETS)
    monkeypatch.setattr(
        "exporter.sources.database.LOCAL_SOCKETS", ("/nowhere/mysqld.sock", str(place.server.socket))
    )
    changes = {"user": user, "port": 1, "name": "information_schema"}
    with closing(place.open(host="localhost", socket_of_localhost=True, **changes)) as source:
        assert source.rows(ANSWER) == [{"answer": 1}]
    for host, of_localhost in (("localhost", False), ("127.0.0.1", True)):
        assert place.target(host=host, socket_of_localhost=of_localhost).unix_socket() is None


# On MariaDB, that is in `make test`, it always runs. Only `make matrix` has a MySQL, which lacks the plugin.
@pytest.mark.skipif(ON_MYSQL, reason="a plugin of MariaDB's")
def test_a_login_by_a_plugin_that_needs_a_package_is_one_line(own_server: Callable[..., MariaDB]) -> None:
    server = own_server("--plugin-load-add=auth_ed25519")
    server.execute("CREATE USER ed@'%' IDENTIFIED VIA ed25519 USING PASSWORD('pw')")
    target = Target(user="ed", password=lambda: "pw", name="mysql", host=server.host, port=server.port)
    source = MySQL({Connection.DEFAULT: target}, limits=LIMITS)
    with closing(source), pytest.raises(AccessDenied, match="needs the Python package pynacl"):
        source.rows(ANSWER)


@pytest.mark.parametrize("where", ["connect", "cursor"])
def test_whatever_a_driver_raises_is_an_error_of_that_server(
    place: Place, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("planted text")

    with closing(place.open(limits=replace(LIMITS, pause_after_failure=0))) as source:
        monkeypatch.setattr(*((pymysql, "connect") if where == "connect" else (DictCursor, "execute")), fail)
        with pytest.raises(UnexpectedAnswer, match="the database driver failed with RuntimeError"):
            source.rows(ANSWER)
        monkeypatch.undo()
        assert source.rows(ANSWER) == [{"answer": 1}]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_socket_that_is_not_there(place: Place) -> None:
    """PyMySQL leaves the refused socket to the garbage collector, which warns."""
    with closing(place.open(socket="/no/such/socket")) as source, pytest.raises(SourceUnavailable):
        source.rows(ANSWER)
    gc.collect()


@pytest.mark.parametrize(
    ("sql", "table", "error"),
    [
        ("SELECT id FROM {secrets}", "secrets", AccessDenied),
        ("SELECT email FROM {orders}", "orders", AccessDenied),
        ("SELECT id FROM {orders} WHERE email = 'a'", "orders", AccessDenied),
        ("SELECT id FROM {missing}", "missing", AccessDenied),
        ("SELECT id FROM {orders}", "orders", None),
    ],
)
def test_the_rights_of_a_user_with_columns_only(
    place: Place, sql: str, table: str, error: type[Exception] | None
) -> None:
    place.execute("CREATE TABLE secrets (id INT)")
    place.root(f"REVOKE ALL ON {place.database}.* FROM {place.user}@'%'")
    place.root(f"GRANT SELECT (id, at) ON {place.database}.orders TO {place.user}@'%'")
    with closing(place.open()) as source:
        if error is None:
            assert source.rows(query(sql, table)) in ([], ())
            return
        with pytest.raises(error):
            source.rows(query(sql, table))


def test_a_table_that_is_gone_although_it_was_granted(place: Place) -> None:
    place.root(f"REVOKE ALL ON {place.database}.* FROM {place.user}@'%'")
    place.root(f"GRANT SELECT (id, at) ON {place.database}.orders TO {place.user}@'%'")
    place.execute("ALTER TABLE orders DROP COLUMN at")
    with closing(place.open()) as source:
        with pytest.raises((MissingColumn, AccessDenied)):
            source.rows(query("SELECT at FROM {orders}", "orders"))
        place.execute("DROP TABLE orders")
        with pytest.raises((MissingTable, AccessDenied)):
            source.rows(ORDERS)


def test_missing_tables_and_columns_for_a_user_who_may_see_all(source: MySQL) -> None:
    with pytest.raises(MissingTable):
        source.rows(query("SELECT id FROM {missing}", "missing"))
    with pytest.raises(MissingColumn):
        source.rows(query("SELECT nothing FROM {orders}", "orders"))


def test_what_a_user_with_columns_only_learns_of_the_schema(place: Place) -> None:
    place.execute("CREATE TABLE indexed (a INT, b INT, c INT, hidden INT, KEY k (a, b), KEY h (hidden, c))")
    place.execute("INSERT INTO indexed VALUES (1, 2, 3, 4), (1, 2, 3, 4)")
    place.execute("ANALYZE TABLE indexed")
    place.root(f"REVOKE ALL ON {place.database}.* FROM {place.user}@'%'")
    place.root(f"GRANT SELECT (a, b, c) ON {place.database}.indexed TO {place.user}@'%'")
    with closing(place.open()) as source:
        assert source.has_table("indexed")
        assert not source.has_table("orders")
        assert source.has_column("indexed", "a")
        assert not source.has_column("indexed", "hidden")
        assert source.has_index("indexed", "a")
        assert source.has_index("indexed", "a", "b")
        assert not source.has_index("indexed", "b")
        assert not source.has_index("indexed", "a", "b", "c")
        assert not source.has_index("indexed", "c")
        assert source.estimated_rows("indexed") == 2
        assert source.estimated_rows("orders") is None


def test_the_schema_is_remembered_for_a_while(place: Place) -> None:
    with closing(place.open(limits=DatabaseLimits(remember_schema=60))) as source:
        assert source.has_column("orders", "at")
        place.execute("ALTER TABLE orders DROP COLUMN at")
        assert source.has_column("orders", "at")
    with closing(place.open(limits=DatabaseLimits(remember_schema=0))) as source:
        assert not source.has_column("orders", "at")


def test_too_many_connections_of_the_user(place: Place) -> None:
    """The server answers: another exporter with the same login has the connections, and nothing is down."""
    place.root(f"ALTER USER {place.user}@'%' WITH MAX_USER_CONNECTIONS 1")
    with closing(place.open()) as first, closing(place.open()) as second:
        assert first.rows(ANSWER)
        for text in ("1226", "a moment ago"):
            with pytest.raises(SourceLimited, match=text):
                second.rows(ANSWER)
        assert first.rows(ANSWER)


def test_threads_share_the_connections_that_the_account_is_left_with(place: Place) -> None:
    """A network that was away for seconds leaves connections at the server that nobody uses."""
    place.root(f"ALTER USER {place.user}@'%' WITH MAX_USER_CONNECTIONS 3")
    together = threading.Barrier(4)

    def work(source: MySQL) -> list[int]:
        together.wait(timeout=LONG)
        return [connection_id(source) for _ in range(50)]

    with closing(place.open()) as dead, closing(place.open()) as source:
        with ThreadPoolExecutor(2) as threads:
            both = threading.Barrier(2)
            list(threads.map(lambda _: (both.wait(timeout=LONG), dead.rows(SLEEP, seconds=0.3)), range(2)))
        assert len(place.connections()) == 2
        with ThreadPoolExecutor(4) as threads:
            used = {number for numbers in threads.map(work, [source] * 4) for number in numbers}
        assert len(used) == 1


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (1040, SourceUnavailable, "too many connections"),
        (3032, SourceUnavailable, "offline mode"),
        (2003, SourceUnavailable, "cannot be reached"),
        (2013, SourceUnavailable, "lost"),
        (1226, SourceLimited, "limited"),
        (1203, SourceLimited, "as many connections"),
        (1045, LoginRefused, "password"),
        (3159, LoginRefused, "set database.tls"),
        (3118, LoginRefused, "locked"),
        (1524, LoginRefused, "no longer has"),
        (1021, UnexpectedAnswer, "disk is full"),
        (1114, UnexpectedAnswer, "temporary table is full"),
        (1142, AccessDenied, "may not read a table"),
        (1064, UnexpectedAnswer, "database error 1064"),
    ],
)
def test_an_error_has_one_meaning(code: int, kind: type[SourceError], words: str) -> None:
    meaning = translated(pymysql.err.OperationalError(code, "planted text"))
    assert type(meaning) is kind
    assert words in str(meaning)
    assert "planted" not in str(meaning)


def test_too_many_connections_of_the_server(own_server: Callable[..., MariaDB]) -> None:
    place = Place(own_server())
    place.root("SET GLOBAL max_connections = 10")
    open_sources = [place.open(limits=DatabaseLimits(pause_after_failure=0)) for _ in range(12)]
    try:
        with pytest.raises(SourceUnavailable, match="1040"):
            [source.rows(ANSWER) for source in open_sources]
    finally:
        for source in open_sources:
            source.close()


# --- TLS -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two authorities; the first one has signed the server's certificate for `localhost`."""
    directory = tmp_path_factory.mktemp("tls")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=directory, timeout=LONG)

    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for name in ("ca", "other"):
        openssl(
            *("req", "-x509", *new_key, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "2"),
            *("-subj", f"/CN={name}"),
        )
    openssl("req", *new_key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    (directory / "names").write_text("subjectAltName=DNS:localhost\n")
    openssl(
        *("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"),
        *("-out", "server.pem", "-days", "2", "-extfile", "names"),
    )
    return directory


@pytest.fixture(scope="module")
def tls_place(certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    arguments = [f"--ssl-cert={certificates / 'server.pem'}", f"--ssl-key={certificates / 'server.key'}"]
    with MariaDB(tmp_path_factory.mktemp("db"), arguments=arguments) as server:
        place = Place(server)
        place.root(f"ALTER USER {place.user}@'%' REQUIRE SSL")
        yield place


CIPHER = query(
    "SELECT VARIABLE_VALUE AS cipher FROM information_schema.SESSION_STATUS"
    " WHERE VARIABLE_NAME = 'Ssl_cipher'"
)


def test_a_verified_connection(tls_place: Place, certificates: Path) -> None:
    trust = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
    with closing(tls_place.open(host="localhost", tls=trust)) as source:
        assert source.rows(CIPHER)[0]["cipher"]


@pytest.mark.parametrize(
    ("authority", "host"), [("other.pem", "localhost"), ("ca.pem", "127.0.0.1")], ids=["authority", "name"]
)
def test_a_certificate_that_does_not_fit_is_refused(
    tls_place: Place, certificates: Path, authority: str, host: str
) -> None:
    trust = ssl.create_default_context(cafile=str(certificates / authority))
    with (
        closing(tls_place.open(host=host, tls=trust)) as source,
        pytest.raises(LoginRefused, match="certificate is not accepted"),
    ):
        source.rows(ANSWER)


def test_a_server_that_wants_tls_denies_a_plain_login(tls_place: Place) -> None:
    with closing(tls_place.open()) as source, pytest.raises(AccessDenied):
        source.rows(ANSWER)


def test_tls_is_not_given_up_silently(own_server: Callable[..., MariaDB]) -> None:
    place = Place(own_server("--tls-version=" if ON_MYSQL else "--skip-ssl"))
    with closing(place.open(tls=ssl.create_default_context())) as source, pytest.raises(LoginRefused):
        source.rows(ANSWER)
