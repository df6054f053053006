"""The shop's MySQL or MariaDB, read-only, through PyMySQL.

At most as many connections are open as there are worker threads. A session is set up so that
it cannot hurt the shop: read-only transactions, UTC, autocommit (a kept
connection never holds an old snapshot), a limit on waiting for locks and a
limit on statements that the *server* enforces. Closing a client does not stop a
statement, so the client's own read timeout is only the second wall.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import pymysql
from pymysql.cursors import DictCursor

from exporter.core.query import Connection, Query
from exporter.errors import AccessDenied, MissingColumn, MissingTable
from exporter.sources.database_errors import DriverFailure, driver, is_lost, translated
from exporter.sources.pool import Pool, PooledConnection, close

Rows = Sequence[Mapping[str, Any]]

LOCAL_SOCKETS: Final = (
    "/run/mysqld/mysqld.sock",  # Debian
    "/var/run/mysqld/mysqld.sock",
    "/var/lib/mysql/mysql.sock",  # Red Hat
    "/run/mysql/mysql.sock",  # SUSE
    "/tmp/mysql.sock",  # noqa: S108 - the default of MySQL and of PHP
)
"""Where a server puts its socket, the most usual first."""

KEEP_ALIVE: Final = {socket.TCP_KEEPIDLE: 30, socket.TCP_KEEPINTVL: 10, socket.TCP_KEEPCNT: 3}
"""An idle connection to a server that is gone is noticed after a minute; PyMySQL switches it on."""

_FRESH_ESTIMATES: Final = " /*!80003 , SESSION information_schema_stats_expiry = 0 */"
"""MySQL 8 shows a table's number of rows as it was up to a day ago; before 8.0.3 this is a comment."""

_LISTS_STAY_LISTS: Final = " /*!100500 , SESSION in_predicate_conversion_threshold = 0 */"
"""From 1,000 values on MariaDB joins a list like a table, and may read the other table to its end for it."""

_COLUMNS = """
SELECT TABLE_NAME AS name, COLUMN_NAME AS part
FROM information_schema.COLUMNS
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %(table)s
"""
_INDEXES = """
SELECT INDEX_NAME AS name, COLUMN_NAME AS part, SEQ_IN_INDEX AS place
FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %(table)s
ORDER BY INDEX_NAME, SEQ_IN_INDEX
"""
_ESTIMATE = """
SELECT TABLE_ROWS AS estimate
FROM information_schema.TABLES
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %(table)s
"""


@dataclass(frozen=True, slots=True)
class Target:
    """Where one of Magento's logical connections leads. ``password`` is called at every login."""

    user: str
    password: Callable[[], str]
    name: str
    host: str = "localhost"
    port: int = 3306
    socket: str | None = None
    socket_of_localhost: bool = False
    tls: ssl.SSLContext | None = None

    def unix_socket(self) -> str | None:
        """Return the socket to connect to, ``None`` for TCP. PHP takes ``localhost`` for a socket."""
        if self.socket or not self.socket_of_localhost or self.host.lower() != "localhost":
            return self.socket
        return next((path for path in LOCAL_SOCKETS if _is_socket(path)), None)


@dataclass(frozen=True, slots=True)
class DatabaseLimits:
    """Nested limits in seconds: lock wait < statement < read, and the time to connect.

    After ``idle`` and ``write`` the *server* closes a connection whose client says or takes nothing. A client
    that the network cut off would keep its place among the account's connections for hours.
    """

    connect: float = 2.0
    lock_wait: float = 1.0
    statement: float = 2.0
    read: float = 3.0
    idle: int = 150
    write: int = 10
    pause_after_failure: float = 2.0
    remember_schema: float = 300.0
    remember_absence: float = 15.0


@dataclass(frozen=True, slots=True)
class _Schema:
    """Columns and indexes of one table, as this user may see them."""

    read_at: float
    columns: frozenset[str]
    indexes: Mapping[tuple[str, ...], str]

    def index(self, columns: tuple[str, ...]) -> str | None:
        """Return the name of the index that begins with these columns; of several, the shortest one's."""
        found = [parts for parts in self.indexes if parts[: len(columns)] == columns]
        return self.indexes[min(found, key=len)] if found else None


class MySQL:
    """Implements :class:`exporter.core.ports.Database` for MySQL 5.7+ and MariaDB 10.1+."""

    def __init__(
        self,
        targets: Mapping[Connection, Target],
        *,
        prefix: str = "",
        limits: DatabaseLimits | None = None,
        observer: Callable[[Query, int, float], None] | None = None,
    ) -> None:
        """``targets`` needs the default connection; others fall back to it.

        ``observer`` is called with every statement, its number of rows and its duration in seconds.
        """
        self.prefix = prefix
        self.limits = limits or DatabaseLimits()
        self._targets = targets
        self._observer = observer
        self._pools: dict[Target, Pool] = {}
        self._pools_lock = threading.Lock()
        self._schemas: dict[tuple[Target, str], _Schema] = {}

    def rows(self, query: Query, /, **parameters: object) -> Sequence[Mapping[str, Any]]:
        """Run a declared query and return all rows; see :class:`exporter.core.ports.Database`."""
        started = time.monotonic()
        try:
            text = f"/* magento-exporter {query.name} */ {query.text(self.prefix, self._indexes(query))}"
            rows = self._execute(self._target(query.connection), text, parameters)
        except (MissingTable, MissingColumn, AccessDenied):
            self._forget(query)
            raise
        if self._observer is not None:
            self._observer(query, len(rows), time.monotonic() - started)
        return rows

    def has_table(self, table: str, /, connection: Connection = Connection.DEFAULT) -> bool:
        """Return whether the table exists and the user may see some of it."""
        return bool(self._schema(table, connection).columns)

    def has_column(self, table: str, column: str, /, connection: Connection = Connection.DEFAULT) -> bool:
        """Return whether the column exists and the user may see it."""
        return column in self._schema(table, connection).columns

    def has_index(self, table: str, /, *columns: str, connection: Connection = Connection.DEFAULT) -> bool:
        """Return whether some index starts with exactly these columns."""
        return self._schema(table, connection).index(columns) is not None

    def estimated_rows(self, table: str, /, connection: Connection = Connection.DEFAULT) -> int | None:
        """Return the server's estimate; it follows the table within some 10 % of changed rows."""
        rows = self._execute(self._target(connection), _ESTIMATE, {"table": self.prefix + table})
        return int(rows[0]["estimate"]) if rows and rows[0]["estimate"] is not None else None

    def close(self) -> None:
        """Close every connection."""
        with self._pools_lock:
            pools = list(self._pools.values())
        for pool in pools:
            pool.close()

    def _target(self, connection: Connection) -> Target:
        return self._targets.get(connection) or self._targets[Connection.DEFAULT]

    def _schema(self, table: str, connection: Connection) -> _Schema:
        target = self._target(connection)
        known = self._schemas.get((target, table))
        if known is not None and time.monotonic() - known.read_at < self._lifetime(known):
            return known
        named = {"table": self.prefix + table}
        columns = frozenset(str(row["part"]) for row in self._execute(target, _COLUMNS, named))
        parts: dict[str, list[str]] = {}
        for row in self._execute(target, _INDEXES, named):
            known_parts = parts.setdefault(str(row["name"]), [])
            if row["place"] == len(known_parts) + 1:  # what comes after a hidden part is of no use
                known_parts.append(str(row["part"]))
        # A hidden first part leaves nothing. Of two equal indexes the primary key is the better one.
        names = sorted(parts, key=lambda name: name == "PRIMARY")
        indexes = {tuple(parts[name]): name for name in names if parts[name]}
        schema = _Schema(time.monotonic(), columns, indexes)
        self._schemas[target, table] = schema
        return schema

    def _indexes(self, query: Query) -> Mapping[str, str]:
        """Return the names of the indexes that the query is to use, by table."""
        found = {
            mark: self._schema(query.tables.get(mark, mark), query.connection).index(columns)
            for mark, columns in query.index.items()
        }
        return {mark: name for mark, name in found.items() if name is not None}

    def _lifetime(self, schema: _Schema) -> float:
        """Seconds to remember a table; one that is absent may be created at any time (a changelog is)."""
        return self.limits.remember_schema if schema.columns else self.limits.remember_absence

    def _forget(self, query: Query) -> None:
        """Look again at the tables of a query that found one missing or forbidden."""
        target = self._target(query.connection)
        for table in query.reads:
            self._schemas.pop((target, query.tables.get(table, table)), None)

    def _execute(self, target: Target, text: str, parameters: Mapping[str, object]) -> Rows:
        """Run a statement; a dead connection is replaced once, a failing server left alone a while."""
        pool = self._pool(target)
        connection, new = pool.take()
        started = time.monotonic()
        try:
            return self._run(target, connection, text, parameters)
        except pymysql.err.Error as error:
            if not is_lost(error):
                raise translated(error) from None
            pool.drop_idle()
            if new or time.monotonic() - started >= self.limits.statement:
                raise pool.pause(translated(error)) from None
        finally:
            pool.give_back(connection)
        return self._execute_again(target, text, parameters)

    def _execute_again(self, target: Target, text: str, parameters: Mapping[str, object]) -> Rows:
        pool = self._pool(target)
        connection, _ = pool.take()
        try:
            return self._run(target, connection, text, parameters)
        except pymysql.err.Error as error:
            if is_lost(error):
                raise pool.pause(translated(error)) from None
            raise translated(error) from None
        finally:
            pool.give_back(connection)

    def _run(
        self, target: Target, connection: PooledConnection, text: str, parameters: Mapping[str, object]
    ) -> Rows:
        """Run a statement; give the connection up unless it is known to be in order afterwards."""
        try:
            with driver(), connection.cursor() as cursor:
                cursor.execute(text, parameters)
                return cursor.fetchall()
        except BaseException as error:
            refused = isinstance(error, pymysql.err.Error) and not isinstance(error, DriverFailure)
            if not refused or is_lost(error):
                self._pool(target).drop(connection)
            raise

    def _pool(self, target: Target) -> Pool:
        with self._pools_lock:
            pool = self._pools.get(target)
            if pool is None:
                limits = self.limits
                pool = self._pools[target] = Pool(
                    partial(self._connect, target),
                    pause=limits.pause_after_failure,
                    longest_wait=limits.connect,
                )
            return pool

    def _connect(self, target: Target) -> PooledConnection:
        connection: PooledConnection = pymysql.connect(
            host=target.host,
            port=target.port,
            unix_socket=target.unix_socket(),
            user=target.user,
            password=target.password(),
            database=target.name,
            ssl=target.tls,
            ssl_disabled=target.tls is None,
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=self.limits.connect,
            read_timeout=self.limits.read,
            write_timeout=self.limits.read,
            cursorclass=DictCursor,
            program_name="magento-exporter",
        )
        try:
            _keep_alive(connection)
            self._set_up(connection)
        except BaseException:
            close(connection)
            raise
        return connection

    def _set_up(self, connection: PooledConnection) -> None:
        """Make the session harmless. MySQL and MariaDB name their statement limits differently."""
        lock_wait = max(1, round(self.limits.lock_wait))
        with connection.cursor() as cursor:
            cursor.execute("SELECT VERSION() AS version")
            if "mariadb" in str(cursor.fetchall()[0]["version"]).lower():
                statement_limit = f"max_statement_time = {self.limits.statement:.3f}{_LISTS_STAY_LISTS}"
            else:
                statement_limit = (
                    f"max_execution_time = {int(self.limits.statement * 1000)}{_FRESH_ESTIMATES}"
                )
            cursor.execute(
                f"SET SESSION {statement_limit}, SESSION lock_wait_timeout = {lock_wait},"
                f" SESSION innodb_lock_wait_timeout = {lock_wait}, SESSION time_zone = '+00:00',"
                f" SESSION wait_timeout = {self.limits.idle}, SESSION net_write_timeout = {self.limits.write}"
            )
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY")


def _is_socket(path: str) -> bool:
    try:
        return Path(path).is_socket()
    except OSError:
        return False


def _keep_alive(connection: PooledConnection) -> None:
    """Let the kernel ask after an idle peer: a firewall that forgot the connection says nothing."""
    sock = connection._sock  # type: ignore[attr-defined]  # noqa: SLF001 - PyMySQL has no setting for it
    if sock.family != socket.AF_UNIX:
        for option, seconds in KEEP_ALIVE.items():
            sock.setsockopt(socket.IPPROTO_TCP, option, seconds)
