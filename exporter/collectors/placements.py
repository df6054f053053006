"""Failed placements: order numbers that were taken and have no order.

Magento takes the number before it asks for the money, and takes it for good: a
declined payment, a missing stock or an exception rolls the order back, but not
the number (``QuoteManagement::submitQuote``, ``Sequence::getNextValue``). So the
rows of ``sequence_order_<store>`` without an order are the failed placements.

A number is decided ``settle_seconds`` after it was noticed: it became an order,
or it failed. One that an active cart keeps is an exception, because hosted
payments (PayPal Express and others) take the number, store it with the cart and
send the customer away: it waits up to HOLD_SECONDS more. A customer who comes
back even later is counted as failed, and so, before 2.4.7, is one who comes back
after ``settle_seconds``: there such carts cannot be found by an index. When more
carts were changed than a run may read, as by a price rule that marks them all,
nobody can say which numbers are kept: then every one without an order waits.

The unit is a number, not a customer: after an ordinary decline the number is not
stored, so each further try takes a new one; with a hosted payment the tries of
one cart share one. A cart of several addresses takes one number per order. An
order deleted within ``settle_seconds`` of its placement counts as failed. A
number whose sequence row was itself rolled back never counts.

An extension may number orders in its own way; then the sequence says nothing. A
store whose latest MISSES orders from carts all have foreign numbers has no
series here, until an order with a number of the sequence appears.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final, NamedTuple

from exporter.core.collector import EVERY_MINUTE, Collector, Context
from exporter.core.follow import newest_id
from exporter.core.memory import Counters
from exporter.core.metrics import Sample, counter, gauge
from exporter.core.ports import Row
from exporter.core.query import Connection, Query
from exporter.core.slices import by_slices, whole
from exporter.errors import MissingTable
from exporter.magento.checkout import OrderSequence

SEQUENCES = Query(
    "placements_sequences",
    """
    SELECT m.store_id, COALESCE(p.prefix, '') AS prefix, COALESCE(p.suffix, '') AS suffix,
           p.start_value AS start, p.step
    FROM {sales_sequence_meta} AS m
    JOIN {sales_sequence_profile} AS p ON p.meta_id = m.meta_id AND p.is_active = 1
    WHERE m.entity_type = 'order'
    """,
    reads={
        "sales_sequence_meta": ("meta_id", "entity_type", "store_id"),
        "sales_sequence_profile": ("meta_id", "prefix", "suffix", "start_value", "step", "is_active"),
    },
    connection=Connection.SALES,
)

_SEQUENCE: Final = {"sequence": "sequence_order_<store_id>"}
_TOP: Final = "SELECT {store} AS store_id, MAX(sequence_value) AS top FROM {{{table}}}"

SEQUENCE_TOPS = Query(
    "placements_tops",
    _TOP.format(store="%(store)s", table="sequence"),
    reads={"sequence": ("sequence_value",)},
    connection=Connection.SALES,
    named=_SEQUENCE,
)

TAKEN_NUMBERS = Query(
    "placements_taken_numbers",
    """
    SELECT sequence_value AS number
    FROM {sequence}
    WHERE sequence_value BETWEEN %(first)s AND %(last)s
    ORDER BY sequence_value
    LIMIT %(limit)s
    """,
    reads={"sequence": ("sequence_value",)},
    connection=Connection.SALES,
    named=_SEQUENCE,
)

ORDERS_OF_NUMBERS = Query(
    "placements_orders_of_numbers",
    "SELECT store_id, increment_id FROM {sales_order} WHERE increment_id IN %(numbers)s",
    reads={"sales_order": ("store_id", "increment_id")},
    connection=Connection.SALES,
)

CLOCK = Query("placements_clock", "SELECT UNIX_TIMESTAMP() AS now", reads={}, connection=Connection.CHECKOUT)

# Which carts keep a number is told here: few do, so a LIMIT after that condition would bound nothing.
HELD_NUMBERS = Query(
    "placements_held_numbers",
    """
    SELECT store_id, CASE WHEN is_active = 1 THEN reserved_order_id END AS number
    FROM {quote}
    WHERE store_id IN %(stores)s
      AND updated_at >= FROM_UNIXTIME(%(first)s) AND updated_at < FROM_UNIXTIME(%(end)s)
    LIMIT %(limit)s
    """,
    reads={"quote": ("store_id", "updated_at", "is_active", "reserved_order_id")},
    connection=Connection.CHECKOUT,
)

NEWEST_ORDER = Query(
    "placements_newest_order",
    "SELECT MAX(entity_id) AS id FROM {sales_order}",
    reads={"sales_order": ("entity_id",)},
    connection=Connection.SALES,
)

LATEST_ORDERS = Query(
    "placements_latest_orders",
    """
    SELECT entity_id AS id, store_id, increment_id, quote_id IS NOT NULL AS bought
    FROM {sales_order}
    WHERE entity_id > %(after)s
    ORDER BY entity_id
    LIMIT %(limit)s
    """,
    reads={"sales_order": ("entity_id", "store_id", "increment_id", "quote_id")},
    connection=Connection.SALES,
)

ATTEMPTS = counter(
    "magento_checkout_placement_attempts_total",
    "Order numbers taken whose outcome is known: an order, or a failed placement"
    " (sequence_order_*). An attempt shows some minutes after it was made, when it is settled.",
    "store",
)
FAILED = counter(
    "magento_checkout_failed_placements_total",
    "Order numbers taken that no order has (sequence_order_*, sales_order.increment_id):"
    " declined payments and errors. Tries, not customers; settled at the moment at which the attempt is.",
    "store",
)
WAITING = gauge(
    "magento_checkout_placements_waiting",
    "Order numbers without an order that an active cart keeps: customers on a hosted payment page, or"
    " gone from there (quote.reserved_order_id); all, while too many carts change to tell which."
    " Decided as failed after half an hour.",
    "store",
)

HOLD_SECONDS: Final = 1_800.0
HOLD_WINDOW: Final = 900
"""Seconds back at most in which carts that keep a number are looked for."""

NUMBERS_A_RUN: Final = 2_000
"""Numbers decided by one run at most; the rest waits for the next."""

BEHIND: Final = 1_000
"""Numbers by which a replica may lag behind the one that was read before it."""

WHILE_READING: Final = 30
"""Seconds after the look's begin in which a cart may be changed and is still found."""

MISSES: Final = 3
LATEST: Final = 500
ORDERS_A_RUN: Final = 2_000
CARTS_A_STATEMENT: Final = 2_000
"""Carts read by one statement. More in one second is a mass update."""

CARTS_A_RUN: Final = 10_000
"""Carts read by one run at most; beyond that every number without an order waits."""

REREAD_SEQUENCES: Final = 600.0

_TABLES_A_STATEMENT: Final = 100
_NUMBERS_A_STATEMENT: Final = 500

Placement = tuple[int, int]
"""Store id, and id in the store's sequence table."""


class Span(NamedTuple):
    """Numbers that were noticed together; at ``since``, the run before, they could not be seen yet."""

    first: int
    last: int
    noticed: float
    since: float = 0.0


@dataclass(slots=True)
class Numbers:
    """What is remembered of one store's sequence.

    ``top`` is the largest id noticed, ``open`` the spans not decided yet,
    ``held`` maps an id that a cart keeps to the time since when, ``misses`` counts the latest orders
    in a row whose number is not of this sequence.
    """

    top: int
    open: list[Span] = field(default_factory=list)
    held: dict[str, float] = field(default_factory=dict)
    misses: int = 0

    @property
    def foreign(self) -> bool:
        """Whether the store's orders are numbered by something else."""
        return self.misses >= MISSES

    def notice(self, top: int, now: float, since: float) -> None:
        """Take in the sequence's largest id; ``since`` is when it was read before.

        A sequence that was reset or restored begins anew.
        """
        if self.foreign or top < self.top - BEHIND:
            self.top, self.open, self.held = top, [], {}
        elif top > self.top:
            self.open.append(Span(self.top + 1, top, now, since))
            self.top = top


class PlacementsCollector(Collector):
    """Attempts to place an order, and how many fail."""

    name = "placements"
    help = "Placement attempts and failed placements, from the order-number sequences and sales_order."
    source = "database"
    metrics = (ATTEMPTS, FAILED, WAITING)
    queries = (
        SEQUENCES,
        SEQUENCE_TOPS,
        TAKEN_NUMBERS,
        ORDERS_OF_NUMBERS,
        CLOCK,
        HELD_NUMBERS,
        NEWEST_ORDER,
        LATEST_ORDERS,
    )
    refresh = EVERY_MINUTE

    def __init__(self) -> None:
        self._sequences: dict[int, OrderSequence] = {}
        self._read_at = 0.0

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield the samples of one run. A store without a sequence table has no series."""
        sequences = self._current(context)
        if not sequences:
            return
        orders = _latest_orders(context)
        try:
            tops = _tops(context, sequences)
        except MissingTable:
            self._sequences = {}
            raise
        numbers = _remembered(context, tops)
        _judge_numbering(orders, sequences, tops, numbers)
        since = _last_run(context)
        for store_id, top in tops.items():
            numbers[store_id].notice(top, context.now, since)
        _decide(context, sequences, numbers)
        _remember(context, numbers)
        yield from _samples(context, numbers)

    def _current(self, context: Context) -> dict[int, OrderSequence]:
        """Return the sequences of the stores that exist, read anew when old or when the stores changed."""
        stores = set(context.stores.view_ids())
        fresh = context.now - self._read_at < REREAD_SEQUENCES and self._read_at <= context.now
        if not (self._sequences and fresh and stores == self._sequences.keys()):
            self._sequences = _sequences(context, stores)
            self._read_at = context.now
        return self._sequences


def _sequences(context: Context, stores: Iterable[int]) -> dict[int, OrderSequence]:
    found = [
        OrderSequence(
            int(row["store_id"]), str(row["prefix"]), str(row["suffix"]), int(row["start"]), int(row["step"])
        )
        for row in context.database.rows(SEQUENCES)
        if row["store_id"] in stores
    ]
    return {
        sequence.store_id: sequence
        for sequence in found
        if context.database.has_table(sequence.table, connection=Connection.SALES)
    }


def _tops(context: Context, sequences: Mapping[int, OrderSequence]) -> dict[int, int]:
    """Return every sequence's largest id: one statement for many tables."""
    wanted = list(sequences.values())
    tops: dict[int, int] = {}
    for start in range(0, len(wanted), _TABLES_A_STATEMENT):
        some = {f"sequence_{s.store_id}": s for s in wanted[start : start + _TABLES_A_STATEMENT]}
        query = Query(
            SEQUENCE_TOPS.name,
            " UNION ALL ".join(_TOP.format(store=s.store_id, table=mark) for mark, s in some.items()),
            reads=dict.fromkeys(some, SEQUENCE_TOPS.reads["sequence"]),
            connection=SEQUENCE_TOPS.connection,
            named=dict.fromkeys(some, _SEQUENCE["sequence"]),
        )
        rows = context.database.rows(query.on(**{mark: s.table for mark, s in some.items()}))
        tops.update((int(row["store_id"]), int(row["top"] or 0)) for row in rows)
    return tops


# --- memory ------------------------------------------------------------------------------------


def _remembered(context: Context, tops: Mapping[int, int]) -> dict[int, Numbers]:
    """Return what is remembered of every sequence; one that is new to us begins at its present end."""
    known = context.memory.table("sequences").get_many(map(str, tops))
    numbers: dict[int, Numbers] = {}
    for store_id, top in tops.items():
        data = known.get(str(store_id))
        numbers[store_id] = Numbers(top)
        if data is not None:
            spans = [Span(*span) for span in data["open"]]
            numbers[store_id] = Numbers(data["top"], spans, data["held"], data["misses"])
    return numbers


def _remember(context: Context, numbers: Mapping[int, Numbers]) -> None:
    table = context.memory.table("sequences")
    known = table.get_many(map(str, numbers))
    for store_id, state in numbers.items():
        now = asdict(state)
        now["open"] = [list(span) for span in state.open]
        if known.get(str(store_id)) != now:
            table.put(str(store_id), now)


def _last_run(context: Context) -> float:
    """Return the time of the run before, and remember this one's. What no run saw is as old as can be."""
    table = context.memory.table("latest")
    before: float = table.get("run", 0.0)
    table.put("run", context.now)
    return before


# --- whose numbers are the orders' ------------------------------------------------------------------


def _latest_orders(context: Context) -> Sequence[Mapping[str, object]]:
    """Return the orders since the last run; the first time the LATEST newest. A skipped one does no harm."""
    table = context.memory.table("latest")
    after = table.get("order")
    if after is None:
        after = max(0, newest_id(context.database, NEWEST_ORDER) - LATEST)
    rows = context.database.rows(LATEST_ORDERS, after=after, limit=ORDERS_A_RUN)
    table.put("order", int(rows[-1]["id"]) if rows else after)
    return rows


def _judge_numbering(
    orders: Sequence[Mapping[str, object]],
    sequences: Mapping[int, OrderSequence],
    tops: Mapping[int, int],
    numbers: Mapping[int, Numbers],
) -> None:
    """Note for every store whether its latest orders have numbers of its sequence.

    Orders without a cart are imported and may have any number. The tops were read after the orders, so
    no order can be ahead of its sequence.
    """
    for row in orders:
        store_id = row["store_id"]
        if not isinstance(store_id, int) or store_id not in tops or not row["bought"]:
            continue
        if sequences[store_id].made(str(row["increment_id"]), top=tops[store_id]):
            if numbers[store_id].foreign:
                numbers[store_id].top = tops[store_id]
            numbers[store_id].misses = 0
        else:
            numbers[store_id].misses = min(MISSES, numbers[store_id].misses + 1)


# --- the outcome of a number ------------------------------------------------------------------------


def _decide(context: Context, sequences: Mapping[int, OrderSequence], numbers: Mapping[int, Numbers]) -> None:
    """Count the numbers whose outcome is known by now."""
    outcome = _Outcome(context, sequences)
    settled = dict(_take_settled(context, sequences, numbers))
    held = {(store, int(number)): since for store in numbers for number, since in numbers[store].held.items()}
    missing = outcome.unplaced([*held, *settled])
    for placement, since in held.items():
        expired = context.now - since >= HOLD_SECONDS
        if placement in missing and expired:
            outcome.failed(placement)
        if placement not in missing or expired:
            del numbers[placement[0]].held[str(placement[1])]
    undecided = [placement for placement in settled if placement in missing]
    if not undecided:
        return
    since = min(settled[placement] for placement in undecided)
    kept = _held(context, sequences, undecided, since)
    for store_id, number in kept:
        numbers[store_id].held[str(number)] = context.now
    # The carts were read after the orders: an order that was committed between is found by looking again.
    for placement in outcome.unplaced([placement for placement in undecided if placement not in kept]):
        outcome.failed(placement)


def _take_settled(
    context: Context, sequences: Mapping[int, OrderSequence], numbers: Mapping[int, Numbers]
) -> Iterator[tuple[Placement, float]]:
    """Take the numbers that are old enough off the open spans; yield each with the time before it."""
    budget = NUMBERS_A_RUN
    for store_id, state in numbers.items():
        while (
            state.open and budget > 0 and context.now - state.open[0].noticed >= context.tuning.settle_seconds
        ):
            span = state.open[0]
            rows = context.database.rows(
                TAKEN_NUMBERS.on(sequence=sequences[store_id].table),
                first=span.first,
                last=span.last,
                limit=budget,
            )
            taken = [int(row["number"]) for row in rows]
            for number in taken:
                yield (store_id, number), span.since
            if len(taken) == budget and taken[-1] < span.last:
                state.open[0] = span._replace(first=taken[-1] + 1)
            else:
                del state.open[0]
            budget -= len(taken)


def _held(
    context: Context, sequences: Mapping[int, OrderSequence], missing: Sequence[Placement], since: float
) -> set[Placement]:
    """Return those of the numbers, all taken after ``since``, that an active cart keeps or may keep.

    A replica shows them late, so their carts may have been changed before ``since``: by no more than
    ``settle_seconds``, or nothing here could be told in time.
    """
    if not context.database.has_index("quote", "store_id", "updated_at", connection=Connection.CHECKOUT):
        return set()
    stores = tuple(sorted({store_id for store_id, _ in missing}))
    carts = _changed_carts(context, stores, context.now - since + context.tuning.settle_seconds)
    if carts is None:
        return set(missing)
    held = {(row["store_id"], row["number"]) for row in carts}
    return {
        (store_id, number)
        for store_id, number in missing
        if (store_id, sequences[store_id].increment_id(number)) in held
    }


def _changed_carts(context: Context, stores: Sequence[int], seconds: float) -> Sequence[Row] | None:
    """Return the carts that were changed in the last seconds, or None if these are too many to read."""
    now = int(context.database.rows(CLOCK)[0]["now"])
    first = now - min(HOLD_WINDOW, int(seconds) + 1)

    def read(first: int, end: int) -> Sequence[Row]:
        return context.database.rows(
            HELD_NUMBERS, stores=tuple(stores), first=first, end=end, limit=CARTS_A_STATEMENT
        )

    end = now + WHILE_READING
    slices = by_slices(read, first, end, page=CARTS_A_STATEMENT, budget=CARTS_A_RUN)
    return whole(slices, end, page=CARTS_A_STATEMENT)


class _Outcome:
    """Looks up which numbers have become orders, and counts."""

    def __init__(self, context: Context, sequences: Mapping[int, OrderSequence]) -> None:
        self._context = context
        self._sequences = sequences
        self._attempts = context.memory.counters(ATTEMPTS)
        self._failed = context.memory.counters(FAILED)

    def unplaced(self, placements: Sequence[Placement]) -> set[Placement]:
        """Return the numbers that have no order; those that have one are counted as attempts."""
        named = {
            (store_id, self._sequences[store_id].increment_id(number)): (store_id, number)
            for store_id, number in placements
        }
        wanted = sorted({name for _, name in named})
        placed: set[Placement] = set()
        for start in range(0, len(wanted), _NUMBERS_A_STATEMENT):
            some = tuple(wanted[start : start + _NUMBERS_A_STATEMENT])
            rows = self._context.database.rows(ORDERS_OF_NUMBERS, numbers=some)
            names = {(row["store_id"], str(row["increment_id"])) for row in rows}
            placed |= {named[name] for name in names & named.keys()}
        for placement in placed:
            _count(self._attempts, self._context, placement)
        return set(placements) - placed

    def failed(self, placement: Placement) -> None:
        """Count an attempt that came to nothing."""
        _count(self._attempts, self._context, placement)
        _count(self._failed, self._context, placement)


def _count(counters: Counters, context: Context, placement: Placement) -> None:
    counters.add(store=context.stores.code(placement[0]))


def _samples(context: Context, numbers: Mapping[int, Numbers]) -> Iterator[Sample]:
    """Yield the series of the stores whose numbers mean something."""
    attempts, failed = context.memory.counters(ATTEMPTS), context.memory.counters(FAILED)
    shown = set()
    for store_id, state in numbers.items():
        if state.foreign:
            continue
        code = context.stores.code(store_id)
        shown.add(code)
        attempts.touch(store=code)
        failed.touch(store=code)
        yield WAITING.sample(len(state.held), store=code)
    for counters in (attempts, failed):
        yield from (sample for sample in counters.samples() if sample.labels[0] in shown)
