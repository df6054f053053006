"""Carts: how many are in use now, how many were abandoned, with their value, and how full their table is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from exporter.core.collector import Collector, Context, Refresh
from exporter.core.metrics import Sample, counter, gauge
from exporter.core.ports import Row
from exporter.core.query import LOOSE_SCAN, Connection, Query
from exporter.errors import AccessDenied
from exporter.magento.checkout import quotes_by_time
from exporter.magento.stores import of_known_stores
from exporter.reading.clock import DatabaseClock
from exporter.reading.instants import NOTED_SINCE, instant
from exporter.reading.time_slices import TimeSlices

CLOCK: Final = DatabaseClock("carts_clock", connection=Connection.CHECKOUT)

PAGE: Final = 5_000
"""Carts read by one statement. More in one second is a mass update."""

# Summed up here, not by the server: a derived table would be written and read once more, and without one
# no limit could be set to what is read.
CHANGED: Final = TimeSlices(
    "carts_changed",
    "quote",
    columns=("entity_id", "is_active", "items_count", "base_currency_code", "base_grand_total"),
    select="""entity_id AS id, store_id, UNIX_TIMESTAMP(updated_at) AS changed,
                   base_currency_code AS currency, base_grand_total AS total,
                   is_active = 1 AND items_count > 0 AS in_use""",
    page=PAGE,
    connection=Connection.CHECKOUT,
)

# A loose index scan on (store_id, updated_at): some two index entries a store, however many carts there are.
OLDEST_CHANGES = Query(
    "carts_oldest_changes",
    f"""
    SELECT store_id, UNIX_TIMESTAMP(MIN(updated_at)) AS oldest
    FROM {{quote}}
    WHERE updated_at >= FROM_UNIXTIME({NOTED_SINCE})
    GROUP BY store_id
    """,
    reads={"quote": ("store_id", "updated_at")},
    connection=Connection.CHECKOUT,
    bounded=LOOSE_SCAN,
)

ACTIVE = gauge(
    "magento_carts_active",
    "Active carts with items, by the time since their last change: lt_15m less than 15 minutes,"
    " lt_1h 15 minutes to an hour (quote.updated_at). A band with too many carts to read is absent.",
    "store",
    "age",
)
ABANDONED = counter(
    "magento_carts_abandoned_total",
    "Carts that were abandoned: active, with items, and not changed for the configured time"
    " (quote.updated_at).",
    "store",
)
ABANDONED_VALUE = counter(
    "magento_carts_abandoned_value_base_total",
    "Value of the abandoned carts, in the base currency of their website (quote.base_grand_total).",
    "store",
    "currency",
)

TABLE_ROWS = gauge("magento_quote_rows", "The database server's estimate of the rows of quote (within 40 %).")
OLDEST = gauge(
    "magento_quote_oldest_update_timestamp_seconds",
    "Unix time of the oldest last change of a cart (quote.updated_at). Older than the configured lifetime"
    " of carts, 30 days by default, means that the cleanup (sales_clean_quotes) does not keep up.",
    "store",
)

BANDS: Final = (("lt_15m", 0, 900), ("lt_1h", 900, 3_600))
"""Label value, and from which to which age in seconds."""

_ZERO: Final = Decimal(0)

CARTS_A_BAND: Final = 20_000
"""Carts of one band kept at most; beyond that the band is not known."""

CARTS_A_RUN: Final = 2_000
"""Carts read by one run at most for each of the looks; after a long absence the rest follows later."""

OVERLAP: Final = 5
"""Seconds before the newest change that are read again: a transaction may have been open."""

MOST_LAG: Final = 300
"""Seconds back at most from which changes may still become visible, as on a replica that lags."""

TABLE_SECONDS: Final = 600
"""Seconds between two looks at the size of the table."""


@dataclass(slots=True)
class Recent:
    """The carts of the last hour, kept up to date with the changes since the run before.

    A deleted cart leaves no change behind, and a change may be committed late. So each cart is read again
    when it comes into the next band. ``carts`` maps those in use to their store and their last change.
    """

    done_until: int
    read_again_until: int | None = None
    """Where the second look goes on; nothing before the hour has been read once."""
    carts: dict[int, tuple[int, int]] = field(default_factory=dict)
    newest: int = 0
    unknown_until: int = 0
    """The moment before which some changes were left out."""

    def go_on(self, context: Context, now: int) -> bool:
        """Read what has changed; return whether all of the hour is known."""
        if not self._read(context, self.done_until - OVERLAP, now + 1):
            if self.read_again_until is not None and self.done_until < now - BANDS[0][2]:
                self.unknown_until = self.done_until = now  # it would not catch up within the first band
            return False
        self.done_until = max(self.newest, now - MOST_LAG)
        again = now - BANDS[0][2]
        self._read_again(context, max(self.read_again_until or again, now - BANDS[-1][2]), again)
        return True

    def _read(self, context: Context, first: int, end: int) -> bool:
        stores = context.stores.ids()
        for until, rows in CHANGED.read(context.database, stores, first, end, budget=CARTS_A_RUN):
            self._note(rows)
            self.done_until = until
        return self.done_until >= end

    def _read_again(self, context: Context, first: int, end: int) -> None:
        stores = context.stores.ids()
        for until, rows in CHANGED.read(context.database, stores, first, end, budget=CARTS_A_RUN):
            for number in [n for n, (_, changed) in self.carts.items() if first <= changed < until]:
                del self.carts[number]
            self._note(rows)
            first = until
        self.read_again_until = first

    def _note(self, rows: Sequence[Row]) -> None:
        if len(rows) >= CHANGED.page:
            self.unknown_until = max(self.unknown_until, int(rows[-1]["changed"]) + 1)
        for row in rows:
            self.newest = max(self.newest, int(row["changed"]))
            if row["in_use"]:
                self.carts[int(row["id"])] = (row["store_id"], int(row["changed"]))
            else:
                self.carts.pop(int(row["id"]), None)

    def counts(self, now: int) -> dict[str, Counter[int]]:
        """Return the carts in use by store id, for each band of which all are known; forget older ones."""
        (_, _, young), (_, _, old) = BANDS
        found: dict[str, Counter[int]] = {band: Counter() for band, _, _ in BANDS}
        youngest, older = found.values()
        gone = []
        for number, (store_id, changed) in self.carts.items():
            if changed >= now - young:
                youngest[store_id] += 1
            elif changed >= now - old:
                older[store_id] += 1
            else:
                gone.append(number)
        for number in gone:
            del self.carts[number]
        for band, after, oldest in BANDS:
            if found[band].total() > CARTS_A_BAND:
                self.unknown_until = max(self.unknown_until, now - after if after else now + 1)
                self.carts = {n: cart for n, cart in self.carts.items() if cart[1] >= self.unknown_until}
            if self.unknown_until > now - oldest:
                del found[band]
        return found


class CartsCollector(Collector):
    """Carts in use and carts abandoned."""

    name = "carts"
    help = "Active carts by age, and abandoned carts with their value, from quote (2.4.7 and newer)."
    notes = """
    On Magento before 2.4.7 only the size of the table is known: the index (store_id, updated_at) of `quote`
    is missing there.

    A cart counts as abandoned when its last change is `tuning.abandoned_after_seconds` old, while it is
    active and has items. A cart that became an order, was merged into another one, or was emptied is not
    abandoned. A cart that is taken up again and left again counts again.

    A cart that is deleted is counted until it is a quarter of an hour old, after that until it is an hour
    old: a deletion leaves no trace. After a start the carts of the last hour are read, 2,000 at each run.

    `quote.updated_at` also moves when a price rule marks carts to be recalculated and, in some shops, when
    a customer looks at the cart.
    """
    source = "database"
    metrics = (ACTIVE, ABANDONED, ABANDONED_VALUE, TABLE_ROWS, OLDEST)
    queries = (CLOCK.query, CHANGED.query, OLDEST_CHANGES)
    refresh = Refresh(interval=180.0, max_staleness=3_600.0, background=True)

    def __init__(self) -> None:
        self._looked_at = 0
        self._recent: Recent | None = None
        self._counts: dict[str, Counter[int]] = {}
        self._table: list[Sample] = []

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield the samples of one run; only the size of the table where the index is missing."""
        now = CLOCK.read(context.database)
        by_time = quotes_by_time(context.database)
        if not 0 <= now - self._looked_at < TABLE_SECONDS:
            self._table = [*_size(context), *(_oldest(context) if by_time else ())]
            self._looked_at = now
        yield from self._table
        if not by_time:
            if not context.database.has_table("quote", connection=Connection.CHECKOUT):
                raise AccessDenied("quote cannot be seen: the user may not read it, or it is missing")
            return
        _initialise(context)
        _count_abandoned(context, now)
        if self._recent is None or not 0 <= now + 1 - self._recent.done_until <= BANDS[-1][2]:
            self._recent, self._counts = Recent(now - BANDS[-1][2]), {}
        if self._recent.go_on(context, now):
            self._counts = self._recent.counts(now)
        yield from _active(context, self._counts)
        yield from _abandoned(context)


def _size(context: Context) -> Iterator[Sample]:
    estimate = context.database.estimated_rows("quote", connection=Connection.CHECKOUT)
    if estimate is not None:
        yield TABLE_ROWS.sample(estimate)


def _oldest(context: Context) -> Iterator[Sample]:
    """Yield every store's oldest change; the carts of deleted stores come together under one label."""
    oldest: dict[str, float] = {}
    for row in context.database.rows(OLDEST_CHANGES):
        code, changed = context.stores.code(row["store_id"]), instant(row["oldest"], context.now)
        if changed is not None:
            oldest[code] = min(changed, oldest.get(code, changed))
    yield from (OLDEST.sample(changed, store=code) for code, changed in oldest.items())


def _active(context: Context, counts: Mapping[str, Counter[int]]) -> Iterator[Sample]:
    """Yield the carts in use by store and band; a band that could not be read whole is left out."""
    for band, carts in counts.items():
        by_code = dict.fromkeys(context.stores.codes(), 0)
        by_code.update((context.stores.code(store_id), number) for store_id, number in carts.items())
        for code, number in by_code.items():
            yield ACTIVE.sample(number, store=code, age=band)


def _count_abandoned(context: Context, now: int) -> None:
    """Count the carts whose last change has become old enough. Of a mass update, PAGE a second are."""
    remembered = context.memory.table("looks")
    number, value = context.memory.counters(ABANDONED), context.memory.counters(ABANDONED_VALUE)
    end = now - int(context.tuning.abandoned_after_seconds)
    done: int = remembered.get("done_until", end)
    for until, rows in CHANGED.read(context.database, context.stores.ids(), done, end, budget=CARTS_A_RUN):
        for (store_id, currency), totals in _in_use(rows).items():
            code = context.stores.code(store_id)
            number.add(len(totals), store=code)
            value.add(sum(totals, _ZERO), store=code, currency=currency or context.stores.currency(store_id))
        done = until
    remembered.put("done_until", done)


def _initialise(context: Context) -> None:
    number, value = context.memory.counters(ABANDONED), context.memory.counters(ABANDONED_VALUE)
    for store_id in context.stores.view_ids():
        number.initialise(store=context.stores.code(store_id))
        value.initialise(store=context.stores.code(store_id), currency=context.stores.currency(store_id))


def _abandoned(context: Context) -> Iterator[Sample]:
    """Yield the counters of abandoned carts of the stores that exist."""
    for metric in (ABANDONED, ABANDONED_VALUE):
        yield from of_known_stores(context.memory.counters(metric).samples(), context.stores)


def _in_use(rows: Iterable[Row]) -> dict[tuple[int, str | None], list[Decimal]]:
    """Return the totals of the carts in use, by store id and currency; a negative one is worth nothing."""
    found: dict[tuple[int, str | None], list[Decimal]] = {}
    for row in rows:
        if row["in_use"]:
            key = (row["store_id"], row["currency"])
            found.setdefault(key, []).append(max(row["total"] or _ZERO, _ZERO))
    return found
