"""Following the carts by the time of their last change: Magento 2.4.7 and newer.

A cart is looked at three times after each change:

1. at once; of a cart that was not seen before, its steps are left to the next look;
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
from exporter.core.query import Connection
from exporter.reading.clock import DatabaseClock
from exporter.reading.instants import instant
from exporter.reading.per_subject import PerSubject
from exporter.reading.time_slices import TimeSlices

CLOCK: Final = DatabaseClock("checkout_clock", connection=Connection.CHECKOUT)

CHANGED_QUOTES: Final = TimeSlices(
    "checkout_changed_quotes",
    "quote",
    columns=("entity_id", "created_at", *CART_COLUMNS),
    select=f"{CART_AND_AGE}, UNIX_TIMESTAMP(updated_at) AS changed",
    page=2_000,
    connection=Connection.CHECKOUT,
)

# The end of the index (store_id, updated_at) of each store. GROUP BY store_id would find the same, but
# where the index statistics are stale the server reads the whole index for it.
NEWEST_CHANGES: Final = PerSubject(
    "checkout_newest_changes",
    "SELECT UNIX_TIMESTAMP(MAX(updated_at)) AS newest FROM {quote} WHERE store_id = %(store_#)s",
    reads={"quote": ("store_id", "updated_at")},
    nobody={"store": -1},
    connection=Connection.CHECKOUT,
    bounded="the end of the index on store and time",
)

QUERIES: Final = (CLOCK.query, NEWEST_CHANGES.query, CHANGED_QUOTES.query)

LATE_LOOK: Final = 1_800
"""Age in seconds of a change at the last look."""

OVERLAP: Final = 3
"""Seconds that the first look reaches back, so that it misses no ordinary, short transaction."""

HISTORY: Final = 3_600
"""Seconds before the first run: the stages of carts that were changed in them are read, but not counted."""

HISTORY_ROWS: Final = 5_000
"""Such carts read at most."""

LATER_LOOKS_EVERY: Final = 60
"""Seconds between two times at which the later looks go on: each costs an index entry of every store."""

CARTS_A_LOOK: Final = 3_000
"""Carts after which a look rests until the next run; it catches up later."""


def follow(context: Context, funnel: Funnel) -> None:
    """Look at the carts whose last change is new, settled, or half an hour old."""
    now = CLOCK.read(context.database)
    remembered = context.memory.table("looks")
    settle = int(context.tuning.settle_seconds)
    ages: tuple[int, ...] = (0, settle, LATE_LOOK)
    done_until: list[int] | None = remembered.get("done_until")
    if done_until is None:
        _note_history(context, funnel, now)
        done_until = [now - age for age in ages]
    later: int = remembered.get("later", 0)
    if 0 <= now - later < LATER_LOOKS_EVERY:
        ages = ages[:1]
    else:
        remembered.put("later", now)
    looks = _Looks(done_until, [now - age for age in ages])
    for rows in _look(context, looks, 0):
        unsettled = {int(row["id"]) for row in rows if int(row["changed"]) >= now - settle}
        funnel.note_quotes(rows, again=unsettled)
    if len(ages) > 1:
        # The later looks stop behind the newest change that is visible: a replica may show others late.
        looks.stop_behind(_received(context, looks, now))
        for look in (1, 2):
            # A cart that was seen with this very change is no exception: it may have been changed twice in
            # one second, and the second change committed later.
            for rows in _look(context, looks, look):
                funnel.note_quotes(rows)
    remembered.put("done_until", looks.done_until)


def _look(context: Context, looks: _Looks, look: int) -> Iterator[Sequence[Row]]:
    """Yield the carts of one look. What was yielded counts as done when more is asked for."""
    first, end = looks.due(look)
    for done, rows in _changed(context, first, end, budget=CARTS_A_LOOK):
        yield rows
        looks.finish(first, done)
        looks.newest = max((looks.newest, *(int(row["changed"]) for row in rows)))


def _received(context: Context, looks: _Looks, now: int) -> int:
    """Return the moment behind the newest visible change: a replica that lags may show others later."""
    if looks.newest:  # the first look has just seen one
        return looks.newest + 1
    stores = [{"store": store_id} for store_id in context.stores.ids()]
    rows = NEWEST_CHANGES.rows(context.database, stores)
    return max((int(instant(row["newest"], now) or 0) for row in rows), default=0) + 1


class _Looks:
    """Until which moment (database clock, Unix seconds) the changes have been looked at, by look."""

    def __init__(self, done_until: Sequence[int], targets: Sequence[int]) -> None:
        self.done_until = list(done_until)
        self.newest = 0
        self._targets = list(targets)

    def stop_behind(self, moment: int) -> None:
        """Let the later looks go no further than that moment."""
        self._targets[1:] = [min(target, moment) for target in self._targets[1:]]

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
