"""How many orders a store has lately, and how many it should have.

New orders are counted into buckets by store: one a minute for the last day, one a
quarter of an hour for the last eight weeks. The orders before the first run are counted
once, the newest first, a few pages a run: that is the *backfill*. So no statement ever
reads a window, however long it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from exporter.core.baseline import BUCKET, HISTORY, WEEKS, WINDOWS, expected, in_windows, weeks_ago
from exporter.core.collector import EVERY_HALF_MINUTE, Collector, Context
from exporter.core.memory import Table
from exporter.core.metrics import Sample, gauge
from exporter.core.ports import Row
from exporter.core.query import Connection, Query
from exporter.reading.followed import Followed

ORDERS: Final = Followed("expected_orders", "sales_order", columns=("store_id",), connection=Connection.SALES)

# The id of the newest order is no condition: with it the optimiser may walk through the primary key and
# sort. A table of at most a dozen pages it may still find cheaper to read as a whole; hence the small page.
PAST_ORDERS = Query(
    "expected_orders_history",
    """
    SELECT entity_id AS id, store_id, UNIX_TIMESTAMP(created_at) AS created
    FROM {sales_order}
    WHERE created_at >= FROM_UNIXTIME(%(horizon)s) AND created_at <= FROM_UNIXTIME(%(before)s)
      AND (created_at < FROM_UNIXTIME(%(before)s) OR entity_id < %(before_id)s)
    ORDER BY created_at DESC, entity_id DESC
    LIMIT %(limit)s
    """,
    reads={"sales_order": ("entity_id", "store_id", "created_at")},
    connection=Connection.SALES,
)

RECENT = gauge(
    "magento_orders_recent",
    "Orders placed in the last 30m, 2h, 6h or 1d, to the minute (sales_order.created_at);"
    " absent for a store view that is switched off (store.is_active).",
    "store",
    "window",
)
EXPECTED = gauge(
    "magento_orders_expected",
    "Median of the orders in the same local hours of the last 2 to 8 weeks; absent with less history"
    " and for a store view that is switched off (store.is_active).",
    "store",
    "window",
)
BASELINE = gauge(
    "magento_orders_baseline_seconds",
    "Length of the store's order history from which magento_orders_expected is computed, at most 58 days;"
    " absent for a store view that is switched off (store.is_active).",
    "store",
)

HISTORY_PAGE: Final = 1_000
"""Past orders read by one statement of the backfill."""

HISTORY_PAGES: Final = 2
"""Such statements made by one run at most."""

_MINUTE: Final = 60
_DAY: Final = 86_400
_EXPECTED_LIFETIME: Final = 300
"""Seconds for which the expected numbers are not computed again."""

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


class ExpectedOrdersCollector(Collector):
    """Orders lately, and orders expected."""

    name = "expected_orders"
    help = "Orders in recent windows and what the last weeks let expect; from sales_order."
    notes = """
    `magento_orders_expected` is the median of the same window in the last two to eight weeks: the same
    weekday and time in the store's own time zone, also when the clocks were changed in between. A week
    before the store's first order does not count. With fewer than two weeks there is no sample.

    The orders before the first start are read in the first minutes, the newest first.
    `magento_orders_baseline_seconds` says how far back they are known. While an exporter that was away
    catches up, there are no samples.

    A store view that is switched off has no samples. Its orders are counted all the same, so it has its
    history when it is switched on again.
    """
    source = "database"
    metrics = (RECENT, EXPECTED, BASELINE)
    queries = (*ORDERS.queries, PAST_ORDERS)
    refresh = EVERY_HALF_MINUTE

    def __init__(self) -> None:
        self._known: tuple[object, Mapping[tuple[str, str], float]] = ((), {})

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield the samples of one run."""
        history = _History(context)
        behind = history.follow()
        history.backfill()
        history.prune()
        if behind:
            return
        stores = {str(store_id): context.stores.code(store_id) for store_id in context.stores.active_ids()}
        yield from _recent(history, stores)
        for store_id, begin in history.begins(stores).items():
            yield BASELINE.sample(context.now - begin, store=stores[store_id])
        for (store_id, window), number in self._expected(history, stores).items():
            yield EXPECTED.sample(number, store=stores[store_id], window=window)

    def _expected(self, history: _History, stores: Mapping[str, str]) -> Mapping[tuple[str, str], float]:
        """Compute at most every five minutes.

        The past does not change, and the hour of the day changes slowly.
        """
        version = (int(history.now) // _EXPECTED_LIFETIME, history.backfilled, tuple(stores))
        if self._known[0] != version:
            self._known = (version, dict(_all_expected(history, stores)))
        return self._known[1]


class _History:
    """The buckets, and how orders get into them."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.now = context.now
        self._followed = context.memory.table("followed")
        self._minutes = context.memory.table("minutes")
        self._quarters = context.memory.table("quarters")
        self._first = context.memory.table("first")
        self._zones = {str(store_id): context.stores.timezone(store_id) for store_id in context.stores.ids()}
        self.horizon = int(self.now) - HISTORY
        self._newest = 0

    def follow(self) -> bool:
        """Count the new orders; return whether there are more than one run can read."""
        new = ORDERS.read(self._context)
        self._newest = new.newest
        self._count(new.rows)
        return new.catching_up

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
        for row in rows:
            if row["store_id"] is None or not row["created"]:
                continue
            store, created = str(row["store_id"]), int(row["created"])
            first[store] = min(created, first.get(store, created))
            if created >= self.horizon:
                quarters.setdefault(_key(created, BUCKET), Counter())[store] += 1
            if created >= self.now - _DAY - 2 * _MINUTE:
                minutes.setdefault(_key(created, _MINUTE), Counter())[store] += 1
        _add(self._minutes, minutes)
        _add(self._quarters, quarters)
        for store, created in first.items():
            if created < self._first.get(store, created + 1):
                self._first.put(store, created)

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

    def begins(self, stores: Iterable[str]) -> dict[str, float]:
        """Return the Unix time at which each store's known history begins (now if it has no orders)."""
        first, covered = self._first.scan(), self.covered
        return {store: min(self.now, max(covered, first.get(store, self.now))) for store in stores}

    def zone(self, store_id: str) -> ZoneInfo:
        """Return the store's time zone."""
        return self._zones[store_id]


def _key(moment: int, length: int) -> str:
    return f"{moment - moment % length:012d}"


def _add(table: Table, found: Mapping[str, Mapping[str, int]]) -> None:
    known = table.get_many(found)
    for key, counts in found.items():
        table.put(key, dict(Counter(known.get(key, {})) + Counter(counts)))


def _recent(history: _History, stores: Mapping[str, str]) -> Iterator[Sample]:
    """Yield the orders of every window that is wholly known."""
    for window, length in WINDOWS.items():
        if history.covered <= history.now - length:
            orders = history.lately(length)
            for store_id, code in stores.items():
                yield RECENT.sample(orders.get(store_id, 0), store=code, window=window)


def _all_expected(history: _History, stores: Mapping[str, str]) -> Iterator[tuple[tuple[str, str], float]]:
    """Yield ((store id, window), expected orders) of every store with enough history."""
    past: dict[float, dict[str, dict[str, float]]] = {}
    longest = max(WINDOWS.values())
    for store_id, begin in history.begins(stores).items():
        weeks: dict[str, list[float]] = {window: [] for window in WINDOWS}
        for week in range(1, WEEKS + 1):
            end = weeks_ago(history.now, week, history.zone(store_id))
            if end not in past:
                past[end] = in_windows(history.quarters(end - longest, end), end)
            for window, length in WINDOWS.items():
                if end - length >= begin:
                    weeks[window].append(past[end][window].get(store_id, 0.0))
        for window, numbers in weeks.items():
            number = expected(numbers)
            if number is not None:
                yield (store_id, window), number
