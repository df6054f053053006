"""What counts: which stages of which cart have been reached, whatever the storefront and the order of writes.

- A quote without items is no cart.
- A cart that is inactive and has no order was merged into another or dropped: nothing
  more is counted for it. A guest's cart that is merged into a customer's *empty* cart
  makes that one count as a cart too.
- An administrator's cart is inactive until it is an order.
- An order implies every stage that its cart can have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from exporter.core.collector import Context
from exporter.core.memory import Counters
from exporter.core.metrics import Sample
from exporter.core.ports import Row
from exporter.core.query import Connection, Query
from exporter.magento import checkout
from exporter.magento.checkout import CUSTOMERS, NOTHING, SHIPPING, STAGES, Stage
from exporter.magento.stores import of_known_stores
from exporter.reading.batches import IDS_A_STATEMENT, in_batches
from exporter.reading.reused import Earlier, created

CART_COLUMNS: Final = (
    "store_id",
    "is_active",
    "items_count",
    "is_virtual",
    "customer_id",
    "reserved_order_id",
)
CART: Final = """store_id, is_active = 1 AS active, items_count > 0 AS filled, is_virtual = 1 AS is_virtual,
                   customer_id IS NULL AS guest, reserved_order_id <> '' AS reserved"""
"""What is read of a cart for :meth:`Funnel.note_quotes`, besides its ``id`` and when it was ``created``."""

CART_AND_AGE: Final = f"entity_id AS id, UNIX_TIMESTAMP(created_at) AS created, {CART}"

SHIPPING_STEPS = Query(
    "checkout_shipping_steps",
    """
    SELECT quote_id AS id, MAX(country_id <> '') AS address, MAX(shipping_method <> '') AS method
    FROM {quote_address} {index quote_address}
    WHERE quote_id IN %(ids)s AND address_type = 'shipping'
    GROUP BY quote_id
    """,
    reads={"quote_address": ("quote_id", "address_type", "country_id", "shipping_method")},
    index={"quote_address": ("quote_id",)},
    connection=Connection.CHECKOUT,
)

PAYMENT_STEPS = Query(
    "checkout_payment_steps",
    """
    SELECT quote_id AS id
    FROM {quote_payment} {index quote_payment}
    WHERE quote_id IN %(ids)s AND method <> ''
    """,
    reads={"quote_payment": ("quote_id", "method")},
    index={"quote_payment": ("quote_id",)},
    connection=Connection.CHECKOUT,
)

KEEP_IDS: Final = 250_000
"""How far below the newest id carts are remembered."""

FORGET_IDS: Final = 2_000
"""How many ids have to be beyond that before they are forgotten, up to ten times as many in one run."""

MANY_STORES: Final = 300
"""Up to so many stores every label set is shown from the start, beyond that from a store's first cart on."""

SHOP: Final = ""
"""The key of the whole shop among those of its stores."""


def quote_key(quote_id: int) -> str:
    """Return the key under which a cart is remembered; keys sort as ids do."""
    return f"{quote_id:010d}"


class Funnel:
    """Which stages of which cart have been counted.

    A stage that a cart had reached before counting began is remembered as if it
    had been counted: it never will be.
    """

    def __init__(self, context: Context, counters: Counters, *, newest: int) -> None:
        self._context = context
        self._counted = context.memory.table("stages")
        self._limits = context.memory.table("limits")
        self._counters = counters
        self._since = context.memory.table("since_order")
        self._initialised: set[str] = set()
        self._newest = newest
        self.start: int = self._limits.get("start", self._newest)
        self._floor: int = self._limits.get("floor", max(0, self.start - KEEP_IDS))
        # An earlier version noted no time. Whatever it has seen was created before now.
        self._created: float = self._limits.get("created", context.now)
        self._earlier = Earlier.known(self._limits.get_many(("earlier",)), context.now)
        self._note_fall(newest)

    def _note_fall(self, newest: int) -> None:
        """Note what is known if the newest id has fallen: its carts may be new ones from now on."""
        known: int = self._limits.get("newest", newest)
        if newest < known:
            top = max(known, 0 if self._earlier is None else self._earlier.top)
            self._earlier = Earlier(top, self._created)
            self._limits.put("earlier", self._earlier.to_json())
        self._limits.put_many({"start": self.start, "floor": self._floor, "newest": newest})

    def _note_reused(self, rows: Sequence[Row]) -> None:
        """Forget the carts whose ids are given out again: all from the first such cart on."""
        now = self._context.now
        if self._earlier is not None:
            reused = [
                int(row["id"])
                for row in rows
                if int(row["id"]) <= self._earlier.top and not self._earlier.has_read(row, now)
            ]
            if reused:
                first, top = min(reused), self._earlier.top
                self._counted.delete(self._counted.scan(quote_key(first), quote_key(top + 1)))
                self.start, self._floor = min(self.start, first - 1), min(self._floor, first)
                self._earlier.top = first - 1
                self._limits.put_many(
                    {"start": self.start, "floor": self._floor, "earlier": self._earlier.to_json()}
                )
        self._created = max((self._created, *(created(row, now) for row in rows)))
        self._limits.put("created", self._created)

    def note_quotes(self, rows: Sequence[Row], *, history: bool = False, again: Container[int] = ()) -> None:
        """Count what the carts have newly reached; ``history`` notes it without counting.

        Of ``again``, the carts that are looked at again soon, the steps of those that are seen for the first
        time are read then.
        """
        if not rows:
            return
        self._newest = max(self._newest, *(int(row["id"]) for row in rows))
        self._note_reused(rows)
        counted = self._counted_of(int(row["id"]) for row in rows)
        later = {
            quote_id
            for quote_id in (int(row["id"]) for row in rows)
            if quote_id in again and self._is_new(quote_id, counted)
        }
        reached = _reached(self._context, rows, counted, without_steps=later)
        filled = Counter[str]()
        for row in rows:
            quote_id = int(row["id"])
            counted_before, reached_now = counted.get(quote_id), reached.get(quote_id, NOTHING)
            new = reached_now & ~(counted_before or NOTHING)
            is_past = quote_id <= self.start if history else counted_before is None and self._is_old(quote_id)
            if not is_past:
                self._count(row, new)
                if new & Stage.CART:
                    filled.update((SHOP, str(row["store_id"])))
            if is_past or reached_now:
                self._remember(quote_id, counted_before, (counted_before or NOTHING) | new)
        known = self._since.get_many(filled)
        self._since.put_many({key: carts + filled[key] for key, carts in known.items()})

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
        for store_id in {row["store_id"] for row in rows}:
            self._since.put_many({SHOP: 0, str(store_id): 0})

    def carts_since_order(self) -> tuple[int | None, dict[str, int]]:
        """Return the carts since the shop's last order, and since that of each store that is switched on.

        Nothing is known before the first order has been seen.
        """
        stores = {
            str(store_id): self._context.stores.code(store_id)
            for store_id in self._context.stores.active_ids()
        }
        known = self._since.get_many((SHOP, *stores))
        return known.pop(SHOP, None), {stores[store_id]: carts for store_id, carts in known.items()}

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
            self._counted.delete(self._counted.scan("", quote_key(floor)))
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

    def _is_new(self, quote_id: int, counted: Mapping[int, int]) -> bool:
        """Return whether this is the first look at a cart that has begun since counting has."""
        return quote_id not in counted and not self._is_old(quote_id)

    def _counted_of(self, quote_ids: Iterable[int]) -> dict[int, int]:
        """Return what has been counted of those of the carts that are remembered."""
        found = self._counted.get_many(quote_key(quote_id) for quote_id in quote_ids)
        return {int(key): int(value) for key, value in found.items()}

    def _remember(self, quote_id: int, counted_before: int | None, counted_now: int) -> None:
        if counted_before != counted_now:
            self._counted.put(quote_key(quote_id), counted_now)

    def _count(self, row: Mapping[str, Any], stages: int) -> None:
        if not stages:
            return
        store = self._context.stores.code(row["store_id"])
        self._initialise(store)
        for stage in checkout.labels(stages):
            self._counters.add(store=store, stage=stage, customer=checkout.customer(guest=bool(row["guest"])))

    def _initialise(self, store: str) -> None:
        if store in self._initialised:
            return
        self._initialised.add(store)
        for stage in STAGES:
            for customer in CUSTOMERS:
                self._counters.initialise(store=store, stage=stage, customer=customer)


def _reached(
    context: Context, rows: Sequence[Row], counted: Mapping[int, int], *, without_steps: Container[int]
) -> dict[int, int]:
    """Return the stages that the carts show now; steps that have been counted are not read again."""
    reached: dict[int, int] = {}
    unshipped: list[int] = []
    unpaid: list[int] = []
    for row in rows:
        if not (row["active"] and row["filled"]):
            continue
        quote_id = int(row["id"])
        reached[quote_id] = Stage.CART | (Stage.PLACEMENT_ATTEMPT if row["reserved"] else NOTHING)
        if quote_id in without_steps:
            continue
        counted_before = counted.get(quote_id, NOTHING)
        if not row["is_virtual"] and SHIPPING & ~counted_before:
            unshipped.append(quote_id)
        if not counted_before & Stage.PAYMENT_METHOD:
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
