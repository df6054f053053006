"""Queues in the shop's database (``queue_message_status``), Magento's own transport.

A status is changed in place, together with ``updated_at``. So messages that were done
or failed since the last run are those of that status changed since then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from exporter.core.collector import EVERY_HALF_MINUTE, Collector, Context
from exporter.core.metrics import Metric, Sample, gauge, having
from exporter.core.ports import Row
from exporter.core.query import Query
from exporter.magento.queues import (
    COMPLETE_STATUS,
    COMPLETED,
    ERROR_STATUS,
    FAILED,
    IN_PROGRESS,
    MESSAGES,
    MYSQL,
    NEW,
    OLDEST_AGE,
    OPEN_STATUSES,
    PUBLISHED,
    RETRY,
)
from exporter.reading.changes import Changes, Position
from exporter.reading.followed import Followed
from exporter.reading.instants import age, noted

QUEUES = Query(
    "queue_names",
    "SELECT id, name FROM {queue} WHERE name IS NOT NULL",
    reads={"queue": ("id", "name")},
)

_UPDATED: Final = noted("updated_at")

OPEN_MESSAGES = Query(
    "queue_open_messages",
    f"""
    SELECT queue_id, COUNT(*) AS messages, UNIX_TIMESTAMP(MIN(noted)) AS oldest
    FROM (
        SELECT queue_id, {_UPDATED} AS noted
        FROM {{queue_message_status}} {{index queue_message_status}}
        WHERE status = %(status)s
        ORDER BY updated_at
        LIMIT %(limit)s
    ) AS counted
    GROUP BY queue_id
    """,
    reads={"queue_message_status": ("queue_id", "updated_at", "status")},
    index={"queue_message_status": ("status", "updated_at")},
)

PUT_IN: Final = Followed(
    "queue_messages",
    "queue_message_status",
    key="id",
    columns=("queue_id",),
    created="updated_at",
    memory="published",
)

NEWEST_CHANGE = Query(
    "queue_newest_change",
    "SELECT UNIX_TIMESTAMP(MAX(updated_at)) AS changed FROM {queue_message_status} WHERE status = %(status)s",
    reads={"queue_message_status": ("updated_at", "status")},
    bounded="the end of the index on status and time",
)

CHANGED: Final = Changes(
    "queue_changed_messages",
    "queue_message_status",
    key="id",
    columns=("queue_id", "status"),
    select="queue_id",
    where="status = %(status)s",
    index=("status", "updated_at"),
)

MESSAGES_EXACT = gauge(
    "magento_queue_messages_exact",
    "1 if the messages in this state were all counted, 0 if there are more than were read: a lower bound.",
    "broker",
    "state",
)
IN_PROGRESS_AGE = gauge(
    "magento_queue_oldest_in_progress_age_seconds",
    "How long the oldest message in progress has been with its consumer (updated_at), 0 if there is none.",
    "queue",
    "broker",
)
TABLE_ROWS = gauge(
    "magento_queue_table_rows",
    "The database server's estimate of the rows of queue_message_status, done ones included (within 40 %).",
)

_FOLLOWED: Final = ((COMPLETE_STATUS, COMPLETED), (ERROR_STATUS, FAILED))


class DatabaseQueuesCollector(Collector):
    """Depth, age and throughput of the queues in the database."""

    name = "queues_database"
    help = "Message queues in the database: waiting, in progress, failed, age, throughput."
    notes = """
    Done messages stay in the table for a week; they are not part of the depth. Every other status is read
    oldest first, up to `tuning.backlog_scan_limit` rows each. If there are more, the numbers are lower
    bounds, queues that did not come up are left out, and `magento_queue_messages_exact` is 0.

    Not counted: a message that reaches a status twice within one second, or leaves it again between two
    scrapes.
    """
    source = "database"
    metrics = (
        MESSAGES,
        MESSAGES_EXACT,
        OLDEST_AGE,
        IN_PROGRESS_AGE,
        PUBLISHED,
        COMPLETED,
        FAILED,
        TABLE_ROWS,
    )
    queries = (QUEUES, OPEN_MESSAGES, *PUT_IN.queries, NEWEST_CHANGE, CHANGED.query)
    refresh = EVERY_HALF_MINUTE

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield the samples of every queue Magento knows; nothing in a shop without this transport."""
        database = context.database
        if not (database.has_table("queue") and database.has_table("queue_message_status")):
            return
        queues = {int(row["id"]): str(row["name"]) for row in database.rows(QUEUES)}
        yield from _open_messages(context, queues)
        yield from _published(context, queues)
        for status, metric in _FOLLOWED:
            yield from _changed(context, status, metric, queues)
        estimate = database.estimated_rows("queue_message_status")
        if estimate is not None:
            yield TABLE_ROWS.sample(estimate)


def _open_messages(context: Context, queues: Mapping[int, str]) -> Iterator[Sample]:
    """Yield the messages that are not done, and the ages of the oldest."""
    limit = max(1, context.tuning.backlog_scan_limit)
    found: dict[str, dict[int, Row]] = {}
    exact: dict[str, bool] = {}
    for status, state in OPEN_STATUSES.items():
        rows = context.database.rows(OPEN_MESSAGES, status=status, limit=limit)
        found[state] = {int(row["queue_id"]): row for row in rows}
        exact[state] = sum(int(row["messages"]) for row in rows) < limit
        yield MESSAGES_EXACT.sample(float(exact[state]), broker=MYSQL, state=state)
    for number, queue in queues.items():
        for state, counted in found.items():
            if number in counted or exact[state]:
                messages = counted[number]["messages"] if number in counted else 0
                yield MESSAGES.sample(messages, queue=queue, broker=MYSQL, state=state)
        for metric, states in ((OLDEST_AGE, (NEW, RETRY)), (IN_PROGRESS_AGE, (IN_PROGRESS,))):
            rows = [found[state][number] for state in states if number in found[state]]
            ages = [waited for row in rows if (waited := age(row["oldest"], context.now)) is not None]
            if ages or (not rows and all(exact[state] for state in states)):
                yield metric.sample(max((0.0, *ages)), queue=queue, broker=MYSQL)


def _published(context: Context, queues: Mapping[int, str]) -> Iterator[Sample]:
    """Count the messages that were put into the queues: the table is append-only by id."""
    yield from _counted(context, PUBLISHED, queues, PUT_IN.read(context).rows)


def _changed(context: Context, status: int, metric: Metric, queues: Mapping[int, str]) -> Iterator[Sample]:
    """Count the messages that reached ``status``."""
    table, database = context.memory.table("changed"), context.database
    known = table.get(str(status))
    rows: Sequence[Row] = ()
    settle = context.tuning.settle_seconds
    if known is None:
        newest = database.rows(NEWEST_CHANGE, status=status)[0]
        position = Position.behind(newest["changed"], latest=context.now + settle)
    else:
        seen = {int(number): int(changed) for number, changed in known["seen"].items()}
        position = Position(int(known["since"]), int(known["after"]), seen)
        rows = CHANGED.read(database, position, now=context.now, settle=settle, status=status)
    ahead = {str(number): changed for number, changed in position.seen.items()}
    table.put(str(status), {"since": position.since, "after": position.after, "seen": ahead})
    yield from _counted(context, metric, queues, rows)


def _counted(
    context: Context, metric: Metric, queues: Mapping[int, str], rows: Iterable[Row]
) -> Iterator[Sample]:
    """Add one for every row to its queue's counter; every queue is there from the start, at 0."""
    counters = context.memory.counters(metric)
    names = set(queues.values())
    for name in names:
        counters.initialise(queue=name, broker=MYSQL)
    for row in rows:
        if int(row["queue_id"]) in queues:
            counters.add(queue=queues[int(row["queue_id"])], broker=MYSQL)
    yield from having(counters.samples(), "queue", names)
