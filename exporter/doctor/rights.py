"""Whether the database user can read what the collectors need, no more than that, and quickly."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from exporter.core.query import Connection, Query
from exporter.doctor.examination import Examination, Finding, Status
from exporter.errors import AccessDenied, MissingColumn, MissingTable
from exporter.magento import stores
from exporter.magento.grants import Account, columns_read, grant_statements
from exporter.settings import Database
from exporter.sources.database import MySQL

RIGHTS = Query("doctor_rights", "SHOW GRANTS FOR CURRENT_USER()", reads={})

INDEXES: Final[tuple[tuple[Connection, str, tuple[str, ...], str], ...]] = (
    (Connection.CHECKOUT, "quote", ("store_id", "updated_at"), "2.4.7"),
    (Connection.SALES, "sales_order", ("store_id", "state", "created_at"), "2.4.7"),
    (Connection.DEFAULT, "cron_schedule", ("job_code", "status", "scheduled_at"), "2.4.3"),
    (Connection.DEFAULT, "magento_operation", ("status", "started_at"), "2.4.4"),
)
"""Indexes that make a collector exact or cheap, with the Magento version that brings them."""

NEWER: Final[Mapping[tuple[str, ...], str]] = {("magento_operation", "started_at"): "2.4.4"}
"""Columns that an older Magento lacks. To a user with rights on columns, absent and denied look alike."""

_READING: Final = ("USAGE", "SELECT", "SHOW VIEW", "PROCESS", "REPLICATION CLIENT", "SHOW DATABASES")


def check(subject: Examination) -> Iterator[Finding]:
    """Yield what the user may do, may not do, and cannot do quickly."""
    database, settings = subject.backends.database, subject.exporter.settings.database
    if database is None or settings is None or "database" in subject.unreachable:
        return
    found = [*_login(subject, database, settings), *_missing(subject, database, settings)]
    yield from found or [Finding(Status.OK, "database rights", "what the collectors read, and nothing more")]
    absent = list(_indexes(database))
    yield from absent or [Finding(Status.OK, "indexes", "all that the collectors make use of")]


def _login(subject: Examination, database: MySQL, settings: Database) -> Iterator[Finding]:
    """Say so if it is the shop's own login, or one that may do more than read."""
    shops = subject.deployment.settings().get("database", {}) if subject.deployment else {}
    if settings.user == shops.get("user"):
        yield Finding(
            Status.NOTE, "database user", "the shop's own login from env.php, which can do everything",
            "create a user of its own: magento-exporter grants | mysql",
        )  # fmt: skip
        return
    texts = [str(text) for row in database.rows(RIGHTS) for text in row.values()]
    more = sorted({right for text in texts for right in _beyond_reading(text)})
    if more:
        yield Finding(
            Status.WARNING, "database rights", f"the user may also {', '.join(more[:5])}",
            "the exporter never writes; give it a user with the statements of magento-exporter grants",
        )  # fmt: skip


def _beyond_reading(grant: str) -> Iterator[str]:
    """Yield the privileges of one line of SHOW GRANTS that are more than reading."""
    rights = grant.partition("GRANT ")[2].partition(" ON ")[0]
    depth, word = 0, ""
    for character in f"{rights},":
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            name = word.partition("(")[0].strip().upper()
            if name and name not in _READING and "`" not in name:
                yield name
            word = ""
        else:
            word += character


def _queries(subject: Examination) -> list[Query]:
    found = [query for collector in subject.collectors() for query in collector.queries]
    if any(collector.source == "database" for collector in subject.collectors()):
        found += stores.QUERIES
    return found


def _missing(subject: Examination, database: MySQL, settings: Database) -> Iterator[Finding]:
    """Yield one finding per table of which columns cannot be read, with the statement that helps."""
    queries = _queries(subject)
    names = {pattern: () for query in queries for pattern in query.named.values()}
    for connection, tables in columns_read(queries, names).items():
        for table, columns in tables.items():
            denied = _denied(database, connection, table, columns)
            if denied:
                fix = _grant(subject.account, _reading(connection, table, denied), settings)
                yield _unreadable(f"{database.prefix}{table}", denied, NEWER.get((table, *denied)), fix)


def _unreadable(table: str, columns: list[str], version: str | None, fix: str) -> Finding:
    seen = f"{table}: {', '.join(columns)} cannot be read"
    if version is None:
        return Finding(Status.ERROR, "database rights", seen, fix)
    seen = f"{seen}, and is not there before Magento {version}"
    return Finding(Status.NOTE, "database rights", seen, f"if it is there: {fix}")


def _reading(connection: Connection, table: str, columns: Iterable[str]) -> Query:
    listed = ", ".join(f"`{column}`" for column in columns)
    return Query(
        "doctor_columns", f"SELECT {listed} FROM {{{table}}} LIMIT 0", {table: tuple(columns)}, connection
    )


def _denied(database: MySQL, connection: Connection, table: str, columns: tuple[str, ...]) -> list[str]:
    """Return the columns that this user may not read. No row is read, and what is not there is no matter."""
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


def _indexes(database: MySQL) -> Iterator[Finding]:
    for connection, table, columns, version in INDEXES:
        if not all(database.has_column(table, column, connection=connection) for column in columns):
            continue  # not there, or not to be seen by this user
        if not database.has_index(table, *columns, connection=connection):
            yield Finding(
                Status.WARNING, "index", f"{database.prefix}{table} has no index ({', '.join(columns)})",
                f"Magento {version} brings it; until then some numbers are coarser, see docs/metrics.md",
            )  # fmt: skip
