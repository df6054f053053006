"""A shop's past, quickly: carts and orders of many days by INSERT ... SELECT inside the server."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Final

from sandbox.shop import magento
from sandbox.shop.builders import grids
from sandbox.shop.builders.carts import SHIPPING_COST, SHIPPING_METHOD
from sandbox.shop.builders.shop import Shop
from sandbox.shop.builders.stock import Store

HOUR_SHAPE: Final = (
    *(0.25, 0.15, 0.10, 0.08, 0.10, 0.20, 0.40, 0.70, 0.95, 1.10, 1.20, 1.25),
    *(1.20, 1.15, 1.15, 1.20, 1.25, 1.30, 1.40, 1.60, 1.75, 1.60, 1.10, 0.60),
)
"""Relative number of orders by hour of the UTC day: nights are quiet, evenings are the peak."""

DAY_SHAPE: Final = (1.05, 1.00, 0.95, 0.95, 0.90, 0.95, 1.20)
"""Relative number of orders by day of the week, from Monday."""

QUOTES_PER_ORDER: Final = 3
CHUNK: Final = 20_000

WORK_TABLE: Final = """\
CREATE TEMPORARY TABLE `shop_history` (
    `quote_id` int unsigned NOT NULL PRIMARY KEY,
    `order_id` int unsigned NULL,
    `store_id` smallint unsigned NOT NULL,
    `currency` varchar(3) NOT NULL,
    `method` varchar(32) NOT NULL,
    `depth` tinyint NOT NULL,
    `product_id` int unsigned NOT NULL,
    `total` decimal(20,4) NOT NULL,
    `luck` double NOT NULL,
    `at` datetime NOT NULL
) ENGINE=InnoDB"""

NUMBERED_TABLE: Final = """\
CREATE TEMPORARY TABLE `shop_numbered` (
    `quote_id` int unsigned NOT NULL PRIMARY KEY,
    `order_id` int unsigned NULL,
    `store_id` smallint unsigned NOT NULL,
    `sequence` int unsigned NOT NULL,
    `increment_id` varchar(50) NOT NULL,
    `state` varchar(32) NOT NULL,
    KEY (`order_id`)
) ENGINE=InnoDB"""

ORDER_DEPTH: Final = 5
"""The depth of a cart that was bought; 0 to 4 are the positions in `magento.STAGES`."""


@dataclass(frozen=True, slots=True)
class _Span:
    """Carts `first` to `last` (counted from 1 over the whole history) were opened within the hour."""

    first: int
    last: int
    hour: datetime


def weight(hour: datetime) -> float:
    """Return how busy an hour is, 1 being about the average."""
    return HOUR_SHAPE[hour.hour] * DAY_SHAPE[hour.weekday()]


def bulk_history(
    shop: Shop,
    *,
    orders: int,
    days: float,
    end: datetime | None = None,
    shape: Callable[[datetime], float] = weight,
    open_hours: float = 48,
    seed: int = 1,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Insert `orders` orders, and three carts for each, over the `days` before `end` (default: now).

    Ids grow with time, as in a real shop. Every bought cart has its order with payment, item, addresses
    and grid row; the others stopped at some stage, some of them declined and so with a lost order number.
    `shape` says how busy an hour is; orders of the last `open_hours` are not finished yet.
    Needs MariaDB's SEQUENCE engine. `progress` gets the number of carts done. About 20 rows an order.
    """
    if orders < 1 or days <= 0:
        raise ValueError("orders and days must be positive")
    database, until = shop.database, shop.database.moment(end)
    database.execute("SET unique_checks = 0, foreign_key_checks = 0")
    for table in (WORK_TABLE, NUMBERED_TABLE):
        database.execute(table)
    try:
        first_quote = _next_id(shop, "quote")
        first_order = _next_id(shop, "sales_order")
        waiting = 0
        for span in _spans(orders * QUOTES_PER_ORDER, days, until, shape):
            _add_work(shop, span, first_quote, first_order, seed)
            waiting += span.last - span.first + 1
            if waiting >= CHUNK or span.last == orders * QUOTES_PER_ORDER:
                with database.transaction():
                    _flush(shop, until - timedelta(hours=open_hours))
                waiting = 0
                if progress is not None:
                    progress(span.last)
    finally:
        database.execute("DROP TEMPORARY TABLE IF EXISTS `shop_history`, `shop_numbered`")
        database.execute("SET unique_checks = 1, foreign_key_checks = 1")


def _spans(carts: int, days: float, end: datetime, shape: Callable[[datetime], float]) -> Iterator[_Span]:
    count = max(1, round(days * 24))
    hours = [end - timedelta(hours=back) for back in range(count, 0, -1)]
    sums = list(accumulate(shape(hour) for hour in hours))
    done = 0
    for hour, total in zip(hours, sums, strict=True):
        last = round(carts * total / sums[-1])
        for first in range(done + 1, last + 1, CHUNK):
            yield _Span(first, min(last, first + CHUNK - 1), hour)
        done = last


def _next_id(shop: Shop, table: str) -> int:
    return int(shop.database.value(f"SELECT COALESCE(MAX(entity_id), 0) + 1 FROM {{{table}}}"))


def _choice(options: Sequence[str], seed: int) -> str:
    """Return an SQL expression that draws one of the options."""
    quoted = ", ".join(f"'{option}'" for option in options)
    return f"ELT(1 + FLOOR(RAND({seed}) * {len(options)}), {quoted})"


def _add_work(shop: Shop, span: _Span, first_quote: int, first_order: int, seed: int) -> None:
    """Decide about each cart of the span: its moment, store, way to pay, value, and how far it came."""
    base = seed * 1_000_003 + span.first * 7
    methods = [method.code for method in magento.PAYMENT_METHODS.values() for _ in range(method.weight)]
    stores = list(shop.stores.values())
    shares = [str(store.store_id) for place, store in enumerate(stores) for _ in range(len(stores) - place)]
    currency = " ".join(f"WHEN {store.store_id} THEN '{store.currency}'" for store in stores)
    product = [str(product_id) for product_id, _ in shop.products]
    size = span.last - span.first + 1
    shop.database.execute(
        "INSERT INTO `shop_history`"
        " SELECT quote_id, order_id, store_id,"
        f" CASE store_id {currency} END, method, IF(order_id IS NULL, depth, {ORDER_DEPTH}),"
        " product_id, total, luck, at FROM (SELECT"
        f" seq + {first_quote - 1} AS quote_id,"
        f" IF(seq MOD {QUOTES_PER_ORDER}, NULL, seq DIV {QUOTES_PER_ORDER} + {first_order - 1}) AS order_id,"
        f" {_choice(shares, base)} + 0 AS store_id, {_choice(methods, base + 1)} AS method,"
        f" {_choice(['0'] * 11 + ['1'] * 4 + ['2'] * 2 + ['3'] * 2 + ['4'], base + 2)} + 0 AS depth,"
        f" {_choice(product, base + 3)} + 0 AS product_id,"
        f" 15 + FLOOR(RAND({base + 4}) * RAND({base + 5}) * 30000) / 100 AS total, RAND({base + 6}) AS luck,"
        f" %s + INTERVAL FLOOR((seq - {span.first}) * 3600 / {size}) SECOND AS at"
        f" FROM `seq_{span.first}_to_{span.last}`) AS drawn",
        (span.hour,),
    )


def _flush(shop: Shop, settled: datetime) -> None:
    """Write the decided carts and orders to Magento's tables and forget them."""
    database = shop.database
    for store in shop.stores.values():
        _number(shop, store, settled)
    for statement in (*QUOTE_STATEMENTS, *ORDER_STATEMENTS):
        database.execute(statement)
    database.execute(f"{grids.statement('order')} JOIN `shop_numbered` n ON n.order_id = o.entity_id")
    for store in shop.stores.values():
        database.execute(
            f"INSERT INTO {{sequence_order_{store.store_id}}} (sequence_value)"
            " SELECT sequence FROM `shop_numbered` WHERE store_id = %s",
            (store.store_id,),
        )
    database.execute("DELETE FROM `shop_history`")
    database.execute("DELETE FROM `shop_numbered`")


def _number(shop: Shop, store: Store, settled: datetime) -> None:
    """Give every attempt to place an order of the store its number, and every order its state."""
    database = shop.database
    prefix = shop.stock.number_prefix("order", store.store_id)
    last = database.value(f"SELECT COALESCE(MAX(sequence_value), 0) FROM {{sequence_order_{store.store_id}}}")
    database.execute(
        "INSERT INTO `shop_numbered` SELECT quote_id, order_id, store_id, number,"
        " CONCAT(%s, LPAD(number, 9, '0')), CASE"
        " WHEN at > %s AND method IN ('checkmo', 'banktransfer') THEN 'new'"
        " WHEN at > %s THEN 'processing'"
        " WHEN luck < 0.05 THEN 'canceled' WHEN luck < 0.08 THEN 'closed' ELSE 'complete' END"
        " FROM (SELECT h.*, %s + ROW_NUMBER() OVER (ORDER BY quote_id) AS number FROM `shop_history` h"
        " WHERE store_id = %s AND depth >= 4) AS attempts",
        (prefix, settled, settled, last, store.store_id),
    )


_EMAIL: Final = "CONCAT('private-shopper-', h.quote_id, '@private.invalid')"
_NAME: Final = "'Private', CONCAT('Private-Shopper-', h.quote_id)"
_IP: Final = "CONCAT('203.0.113.', 1 + h.quote_id MOD 250)"
_ADDRESS_COLUMNS: Final = "email, firstname, lastname, street, city, postcode, telephone, country_id"
_ADDRESS: Final = (
    f"{_EMAIL}, {_NAME}, CONCAT(h.quote_id, ' Private Street'), 'Privateville', '0000 XX',"
    " CONCAT('private-', h.quote_id), 'NL'"
)
_EARLY: Final = ", ".join(
    f"'{method.code}'" for method in magento.PAYMENT_METHODS.values() if method.reserves_early
)
_GOODS: Final = f"h.total - {SHIPPING_COST}"
_SKU: Final = "CONCAT('SB-', LPAD(h.product_id, 4, '0')), CONCAT('Product ', h.product_id)"

_QUOTES: Final = f"""
INSERT INTO {{quote}} (entity_id, store_id, created_at, updated_at, is_active, items_count, items_qty,
    base_currency_code, quote_currency_code, subtotal, base_subtotal, grand_total, base_grand_total,
    customer_is_guest, checkout_method, customer_email, remote_ip, reserved_order_id)
SELECT h.quote_id, h.store_id, h.at, h.at + INTERVAL 5 MINUTE, h.depth < {ORDER_DEPTH}, 1, 1,
    h.currency, h.currency, {_GOODS}, {_GOODS},
    IF(h.depth >= 2, h.total, {_GOODS}), IF(h.depth >= 2, h.total, {_GOODS}),
    1, IF(h.depth = {ORDER_DEPTH}, 'guest', NULL), IF(h.depth = {ORDER_DEPTH}, {_EMAIL}, NULL), {_IP},
    IF(h.depth = {ORDER_DEPTH} OR h.method IN ({_EARLY}), n.increment_id, NULL)
FROM `shop_history` h LEFT JOIN `shop_numbered` n ON n.quote_id = h.quote_id"""

_BILLING: Final = f"""
INSERT INTO {{quote_address}} (quote_id, address_type, created_at, updated_at, {_ADDRESS_COLUMNS})
SELECT h.quote_id, 'billing', h.at, h.at, {_ADDRESS} FROM `shop_history` h WHERE h.depth >= 3"""

_SHIPPING: Final = f"""
INSERT INTO {{quote_address}} (quote_id, address_type, created_at, updated_at, shipping_method,
    shipping_description, shipping_amount, {_ADDRESS_COLUMNS})
SELECT h.quote_id, 'shipping', h.at, h.at, IF(h.depth >= 2, '{SHIPPING_METHOD}', NULL),
    IF(h.depth >= 2, 'Flat Rate - Fixed', NULL), IF(h.depth >= 2, {SHIPPING_COST}, 0), {_ADDRESS}
FROM `shop_history` h WHERE h.depth >= 1"""

_EMPTY_ADDRESSES: Final = """
INSERT INTO {quote_address} (quote_id, address_type, created_at, updated_at)
SELECT h.quote_id, kind.name, h.at, h.at
FROM `shop_history` h
JOIN (SELECT 'billing' AS name, 3 AS depth UNION SELECT 'shipping', 1) AS kind ON h.depth < kind.depth"""

_QUOTE_PAYMENTS: Final = """
INSERT INTO {quote_payment} (quote_id, created_at, updated_at, method, additional_information)
SELECT h.quote_id, h.at, h.at, h.method, 'private token' FROM `shop_history` h WHERE h.depth >= 3"""

_QUOTE_ITEMS: Final = f"""
INSERT INTO {{quote_item}} (quote_id, created_at, updated_at, product_id, store_id, sku, name, qty,
    price, base_price, row_total, base_row_total, product_type)
SELECT h.quote_id, h.at, h.at, h.product_id, h.store_id, {_SKU}, 1,
    {_GOODS}, {_GOODS}, {_GOODS}, {_GOODS}, 'simple'
FROM `shop_history` h"""

QUOTE_STATEMENTS: Final = (_QUOTES, _BILLING, _SHIPPING, _EMPTY_ADDRESSES, _QUOTE_PAYMENTS, _QUOTE_ITEMS)

_OF_ORDERS: Final = (
    "`shop_history` h JOIN `shop_numbered` n ON n.quote_id = h.quote_id AND n.order_id IS NOT NULL"
)
_PAID: Final = "IF(n.state IN ('processing', 'complete', 'closed'), h.total, NULL)"
_DUE: Final = "IF(n.state IN ('processing', 'complete', 'closed'), 0, h.total)"

_ORDERS: Final = f"""
INSERT INTO {{sales_order}} (entity_id, state, status, store_id, is_virtual, quote_id, increment_id,
    base_grand_total, grand_total, base_subtotal, subtotal, base_shipping_amount, shipping_amount,
    base_discount_amount, base_tax_amount, base_total_paid, total_paid, base_total_due, total_due,
    base_total_refunded, total_refunded, base_total_canceled,
    base_to_global_rate, base_to_order_rate, base_currency_code, order_currency_code, store_currency_code,
    global_currency_code, total_qty_ordered, total_item_count, customer_is_guest, customer_group_id,
    customer_email, customer_firstname, customer_lastname, remote_ip, shipping_method, shipping_description,
    send_email, email_sent, created_at, updated_at)
SELECT n.order_id, n.state, IF(n.state = 'new', 'pending', n.state), h.store_id, 0, h.quote_id,
    n.increment_id,
    h.total, h.total, {_GOODS}, {_GOODS}, {SHIPPING_COST}, {SHIPPING_COST},
    0, 0, {_PAID}, {_PAID}, {_DUE}, {_DUE},
    IF(n.state = 'closed', h.total, NULL), IF(n.state = 'closed', h.total, NULL),
    IF(n.state = 'canceled', h.total, NULL),
    IF(h.currency = 'USD', 0.9, 1), 1, h.currency, h.currency, h.currency,
    'EUR', 1, 1, 1, 0, {_EMAIL},
    {_NAME}, {_IP}, '{SHIPPING_METHOD}', 'Flat Rate - Fixed', 1,
    1, h.at + INTERVAL 5 MINUTE, h.at + INTERVAL IF(n.state IN ('new', 'processing'), 10, 1440) MINUTE
FROM {_OF_ORDERS}"""

_ORDER_PAYMENTS: Final = f"""
INSERT INTO {{sales_order_payment}} (parent_id, method, base_amount_ordered, amount_ordered,
    base_amount_paid, amount_paid, additional_information)
SELECT n.order_id, h.method, h.total, h.total, {_PAID}, {_PAID}, 'private token' FROM {_OF_ORDERS}"""

_ORDER_ITEMS: Final = f"""
INSERT INTO {{sales_order_item}} (order_id, store_id, created_at, updated_at, product_id, product_type, sku,
    name, qty_ordered, price, base_price, row_total, base_row_total)
SELECT n.order_id, h.store_id, h.at, h.at, h.product_id, 'simple', {_SKU},
    1, {_GOODS}, {_GOODS}, {_GOODS}, {_GOODS}
FROM {_OF_ORDERS}"""

_ORDER_ADDRESSES: Final = f"""
INSERT INTO {{sales_order_address}} (parent_id, address_type, {_ADDRESS_COLUMNS})
SELECT n.order_id, kind.name, {_ADDRESS}
FROM (SELECT 'billing' AS name UNION SELECT 'shipping') AS kind JOIN {_OF_ORDERS}"""

ORDER_STATEMENTS: Final = (_ORDERS, _ORDER_PAYMENTS, _ORDER_ITEMS, _ORDER_ADDRESSES)
