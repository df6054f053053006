"""What an error of MySQL, MariaDB or the driver means. Each has one of few meanings, wherever it shows.

======================  ==============================  =============================
the server is           kind                            of the whole source
======================  ==============================  =============================
down, or serves nobody  :exc:`SourceUnavailable`        yes
refusing the login      :exc:`LoginRefused`             yes
refusing one more       :exc:`SourceLimited`            yes
forbidding a statement  :exc:`AccessDenied`             no
too slow                :exc:`SourceTimeout`            no
silent                  :exc:`SourceTimeout`            yes
asked wrongly           :exc:`MissingTable` and others  no
out of room             :exc:`UnexpectedAnswer`         no
======================  ==============================  =============================
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import pymysql

from exporter.errors import (
    AccessDenied,
    ExporterError,
    LoginRefused,
    MissingColumn,
    MissingTable,
    SourceError,
    SourceLimited,
    SourceTimeout,
    SourceUnavailable,
    UnexpectedAnswer,
)
from exporter.sources.handshake import refused_by_us

_MEANINGS: Final[Mapping[int, tuple[type[SourceError], str]]] = {
    1040: (SourceUnavailable, "the server has too many connections"),
    1041: (SourceUnavailable, "the server is out of memory"),
    1053: (SourceUnavailable, "the server shuts down"),
    1135: (SourceUnavailable, "the server cannot start another thread"),
    3032: (SourceUnavailable, "the server is in offline mode"),
    1129: (LoginRefused, "the server blocks this host after failed connects"),
    1130: (LoginRefused, "the server lets nobody in from this host"),
    1044: (LoginRefused, "the user may not use the database"),
    1045: (LoginRefused, "the user or the password is wrong"),
    1049: (LoginRefused, "there is no such database"),  # for a limited user it looks like 1044
    1251: (LoginRefused, "the user's way to log in is not known to the driver"),
    1524: (LoginRefused, "the server no longer has the user's way to log in"),  # MySQL 9 and native passwords
    1698: (LoginRefused, "the user may not log in with a password"),
    1820: (LoginRefused, "the password has expired"),
    1862: (LoginRefused, "the password has expired"),
    2059: (LoginRefused, "the user's way to log in is not known to the driver"),
    3118: (LoginRefused, "the account is locked"),
    3159: (LoginRefused, "the server takes encrypted connections only: set database.tls"),
    4151: (LoginRefused, "the account is locked"),
    1203: (SourceLimited, "the user has as many connections as it may have"),
    1226: (SourceLimited, "the user has used up what its account is limited to"),
    1142: (AccessDenied, "the user may not read a table"),
    1143: (AccessDenied, "the user may not read a column"),
    1227: (AccessDenied, "the user lacks a privilege"),
    1370: (AccessDenied, "the user may not call a routine"),
    1146: (MissingTable, "there is no such table"),
    1054: (MissingColumn, "there is no such column"),
    1176: (MissingColumn, "there is no such index"),
    1205: (SourceTimeout, "a lock was waited for too long"),
    1317: (SourceTimeout, "the statement was killed"),
    1969: (SourceTimeout, "the statement ran too long"),  # MariaDB max_statement_time
    3024: (SourceTimeout, "the statement ran too long"),  # MySQL max_execution_time
    # A server without room still answers what needs no temporary table, so it is not down.
    3: (UnexpectedAnswer, "the server cannot write a temporary file"),
    1021: (UnexpectedAnswer, "the server's disk is full"),
    1030: (UnexpectedAnswer, "the server's storage failed: a full disk, or a broken table"),
    1037: (UnexpectedAnswer, "the server lacks memory for the statement"),
    1038: (UnexpectedAnswer, "the server lacks memory to sort"),
    1114: (UnexpectedAnswer, "a temporary table is full: disk, or memory for it"),
    1194: (UnexpectedAnswer, "a table is marked as crashed"),
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
_NO_TLS: Final = 2026
_FIRST_CLIENT_ERROR: Final = 2000
_LAST_CLIENT_ERROR: Final = 2999
"""From the one to the other errors are the client's: what it could not do, not what the server refused."""


class DriverFailure(pymysql.err.Error):
    """The driver itself failed, for instance because it lacks a package. Carries names only."""


@contextmanager
def driver() -> Iterator[None]:
    """Turn whatever else the driver raises into an error of its own kind."""
    try:
        yield
    except (pymysql.err.Error, ExporterError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever the driver raises is about this server
        raise DriverFailure(type(error).__name__, _needed_package(str(error))) from None


def _needed_package(text: str) -> str:
    """Return the package that a message of PyMySQL asks for, empty if none."""
    return next((name for name in ("pynacl", "cryptography") if f"'{name}' package is required" in text), "")


def is_lost(error: BaseException) -> bool:
    """Return whether the connection is of no use any more.

    Code 0 is PyMySQL's own: the connection was closed before, or its packets are out of sequence.
    """
    if not isinstance(error, pymysql.err.Error):
        return False
    own = isinstance(error, pymysql.err.InterfaceError | pymysql.err.InternalError)
    return _code(error) in _LOST or (own and _code(error) == 0)


def translated(error: pymysql.err.Error) -> SourceError:
    """Return our error. The server's text may quote data or a login, so only its number is kept."""
    if isinstance(error, DriverFailure):
        name, package = error.args
        if package:
            return LoginRefused(f"the user's way to log in needs the Python package {package}")
        return UnexpectedAnswer(f"the database driver failed with {name}")
    cause = getattr(error, "original_exception", None)
    if isinstance(cause, ssl.SSLError) and (refusal := refused_by_us(cause)):
        return refusal
    return _by_number(error)


def _by_number(error: pymysql.err.Error) -> SourceError:
    code = _code(error)
    if code in _MEANINGS:
        kind, words = _MEANINGS[code]
        return kind(f"database error {code}: {words}")
    if code == _NO_TLS:
        return LoginRefused(f"database error {code}: the server does not offer TLS")
    if code == 0 and isinstance(error, pymysql.err.InternalError):
        return UnexpectedAnswer("what answers there does not use MySQL's protocol")
    own = _FIRST_CLIENT_ERROR <= code <= _LAST_CLIENT_ERROR
    if own and _timed_out(error):
        return SourceTimeout(f"database error {code}: no answer in time")
    if own or is_lost(error):
        what = "the connection was lost" if is_lost(error) else "the server cannot be reached"
        return SourceUnavailable(f"database error {code}: {what}")
    return UnexpectedAnswer(f"database error {code}")


def _timed_out(error: pymysql.err.Error) -> bool:
    """Return whether a time limit of the connection is the cause: a server that hangs is not a dead one."""
    causes = (getattr(error, "original_exception", None), error.__cause__, error.__context__)
    return any(isinstance(cause, TimeoutError) for cause in causes)


def _code(error: pymysql.err.Error) -> int:
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0
