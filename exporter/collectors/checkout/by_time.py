"""Following the carts by the time of their last change: Magento 2.4.7 and newer.

A cart is looked at three times after each change:

1. at once;
2. when the change is ``settle_seconds`` old: a transaction that was open at the first
   look has committed by then;
3. half an hour after it: a step may write to ``quote_address`` or ``quote_payment``
   only, and leave ``quote.updated_at`` alone.

A change that is committed later than that counts at the cart's next change, or with
its order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from exporter.collectors.checkout.funnel import CART_AND_AGE, CART_COLUMNS, Funnel
from exporter.core.collector import Context
from exporter.core.ports import Row
from exporter.core.query import LOOSE_SCAN, Connection, Query
from exporter.reading.clock import DatabaseClock
from exporter.reading.time_slices import TimeSlices

CLOCK: Final = DatabaseClock("checkout_clock", connection=Connection.CHECKOUT)

CHANGED_QUOTES: Final = TimeSlices(
    "checkout_changed_quotes",
    "quote",
    columns=("entity_id", "created_at", *CART_COLUMNS),
    select=CART_AND_AGE,
    page=2_000,
    connection=Connection.CHECKOUT,
)

# A loose index scan on (store_id, updated_at): some two index entries a store, however many carts there are.
NEWEST_CHANGES = Query(
    "checkout_newest_changes",
    "SELECT store_id, UNIX_TIMESTAMP(MAX(updated_at)) AS newest FROM {quote} GROUP BY store_id",
    reads={"quote": ("store_id", "updated_at")},
    connection=Connection.CHECKOUT,
    bounded=LOOSE_SCAN,
)

QUERIES: Final = (CLOCK.query, NEWEST_CHANGES, CHANGED_QUOTES.query)

LATE_LOOK: Final = 1_800
"""Age in seconds of a change at the last look."""

OVERLAP: Final = 3
"""Seconds that the first look reaches back, so that it misses no ordinary, short transaction."""

HISTORY: Final = 3_600
"""Seconds before the first run: the stages of carts that were changed in them are read, but not counted."""

HISTORY_ROWS: Final = 5_000
"""Such carts read at most."""

CARTS_A_LOOK: Final = 3_000
"""Carts after which a look rests until the next run; it catches up later."""


def follow(context: Context, funnel: Funnel) -> None:
    """Look at the carts whose last change is new, settled, or half an hour old."""
    now = CLOCK.read(context.database)
    remembered = context.memory.table("looks")
    ages = (0, int(context.tuning.settle_seconds), LATE_LOOK)
    done_until: list[int] | None = remembered.get("done_until")
    if done_until is None:
        _note_history(context, funnel, now)
        done_until = [now - age for age in ages]
    # The later looks stop behind the newest change that is visible: a replica may show others late.
    received = _received(context)
    looks = _Looks(done_until, [min(now - age, received) if age else now for age in ages])
    for look in range(len(ages)):
        first, end = looks.due(look)
        for done, rows in _changed(context, first, end, budget=CARTS_A_LOOK):
            funnel.note_quotes(rows)
            looks.finish(first, done)
    remembered.put("done_until", looks.done_until)


def _received(context: Context) -> int:
    """Return the moment behind the newest visible change: a replica that lags may show others later."""
    return max((int(row["newest"]) for row in context.database.rows(NEWEST_CHANGES)), default=0) + 1


class _Looks:
    """Until which moment (database clock, Unix seconds) the changes have been looked at, by look."""

    def __init__(self, done_until: Sequence[int], targets: Sequence[int]) -> None:
        self.done_until = list(done_until)
        self._targets = targets

    def due(self, look: int) -> tuple[int, int]:
        """Return the span ``first <= updated_at < end`` that the look has before it."""
        if look == 0:
            return self.done_until[0] - OVERLAP, self._targets[0] + 1
        return self.done_until[look], self._targets[look]

    def finish(self, first: int, end: int) -> None:
        """Note that the span has been looked at now: for older looks too, as far as it is old enough."""
        for look, target in enumerate(self._targets):
            if first <= self.done_until[look]:
                self.done_until[look] = max(self.done_until[look], min(end, target))


def _changed(context: Context, first: int, end: int, *, budget: int) -> Iterator[tuple[int, Sequence[Row]]]:
    """Yield (moment, carts changed before it), from old to new, until the budget is used up."""
    return CHANGED_QUOTES.read(context.database, context.stores.ids(), first, end, budget=budget)


def _note_history(context: Context, funnel: Funnel, now: int) -> None:
    """Note what the carts of the last hour have reached, the newest first, without counting it."""
    budget, width = HISTORY_ROWS, 60
    for end in range(now, now - HISTORY, -width):
        for _, rows in _changed(context, end - width, end, budget=budget):
            funnel.note_quotes(rows, history=True)
            budget -= len(rows)
        if budget <= 0:
            return
