"""What an existing login may do: columns it cannot read, rights beyond reading, and missing indexes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from exporter.collectors.indexers import VIEW_ROWS
from exporter.collectors.placements import SEQUENCES
from exporter.core.ports import Row
from exporter.core.query import Connection, Query
from exporter.errors import AccessDenied, MissingColumn, MissingTable
from exporter.magento import stores
from exporter.magento.checkout import SEQUENCE_TABLE, sequence_table
from exporter.magento.indexers import CHANGELOG, changelog
from exporter.rights.held import beyond_reading
from exporter.rights.statements import Account, columns_read, grant_statements
from exporter.settings import Database
from exporter.sources.database import MySQL

RIGHTS: Final = Query("doctor_rights", "SHOW GRANTS FOR CURRENT_USER()", reads={})

INDEXES: Final[tuple[tuple[Connection, str, tuple[str, ...], str], ...]] = (
    (Connection.CHECKOUT, "quote", ("store_id", "updated_at"), "2.4.7"),
    (Connection.SALES, "sales_order", ("store_id", "state", "created_at"), "2.4.7"),
    (Connection.DEFAULT, "cron_schedule", ("job_code", "status", "scheduled_at"), "2.4.3"),
    (Connection.DEFAULT, "magento_operation", ("status", "started_at"), "2.4.4"),
)
"""Indexes that make a collector exact or cheap, with the Magento version that brings them."""

NEWER: Final[Mapping[tuple[str, ...], str]] = {("magento_operation", "started_at"): "2.4.4"}
"""Columns that an older Magento lacks."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Columns of one table that the login cannot read.

    ``absent`` says in which shop they are not there. To a user with rights on columns, absent and denied
    look alike.
    """

    table: str
    columns: Sequence[str]
    absent: str
    statement: str


@dataclass(frozen=True, slots=True)
class MissingIndex:
    """An index that the shop does not have, and the Magento version that brings it."""

    table: str
    columns: Sequence[str]
    since: str


def more_than_reading(database: MySQL) -> list[str]:
    """Return the privileges of the login that do more than read, sorted."""
    return beyond_reading(str(text) for row in database.rows(RIGHTS) for text in row.values())


def unreadable(
    database: MySQL, queries: Iterable[Query], settings: Database, account: str
) -> Iterator[Unreadable]:
    """Yield each table of which the login cannot read all columns, with the GRANT that helps."""
    queries = list(queries)
    known = _named(database)
    names = {pattern: known.get(pattern, ()) for query in queries for pattern in query.named.values()}
    for connection, tables in columns_read(queries, names).items():
        for table, columns in tables.items():
            denied = _denied(database, connection, table, columns)
            if denied:
                statement = _grant(account, _reading(connection, table, denied), settings)
                absent = _absent(table, denied, changelogs=names.get(CHANGELOG, ()))
                yield Unreadable(f"{database.prefix}{table}", denied, absent, statement)


def _absent(table: str, denied: Sequence[str], *, changelogs: Sequence[str]) -> str:
    """Return in which shop the table has no such columns, empty if it always has."""
    if since := NEWER.get((table, *denied)):
        return f"before Magento {since}"
    own = table in changelogs and "version_id" not in denied
    return "in a changelog that a module has built in its own way" if own else ""


def _named(database: MySQL) -> Mapping[str, Sequence[str]]:
    """Return the changelogs and order sequences that the shop should have by its own small tables."""
    views = [str(row["id"]) for row in _rows(database, VIEW_ROWS) if row["mode"] == "enabled"]
    existing = {row["store_id"] for row in _rows(database, stores.STORES)}
    sequences = [row["store_id"] for row in _rows(database, SEQUENCES) if row["store_id"] in existing]
    return {
        CHANGELOG: [changelog(view) for view in views],
        SEQUENCE_TABLE: [sequence_table(int(store_id)) for store_id in sequences],
    }


def _rows(database: MySQL, query: Query) -> Sequence[Row]:
    """Return the rows, none if they may not be read: that is a finding of its own."""
    try:
        return database.rows(query)
    except (AccessDenied, MissingColumn, MissingTable):
        return ()


def missing_indexes(database: MySQL) -> Iterator[MissingIndex]:
    """Yield the indexes that are not there. A table that cannot be seen is left out."""
    for connection, table, columns, version in INDEXES:
        visible = all(database.has_column(table, column, connection=connection) for column in columns)
        if visible and not database.has_index(table, *columns, connection=connection):
            yield MissingIndex(f"{database.prefix}{table}", columns, version)


def _reading(connection: Connection, table: str, columns: Iterable[str]) -> Query:
    listed = ", ".join(f"`{column}`" for column in columns)
    return Query(
        "doctor_columns", f"SELECT {listed} FROM {{{table}}} LIMIT 0", {table: tuple(columns)}, connection
    )


def _denied(database: MySQL, connection: Connection, table: str, columns: tuple[str, ...]) -> list[str]:
    """Return the columns that this user may not read. No row is read; a missing column is left out."""
    try:
        database.rows(_reading(connection, table, columns))
    except (AccessDenied, MissingColumn, MissingTable):
        return [column for column in columns if _is_denied(database, connection, table, column)]
    return []


def _is_denied(database: MySQL, connection: Connection, table: str, column: str) -> bool:
    try:
        database.rows(_reading(connection, table, (column,)))
    except AccessDenied:
        return True
    except (MissingColumn, MissingTable):
        return False
    return False


def _grant(account: str, query: Query, settings: Database) -> str:
    user, _, host = account.rpartition("@")
    server = settings.servers().get(query.connection, settings)
    (statement,) = grant_statements(
        Account(user, host), [query], {Connection.DEFAULT: server.name}, named={}, prefix=settings.prefix
    )
    return f"{statement};"
