"""The rights of the exporter's database user, to the column, derived from what the queries declare.

Everything here is text in, text out: nothing is connected to. A table whose name
is only known at run time (``<view>_cl``) is expanded with the real names that
the caller has found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from exporter.core.collector import Collector
from exporter.core.query import Connection, Query
from exporter.errors import UsageError
from exporter.magento import stores

NamedTables = Mapping[str, Sequence[str]]
"""Pattern of :attr:`Query.named` (``<view>_cl``) to the tables that it stands for, without prefix."""

PASSWORD_MARK: Final = "<password>"  # noqa: S105 - no password
"""Printed where a person has to put a password of their own."""


class Dialect(StrEnum):
    """The two servers write the limits of an account differently."""

    MYSQL = "mysql"
    MARIADB = "mariadb"


@dataclass(frozen=True, slots=True)
class Account:
    """The user to be created. ``max_connections`` 0 and ``statement_seconds`` 0 mean no limit."""

    user: str
    host: str = "%"
    password: str = PASSWORD_MARK
    max_connections: int = 10
    statement_seconds: float = 5.0
    require_tls: bool = False

    def __str__(self) -> str:
        return f"{_text(self.user)}@{_text(self.host)}"

    def counted(self) -> str:
        """Return the statement that says 1 if the server has the account, and 0 if not."""
        return (
            f"SELECT COUNT(*) FROM mysql.user WHERE User = {_text(self.user)} AND Host = {_text(self.host)}"
        )


def connections_with_room(threads: int) -> int:
    """Return how many connections the account may have.

    Two exporters use one login during an update, and each may have left as many connections behind as it
    uses, until the server finds that nobody is there. The doctor and grants take one each.
    """
    return 2 * 2 * threads + 2


def queries_of(collectors: Iterable[type[Collector]]) -> list[Query]:
    """Return every statement that these collectors may run, and those that read the stores."""
    return [*stores.QUERIES, *(query for collector in collectors for query in collector.queries)]


def named_tables(queries: Iterable[Query], existing: Iterable[str]) -> NamedTables:
    """Return, for each pattern of the queries, the tables (without prefix) among ``existing`` that fit it.

    What stands in angle brackets in a pattern stands for any text.
    """
    known = sorted(existing)
    patterns = {pattern for query in queries for pattern in query.named.values()}
    return {pattern: [table for table in known if _fits(table, pattern)] for pattern in sorted(patterns)}


def _fits(table: str, pattern: str) -> bool:
    parts = re.split(r"<[^>]*>", pattern)
    return re.fullmatch(".+".join(map(re.escape, parts)), table) is not None


def columns_read(
    queries: Iterable[Query], named: NamedTables
) -> dict[Connection, dict[str, tuple[str, ...]]]:
    """Return, per connection and table (without prefix), the columns that the queries read, sorted.

    Raises :exc:`KeyError` if a pattern is not in ``named``; a pattern without tables needs no right.
    """
    found: dict[Connection, dict[str, set[str]]] = {}
    for query in queries:
        tables = found.setdefault(query.connection, {})
        for mark, columns in query.reads.items():
            for table in named[query.named[mark]] if mark in query.named else (mark,):
                tables.setdefault(table, set()).update(columns)
    return {
        connection: {table: tuple(sorted(columns)) for table, columns in sorted(tables.items())}
        for connection, tables in found.items()
    }


def user_statements(account: Account, dialect: Dialect) -> list[str]:
    """Return the statements that create the user, or bring the one that is there to the same limits.

    The password of a user that is there is changed only if one is given. MySQL has no limit on an account's
    statements; there the exporter's own session limit stands alone.
    """
    limits = []
    if account.max_connections:
        limits.append(f"MAX_USER_CONNECTIONS {account.max_connections:d}")
    if account.statement_seconds and dialect is Dialect.MARIADB:
        limits.append(f"MAX_STATEMENT_TIME {account.statement_seconds:g}")
    identified = f" IDENTIFIED BY {_text(account.password)}"
    rest = (" REQUIRE SSL" if account.require_tls else "") + (f" WITH {' '.join(limits)}" if limits else "")
    changed = ("" if account.password == PASSWORD_MARK else identified) + rest
    statements = [f"CREATE USER IF NOT EXISTS {account}{identified}{rest}"]
    return [*statements, f"ALTER USER {account}{changed}"] if changed else statements


def wanted_columns(
    queries: Iterable[Query],
    databases: Mapping[Connection, str],
    *,
    named: NamedTables,
    prefix: str = "",
) -> dict[tuple[str, str], set[str]]:
    """Return the columns to be read by database and table. Other connections fall back to the default."""
    by_table: dict[tuple[str, str], set[str]] = {}
    for connection, tables in columns_read(queries, named).items():
        database = databases.get(connection, databases[Connection.DEFAULT])
        for table, columns in tables.items():
            by_table.setdefault((database, prefix + table), set()).update(columns)
    return by_table


def grant_statements(
    account: Account,
    queries: Iterable[Query],
    databases: Mapping[Connection, str],
    *,
    named: NamedTables,
    prefix: str = "",
) -> list[str]:
    """Return one GRANT per table that these queries read. ``databases`` needs the default connection."""
    return grants_of(account, wanted_columns(queries, databases, named=named, prefix=prefix))


def grants_of(account: Account, wanted: Mapping[tuple[str, str], set[str]]) -> list[str]:
    """Return one GRANT per table, ``wanted`` by database and table."""
    return [
        f"GRANT SELECT ({', '.join(map(_name, sorted(columns)))})"
        f" ON {_name(database)}.{_name(table)} TO {account}"
        for (database, table), columns in sorted(wanted.items())
    ]


def _name(identifier: str) -> str:
    return "`" + _printable(identifier).replace("`", "``") + "`"


def _text(value: str) -> str:
    return "'" + _printable(value).replace("'", "''") + "'"


def _printable(value: str) -> str:
    """Refuse what the sql_mode NO_BACKSLASH_ESCAPES, or a terminal, would read differently."""
    if not value.isprintable() or "\\" in value:
        raise UsageError(f"{value!r}: a backslash or control character cannot be written safely in SQL")
    return value
