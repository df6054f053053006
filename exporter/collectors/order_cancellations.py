"""Cancelled orders, counted once each.

A cancellation is a change of a row, so changed orders are followed by the index
on ``updated_at``, with an overlap for transactions that commit late. Every later
change of a cancelled order (a comment, an export) shows it as cancelled again,
so the ids of counted orders are remembered until the order is
:data:`MAX_AGE` old. The overlap is measured from the newest change that is
visible: a replica may lag as far as it likes.

Exact for orders that are at most 30 days old when they are cancelled and were
among the 5,000 newest, or came later, when counting began. Others are not
counted. While a mass update of more than 10,000 orders is caught up with, a
cancellation that commits late can be missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, Self

from exporter.core.collector import Collector, Context, Refresh
from exporter.core.memory import Table
from exporter.core.metrics import Sample, counter
from exporter.core.ports import Row
from exporter.core.query import Connection, Query
from exporter.magento.orders import CANCELED
from exporter.magento.stores import of_known_stores
from exporter.reading.followed import newest_id

# The database's clock is the one that wrote updated_at.
CLOCK = Query("database_clock", "SELECT UNIX_TIMESTAMP() AS clock", reads={}, connection=Connection.SALES)

NEWEST = Query(
    "cancellations_newest_order",
    "SELECT MAX(entity_id) AS id FROM {sales_order}",
    reads={"sales_order": ("entity_id",)},
    connection=Connection.SALES,
)

_COLUMNS: Final = (
    "entity_id",
    "store_id",
    "state",
    "created_at",
    "updated_at",
    "base_total_canceled",
    "base_currency_code",
)
_SELECT: Final = """
    SELECT entity_id AS id, store_id, state, base_total_canceled AS value, base_currency_code AS currency,
           UNIX_TIMESTAMP(created_at) AS created, UNIX_TIMESTAMP(updated_at) AS updated
    FROM {sales_order}"""

RECENT = Query(
    "cancellations_recent_orders",
    f"""{_SELECT}
    WHERE entity_id > %(after)s
    ORDER BY entity_id
    LIMIT %(limit)s
    """,
    reads={"sales_order": _COLUMNS},
    connection=Connection.SALES,
)

# The state is no condition: with it the optimiser could choose the index on state and read every
# cancelled order of the shop's history.
CHANGED = Query(
    "cancellations_changed_orders",
    f"""{_SELECT}
    WHERE updated_at >= FROM_UNIXTIME(%(since)s)
      AND (updated_at > FROM_UNIXTIME(%(since)s) OR entity_id > %(after)s)
    ORDER BY updated_at, entity_id
    LIMIT %(limit)s
    """,
    reads={"sales_order": _COLUMNS},
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

PAGE: Final = 2_000
"""Changed orders read by one statement."""

PAGES_A_RUN: Final = 5
"""Such statements made by one run at most; after a mass update the next runs catch up."""


@dataclass(slots=True)
class _Position:
    """Where to go on: changes from ``since`` (database time), in its second only ids above ``after``."""

    first_order: int
    since: int
    after: int = 0

    @classmethod
    def read(cls, memory: Table) -> Self | None:
        known = memory.get("position")
        return cls(*known) if known is not None else None

    def write(self, memory: Table) -> None:
        memory.put("position", [self.first_order, self.since, self.after])


class OrderCancellationsCollector(Collector):
    """Cancelled orders."""

    name = "order_cancellations"
    help = "Cancelled orders: number and value; from changed rows of sales_order."
    source = "database"
    metrics = (CANCELLATIONS, CANCELED_BASE)
    queries = (CLOCK, NEWEST, RECENT, CHANGED)
    refresh = Refresh(interval=120.0, max_staleness=600.0)

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield the samples of one run."""
        followed, counted = context.memory.table("followed"), context.memory.table("counted")
        clock = int(context.database.rows(CLOCK)[0]["clock"])
        _initialise(context)
        position = _Position.read(followed)
        newest = newest_id(context.database, NEWEST)
        if position is None:
            position = _begin(context, counted, newest, clock)
        elif newest < position.first_order:  # emptied or restored: what comes back was changed before now
            position = replace(_begin(context, counted, newest, clock), since=_settled(context, clock, clock))
        else:
            for row in _changed(context, position, clock):
                if _is_news(row, position, counted, clock):
                    _count(context, row)
                    counted.put(_key(row), 1)
        position.write(followed)
        counted.delete(counted.scan(last=f"{(clock - MAX_AGE - _DAY) // _DAY:06d}"))
        for metric in self.metrics:
            yield from of_known_stores(context.memory.counters(metric).samples(), context.stores)


def _begin(context: Context, counted: Table, newest: int, clock: int) -> _Position:
    """Note which of the newest orders are cancelled already."""
    first = max(0, newest - LOOK_BACK)
    rows = context.database.rows(RECENT, after=first, limit=LOOK_BACK)
    counted.put_many({_key(row): 1 for row in rows if row["state"] == CANCELED})
    changed = max((int(row["updated"]) for row in rows), default=clock)
    return _Position(first, _settled(context, changed, clock))


def _settled(context: Context, changed: int, clock: int) -> int:
    """Return before which moment no change can become visible any more, if ``changed`` is the newest one."""
    return min(changed, clock) - round(context.tuning.settle_seconds)


def _changed(context: Context, position: _Position, clock: int) -> Iterator[Row]:
    """Yield the orders changed since the last run and move the position on.

    That is to ``settle_seconds`` before the newest change, because others may still
    become visible there; but never back, and where a run cannot read all, just behind its end.
    """
    begun, newest = (position.since, position.after), 0
    for _ in range(PAGES_A_RUN):
        page = context.database.rows(CHANGED, since=position.since, after=position.after, limit=PAGE)
        yield from page
        if page:
            newest = position.since = int(page[-1]["updated"])
            position.after = int(page[-1]["id"])
        if len(page) < PAGE:
            position.since, position.after = max(begun, (_settled(context, newest, clock), 0))
            return


def _is_news(row: Row, position: _Position, counted: Table, clock: int) -> bool:
    return (
        row["state"] == CANCELED
        and int(row["id"]) > position.first_order
        and int(row["created"]) >= clock - MAX_AGE
        and counted.get(_key(row)) is None
    )


def _key(row: Row) -> str:
    """Return a key that sorts by the day of the order's creation, so that old ones can be forgotten."""
    return f"{int(row['created']) // _DAY:06d}/{int(row['id']):012d}"


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
