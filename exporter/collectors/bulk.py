"""Bulk and asynchronous operations: what waits, what runs, what failed (``magento_operation``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from exporter.core.collector import EVERY_HALF_MINUTE, Collector, Context
from exporter.core.metrics import Sample, gauge
from exporter.core.query import Query
from exporter.reading.instants import NOTED_SINCE, age, noted

_STARTED: Final = noted("bulk.start_time")
_INDEX: Final = {"magento_operation": ("status", "started_at")}

BY_STATUS = Query(
    "bulk_operations",
    """
    SELECT COUNT(*) AS operations
    FROM (
        SELECT 1 FROM {magento_operation} {index magento_operation} WHERE status = %(status)s LIMIT %(limit)s
    ) AS counted
    """,
    reads={"magento_operation": ("status",)},
    index=_INDEX,
)

# The topic is no part of the index: as a condition of the inner select, a LIMIT would bound nothing.
_NOT_STARTED: Final = """
        SELECT id, bulk_uuid, COALESCE(LEFT(topic_name, 6) = 'async.', 0) AS notes_start
        FROM {magento_operation} {index magento_operation}
        WHERE status = 4 AND started_at IS NULL
        ORDER BY id
        LIMIT %(limit)s"""
_NOT_STARTED_READS: Final = {"magento_operation": ("id", "bulk_uuid", "topic_name", "status", "started_at")}

WAITING_OPERATIONS = Query(
    "bulk_waiting",
    f"""
    SELECT notes_start, COUNT(*) AS operations
    FROM ({_NOT_STARTED}
    ) AS waiting
    GROUP BY notes_start
    """,
    reads=_NOT_STARTED_READS,
    index=_INDEX,
)

OLDEST_WAITING = Query(
    "bulk_oldest_waiting",
    f"""
    SELECT UNIX_TIMESTAMP(MIN({_STARTED})) AS since
    FROM (
        SELECT bulk_uuid
        FROM ({_NOT_STARTED}
        ) AS waiting
        WHERE notes_start = %(notes_start)s
        LIMIT 100
    ) AS oldest
    JOIN {{magento_bulk}} AS bulk {{index magento_bulk}} ON bulk.uuid = oldest.bulk_uuid
    """,
    reads={**_NOT_STARTED_READS, "magento_bulk": ("uuid", "start_time")},
    index={**_INDEX, "magento_bulk": ("uuid",)},
)

OLDEST_RUNNING = Query(
    "bulk_oldest_running",
    f"""
    SELECT UNIX_TIMESTAMP(MIN(started_at)) AS since
    FROM (
        SELECT started_at FROM {{magento_operation}} {{index magento_operation}}
        WHERE status = 4 AND started_at >= FROM_UNIXTIME({NOTED_SINCE})
        ORDER BY started_at
        LIMIT 1
    ) AS oldest
    """,
    reads={"magento_operation": ("status", "started_at")},
    index=_INDEX,
)

STATUSES: Final[Mapping[int, str]] = MappingProxyType(
    {4: "open", 2: "failed_retriable", 3: "failed", 5: "rejected"}
)
"""``magento_operation.status`` but complete (framework-bulk ``OperationInterface``)."""

CONSUMERS: Final[Mapping[int, str]] = MappingProxyType({1: "async.operations.all", 0: "others"})
"""Who works on an operation, by whether a start is noted: only for the topics ``async.*``."""

OPERATIONS = gauge(
    "magento_bulk_operations",
    "Operations of bulk and asynchronous requests that are open or failed (magento_operation.status).",
    "status",
)
EXACT = gauge(
    "magento_bulk_operations_exact",
    "1 if the operations of this status were all counted, 0 if there are more than were read: a lower bound.",
    "status",
)
WAITING = gauge(
    "magento_bulk_operations_waiting",
    "Open operations without a start (status 4, no started_at); a lower bound whenever open is. Those of"
    " others than async.operations.all never have one: they wait or run.",
    "consumer",
)
WAITING_AGE = gauge(
    "magento_bulk_oldest_waiting_age_seconds",
    "Time since the oldest bulk with an open operation without a start was submitted, 0 if there is none.",
    "consumer",
)
RUNNING_AGE = gauge(
    "magento_bulk_oldest_running_age_seconds",
    "How long the oldest running operation has been running, 0 if none runs.",
)


class BulkCollector(Collector):
    """Open and failed bulk operations."""

    name = "bulk"
    help = "Bulk and asynchronous operations: open, waiting, failed (2.4.4 and later)."
    notes = """
    Needs the index (status, started_at) of `magento_operation`, which exists since 2.4.4. An older shop has
    no series.

    Operations are counted up to `tuning.backlog_scan_limit`. If there are more, the number is a lower bound
    and `magento_bulk_operations_exact` is 0. Only the consumer `async.operations.all` sets `started_at`.
    Operations of the others, such as `product_action_attribute.update`, are apart (`consumer="others"`): of
    them it is not known whether they wait or run. Magento deletes an operation with its bulk after 60 days.
    """
    source = "database"
    metrics = (OPERATIONS, EXACT, WAITING, WAITING_AGE, RUNNING_AGE)
    queries = (BY_STATUS, WAITING_OPERATIONS, OLDEST_WAITING, OLDEST_RUNNING)
    refresh = EVERY_HALF_MINUTE

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield the numbers by status, and how long the oldest operations have waited and run."""
        database, limit = context.database, max(1, context.tuning.backlog_scan_limit)
        # Without the index every statement would read the whole table.
        if not database.has_index("magento_operation", "status", "started_at"):
            return
        for status, name in STATUSES.items():
            number = int(database.rows(BY_STATUS, status=status, limit=limit)[0]["operations"])
            yield OPERATIONS.sample(number, status=name)
            yield EXACT.sample(float(number < limit), status=name)
        yield from _waiting(context, limit)
        yield RUNNING_AGE.sample(age(database.rows(OLDEST_RUNNING)[0]["since"], context.now) or 0.0)


def _waiting(context: Context, limit: int) -> Iterator[Sample]:
    """Yield the operations without a start, and since when they are asked for."""
    database = context.database
    rows = database.rows(WAITING_OPERATIONS, limit=limit)
    waiting = {int(row["notes_start"]): int(row["operations"]) for row in rows}
    for notes_start, consumer in CONSUMERS.items():
        number = waiting.get(notes_start, 0)
        yield WAITING.sample(number, consumer=consumer)
        oldest = database.rows(OLDEST_WAITING, limit=limit, notes_start=notes_start) if number else ()
        waited = age(oldest[0]["since"], context.now) if oldest else 0.0
        if waited is not None:
            yield WAITING_AGE.sample(waited, consumer=consumer)
