"""Orders that the shop's staff cannot see: missing in ``sales_order_grid``, the table behind the admin list.

Magento copies an order into the grid in the same request, or with asynchronous
grid indexing once a minute by cron. Each order is looked for in the grid when it
is five minutes old, and again until it is there or a week old. A new exporter
begins with the orders of a day.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from exporter.core.collector import EVERY_MINUTE, Collector, Context
from exporter.core.metrics import Sample, gauge
from exporter.core.query import Connection, Query
from exporter.magento.flags import Flag
from exporter.reading.watch import Watch

RIPE_AFTER: Final = 300.0
"""Age in seconds at which an order should be in the grid: the cron has had its chances."""

LOOK_BACK: Final = 86_400.0
"""Age in seconds of the oldest orders with which a new exporter begins."""

FORGET_AFTER: Final = 7 * 86_400.0
"""Age in seconds after which an order that is missing is no longer reported."""

_READS: Final = {"sales_order": ("entity_id", "created_at"), "sales_order_grid": ("entity_id",)}
_SELECT: Final = """
    SELECT o.entity_id AS id, UNIX_TIMESTAMP(o.created_at) AS created, g.entity_id IS NULL AS missing
    FROM {sales_order} AS o
    LEFT JOIN {sales_order_grid} AS g ON g.entity_id = o.entity_id
"""

WATCH: Final = Watch(
    newest=Query(
        "order_grid_newest",
        "SELECT MAX(entity_id) AS id FROM {sales_order}",
        reads={"sales_order": ("entity_id",)},
        connection=Connection.SALES,
    ),
    before=Query(
        "order_grid_before",
        """
        SELECT entity_id AS id FROM {sales_order}
        WHERE created_at < FROM_UNIXTIME(%(moment)s)
        ORDER BY created_at DESC, entity_id DESC LIMIT 1
        """,
        reads={"sales_order": ("entity_id", "created_at")},
        connection=Connection.SALES,
    ),
    between=Query(
        "order_grid_new",
        f"""
        {_SELECT}
        WHERE o.entity_id > %(after)s AND o.entity_id <= %(upto)s
        ORDER BY o.entity_id LIMIT %(limit)s
        """,
        reads=_READS,
        connection=Connection.SALES,
    ),
    again=Query(
        "order_grid_watched",
        f"{_SELECT} WHERE o.entity_id IN %(ids)s",
        reads=_READS,
        connection=Connection.SALES,
    ),
    ripe_after=RIPE_AFTER,
    look_back=LOOK_BACK,
    forget_after=FORGET_AFTER,
)

ASYNC: Final = Flag.at("dev/grid/async_indexing", query="order_grid_async")

MISSING = gauge(
    "magento_order_grid_missing_orders",
    "Orders five minutes to seven days old that are not in sales_order_grid (those of a day, when the "
    "exporter is new); at most some 1,000 are counted.",
)
OLDEST = gauge(
    "magento_order_grid_oldest_missing_age_seconds",
    "Age of the oldest order counted in magento_order_grid_missing_orders; 0 when there is none.",
)
ASYNC_INDEXING = gauge(
    "magento_order_grid_async",
    "Whether the cron fills the order grid (1) or the request does (0), by dev/grid/async_indexing.",
)


class OrderGridCollector(Collector):
    """Orders missing in the admin's grid."""

    name = "order_grid"
    help = "Orders that are missing in the admin's order grid; from sales_order and sales_order_grid."
    source = "database"
    metrics = (MISSING, OLDEST, ASYNC_INDEXING)
    queries = (WATCH.newest, WATCH.before, WATCH.between, WATCH.again, ASYNC.query)
    refresh = EVERY_MINUTE

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield the samples of one run."""
        memory = context.memory.table("watched")
        missing = WATCH.look(
            context.database,
            memory,
            key="order",
            now=context.now,
            settle=context.tuning.settle_seconds,
            late=lambda row: bool(row["missing"]),
        )
        oldest = min((float(row["created"]) for row in missing), default=context.now)
        yield MISSING.sample(len(missing))
        yield OLDEST.sample(max(0.0, context.now - oldest))
        yield ASYNC_INDEXING.sample(float(ASYNC.is_on(context.database, context.locked)))
