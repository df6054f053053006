"""The checkout funnel: how many carts reach each stage, each cart once per stage.

A cart changes, so counting new rows is not enough: changed carts are followed.

From 2.4.7 on ``quote`` has an index (store_id, updated_at), and a cart is looked
at three times after each change: at once; when the change is ``settle_seconds``
old, by when a transaction that was open at the first look has committed; and
half an hour after it, because a step may write to ``quote_address`` or
``quote_payment`` only and leave ``quote.updated_at`` alone. A change that is
committed later than that is counted at the cart's next change, or by its order.
The two later looks stop behind the newest change that is visible, so a replica
may lag. When it does by more than ``settle_seconds``, a cart that was changed in
the same second as the newest visible one may have to wait for the last look, and
beyond half an hour for its next change.

Before 2.4.7 there is no such index. New carts are followed by primary key, and
the newest MAX_OPEN unfinished ones are read again in turns, OPEN_A_RUN a run: a
stage is counted up to MAX_OPEN / OPEN_A_RUN runs late, and a cart that is older
than the newest MAX_OPEN is counted by its order only.

What counts, read from the data whatever the storefront and the order of writes:

- a quote without items is no cart: headless storefronts make many;
- ``shipping_address``: the shipping address has a country. An estimate in the
  cart is enough, and a logged-in customer's default address comes with the cart;
- ``placement_attempt``: an order number was stored with the cart, or it became
  an order. An ordinary decline stores none, so this is a lower bound; the
  collector ``placements`` counts the attempts themselves;
- ``order``: the cart has an order; several orders of one multishipping cart are
  one. It implies every stage that the cart can have. Orders without a cart
  (imported ones) have passed no checkout and are not counted;
- a cart that is inactive and has no order was merged into another or dropped:
  from then on nothing is counted for it. What it reached before stays counted. A
  guest's cart that is merged into a customer's *empty* cart makes that one count
  as a cart too;
- an administrator's cart is inactive until it is an order, and then counts in
  every stage at once, as any order does;
- ``customer`` and ``store`` are those of the cart when the stage is counted.

Counting begins with the first run. Stages that a cart had reached before are not
counted: for carts changed in the hour before (at most HISTORY_ROWS) they are
read then; for older ones, whatever they show when they are first seen again is
taken as reached before, except an order, which counts with its attempt. A cart
whose id is more than KEEP_IDS below the newest is forgotten and treated the same.

When ``quote`` was restored from a backup, ids are given out again. The stages of
carts above its newest are forgotten once that has been below what it was for
``settle_seconds``; carts of these first minutes may be taken for counted ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from exporter.core.collector import Collector, Context
from exporter.core.metrics import Sample, counter
from exporter.core.ports import Row
from exporter.core.query import Connection, Query
from exporter.magento import checkout
from exporter.magento.checkout import CUSTOMERS, NOTHING, SHIPPING, STAGES, Stage
from exporter.magento.stores import of_known_stores
from exporter.reading.batches import IDS_A_STATEMENT, in_batches
from exporter.reading.followed import new_rows, newest_id
from exporter.reading.restarts import Restarts
from exporter.reading.time_slices import by_slices

CLOCK = Query("checkout_clock", "SELECT UNIX_TIMESTAMP() AS now", reads={}, connection=Connection.CHECKOUT)

NEWEST_QUOTE = Query(
    "checkout_newest_quote",
    "SELECT MAX(entity_id) AS id FROM {quote}",
    reads={"quote": ("entity_id",)},
    connection=Connection.CHECKOUT,
)

_STATE: Final = """
    SELECT entity_id AS id, store_id, is_active = 1 AS active, items_count > 0 AS filled,
           is_virtual = 1 AS is_virtual, customer_id IS NULL AS guest, reserved_order_id <> '' AS reserved
    FROM {quote}"""
_STATE_COLUMNS: Final = (
    "entity_id",
    "store_id",
    "is_active",
    "items_count",
    "is_virtual",
    "customer_id",
    "reserved_order_id",
)

# A loose index scan on (store_id, updated_at): some two index entries a store, however many carts there are.
NEWEST_CHANGES = Query(
    "checkout_newest_changes",
    "SELECT store_id, UNIX_TIMESTAMP(MAX(updated_at)) AS newest FROM {quote} GROUP BY store_id",
    reads={"quote": ("store_id", "updated_at")},
    connection=Connection.CHECKOUT,
)

CHANGED_QUOTES = Query(
    "checkout_changed_quotes",
    f"""{_STATE}
    WHERE store_id IN %(stores)s
      AND updated_at >= FROM_UNIXTIME(%(first)s) AND updated_at < FROM_UNIXTIME(%(end)s)
    LIMIT %(limit)s
    """,
    reads={"quote": (*_STATE_COLUMNS, "updated_at")},
    connection=Connection.CHECKOUT,
)

NEW_QUOTES = Query(
    "checkout_new_quotes",
    f"""{_STATE}
    WHERE entity_id > %(after)s
    ORDER BY entity_id
    LIMIT %(limit)s
    """,
    reads={"quote": _STATE_COLUMNS},
    connection=Connection.CHECKOUT,
)

OPEN_QUOTES = Query(
    "checkout_open_quotes",
    f"""{_STATE}
    WHERE entity_id IN %(ids)s
    """,
    reads={"quote": _STATE_COLUMNS},
    connection=Connection.CHECKOUT,
)

SHIPPING_STEPS = Query(
    "checkout_shipping_steps",
    """
    SELECT quote_id AS id, MAX(country_id <> '') AS address, MAX(shipping_method <> '') AS method
    FROM {quote_address}
    WHERE quote_id IN %(ids)s AND address_type = 'shipping'
    GROUP BY quote_id
    """,
    reads={"quote_address": ("quote_id", "address_type", "country_id", "shipping_method")},
    connection=Connection.CHECKOUT,
)

PAYMENT_STEPS = Query(
    "checkout_payment_steps",
    "SELECT quote_id AS id FROM {quote_payment} WHERE quote_id IN %(ids)s AND method <> ''",
    reads={"quote_payment": ("quote_id", "method")},
    connection=Connection.CHECKOUT,
)

NEWEST_ORDER = Query(
    "checkout_newest_order",
    "SELECT MAX(entity_id) AS id FROM {sales_order}",
    reads={"sales_order": ("entity_id",)},
    connection=Connection.SALES,
)

NEW_ORDERS = Query(
    "checkout_new_orders",
    """
    SELECT entity_id AS id, quote_id, store_id, is_virtual = 1 AS is_virtual, customer_is_guest = 1 AS guest
    FROM {sales_order}
    WHERE entity_id > %(after)s
    ORDER BY entity_id
    LIMIT %(limit)s
    """,
    reads={"sales_order": ("entity_id", "quote_id", "store_id", "is_virtual", "customer_is_guest")},
    connection=Connection.SALES,
)

STAGE_REACHED = counter(
    "magento_checkout_stage_reached_total",
    "Carts that reached the stage, each cart once per stage (quote, quote_address, quote_payment,"
    " sales_order). placement_attempt is a lower bound: an ordinary decline leaves no trace in the cart.",
    "store",
    "stage",
    "customer",
)

LATE_LOOK: Final = 1_800
"""Age in seconds of a change at the last look."""

OVERLAP: Final = 3
"""Seconds that the first look reaches back, so that it misses no ordinary, short transaction."""

HISTORY: Final = 3_600
"""Seconds before the first run: the stages of carts that were changed in them are read, but not counted."""

HISTORY_ROWS: Final = 5_000
"""Such carts read at most."""

PAGE: Final = 2_000
"""Carts read by one statement. More in one second is a mass update; the carts beyond are left out."""

CARTS_A_LOOK: Final = 3_000
"""Carts after which a look rests until the next run; it catches up later."""

KEEP_IDS: Final = 250_000
"""How far below the newest id carts are remembered."""

FORGET_IDS: Final = 2_000
"""How many ids have to be beyond that before they are forgotten, up to ten times as many in one run."""

MAX_OPEN: Final = 5_000
"""Unfinished carts that are read again, the newest ones, before 2.4.7."""

OPEN_A_RUN: Final = 250
"""Of these, how many are read in one run."""

MANY_STORES: Final = 300
"""Up to so many stores every label set is shown from the start, beyond that from a store's first cart on."""


class CheckoutCollector(Collector):
    """The funnel from cart to order."""

    name = "checkout"
    help = "Carts by the checkout stage they reach, from quote, quote_address, quote_payment and sales_order."
    source = "database"
    metrics = (STAGE_REACHED,)
    queries = (
        CLOCK,
        NEWEST_QUOTE,
        NEWEST_CHANGES,
        CHANGED_QUOTES,
        NEW_QUOTES,
        OPEN_QUOTES,
        SHIPPING_STEPS,
        PAYMENT_STEPS,
        NEWEST_ORDER,
        NEW_ORDERS,
    )

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield the samples of one run; see the module's text for what is counted when."""
        funnel = _Funnel(context)
        if context.database.has_index("quote", "store_id", "updated_at", connection=Connection.CHECKOUT):
            _follow_by_time(context, funnel)
        else:
            _follow_by_id(context, funnel)
        funnel.note_orders(_new_orders(context))
        funnel.forget()
        return funnel.samples()


def _new_orders(context: Context) -> Sequence[Row]:
    return new_rows(
        context.database,
        rows=NEW_ORDERS,
        newest=NEWEST_ORDER,
        memory=context.memory.table("orders"),
        now=context.now,
        settle=context.tuning.settle_seconds,
    )


# --- 2.4.7 and newer: by the time of the last change -------------------------------------------


def _follow_by_time(context: Context, funnel: _Funnel) -> None:
    """Look at the carts whose last change is new, settled, or half an hour old."""
    now = int(context.database.rows(CLOCK)[0]["now"])
    remembered = context.memory.table("looks")
    ages = (0, int(context.tuning.settle_seconds), LATE_LOOK)
    done_until: list[int] | None = remembered.get("done_until")
    if done_until is None:
        _note_history(context, funnel, now)
        done_until = [now - age for age in ages]
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
    stores = tuple(context.stores.ids())
    if not stores:
        return iter(())

    def read(first: int, end: int) -> Sequence[Row]:
        return context.database.rows(CHANGED_QUOTES, stores=stores, first=first, end=end, limit=PAGE)

    return by_slices(read, first, end, page=PAGE, budget=budget)


def _note_history(context: Context, funnel: _Funnel, now: int) -> None:
    """Note what the carts of the last hour have reached, the newest first, without counting it."""
    budget, width = HISTORY_ROWS, 60
    for end in range(now, now - HISTORY, -width):
        for _, rows in _changed(context, end - width, end, budget=budget):
            funnel.note_quotes(rows, history=True)
            budget -= len(rows)
        if budget <= 0:
            return


# --- before 2.4.7: by primary key ---------------------------------------------------------------


def _follow_by_id(context: Context, funnel: _Funnel) -> None:
    """Read the new carts, and some of the unfinished ones again."""
    followed = context.memory.table("quotes")
    still_open = context.memory.table("open")
    first_run = followed.get("tail") is None
    fresh = new_rows(
        context.database,
        rows=NEW_QUOTES,
        newest=NEWEST_QUOTE,
        memory=followed,
        now=context.now,
        settle=context.tuning.settle_seconds,
    )
    if first_run:
        fresh = context.database.rows(NEW_QUOTES, after=max(0, funnel.start - PAGE), limit=PAGE)
    open_before = sorted(still_open.scan())
    turn = _turn(open_before, followed.get("next", ""))
    again = context.database.rows(OPEN_QUOTES, ids=tuple(map(int, turn))) if turn else []
    funnel.note_quotes(fresh, history=first_run)
    funnel.note_quotes(again)
    unfinished = set(map(_key, funnel.unfinished([*fresh, *again])))
    open_now = sorted({*open_before, *unfinished} - (set(turn) - unfinished))[-MAX_OPEN:]
    still_open.put_many(dict.fromkeys(sorted(set(open_now).difference(open_before)), 1))
    still_open.delete(sorted(set(open_before).difference(open_now)))
    if turn:
        followed.put("next", turn[-1])


def _turn(open_carts: Sequence[str], last: str) -> list[str]:
    """Return whose turn it is: the open carts after the last one read, then again from the oldest."""
    after = [key for key in open_carts if key > last]
    return [*after, *open_carts[: len(open_carts) - len(after)]][:OPEN_A_RUN]


# --- counting --------------------------------------------------------------------------------------


def _key(quote_id: int) -> str:
    """Return the key under which a cart is remembered; keys sort as ids do."""
    return f"{quote_id:010d}"


class _Funnel:
    """Which stages of which cart have been counted.

    A stage that a cart had reached before counting began is remembered as if it
    had been counted: it never will be.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._counted = context.memory.table("stages")
        self._limits = context.memory.table("limits")
        self._counters = context.memory.counters(STAGE_REACHED)
        self._newest = newest_id(context.database, NEWEST_QUOTE)
        self.start: int = self._limits.get("start", self._newest)
        self._floor: int = self._limits.get("floor", max(0, self.start - KEEP_IDS))
        self._heed_restarts(self._newest)

    def _heed_restarts(self, newest: int) -> None:
        """Forget the carts whose ids are given out again; take those that a restore brings for old ones."""
        newest_before = self._limits.get("newest", newest)
        restarts = Restarts.from_json(self._limits.get("restarts", {}))
        now, settle = self._context.now, self._context.tuning.settle_seconds
        if restarts.shortened(newest, settled=newest_before, top=newest_before, now=now, settle=settle):
            self._counted.delete(self._counted.scan(_key(newest + 1)))
            self.start, self._floor = min(self.start, newest), min(self._floor, newest + 1)
        elif restarts.returning(newest - newest_before, first=newest_before + 1, now=now, settle=settle):
            self.start = newest
        top = newest_before if restarts.behind is not None else newest
        limits = {"start": self.start, "floor": self._floor, "newest": top, "restarts": restarts.to_json()}
        self._limits.put_many(limits)

    def note_quotes(self, rows: Sequence[Row], *, history: bool = False) -> None:
        """Count what the carts have newly reached; ``history`` notes it without counting."""
        if not rows:
            return
        self._newest = max(self._newest, *(int(row["id"]) for row in rows))
        counted = self._counted_of(int(row["id"]) for row in rows)
        reached = _reached(self._context, rows, counted)
        for row in rows:
            quote_id = int(row["id"])
            counted_before, reached_now = counted.get(quote_id), reached.get(quote_id, NOTHING)
            new = reached_now & ~(counted_before or NOTHING)
            is_past = quote_id <= self.start if history else counted_before is None and self._is_old(quote_id)
            if not is_past:
                self._count(row, new)
            if is_past or reached_now:
                self._remember(quote_id, counted_before, (counted_before or NOTHING) | new)

    def note_orders(self, rows: Sequence[Row]) -> None:
        """Count the orders' carts, and the stages that they must have passed."""
        bought = [row for row in rows if row["quote_id"]]
        counted = self._counted_of(int(row["quote_id"]) for row in bought)
        for row in bought:
            quote_id = int(row["quote_id"])
            counted_before = counted.get(quote_id)
            implied = checkout.implied_by_order(virtual=bool(row["is_virtual"]))
            is_past = counted_before is None and self._is_old(quote_id)
            # The other stages of an old cart may have been counted already; its order certainly was not.
            reached_now = Stage.PLACEMENT_ATTEMPT | Stage.ORDER if is_past else implied
            self._count(row, reached_now & ~(counted_before or NOTHING))
            counted[quote_id] = implied | (counted_before or NOTHING)
            self._remember(quote_id, counted_before, counted[quote_id])

    def unfinished(self, rows: Sequence[Row]) -> list[int]:
        """Return the active carts that can still reach a stage other than an order."""
        counted = self._counted_of(int(row["id"]) for row in rows)
        return [
            int(row["id"])
            for row in rows
            if row["active"]
            and checkout.implied_by_order(virtual=bool(row["is_virtual"]))
            & ~Stage.ORDER
            & ~counted.get(int(row["id"]), NOTHING)
        ]

    def forget(self) -> None:
        """Forget the oldest carts, a few at a time."""
        floor = self._newest - KEEP_IDS
        if floor - self._floor >= FORGET_IDS:
            floor = min(floor, self._floor + 10 * FORGET_IDS)
            self._counted.delete(self._counted.scan("", _key(floor)))
            self._floor = floor
            self._limits.put("floor", floor)

    def samples(self) -> Iterable[Sample]:
        """Return the counters of the stores that exist, and of orders whose store is gone."""
        codes = list(self._context.stores.codes())
        if len(codes) <= MANY_STORES:
            for code in codes:
                self._initialise(code)
        return of_known_stores(self._counters.samples(), self._context.stores)

    def _is_old(self, quote_id: int) -> bool:
        """Return whether a cart that is not remembered may have been counted, or was there at the start."""
        return quote_id <= self.start or quote_id < self._floor

    def _counted_of(self, quote_ids: Iterable[int]) -> dict[int, Stage]:
        """Return what has been counted of those of the carts that are remembered."""
        found = self._counted.get_many(_key(quote_id) for quote_id in quote_ids)
        return {int(key): Stage(value) for key, value in found.items()}

    def _remember(self, quote_id: int, counted_before: Stage | None, counted_now: Stage) -> None:
        if counted_before != counted_now:
            self._counted.put(_key(quote_id), int(counted_now))

    def _count(self, row: Mapping[str, Any], stages: Stage) -> None:
        if not stages:
            return
        store = self._context.stores.code(row["store_id"])
        self._initialise(store)
        for stage in checkout.labels(stages):
            self._counters.add(store=store, stage=stage, customer=checkout.customer(guest=bool(row["guest"])))

    def _initialise(self, store: str) -> None:
        for stage in STAGES:
            for customer in CUSTOMERS:
                self._counters.initialise(store=store, stage=stage, customer=customer)


def _reached(context: Context, rows: Sequence[Row], counted: Mapping[int, Stage]) -> dict[int, Stage]:
    """Return the stages that the carts show now; steps that have been counted are not read again."""
    reached: dict[int, Stage] = {}
    unshipped: list[int] = []
    unpaid: list[int] = []
    for row in rows:
        if not (row["active"] and row["filled"]):
            continue
        quote_id = int(row["id"])
        reached[quote_id] = Stage.CART | (Stage.PLACEMENT_ATTEMPT if row["reserved"] else NOTHING)
        counted_before = counted.get(quote_id, NOTHING)
        if not row["is_virtual"] and SHIPPING not in counted_before:
            unshipped.append(quote_id)
        if Stage.PAYMENT_METHOD not in counted_before:
            unpaid.append(quote_id)
    for row in _details(context, SHIPPING_STEPS, unshipped):
        reached[int(row["id"])] |= Stage.SHIPPING_ADDRESS if row["address"] else NOTHING
        reached[int(row["id"])] |= Stage.SHIPPING_METHOD if row["method"] else NOTHING
    for row in _details(context, PAYMENT_STEPS, unpaid):
        reached[int(row["id"])] |= Stage.PAYMENT_METHOD
    return reached


def _details(context: Context, query: Query, quote_ids: Sequence[int]) -> Iterator[Row]:
    for some in in_batches(quote_ids, IDS_A_STATEMENT):
        yield from context.database.rows(query, ids=some)
