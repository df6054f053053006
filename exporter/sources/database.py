"""The shop's MySQL or MariaDB, read-only, through PyMySQL.

Each worker thread keeps one connection per server. A session is set up so that
it cannot hurt the shop: read-only transactions, UTC, autocommit (a kept
connection never holds an old snapshot), a limit on waiting for locks and a
limit on statements that the *server* enforces. Closing a client does not stop a
statement, so the client's own read timeout is only the second wall.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pymysql
from pymysql.cursors import DictCursor

from exporter.core.query import Connection, Query
from exporter.errors import (
    AccessDenied,
    ExporterError,
    MissingColumn,
    MissingTable,
    SourceError,
    SourceTimeout,
    SourceUnavailable,
    UnexpectedAnswer,
)

Rows = Sequence[Mapping[str, Any]]

_ERRORS: Final[Mapping[int, type[SourceError]]] = {
    1044: AccessDenied,  # database
    1045: AccessDenied,  # login
    1049: AccessDenied,  # unknown database: for a limited user the two look alike
    1130: AccessDenied,  # host
    1142: AccessDenied,  # table
    1143: AccessDenied,  # column
    1227: AccessDenied,  # privilege
    1370: AccessDenied,  # routine
    1698: AccessDenied,  # login by plugin
    2059: AccessDenied,  # the client does not know the plugin by which the user logs in
    1820: AccessDenied,  # password expired, after login
    1862: AccessDenied,  # password expired, at login
    3118: AccessDenied,  # MySQL: account locked
    4151: AccessDenied,  # MariaDB: account locked
    1146: MissingTable,
    1054: MissingColumn,
    1205: SourceTimeout,  # lock wait
    1317: SourceTimeout,  # killed
    1969: SourceTimeout,  # MariaDB max_statement_time
    3024: SourceTimeout,  # MySQL max_execution_time
    1040: SourceUnavailable,  # too many connections
    1129: SourceUnavailable,  # host blocked after many failed connects
    1203: SourceUnavailable,  # max_user_connections
    1226: SourceUnavailable,  # MAX_USER_CONNECTIONS of the account
}
_LOST: Final = frozenset(
    {
        1053,  # the server shuts down
        1080,  # forced close
        1158,  # network errors, 1158 to 1161
        1159,
        1160,
        1161,
        1927,  # MariaDB: KILL CONNECTION
        4031,  # MySQL 8: idle for longer than wait_timeout
        2006,
        2013,
        2014,
        2055,
    }
)
_FIRST_CLIENT_ERROR: Final = 2000
_LAST_CLIENT_ERROR: Final = 2999
"""From the one to the other errors are the client's: what it could not do, not what the server refused."""

LOCAL_SOCKETS: Final = (
    "/run/mysqld/mysqld.sock",  # Debian
    "/var/run/mysqld/mysqld.sock",
    "/var/lib/mysql/mysql.sock",  # Red Hat
    "/run/mysql/mysql.sock",  # SUSE
    "/tmp/mysql.sock",  # noqa: S108 - the default of MySQL and of PHP
)
"""Where a server puts its socket, the most usual first."""

_FRESH_ESTIMATES: Final = " /*!80003 , SESSION information_schema_stats_expiry = 0 */"
"""MySQL 8 shows a table's number of rows as it was up to a day ago; before 8.0.3 this is a comment."""

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
    """Nested limits in seconds: lock wait < statement < read, and the time to connect."""

    connect: float = 2.0
    lock_wait: float = 1.0
    statement: float = 2.0
    read: float = 3.0
    pause_after_failure: float = 2.0
    remember_schema: float = 300.0
    remember_absence: float = 15.0


@dataclass(frozen=True, slots=True)
class _Schema:
    """Columns and indexes of one table, as this user may see them."""

    read_at: float
    columns: frozenset[str]
    indexes: frozenset[tuple[str, ...]]


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
        self._local = threading.local()
        self._opened: set[pymysql.Connection[DictCursor]] = set()
        self._opened_lock = threading.Lock()
        self._pauses: dict[Target, tuple[float, type[SourceError], str]] = {}
        self._schemas: dict[tuple[Target, str], _Schema] = {}

    def rows(self, query: Query, /, **parameters: object) -> Sequence[Mapping[str, Any]]:
        """Run a declared query and return all rows; see :class:`exporter.core.ports.Database`."""
        started = time.monotonic()
        text = f"/* magento-exporter {query.name} */ {query.text(self.prefix)}"
        try:
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
        indexes = self._schema(table, connection).indexes
        return any(index[: len(columns)] == columns for index in indexes)

    def estimated_rows(self, table: str, /, connection: Connection = Connection.DEFAULT) -> int | None:
        """Return the server's estimate; it follows the table within some 10 % of changed rows."""
        rows = self._execute(self._target(connection), _ESTIMATE, {"table": self.prefix + table})
        return int(rows[0]["estimate"]) if rows and rows[0]["estimate"] is not None else None

    def close(self) -> None:
        """Close every connection of every thread."""
        with self._opened_lock:
            opened, self._opened = self._opened, set()
        for connection in opened:
            _close(connection)

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
        schema = _Schema(time.monotonic(), columns, frozenset(map(tuple, parts.values())))
        self._schemas[target, table] = schema
        return schema

    def _lifetime(self, schema: _Schema) -> float:
        """Seconds to remember a table; one that is absent may be created at any time (a changelog is)."""
        return self.limits.remember_schema if schema.columns else self.limits.remember_absence

    def _forget(self, query: Query) -> None:
        """Look again at the tables of a query that found one missing or forbidden."""
        target = self._target(query.connection)
        for table in query.reads:
            self._schemas.pop((target, query.tables.get(table, table)), None)

    def _execute(
        self, target: Target, text: str, parameters: Mapping[str, object]
    ) -> Sequence[Mapping[str, Any]]:
        """Run a statement; a dead connection is replaced once, a failing server left alone a while."""
        until, kind, reason = self._pauses.get(target, (0.0, SourceUnavailable, ""))
        if time.monotonic() < until:
            raise kind(f"{reason} a moment ago")
        return self._on_kept_connection(target, text, parameters)

    def _on_kept_connection(self, target: Target, text: str, parameters: Mapping[str, object]) -> Rows:
        connection = self._kept().get(target)
        if connection is not None:
            started = time.monotonic()
            try:
                return self._run(target, connection, text, parameters)
            except pymysql.err.Error as error:
                if not _is_lost(error):
                    raise _translated(error) from None
                if time.monotonic() - started >= self.limits.statement:
                    raise self._paused(target, error) from None
        return self._on_new_connection(target, text, parameters)

    def _on_new_connection(self, target: Target, text: str, parameters: Mapping[str, object]) -> Rows:
        try:
            with _driver():
                connection = self._kept()[target] = self._connect(target)
        except pymysql.err.Error as error:
            raise self._paused(target, error) from None
        try:
            return self._run(target, connection, text, parameters)
        except pymysql.err.Error as error:
            if _is_lost(error):
                raise self._paused(target, error) from None
            raise _translated(error) from None

    def _run(
        self,
        target: Target,
        connection: pymysql.Connection[DictCursor],
        text: str,
        parameters: Mapping[str, object],
    ) -> Rows:
        """Run a statement; give the connection up unless it is known to be in order afterwards."""
        try:
            with _driver(), connection.cursor() as cursor:
                cursor.execute(text, parameters)
                return cursor.fetchall()
        except BaseException as error:
            if (
                not isinstance(error, pymysql.err.Error)
                or isinstance(error, _DriverFailure)
                or _is_lost(error)
            ):
                self._drop(target)
            raise

    def _paused(self, target: Target, error: pymysql.err.Error) -> SourceError:
        """Leave the server alone for a while: it is gone, full, or does not let us in."""
        translated = _translated(error)
        until = time.monotonic() + self.limits.pause_after_failure
        self._pauses[target] = (until, type(translated), str(translated))
        return translated

    def _kept(self) -> dict[Target, pymysql.Connection[DictCursor]]:
        kept: dict[Target, pymysql.Connection[DictCursor]] | None = getattr(self._local, "kept", None)
        if kept is None:
            kept = self._local.kept = {}
        return kept

    def _drop(self, target: Target) -> None:
        connection = self._kept().pop(target, None)
        if connection is not None:
            with self._opened_lock:
                self._opened.discard(connection)
            _close(connection)

    def _connect(self, target: Target) -> pymysql.Connection[DictCursor]:
        connection: pymysql.Connection[DictCursor] = pymysql.connect(
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
            self._set_up(connection)
        except BaseException:
            _close(connection)
            raise
        with self._opened_lock:
            self._opened.add(connection)
        return connection

    def _set_up(self, connection: pymysql.Connection[DictCursor]) -> None:
        """Make the session harmless. MySQL and MariaDB name their statement limits differently."""
        lock_wait = max(1, round(self.limits.lock_wait))
        with connection.cursor() as cursor:
            cursor.execute("SELECT VERSION() AS version")
            if "mariadb" in str(cursor.fetchall()[0]["version"]).lower():
                statement_limit = f"max_statement_time = {self.limits.statement:.3f}"
            else:
                statement_limit = (
                    f"max_execution_time = {int(self.limits.statement * 1000)}{_FRESH_ESTIMATES}"
                )
            cursor.execute(
                f"SET SESSION {statement_limit}, SESSION lock_wait_timeout = {lock_wait},"
                f" SESSION innodb_lock_wait_timeout = {lock_wait}, SESSION time_zone = '+00:00'"
            )
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY")


class _DriverFailure(pymysql.err.Error):
    """The driver itself failed, for instance because it lacks a package. Carries names only."""


@contextmanager
def _driver() -> Iterator[None]:
    """Turn whatever else the driver raises into an error of its own kind."""
    try:
        yield
    except (pymysql.err.Error, ExporterError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever the driver raises is about this server
        raise _DriverFailure(type(error).__name__, _needed_package(str(error))) from None


def _needed_package(text: str) -> str:
    """Return the package that a message of PyMySQL asks for, empty if none."""
    return next((name for name in ("pynacl", "cryptography") if f"'{name}' package is required" in text), "")


def _code(error: pymysql.err.Error) -> int:
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0


def _is_lost(error: pymysql.err.Error) -> bool:
    """Return whether the connection is of no use any more. Code 0 is PyMySQL's own 'already closed'."""
    return _code(error) in _LOST or (isinstance(error, pymysql.err.InterfaceError) and _code(error) == 0)


def _translated(error: pymysql.err.Error) -> SourceError:
    """Return our error. The server's text may quote data or a login, so only its number is kept."""
    if isinstance(error, _DriverFailure):
        name, package = error.args
        if package:
            return AccessDenied(f"the user's way to log in needs the Python package {package}")
        return UnexpectedAnswer(f"the database driver failed with {name}")
    code = _code(error)
    kind = _ERRORS.get(code, UnexpectedAnswer)
    if _is_lost(error) or (code not in _ERRORS and _FIRST_CLIENT_ERROR <= code <= _LAST_CLIENT_ERROR):
        kind = SourceUnavailable
    return kind(f"database error {code}")


def _is_socket(path: str) -> bool:
    try:
        return Path(path).is_socket()
    except OSError:
        return False


def _close(connection: pymysql.Connection[DictCursor]) -> None:
    """Close without a goodbye: the peer may be gone, and a worker must not wait for it."""
    connection._force_close()  # type: ignore[attr-defined]  # noqa: SLF001 - close() may block
