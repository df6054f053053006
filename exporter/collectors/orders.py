"""Orders placed: how many, worth what, paid how, by whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import product
from typing import Final

from exporter.core.collector import Collector, Context
from exporter.core.metrics import Sample, counter, gauge
from exporter.core.ports import Row
from exporter.core.query import Connection, Query
from exporter.magento.checkout import CUSTOMERS, customer
from exporter.magento.orders import Methods
from exporter.magento.stores import of_known_stores
from exporter.reading.batches import IDS_A_STATEMENT, in_batches
from exporter.reading.followed import Followed
from exporter.reading.instants import instant
from exporter.reading.per_subject import PerSubject

ORDERS: Final = Followed(
    "orders",
    "sales_order",
    columns=(
        "store_id",
        "base_grand_total",
        "base_currency_code",
        "base_discount_amount",
        "total_qty_ordered",
        "customer_is_guest",
        "coupon_code",
        "relation_parent_id",
    ),
    select="""store_id, base_grand_total AS total, base_currency_code AS currency,
           base_discount_amount AS discount, total_qty_ordered AS items, customer_is_guest AS guest,
           (coupon_code IS NOT NULL AND coupon_code <> '') AS coupon,
           relation_parent_id IS NOT NULL AS edited""",
    connection=Connection.SALES,
)

# Read apart, and not joined: an order with two payment rows must not count twice. Not as a subquery either:
# with the statistics of a table that was just filled, MySQL reads half of the payments for each order. Not in
# an order either: with the same statistics MariaDB 10.5 reads all payments by entity_id.
PAYMENTS = Query(
    "orders_payments",
    """
    SELECT parent_id AS id, entity_id AS payment, method
    FROM {sales_order_payment} {index sales_order_payment}
    WHERE parent_id IN %(ids)s
    """,
    reads={"sales_order_payment": ("entity_id", "parent_id", "method")},
    index={"sales_order_payment": ("parent_id",)},
    connection=Connection.SALES,
)

# A loose index scan on (store_id): some two index entries a store, however many orders there are.
NEWEST_OF_STORES: Final = PerSubject(
    "orders_newest_of_stores",
    """
    SELECT entity_id AS id
    FROM {sales_order} {index sales_order}
    WHERE store_id = %(store_#)s
    ORDER BY entity_id DESC
    LIMIT 1
    """,
    reads={"sales_order": ("entity_id", "store_id")},
    nobody={"store": -1},
    index={"sales_order": ("store_id",)},
    connection=Connection.SALES,
)

CREATED = Query(
    "orders_created",
    """
    SELECT store_id, UNIX_TIMESTAMP(created_at) AS created
    FROM {sales_order} {index sales_order}
    WHERE entity_id IN %(ids)s
    """,
    reads={"sales_order": ("entity_id", "store_id", "created_at")},
    index={"sales_order": ("entity_id",)},
    connection=Connection.SALES,
)

PLACED = counter(
    "magento_orders_placed_total",
    "Orders placed (sales_order), by the payment method they were placed with (sales_order_payment.method).",
    "store",
    "method",
)
REVENUE = counter(
    "magento_orders_revenue_base_total",
    "Value of placed orders in the website's base currency (base_grand_total); a negative total counts as 0.",
    "store",
    "currency",
)
DISCOUNT = counter(
    "magento_orders_discount_base_total",
    "Discount on placed orders in the website's base currency (base_discount_amount, negative in Magento).",
    "store",
    "currency",
)
ITEMS = counter(
    "magento_orders_items_total",
    "Units in placed orders (total_qty_ordered); fractions where goods are sold by weight or length.",
    "store",
)
WITH_COUPON = counter(
    "magento_orders_with_coupon_total", "Orders placed with a coupon code (coupon_code not empty).", "store"
)
# Not by store and method: that would be thousands of series in a shop with hundreds of store views.
REVENUE_BY_METHOD = counter(
    "magento_orders_revenue_by_method_base_total",
    "magento_orders_revenue_base_total of the whole shop by payment method.",
    "method",
    "currency",
)
DISCOUNT_BY_METHOD = counter(
    "magento_orders_discount_by_method_base_total",
    "magento_orders_discount_base_total of the whole shop by payment method.",
    "method",
    "currency",
)
ITEMS_BY_METHOD = counter(
    "magento_orders_items_by_method_total",
    "magento_orders_items_total of the whole shop by payment method.",
    "method",
)
WITH_COUPON_BY_METHOD = counter(
    "magento_orders_with_coupon_by_method_total",
    "magento_orders_with_coupon_total of the whole shop by payment method.",
    "method",
)
BY_CUSTOMER = counter(
    "magento_orders_by_customer_total",
    "Orders placed by customer type, guest or registered (customer_is_guest).",
    "store",
    "customer",
)
# Only an administrator edits. That one placed an order shows in no other way than by the missing address of
# the customer's computer, which is personal data.
EDITED = counter(
    "magento_orders_edited_total",
    "Placed orders that an administrator made out of another: edited or, by newer versions, ordered again"
    " (relation_parent_id).",
    "store",
)
LAST_ORDER = gauge(
    "magento_last_order_timestamp_seconds",
    "Unix time at which the store's last order was placed (created_at); absent for a store without orders"
    " and for a store view that is switched off (store.is_active).",
    "store",
)
SINCE_LAST = gauge(
    "magento_orders_since_last_by_method",
    "Orders of the store since the last one with that payment method; absent for a method that none of the"
    " orders seen was placed with, and for a store view that is switched off (store.is_active).",
    "store",
    "method",
)

COUNTED: Final = (
    PLACED,
    REVENUE,
    REVENUE_BY_METHOD,
    DISCOUNT,
    DISCOUNT_BY_METHOD,
    ITEMS,
    ITEMS_BY_METHOD,
    WITH_COUPON,
    WITH_COUPON_BY_METHOD,
    BY_CUSTOMER,
    EDITED,
)

LOOK_BACK: Final = 2_000
"""Orders read once at the very first run, to know which stores and payment methods are in use."""

INITIALISED_PAIRS: Final = 2_000
"""Store and method pairs whose series start at 0 beforehand; with more of them, only pairs that were seen."""

_ZERO: Final = Decimal(0)


class OrdersCollector(Collector):
    """Orders placed, exactly counted, and the time of each store's last one."""

    name = "orders"
    help = "Orders placed: number, value, items, discounts, coupons, guests, last order; from sales_order."
    notes = """
    An order counts when it is placed, whatever becomes of it: cancellations and refunds have counters of
    their own. A multishipping cart makes one order per address. An order that an administrator edited is a
    new order beside the old one.

    Value, items, discount and coupons are counted by store and, for the whole shop, by payment method.

    `magento_orders_since_last_by_method` begins at 0 with each order by that method. The newest 2,000 orders
    are read once at the first start, so it is right from then on.

    Whether an administrator made an order is not known. An order that was made out of another is an
    exception: it was edited or, by newer versions of Magento, ordered again.
    """
    source = "database"
    metrics = (*COUNTED, LAST_ORDER, SINCE_LAST)
    queries = (*ORDERS.queries, PAYMENTS, NEWEST_OF_STORES.query, CREATED)

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield the samples of one run."""
        new = ORDERS.read(context)
        ledger = _Ledger(context)
        if new.first_run:
            _look_back(context, ledger)
        methods = _methods(context, new.rows)
        for row in new.rows:
            ledger.count(row, methods.get(int(row["id"])))
        return ledger.samples()


def _look_back(context: Context, ledger: _Ledger) -> None:
    database = context.database
    orders = ORDERS.latest(database, LOOK_BACK)
    methods = _methods(context, orders)
    ledger.prepare((row, methods.get(int(row["id"]))) for row in orders)
    stores = [{"store": store_id} for store_id in context.stores.ids()]
    ids = [int(row["id"]) for row in NEWEST_OF_STORES.rows(database, stores)]
    for some in in_batches(ids, IDS_A_STATEMENT):
        for row in database.rows(CREATED, ids=some):
            ledger.note_time(row)


def _methods(context: Context, orders: Sequence[Row]) -> dict[int, str | None]:
    """Return the payment methods by order id: of two payments of one order, the first."""
    methods: dict[int, str | None] = {}
    for some in in_batches([int(row["id"]) for row in orders], IDS_A_STATEMENT):
        rows = context.database.rows(PAYMENTS, ids=some)
        # The youngest payment comes first, so the oldest one stays.
        rows = sorted(rows, key=lambda row: -int(row["payment"]))
        methods.update((int(row["id"]), row["method"]) for row in rows)
    return methods


class _Ledger:
    """The counters of one run."""

    def __init__(self, context: Context) -> None:
        self._now = context.now
        self._stores = context.stores
        self._counters = context.memory.counters
        self._last = context.memory.table("last")
        self._state = context.memory.table("methods")
        self._since = context.memory.table("since")
        self._methods = Methods(self._state.get("known", ()))
        self._begun: set[tuple[str, str]] = set()
        self._begun_by_method: set[tuple[str, str]] = set()
        for store_id in self._stores.view_ids():
            self._initialise(self._stores.code(store_id), self._stores.currency(store_id))

    def _initialise(self, store: str, currency: str) -> None:
        if (store, currency) in self._begun:
            return
        self._begun.add((store, currency))
        for metric in (REVENUE, DISCOUNT):
            self._counters(metric).initialise(store=store, currency=currency)
        for metric in (ITEMS, WITH_COUPON, EDITED):
            self._counters(metric).initialise(store=store)
        for who in CUSTOMERS:
            self._counters(BY_CUSTOMER).initialise(store=store, customer=who)

    def _initialise_method(self, method: str, currency: str) -> None:
        if (method, currency) in self._begun_by_method:
            return
        self._begun_by_method.add((method, currency))
        for metric in (REVENUE_BY_METHOD, DISCOUNT_BY_METHOD):
            self._counters(metric).initialise(method=method, currency=currency)
        for metric in (ITEMS_BY_METHOD, WITH_COUPON_BY_METHOD):
            self._counters(metric).initialise(method=method)

    def prepare(self, orders: Iterable[tuple[Row, str | None]]) -> None:
        """Let the stores and methods of past orders have their series before the next order comes."""
        pairs = set()
        for row, paid in sorted(orders, key=lambda order: int(order[0]["id"])):
            method = self._method(paid)
            pairs.add((self._stores.code(row["store_id"]), method))
            self._note_method(row, method)
        methods = {method for _, method in pairs}
        everywhere = {(store, method) for store in self._stores.codes() for method in methods}
        for store, method in sorted(pairs | everywhere if len(everywhere) <= INITIALISED_PAIRS else pairs):
            self._counters(PLACED).initialise(store=store, method=method)
        currencies = {self._stores.currency(store_id) for store_id in self._stores.view_ids()}
        for method, currency in sorted(product(methods, currencies)):
            self._initialise_method(method, currency)

    def count(self, row: Row, paid: str | None) -> None:
        """Count one order, ``paid`` by that method."""
        store, method = self._stores.code(row["store_id"]), self._method(paid)
        currency = str(row["currency"] or self._stores.currency(row["store_id"]))
        self._initialise(store, currency)
        self._initialise_method(method, currency)
        self._counters(PLACED).add(store=store, method=method)
        revenue, discount = max(row["total"] or _ZERO, _ZERO), max(-(row["discount"] or _ZERO), _ZERO)
        self._counters(REVENUE).add(revenue, store=store, currency=currency)
        self._counters(REVENUE_BY_METHOD).add(revenue, method=method, currency=currency)
        self._counters(DISCOUNT).add(discount, store=store, currency=currency)
        self._counters(DISCOUNT_BY_METHOD).add(discount, method=method, currency=currency)
        items = max(row["items"] or _ZERO, _ZERO)
        self._counters(ITEMS).add(items, store=store)
        self._counters(ITEMS_BY_METHOD).add(items, method=method)
        self._counters(BY_CUSTOMER).add(store=store, customer=customer(guest=bool(row["guest"])))
        if row["coupon"]:
            self._counters(WITH_COUPON).add(store=store)
            self._counters(WITH_COUPON_BY_METHOD).add(method=method)
        if row["edited"]:
            self._counters(EDITED).add(store=store)
        self.note_time(row)
        self._note_method(row, method)

    def _note_method(self, row: Row, method: str) -> None:
        """Note one more order for each other method of the store, and none since for this one."""
        store = str(row["store_id"])
        since: dict[str, int] = self._since.get(store, {})
        self._since.put(store, {other: number + 1 for other, number in since.items()} | {method: 0})

    def _method(self, method: str | None) -> str:
        before = len(self._methods.known)
        label = self._methods.label(method)
        if len(self._methods.known) > before:
            self._state.put("known", self._methods.known)
        return label

    def note_time(self, row: Row) -> None:
        """Remember when the order was placed if it is its store's newest."""
        created = instant(row["created"], self._now)
        if row["store_id"] is None or created is None:
            return
        if created > self._last.get(str(row["store_id"]), 0.0):
            self._last.put(str(row["store_id"]), created)

    def samples(self) -> Iterator[Sample]:
        """Yield the counters of every store and of the whole shop, and the last orders of active stores."""
        for metric in COUNTED:
            samples = self._counters(metric).samples()
            yield from of_known_stores(samples, self._stores) if "store" in metric.labels else samples
        selling = set(self._stores.active_ids())
        for store_id, created in self._last.scan().items():
            if int(store_id) in selling:
                yield LAST_ORDER.sample(created, store=self._stores.code(int(store_id)))
        for view in selling:
            for method, number in self._since.get(str(view), {}).items():
                yield SINCE_LAST.sample(number, store=self._stores.code(view), method=method)
