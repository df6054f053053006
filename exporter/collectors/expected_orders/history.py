"""The history of the orders: buckets by store, and how orders get into them.

New orders are counted into buckets: one a minute for the last day, one a quarter of an
hour for the last eight weeks. The orders before the first run are counted once, the
newest first, a few pages a run: that is the *backfill*. So no statement ever reads a
window, however long it is.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from exporter.collectors.expected_orders.baseline import BUCKET, HISTORY
from exporter.core import holidays
from exporter.core.collector import Context
from exporter.core.holidays import IsHoliday
from exporter.core.memory import Table
from exporter.core.ports import Row
from exporter.core.query import Connection, Query
from exporter.reading.followed import Followed
from exporter.reading.instants import instant

ORDERS: Final = Followed("expected_orders", "sales_order", columns=("store_id",), connection=Connection.SALES)

# The id of the newest order is no condition: with it the optimiser may walk through the primary key and
# sort. A table of at most a dozen pages it may still find cheaper to read as a whole; hence the small page.
PAST_ORDERS = Query(
    "expected_orders_history",
    """
    SELECT entity_id AS id, store_id, UNIX_TIMESTAMP(created_at) AS created
    FROM {sales_order} {index sales_order}
    WHERE created_at >= FROM_UNIXTIME(%(horizon)s) AND created_at <= FROM_UNIXTIME(%(before)s)
      AND (created_at < FROM_UNIXTIME(%(before)s) OR entity_id < %(before_id)s)
    ORDER BY created_at DESC, entity_id DESC
    LIMIT %(limit)s
    """,
    reads={"sales_order": ("entity_id", "store_id", "created_at")},
    index={"sales_order": ("created_at",)},
    connection=Connection.SALES,
)

HISTORY_PAGE: Final = 1_000
"""Past orders read by one statement of the backfill."""

HISTORY_PAGES: Final = 2
"""Such statements made by one run at most."""

_MINUTE: Final = 60
_DAY: Final = 86_400
_READ: Final = 24 * BUCKET
"""Seconds of history that are read at once, and no more than once a run."""

_NO_ID: Final = 2**32
"""More than any order's id, which is an INT UNSIGNED: the backfill begins with all orders before it."""

_BACKFILL: Final = "fill"
"""Under which key the state remembers the backfill; state files hold it, so it keeps its name."""

Counts = dict[str, int]
"""Orders by store id; ids are text, as they come back from memory."""


@dataclass(slots=True)
class _Backfill:
    """How far the backfill has come: every order from ``covered`` on (Unix time) is known.

    ``newest`` is the id of the newest order that belongs to the past; the next
    page begins with the order before ``before`` (Unix time) and ``before_id``.
    """

    newest: int
    before: int
    before_id: int
    done: bool = False

    @property
    def covered(self) -> int:
        return self.before if self.done else self.before + 1


class History:
    """The buckets, and how orders get into them."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.now = context.now
        self._followed = context.memory.table("followed")
        self._minutes = context.memory.table("minutes")
        self._quarters = context.memory.table("quarters")
        self._first = context.memory.table("first")
        self._last = context.memory.table("last")
        self._zones = {str(store_id): context.stores.timezone(store_id) for store_id in context.stores.ids()}
        self._holidays = {
            str(store_id): holidays.of_store(context.tuning, context.stores, store_id)
            for store_id in context.stores.ids()
        }
        self.horizon = int(self.now) - HISTORY
        self._newest = 0
        self._read: dict[int, list[tuple[int, Counts]]] = {}

    def follow(self) -> bool:
        """Count the new orders; return whether there are more than one run can read."""
        self._derive_last()
        new = ORDERS.read(self._context)
        self._newest = new.newest
        self._count(new.rows)
        return new.catching_up

    def _derive_last(self) -> None:
        """Take the last orders from the buckets: an earlier version did not note them."""
        if self._last.scan():
            return
        for start, counts in self.quarters(self.horizon, self.now):
            self._last.put_many(dict.fromkeys(counts, min(float(start + BUCKET), self.now)))

    def backfill(self) -> None:
        """Count some orders of the time before the first run, the newest first."""
        progress = self._progress
        for _ in range(HISTORY_PAGES):
            if progress.done:
                return
            self._backfill_page(progress)

    def _backfill_page(self, progress: _Backfill) -> None:
        rows = self._context.database.rows(
            PAST_ORDERS,
            horizon=self.horizon,
            before=progress.before,
            before_id=progress.before_id,
            limit=HISTORY_PAGE,
        )
        self._count(row for row in rows if int(row["id"]) <= progress.newest)
        if len(rows) < HISTORY_PAGE:
            progress.before, progress.before_id, progress.done = self.horizon, 0, True
        else:
            progress.before, progress.before_id = int(rows[-1]["created"]), int(rows[-1]["id"])
        self._followed.put(_BACKFILL, [progress.newest, progress.before, progress.before_id, progress.done])

    @property
    def _progress(self) -> _Backfill:
        known = self._followed.get(_BACKFILL)
        if known is None:
            return _Backfill(self._newest, int(self.now) + _DAY, _NO_ID)
        return _Backfill(*known)

    @property
    def backfilled(self) -> int:
        """The Unix time back to which the past has been counted."""
        return self._progress.covered

    @property
    def covered(self) -> int:
        """The Unix time from which on every order is known."""
        return max(self.backfilled, self.horizon)

    def _count(self, rows: Iterable[Row]) -> None:
        minutes: dict[str, Counter[str]] = {}
        quarters: dict[str, Counter[str]] = {}
        first: dict[str, int] = {}
        last: dict[str, float] = {}
        for row in rows:
            # An order of the future belongs to its own time: as one of now it would look like a sale.
            moment = instant(row["created"], math.inf)
            if row["store_id"] is None or moment is None:
                continue
            store, created = str(row["store_id"]), int(moment)
            first[store] = min(created, first.get(store, created))
            last[store] = min(self.now, max(created, last.get(store, 0.0)))
            if created >= self.horizon:
                quarters.setdefault(_key(created, BUCKET), Counter())[store] += 1
            if created >= self.now - _DAY - 2 * _MINUTE:
                minutes.setdefault(_key(created, _MINUTE), Counter())[store] += 1
        _add(self._minutes, minutes)
        _add(self._quarters, quarters)
        for store, created in first.items():
            if created < self._first.get(store, created + 1):
                self._first.put(store, created)
        for store, moment in last.items():
            if moment > self._last.get(store, 0.0):
                self._last.put(store, moment)

    def prune(self) -> None:
        """Forget what is too old to be of use."""
        for table, oldest in (
            (self._minutes, int(self.now) - _DAY - 2 * _MINUTE),
            (self._quarters, self.horizon),
        ):
            table.delete(table.scan(last=f"{oldest - BUCKET:012d}"))

    def lately(self, length: int) -> Counts:
        """Return the orders since the minute that lies ``length`` seconds ago, at most a day."""
        start = int(self.now) - length
        start -= start % _MINUTE
        first, last = -(-start // BUCKET) * BUCKET, int(self.now) // BUCKET * BUCKET
        found = Counter[str]()
        for table, begin, end in (
            (self._minutes, start, first),
            (self._quarters, first, last),
            (self._minutes, last, int(self.now) + 1),
        ):
            for counts in table.scan(f"{begin:012d}", f"{end:012d}").values():
                found.update(counts)
        return found

    def quarters(self, start: float, end: float) -> list[tuple[int, Counts]]:
        """Return the start and the orders of every quarter of an hour that touches the time given."""
        found: dict[str, Any] = self._quarters.scan(_key(int(start), BUCKET), f"{int(end) + 1:012d}")
        return [(int(key), counts) for key, counts in found.items()]

    def between(self, stores: Iterable[str], start: float, end: float) -> float:
        """Return the orders of some stores in a stretch of time; of a bucket the part that lies in it."""
        wanted, found = tuple(stores), 0.0
        for begin in range(int(start) // _READ * _READ, int(end) + 1, _READ):
            if begin not in self._read:
                self._read[begin] = self.quarters(begin, begin + _READ - 1)
            for moment, counts in self._read[begin]:
                inside = min(moment + BUCKET, end) - max(moment, start)
                if inside > 0:
                    found += sum(counts.get(store, 0) for store in wanted) * inside / BUCKET
        return found

    def last(self, stores: Iterable[str]) -> dict[str, float]:
        """Return the Unix time of each store's last order; a store without a known one is left out."""
        found: dict[str, float] = self._last.get_many(stores)
        return found

    def begins(self, stores: Iterable[str]) -> dict[str, float]:
        """Return the Unix time at which each store's known history begins (now if it has no orders)."""
        first, covered = self._first.scan(), self.covered
        return {store: min(self.now, max(covered, first.get(store, self.now))) for store in stores}

    def zone(self, store_id: str) -> ZoneInfo:
        """Return the store's time zone."""
        return self._zones[store_id]

    def is_holiday(self, store_id: str) -> IsHoliday:
        """Return what tells the holidays of the store."""
        return self._holidays[store_id]


def _key(moment: int, length: int) -> str:
    return f"{moment - moment % length:012d}"


def _add(table: Table, found: Mapping[str, Mapping[str, int]]) -> None:
    known = table.get_many(found)
    for key, counts in found.items():
        table.put(key, dict(Counter(known.get(key, {})) + Counter(counts)))
