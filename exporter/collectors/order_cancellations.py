"""Cancelled orders, counted once each.

A cancellation is a change of a row, so changed orders are followed. Every later change
of a cancelled order (a comment, an export) shows it as cancelled again. So the ids of
counted orders are remembered until the order is :data:`MAX_AGE` old.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from exporter.core.collector import Collector, Context, Refresh
from exporter.core.memory import Table
from exporter.core.metrics import Sample, counter
from exporter.core.ports import Row
from exporter.core.query import Connection
from exporter.magento.orders import CANCELED
from exporter.magento.stores import of_known_stores
from exporter.reading.by_id import ById
from exporter.reading.changes import Changes, Position
from exporter.reading.clock import DatabaseClock
from exporter.reading.instants import instant

CLOCK: Final = DatabaseClock("database_clock", connection=Connection.SALES)

_COLUMNS: Final = ("store_id", "state", "created_at", "base_total_canceled", "base_currency_code")
_SELECT: Final = """store_id, state, base_total_canceled AS value, base_currency_code AS currency,
                   UNIX_TIMESTAMP(created_at) AS created"""

ORDERS: Final = ById(
    "cancellations_orders",
    "sales_order",
    columns=(*_COLUMNS, "updated_at"),
    select=f"{_SELECT}, UNIX_TIMESTAMP(updated_at) AS changed",
    connection=Connection.SALES,
)

# The state is no condition: with it the optimiser could choose the index on state and read every
# cancelled order of the shop's history.
CHANGED: Final = Changes(
    "cancellations_changed_orders",
    "sales_order",
    columns=_COLUMNS,
    select=_SELECT,
    connection=Connection.SALES,
)

CANCELLATIONS = counter(
    "magento_orders_canceled_total",
    "Orders that were cancelled (sales_order.state became canceled) at an age of at most 30 days.",
    "store",
)
CANCELED_BASE = counter(
    "magento_orders_canceled_base_total",
    "Cancelled value of those orders in the website's base currency (base_total_canceled).",
    "store",
    "currency",
)

_DAY: Final = 86_400

MAX_AGE: Final = 30 * _DAY
"""Age in seconds of the oldest order whose cancellation counts."""

LOOK_BACK: Final = 5_000
"""Newest orders looked at when counting begins, to know which of them are cancelled already."""


class OrderCancellationsCollector(Collector):
    """Cancelled orders."""

    name = "order_cancellations"
    help = "Cancelled orders: number and value; from changed rows of sales_order."
    notes = """
    Exact for orders that are at most 30 days old when they are cancelled, and that were among the 5,000
    newest or came later when counting began. Others are not counted.

    While the exporter catches up with a mass update of more than 10,000 orders, it can miss a cancellation
    that commits late.
    """
    source = "database"
    metrics = (CANCELLATIONS, CANCELED_BASE)
    queries = (CLOCK.query, *ORDERS.queries, CHANGED.query)
    refresh = Refresh(interval=240.0, max_staleness=900.0)

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield the samples of one run."""
        followed, counted = context.memory.table("followed"), context.memory.table("counted")
        clock = CLOCK.read(context.database)
        _initialise(context)
        newest = ORDERS.newest_id(context.database)
        first, position = _known(followed)
        if position is None:
            first, position = _begin(context, counted, newest, clock)
        elif newest < first:
            # Emptied or restored: what comes back was changed before now.
            first, position = _begin(context, counted, newest, clock)
            position.since = _settled(context, clock, clock)
        else:
            settle = context.tuning.settle_seconds
            for row in CHANGED.read(context.database, position, now=clock, settle=settle):
                if _is_news(row, first, counted, clock):
                    _count(context, row)
                    counted.put(_key(row), 1)
        followed.put("position", [first, position.since, position.after])
        counted.delete(counted.scan(last=f"{(clock - MAX_AGE - _DAY) // _DAY:06d}"))
        for metric in self.metrics:
            yield from of_known_stores(context.memory.counters(metric).samples(), context.stores)


def _known(memory: Table) -> tuple[int, Position | None]:
    """Return the order above which cancellations count, and where to go on.

    The position does not remember what is read again: the counted orders do.
    """
    known = memory.get("position")
    if known is None:
        return 0, None
    first, since, after = known
    return first, Position(since, after)


def _begin(context: Context, counted: Table, newest: int, clock: int) -> tuple[int, Position]:
    """Note which of the newest orders are cancelled already."""
    first = max(0, newest - LOOK_BACK)
    rows = ORDERS.rows(context.database, after=first, limit=LOOK_BACK)
    counted.put_many({_key(row): 1 for row in rows if row["state"] == CANCELED})
    changed = max((int(instant(row["changed"], clock) or 0) for row in rows), default=clock)
    return first, Position(_settled(context, changed, clock))


def _settled(context: Context, changed: int, clock: int) -> int:
    """Return before which moment no change can become visible any more, if ``changed`` is the newest one."""
    return min(changed, clock) - round(context.tuning.settle_seconds)


def _is_news(row: Row, first: int, counted: Table, clock: int) -> bool:
    return (
        row["state"] == CANCELED
        and int(row["id"]) > first
        and (instant(row["created"], clock) or 0.0) >= clock - MAX_AGE
        and counted.get(_key(row)) is None
    )


def _key(row: Row) -> str:
    """Return a key that sorts by the day of the order's creation, so that old ones can be forgotten."""
    created = instant(row["created"], math.inf) or 0.0
    return f"{int(created) // _DAY:06d}/{int(row['id']):012d}"


def _initialise(context: Context) -> None:
    stores = context.stores
    for store_id in stores.view_ids():
        store = stores.code(store_id)
        context.memory.counters(CANCELLATIONS).initialise(store=store)
        context.memory.counters(CANCELED_BASE).initialise(store=store, currency=stores.currency(store_id))


def _count(context: Context, row: Row) -> None:
    store = context.stores.code(row["store_id"])
    currency = str(row["currency"] or context.stores.currency(row["store_id"]))
    context.memory.counters(CANCELLATIONS).add(store=store)
    value = max(row["value"] or Decimal(0), Decimal(0))
    context.memory.counters(CANCELED_BASE).add(value, store=store, currency=currency)
