"""Orders that the shop's staff cannot see: missing in ``sales_order_grid``, behind the admin list."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from exporter.core.collector import EVERY_MINUTE, Collector, Context
from exporter.core.metrics import Sample, gauge
from exporter.core.query import Connection
from exporter.magento.flags import Flag
from exporter.reading.instants import age
from exporter.reading.watch import Ages, Watch

WATCH: Final = Watch(
    "order_grid",
    "sales_order",
    select="g.entity_id IS NULL AS missing",
    join="LEFT JOIN {sales_order_grid} AS g ON g.entity_id = t.entity_id",
    joined={"sales_order_grid": ("entity_id",)},
    # After five minutes the cron has had its chances.
    ages=Ages(first_look=300.0, look_back=86_400.0, forget=7 * 86_400.0),
    connection=Connection.SALES,
    state="order",
)

ASYNC: Final = Flag.at("dev/grid/async_indexing", query="order_grid_async")

MISSING = gauge(
    "magento_order_grid_missing_orders",
    "Orders at most seven days old that were not in sales_order_grid five minutes after they were placed, or"
    " after tuning.settle_seconds if that is longer, and are not yet. A new exporter begins with those of a"
    " day. At most some 1,000 are counted.",
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
    notes = """
    Magento copies an order into the grid in the same request or, with asynchronous grid indexing, once a
    minute by cron. Each order is looked for when it is five minutes old, or as old as
    `tuning.settle_seconds` if that is longer. It is looked for again until it is there or a week old. A new
    exporter begins with the orders of a day.
    """
    source = "database"
    metrics = (MISSING, OLDEST, ASYNC_INDEXING)
    queries = (*WATCH.queries, ASYNC.query)
    refresh = EVERY_MINUTE

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield the samples of one run."""
        missing = WATCH.look(context, late=lambda row: bool(row["missing"]))
        oldest = max((age(row["created"], context.now) or 0.0 for row in missing), default=0.0)
        yield MISSING.sample(len(missing))
        yield OLDEST.sample(oldest)
        yield ASYNC_INDEXING.sample(float(ASYNC.is_on(context.database, context.locked)))
