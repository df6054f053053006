"""Whether the database user can read what the collectors need, no more than that, and quickly."""

from __future__ import annotations

from collections.abc import Iterator

from exporter.core.query import Query
from exporter.doctor.examination import Examination, Finding, Status
from exporter.magento import stores
from exporter.rights.check import Unreadable, missing_indexes, more_than_reading, unreadable
from exporter.settings import Database
from exporter.sources.database import MySQL


def check(subject: Examination) -> Iterator[Finding]:
    """Yield what the user may do, may not do, and cannot do quickly."""
    database, settings = subject.backends.database, subject.exporter.settings.database
    if database is None or settings is None or "database" in subject.unreachable:
        return
    lacks = unreadable(database, _queries(subject), settings, subject.account)
    found = [*_login(subject, database, settings), *map(_unreadable, lacks)]
    yield from found or [Finding(Status.OK, "database rights", "what the collectors read, and nothing more")]
    absent = list(_indexes(database))
    yield from absent or [Finding(Status.OK, "indexes", "all that the collectors make use of")]


def _login(subject: Examination, database: MySQL, settings: Database) -> Iterator[Finding]:
    """Say so if it is the shop's own login, or one that may do more than read."""
    shops = subject.env_php.settings().get("database", {}) if subject.env_php else {}
    if settings.user == shops.get("user"):
        yield Finding(
            Status.NOTE, "database user", "the shop's own login from env.php, which can do everything",
            "create a user of its own: magento-exporter grants | mysql",
        )  # fmt: skip
        return
    more = more_than_reading(database)
    if more:
        yield Finding(
            Status.WARNING, "database rights", f"the user may also {', '.join(more[:5])}",
            "the exporter never writes; give it a user with the statements of magento-exporter grants",
        )  # fmt: skip


def _queries(subject: Examination) -> list[Query]:
    found = [query for collector in subject.collectors() for query in collector.queries]
    if any(collector.source == "database" for collector in subject.collectors()):
        found += stores.QUERIES
    return found


def _unreadable(lack: Unreadable) -> Finding:
    seen = f"{lack.table}: {', '.join(lack.columns)} cannot be read"
    if not lack.absent:
        return Finding(Status.ERROR, "database rights", seen, lack.statement)
    seen = f"{seen}, and is not there {lack.absent}"
    return Finding(Status.NOTE, "database rights", seen, f"if it is there: {lack.statement}")


def _indexes(database: MySQL) -> Iterator[Finding]:
    for index in missing_indexes(database):
        yield Finding(
            Status.WARNING, "index", f"{index.table} has no index ({', '.join(index.columns)})",
            f"Magento {index.since} brings it; until then some numbers are coarser, see docs/metrics.md",
        )  # fmt: skip
