"""Failed placements: order numbers that were taken and have no order.

The life of a number:

1. *taken*: Magento inserts a row into ``sequence_order_<store>`` before it asks for the money;
2. *noticed*: the next run sees that the sequence has grown by it;
3. *settled*: it was noticed ``settle_seconds`` ago, so its order, if there is one, can be seen;
4. then it has an *order*, or it is *held*, because an active cart keeps it, or it *failed*;
5. a held one is looked up in every run until it has an order, or has failed after half an hour.

A number is taken for good: a declined payment or an exception rolls the order back, but
not the number (``QuoteManagement::submitQuote``, ``Sequence::getNextValue``). A product
that is known to be sold out is refused before a number is taken. So the rows of the
sequence table without an order are the failed placements.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from exporter.core.collector import EVERY_MINUTE, Collector, Context
from exporter.core.metrics import Sample, counter, gauge, having
from exporter.core.ports import Row
from exporter.core.query import Connection, Query
from exporter.errors import AccessDenied, SourceError
from exporter.magento.checkout import SEQUENCE_TABLE, OrderSequence, quotes_by_time
from exporter.magento.objective import Day, counted, learned
from exporter.magento.order_numbers import OrderNumbers
from exporter.reading.batches import in_batches
from exporter.reading.by_id import ById
from exporter.reading.clock import DatabaseClock
from exporter.reading.members import NOT_OBSERVED, OF_ALL, MemberReader
from exporter.reading.reused import created
from exporter.reading.time_slices import TimeSlices

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

_NAMED: Final = {"sequence": SEQUENCE_TABLE}

# Declared for one store; _tops makes one statement for many of it.
SEQUENCE_TOPS = Query(
    "placements_tops",
    "SELECT %(store)s AS store_id, MAX(sequence_value) AS top FROM {sequence}",
    reads={"sequence": ("sequence_value",)},
    connection=Connection.SALES,
    named=_NAMED,
)

TAKEN_NUMBERS = Query(
    "placements_taken_numbers",
    """
    SELECT sequence_value AS number
    FROM {sequence} {index sequence}
    WHERE sequence_value BETWEEN %(first)s AND %(last)s
    ORDER BY sequence_value
    LIMIT %(limit)s
    """,
    reads={"sequence": ("sequence_value",)},
    index={"sequence": ("sequence_value",)},
    connection=Connection.SALES,
    named=_NAMED,
)

ORDERS_OF_NUMBERS = Query(
    "placements_orders_of_numbers",
    """
    SELECT store_id, increment_id
    FROM {sales_order} {index sales_order}
    WHERE increment_id IN %(numbers)s
    """,
    reads={"sales_order": ("store_id", "increment_id")},
    index={"sales_order": ("increment_id",)},
    connection=Connection.SALES,
)

CLOCK: Final = DatabaseClock("placements_clock", connection=Connection.CHECKOUT)

CARTS_A_STATEMENT: Final = 2_000
"""Carts read by one statement. More in one second is a mass update."""

# Which carts keep a number is decided here: few do, so a LIMIT after that condition would bound nothing.
HELD_NUMBERS: Final = TimeSlices(
    "placements_held_numbers",
    "quote",
    columns=("entity_id", "is_active", "reserved_order_id"),
    select="""entity_id AS id, store_id, UNIX_TIMESTAMP(updated_at) AS changed,
                   CASE WHEN is_active = 1 THEN reserved_order_id END AS number""",
    page=CARTS_A_STATEMENT,
    connection=Connection.CHECKOUT,
)

ORDERS: Final = ById(
    "placements_orders",
    "sales_order",
    columns=("store_id", "increment_id", "quote_id", "created_at"),
    select="""store_id, increment_id, quote_id IS NOT NULL AS bought,
                   UNIX_TIMESTAMP(created_at) AS created""",
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
    " declined payments and errors. Tries, not customers. It shows together with its attempt.",
    "store",
)
WAITING = gauge(
    "magento_checkout_placements_waiting",
    "Order numbers without an order that an active cart keeps: customers on a hosted payment page, or"
    " gone from there (quote.reserved_order_id). All without an order, while too many carts change to read"
    " them. Failed after half an hour.",
    "store",
)

OBJECTIVE = gauge(
    "magento_slo_objective",
    "Share of the attempts to place an order that should succeed: learned from the store's own month, or"
    " tuning.checkout_objective.",
    "store",
)

HOLD_SECONDS: Final = 1_800.0
"""Seconds that a number kept by an active cart waits before it counts as failed."""

HOLD_WINDOW: Final = 900
"""Seconds back at most in which carts that keep a number are looked for."""

NUMBERS_A_RUN: Final = 2_000
"""Settled numbers taken up by one run at most; the rest waits for the next."""

WHILE_READING: Final = 30
"""Seconds after the look began in which a cart may be changed and is still found."""

OVERLAP: Final = 55
"""Seconds before the newest change seen that are read again.

A change bears the time at which its statement began, and may wait for a lock before it can be seen: 50
seconds as InnoDB comes (innodb_lock_wait_timeout).
"""

LATEST: Final = 500
"""Newest orders with which the first run begins to judge how each store numbers its orders."""

NEWER: Final = 20
"""Newest orders looked at when a sequence is lower than it was."""

ORDERS_A_RUN: Final = 2_000
"""Newer orders looked at for that by one run at most; the rest waits for the next."""

CARTS_A_RUN: Final = 10_000
"""Carts read by one run at most; beyond that every number without an order is held."""

REREAD_SEQUENCES: Final = 600.0
"""Seconds after which the sequences are read again."""

_TABLES_A_STATEMENT: Final = 100
_NUMBERS_A_STATEMENT: Final = 500

Placement = tuple[int, int]
"""A number: the store's id, and the value, which is the number's id in the store's sequence table."""


@dataclass(slots=True)
class Reserved:
    """The numbers that active carts keep: a run reads only what has changed since the run before.

    ``carts`` maps a cart to its last change, its store and its number.
    """

    stores: frozenset[int] = frozenset()
    first: int = 0
    """From this change on the carts of these stores have been read."""
    newest: int = 0
    carts: dict[int, tuple[int, int, str]] = field(default_factory=dict)

    def read(self, context: Context, stores: frozenset[int], first: int, end: int) -> bool:
        """Read the stores' carts changed since ``first``; return whether they were not too many."""
        known = self.stores & stores if self.first <= first else frozenset[int]()
        rows: list[Row] = []
        for some, since in ((known, max(first, self.newest - OVERLAP)), (stores - known, first)):
            budget = CARTS_A_RUN - len(rows)
            found = HELD_NUMBERS.whole(context.database, sorted(some), since, end, budget=budget)
            if some and found is None:
                self.stores = frozenset()
                return False
            rows += found or ()
        self.stores, self.first = stores, first
        self.newest = max((int(row["changed"]) for row in rows), default=first)
        kept = {number: cart for number, cart in self.carts.items() if cart[0] >= first and cart[1] in stores}
        for row in rows:
            kept.pop(int(row["id"]), None)
            if row["number"]:
                kept[int(row["id"])] = (int(row["changed"]), row["store_id"], str(row["number"]))
        self.carts = kept
        return True


class PlacementsCollector(Collector):
    """Attempts to place an order, and how many fail."""

    name = "placements"
    help = "Placement attempts and failed placements, from the order-number sequences and sales_order."
    notes = """
    Magento takes an order number before it asks for the money. A declined payment or an exception rolls the
    order back, but not the number. So a number without an order is a failed placement.

    What Magento refuses before that takes no number: a product that is known to be sold out, a cart below
    the least amount, an address without a shipping method. It is neither an attempt nor a failure. It shows
    in the funnel, as a cart that has a payment method and does not get to `placement_attempt`.

    The unit is a number, not a customer. After an ordinary decline each further try takes a new number.
    With a hosted payment the tries of one cart share one. A cart of several addresses takes one number per
    order.

    Hosted payments (PayPal Express and others) take the number, store it with the cart and send the
    customer away. Such numbers wait. A customer who comes back after more than half an hour counts as
    failed. Before 2.4.7 these carts cannot be found, so it is more than `tuning.settle_seconds`. When too
    many carts were changed to read them, as by a price rule that marks them all, every number without an
    order waits.

    An order that is deleted within `tuning.settle_seconds` of its placement counts as failed. A number
    whose sequence row was itself rolled back never counts.

    A store view whose sequence table the exporter may not read, such as one that was opened after the rights
    were given, has no series. `magento_collector_member_not_observed` names it, and the doctor prints the
    GRANT.

    An extension may number orders in its own way; then the sequence says nothing. A store whose latest
    three orders from carts all have such numbers has no series here, until an order with a number of the
    sequence appears.

    The objective is learned from the last 30 complete days (UTC): 1.5 times the usual failed share may fail,
    at least 5 % and at most 25 %. Only the middle half of the days counts, so that neither an outage of days
    nor card testing is taken for the usual. Until seven days are known it is 95 %.
    """
    source = "database"
    metrics = (ATTEMPTS, FAILED, WAITING, OBJECTIVE, NOT_OBSERVED)
    queries = (
        SEQUENCES,
        SEQUENCE_TOPS,
        TAKEN_NUMBERS,
        ORDERS_OF_NUMBERS,
        CLOCK.query,
        HELD_NUMBERS.query,
        *ORDERS.queries,
    )
    refresh = EVERY_MINUTE

    def __init__(self) -> None:
        self._sequences: dict[int, OrderSequence] = {}
        self._missing: dict[int, str] = {}
        self._read_at = 0.0
        self._reserved = Reserved()
        self._stores = MemberReader(self.name)

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield the samples of one run. A store whose sequence table cannot be read has no series."""
        sequences = self._current(context)
        orders = _latest_orders(context) if sequences else ()
        tops = self._tops(context, sequences)
        yield from self._stores.samples()
        sequences = {store_id: sequences[store_id] for store_id in tops}
        if not sequences:
            return
        numbers = _remembered(context, tops)
        _judge_numbering(orders, sequences, tops, numbers)
        since = _last_run(context)
        newer_orders = any(top < numbers[store_id].top for store_id, top in tops.items()) and _newer(context)
        for store_id, top in tops.items():
            numbers[store_id].notice(top, context.now, since, newer_orders=newer_orders)
        _note_times(context, orders)
        _decide(context, sequences, numbers, self._reserved)
        _remember(context, numbers)
        yield from _samples(context, numbers)

    def _current(self, context: Context) -> dict[int, OrderSequence]:
        """Return the sequences of the stores that exist, read anew when old or when the stores changed."""
        stores = set(context.stores.view_ids())
        fresh = context.now - self._read_at < REREAD_SEQUENCES and self._read_at <= context.now
        if not (self._sequences and fresh and stores == self._sequences.keys()):
            sequences = _sequences(context, stores)
            self._sequences = {
                store_id: sequence
                for store_id, sequence in sequences.items()
                if context.database.has_table(sequence.table, connection=Connection.SALES)
            }
            self._missing = {
                store_id: sequence.table
                for store_id, sequence in sequences.items()
                if store_id not in self._sequences
            }
            self._read_at = context.now
        for store_id, table in self._missing.items():
            problem = AccessDenied(f"{table} is missing, or may not be read: the doctor has the GRANT")
            self._stores.miss(context.stores.code(store_id), problem)
        return self._sequences

    def _tops(self, context: Context, sequences: Mapping[int, OrderSequence]) -> dict[int, int]:
        """Return every sequence's largest id; if one cannot be read, that of each of the others."""
        if not sequences:
            return {}
        try:
            return _tops(context, sequences)
        except OF_ALL:
            raise
        except (SourceError, TypeError, ValueError):
            self._sequences = {}
        tops: dict[int, int] = {}
        for store_id, sequence in sequences.items():
            look = partial(_top, context, sequence)
            tops.update(self._stores.read(context.stores.code(store_id), look))
        return tops


def _sequences(context: Context, stores: Iterable[int]) -> dict[int, OrderSequence]:
    found = [
        OrderSequence(
            int(row["store_id"]), str(row["prefix"]), str(row["suffix"]), int(row["start"]), int(row["step"])
        )
        for row in context.database.rows(SEQUENCES)
        if row["store_id"] in stores
    ]
    return {sequence.store_id: sequence for sequence in found}


def _tops(context: Context, sequences: Mapping[int, OrderSequence]) -> dict[int, int]:
    """Return every sequence's largest id."""
    tops: dict[int, int] = {}
    for some in in_batches(tuple(sequences.values()), _TABLES_A_STATEMENT):
        tops_of_some = Query.union([SEQUENCE_TOPS.on(sequence=sequence.table) for sequence in some])
        stores = {f"store_{number}": sequence.store_id for number, sequence in enumerate(some)}
        rows = context.database.rows(tops_of_some, **stores)
        tops.update((int(row["store_id"]), int(row["top"] or 0)) for row in rows)
    return tops


def _top(context: Context, sequence: OrderSequence) -> Iterable[tuple[int, int]]:
    return _tops(context, {sequence.store_id: sequence}).items()


# --- memory ------------------------------------------------------------------------------------


def _remembered(context: Context, tops: Mapping[int, int]) -> dict[int, OrderNumbers]:
    """Return what is remembered by store id; a sequence that is new to us begins at its present end."""
    numbers = {store_id: OrderNumbers(top) for store_id, top in tops.items()}
    for store_id, data in context.memory.table("sequences").get_many(map(str, tops)).items():
        numbers[int(store_id)] = OrderNumbers.from_json(data)
    return numbers


def _remember(context: Context, numbers: Mapping[int, OrderNumbers]) -> None:
    table = context.memory.table("sequences")
    known = table.get_many(map(str, numbers))
    for store_id, state in numbers.items():
        if known.get(str(store_id)) != state.to_json():
            table.put(str(store_id), state.to_json())


def _last_run(context: Context) -> float:
    """Return the time of the run before, and remember this one's. What no run saw is as old as can be."""
    table = context.memory.table("latest")
    before: float = table.get("run", 0.0)
    table.put("run", context.now)
    return before


# --- whose numbers are the orders' ------------------------------------------------------------------


def _latest_orders(context: Context) -> Sequence[Row]:
    """Return the orders since the last run; the first time the LATEST newest. A skipped one does no harm."""
    table = context.memory.table("latest")
    after = table.get("order")
    if after is None:
        after = max(0, ORDERS.newest_id(context.database) - LATEST)
    rows = ORDERS.rows(context.database, after=after, limit=ORDERS_A_RUN)
    table.put("order", int(rows[-1]["id"]) if rows else after)
    return rows


def _judge_numbering(
    orders: Iterable[Row],
    sequences: Mapping[int, OrderSequence],
    tops: Mapping[int, int],
    numbers: Mapping[int, OrderNumbers],
) -> None:
    """Note for every store whether its latest orders have numbers of its sequence.

    Orders without a cart are imported and may have any number. The tops were read after the orders, so
    no order can be ahead of its sequence.
    """
    for row in orders:
        store_id = row["store_id"]
        if store_id in tops and row["bought"]:
            top = tops[store_id]
            numbers[store_id].judge(own=sequences[store_id].made(str(row["increment_id"]), top=top), top=top)


def _newer(context: Context) -> bool:
    """Return whether there is an order that is newer than all that were seen before this run."""
    known = context.memory.table("latest").get("created", context.now)
    newest = ORDERS.latest(context.database, NEWER)
    return any(created(row, context.now) > known for row in newest)


def _note_times(context: Context, orders: Iterable[Row]) -> None:
    """Note when the newest order was placed. An earlier version did not: none was placed after now."""
    table = context.memory.table("latest")
    known = table.get("created", 0.0 if orders else context.now)
    table.put("created", max((known, *(created(row, context.now) for row in orders))))


# --- the outcome of a number ------------------------------------------------------------------------


def _decide(
    context: Context,
    sequences: Mapping[int, OrderSequence],
    numbers: Mapping[int, OrderNumbers],
    reserved: Reserved,
) -> None:
    """Count the numbers whose outcome is known by now, and hold those that a cart keeps."""
    settled = dict(_take_settled(context, sequences, numbers))
    held = {
        (store_id, value): at
        for store_id, state in numbers.items()
        if state.fallen is None
        for value, at in state.held.items()
    }
    placed = _placed(context, sequences, [*held, *settled])
    expired = {placement for placement, at in held.items() if context.now - at >= HOLD_SECONDS}
    for store_id, value in (held.keys() & placed) | expired:
        del numbers[store_id].held[value]
    failed = expired - placed
    unplaced = [placement for placement in settled if placement not in placed]
    if unplaced:
        since = min(settled[placement] for placement in unplaced)
        kept = _kept(context, sequences, unplaced, reserved, since=since)
        for store_id, value in kept:
            numbers[store_id].held[value] = context.now
        # The carts were read after the orders: an order committed in between is found by looking again.
        rest = [placement for placement in unplaced if placement not in kept]
        placed |= _placed(context, sequences, rest)
        failed |= set(rest) - placed
    _count(context, placed, failed)


def _take_settled(
    context: Context, sequences: Mapping[int, OrderSequence], numbers: Mapping[int, OrderNumbers]
) -> Iterator[tuple[Placement, float]]:
    """Take the numbers that are settled; yield each with the time of the last run that did not see it."""
    budget = NUMBERS_A_RUN
    for store_id, state in numbers.items():
        while budget > 0 and (span := state.settled(context.now, context.tuning.settle_seconds)):
            rows = context.database.rows(
                TAKEN_NUMBERS.on(sequence=sequences[store_id].table),
                first=span.first,
                last=span.last,
                limit=budget,
            )
            values = [int(row["number"]) for row in rows]
            yield from (((store_id, value), span.since) for value in values)
            state.finish(values[-1] if len(values) == budget else span.last)
            budget -= len(values)


def _placed(
    context: Context, sequences: Mapping[int, OrderSequence], placements: Sequence[Placement]
) -> set[Placement]:
    """Return the numbers that have an order."""
    named = {
        (store_id, sequences[store_id].increment_id(value)): (store_id, value)
        for store_id, value in placements
    }
    placed: set[Placement] = set()
    for some in in_batches(sorted({increment_id for _, increment_id in named}), _NUMBERS_A_STATEMENT):
        rows = context.database.rows(ORDERS_OF_NUMBERS, numbers=some)
        ordered = {(row["store_id"], str(row["increment_id"])) for row in rows}
        placed |= {named[name] for name in ordered & named.keys()}
    return placed


def _kept(
    context: Context,
    sequences: Mapping[int, OrderSequence],
    unplaced: Sequence[Placement],
    reserved: Reserved,
    *,
    since: float,
) -> set[Placement]:
    """Return those of the numbers, all taken after ``since``, that an active cart keeps or may keep.

    A replica shows them late, so their carts may have been changed before ``since``: by no more than
    ``settle_seconds``: beyond that nothing here is known in time.
    """
    if not quotes_by_time(context.database):
        return set()
    stores = frozenset(store_id for store_id, _ in unplaced)
    now = CLOCK.read(context.database)
    seconds = context.now - since + context.tuning.settle_seconds
    if not reserved.read(context, stores, now - min(HOLD_WINDOW, int(seconds) + 1), now + WHILE_READING):
        return set(unplaced)
    known = {(store_id, number) for _, store_id, number in reserved.carts.values()}
    return {
        (store_id, value)
        for store_id, value in unplaced
        if (store_id, sequences[store_id].increment_id(value)) in known
    }


def _count(context: Context, placed: set[Placement], failed: set[Placement]) -> None:
    """Count the attempts, and those of them that failed."""
    for counters, placements in (
        (context.memory.counters(ATTEMPTS), placed | failed),
        (context.memory.counters(FAILED), failed),
    ):
        for store_id, _ in placements:
            counters.add(store=context.stores.code(store_id))
    table = context.memory.table("days")
    for store_id in {store_id for store_id, _ in placed | failed}:
        attempts, lost = (sum(one[0] == store_id for one in some) for some in (placed | failed, failed))
        days = counted(_days(context, store_id), context.now, attempts, lost)
        table.put(str(store_id), {str(day): both for day, both in days.items()})


def _days(context: Context, store_id: int) -> dict[int, Day]:
    """Return the attempts of the store's last days."""
    kept: Mapping[str, Sequence[int]] = context.memory.table("days").get(str(store_id), {})
    return {int(day): (attempts, lost) for day, (attempts, lost) in kept.items()}


def _objective(context: Context, store_id: int) -> float:
    """Return the share of the store's attempts that should succeed."""
    return context.tuning.checkout_objective or learned(_days(context, store_id), context.now)


def _samples(context: Context, numbers: Mapping[int, OrderNumbers]) -> Iterator[Sample]:
    """Yield the series of the stores whose numbers mean something."""
    attempts, failed = context.memory.counters(ATTEMPTS), context.memory.counters(FAILED)
    shown = set()
    for store_id, state in numbers.items():
        if state.foreign:
            continue
        code = context.stores.code(store_id)
        shown.add(code)
        attempts.initialise(store=code)
        failed.initialise(store=code)
        yield WAITING.sample(len(state.held), store=code)
        yield OBJECTIVE.sample(_objective(context, store_id), store=code)
    for counters in (attempts, failed):
        yield from having(counters.samples(), "store", shown)
