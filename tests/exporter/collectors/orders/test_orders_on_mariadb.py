"""The orders collector against the truth: an independent query on the same database."""

import time
from decimal import Decimal

import pytest

from exporter.collectors.orders import OrdersCollector
from exporter.core.memory import VolatileStore
from exporter.core.runner import Limits
from exporter.magento.orders import METHODS_A_SHOP
from sandbox.servers.mariadb import MariaDB
from tests.harness.shop import ShopInMariaDB, add_stores, shop_in_mariadb

Found = dict[tuple[str, ...], float]

SUMS = {
    "magento_orders_placed_total": (
        "SELECT COALESCE(s.code, '(deleted)'), COALESCE(p.method, '(none)'), COUNT(*)"
        " FROM {sales_order} o LEFT JOIN {store} s ON s.store_id = o.store_id"
        " LEFT JOIN {sales_order_payment} p ON p.parent_id = o.entity_id"
        " WHERE o.entity_id > %s GROUP BY 1, 2"
    ),
    "magento_orders_revenue_base_total": (
        "SELECT COALESCE(s.code, '(deleted)'), o.base_currency_code, SUM(GREATEST(o.base_grand_total, 0))"
        " FROM {sales_order} o LEFT JOIN {store} s ON s.store_id = o.store_id"
        " WHERE o.entity_id > %s GROUP BY 1, 2"
    ),
    "magento_orders_discount_base_total": (
        "SELECT COALESCE(s.code, '(deleted)'), o.base_currency_code,"
        " SUM(GREATEST(-COALESCE(o.base_discount_amount, 0), 0))"
        " FROM {sales_order} o LEFT JOIN {store} s ON s.store_id = o.store_id"
        " WHERE o.entity_id > %s GROUP BY 1, 2"
    ),
    "magento_orders_items_total": (
        "SELECT COALESCE(s.code, '(deleted)'), SUM(o.total_qty_ordered)"
        " FROM {sales_order} o LEFT JOIN {store} s ON s.store_id = o.store_id"
        " WHERE o.entity_id > %s GROUP BY 1"
    ),
    "magento_orders_with_coupon_total": (
        "SELECT COALESCE(s.code, '(deleted)'), SUM(COALESCE(o.coupon_code, '') <> '')"
        " FROM {sales_order} o LEFT JOIN {store} s ON s.store_id = o.store_id"
        " WHERE o.entity_id > %s GROUP BY 1"
    ),
    "magento_orders_revenue_by_method_base_total": (
        "SELECT COALESCE(p.method, '(none)'), o.base_currency_code, SUM(GREATEST(o.base_grand_total, 0))"
        " FROM {sales_order} o LEFT JOIN {sales_order_payment} p ON p.parent_id = o.entity_id"
        " WHERE o.entity_id > %s GROUP BY 1, 2"
    ),
    "magento_orders_discount_by_method_base_total": (
        "SELECT COALESCE(p.method, '(none)'), o.base_currency_code,"
        " SUM(GREATEST(-COALESCE(o.base_discount_amount, 0), 0))"
        " FROM {sales_order} o LEFT JOIN {sales_order_payment} p ON p.parent_id = o.entity_id"
        " WHERE o.entity_id > %s GROUP BY 1, 2"
    ),
    "magento_orders_items_by_method_total": (
        "SELECT COALESCE(p.method, '(none)'), SUM(o.total_qty_ordered)"
        " FROM {sales_order} o LEFT JOIN {sales_order_payment} p ON p.parent_id = o.entity_id"
        " WHERE o.entity_id > %s GROUP BY 1"
    ),
    "magento_orders_with_coupon_by_method_total": (
        "SELECT COALESCE(p.method, '(none)'), SUM(COALESCE(o.coupon_code, '') <> '')"
        " FROM {sales_order} o LEFT JOIN {sales_order_payment} p ON p.parent_id = o.entity_id"
        " WHERE o.entity_id > %s GROUP BY 1"
    ),
    "magento_orders_by_customer_total": (
        "SELECT COALESCE(s.code, '(deleted)'), IF(o.customer_is_guest, 'guest', 'registered'), COUNT(*)"
        " FROM {sales_order} o LEFT JOIN {store} s ON s.store_id = o.store_id"
        " WHERE o.entity_id > %s GROUP BY 1, 2"
    ),
    "magento_orders_edited_total": (
        "SELECT COALESCE(s.code, '(deleted)'), SUM(o.relation_parent_id IS NOT NULL)"
        " FROM {sales_order} o LEFT JOIN {store} s ON s.store_id = o.store_id"
        " WHERE o.entity_id > %s GROUP BY 1"
    ),
}


def newest(observed: ShopInMariaDB) -> int:
    return int(observed.shop.database.value("SELECT COALESCE(MAX(entity_id), 0) FROM {sales_order}"))


def collect(observed: ShopInMariaDB, state: VolatileStore) -> Found:
    """Run twice: a label set that is new shows 0 first."""
    observed.run(OrdersCollector(), state=state)
    return observed.run(OrdersCollector(), state=state)


def assert_true(observed: ShopInMariaDB, found: Found, after: int) -> None:
    """Every counter equals the sum over the orders after an id, and no other label set has a value."""
    for name, query in SUMS.items():
        truth = {
            (name, *map(str, row[:-1])): float(row[-1])
            for row in observed.shop.database.rows(query, (after,))
            if row[-1]
        }
        assert {key: value for key, value in found.items() if key[0] == name and value} == truth


def test_every_counter_equals_the_truth(observed: ShopInMariaDB) -> None:
    shop, state = observed.shop, VolatileStore()
    shop.orders.place("de", "checkmo")
    start = newest(observed)
    collect(observed, state)
    customer = shop.customers.register()
    for store, method, customer_id in (
        ("default", "checkmo", None),
        ("default", "braintree", customer),
        ("us", "paypal_express", None),
        ("de", "banktransfer", customer),
    ):
        shop.orders.place(store, method, customer_id=customer_id)
    with_coupon = shop.orders.place("us", "checkmo", items=3)
    shop.database.update(
        "sales_order",
        {"entity_id": with_coupon},
        coupon_code="PRIVATE-CODE",
        base_discount_amount=Decimal("-4.2"),
    )
    no_coupon = shop.orders.place("us", "checkmo")
    shop.database.update("sales_order", {"entity_id": no_coupon}, coupon_code="")
    replacement = shop.orders.place("default", "checkmo")
    shop.database.update("sales_order", {"entity_id": replacement}, relation_parent_id=with_coupon)
    found = collect(observed, state)
    assert_true(observed, found, start)
    assert not any("PRIVATE-CODE" in key for key in found)


def test_virtual_carts_zero_and_negative_totals(observed: ShopInMariaDB) -> None:
    shop, state = observed.shop, VolatileStore()
    start = newest(observed)
    collect(observed, state)
    shop.orders.place("default", "checkmo", virtual=True)
    for total in (Decimal(0), Decimal("-12.5"), None):
        order = shop.orders.place("default", "free")
        shop.database.update(
            "sales_order", {"entity_id": order}, base_grand_total=total, total_qty_ordered="1.5"
        )
    found = collect(observed, state)
    assert_true(observed, found, start)
    assert found["magento_orders_placed_total", "default", "free"] == 3


def test_multishipping_counts_every_order_of_the_cart(observed: ShopInMariaDB) -> None:
    shop, state = observed.shop, VolatileStore()
    collect(observed, state)
    quote = shop.carts.open("default", multishipping=True)
    shop.carts.advance(quote, "payment_method", method="checkmo")
    first = shop.orders.buy(quote)
    shop.database.update("quote", {"entity_id": quote}, is_active=1, reserved_order_id=None)
    second = shop.orders.buy(quote)
    assert first != second
    assert collect(observed, state)["magento_orders_placed_total", "default", "checkmo"] == 2


def test_an_order_with_two_payment_rows_or_none_counts_once(observed: ShopInMariaDB) -> None:
    shop, state = observed.shop, VolatileStore()
    collect(observed, state)
    with shop.database.transaction():
        twice = shop.orders.place("default", "checkmo")
        shop.database.insert("sales_order_payment", parent_id=twice, method="second")
        without = shop.orders.place("default", "checkmo")
        shop.database.execute("DELETE FROM {sales_order_payment} WHERE parent_id = %s", (without,))
    found = collect(observed, state)
    placed = {
        key[2]: value for key, value in found.items() if key[0] == "magento_orders_placed_total" and value
    }
    assert placed == {"checkmo": 1, "(none)": 1}


def test_free_text_methods_are_folded(observed: ShopInMariaDB) -> None:
    shop, state = observed.shop, VolatileStore()
    collect(observed, state)
    with shop.database.transaction():
        for number in range(METHODS_A_SHOP + 10):
            copy = shop.orders.place("default", "checkmo")
            shop.database.update("sales_order_payment", {"parent_id": copy}, method=f"Invoice no. {number}")
    found = collect(observed, state)
    methods = {key[2] for key in found if key[0] == "magento_orders_placed_total"}
    assert len(methods) == METHODS_A_SHOP + 1
    assert found["magento_orders_placed_total", "default", "(other)"] >= 10


def test_series_are_born_at_zero_for_every_store(observed: ShopInMariaDB) -> None:
    observed.shop.orders.place("default", "checkmo")
    found = observed.run(OrdersCollector())
    for store in ("default", "de", "us"):
        assert found["magento_orders_placed_total", store, "checkmo"] == 0
        assert found["magento_orders_items_total", store] == 0
    assert found["magento_orders_revenue_base_total", "us", "USD"] == 0
    assert not any(found[key] for key in found if key[0].endswith("_total"))


def test_the_last_order_of_every_store_is_known_at_once_and_follows(observed: ShopInMariaDB) -> None:
    shop, state = observed.shop, VolatileStore()
    for store in ("default", "de", "us"):
        shop.orders.place(store)
    truth = (
        "SELECT UNIX_TIMESTAMP(MAX(created_at)) FROM {sales_order} JOIN {store} s USING (store_id)"
        " WHERE s.code = %s"
    )
    found = observed.run(OrdersCollector(), state=state)
    for store in ("default", "de", "us"):
        assert found["magento_last_order_timestamp_seconds", store] == shop.database.value(truth, (store,))
    shop.orders.place("de")
    found = observed.run(OrdersCollector(), state=state)
    assert found["magento_last_order_timestamp_seconds", "de"] == shop.database.value(truth, ("de",))


def since_by_method(observed: ShopInMariaDB) -> Found:
    """Return the orders after each method's last one, of all there are."""
    rows = observed.shop.database.rows(
        "SELECT s.code, p.method, (SELECT COUNT(*) FROM {sales_order} later"
        " WHERE later.store_id = o.store_id AND later.entity_id > MAX(o.entity_id))"
        " FROM {sales_order} o JOIN {store} s ON s.store_id = o.store_id"
        " JOIN {sales_order_payment} p ON p.parent_id = o.entity_id GROUP BY o.store_id, s.code, p.method"
    )
    return {(SINCE, store, method): float(number) for store, method, number in rows}


SINCE = "magento_orders_since_last_by_method"


def test_orders_since_the_last_of_each_method_equal_the_truth(mariadb: MariaDB) -> None:
    with shop_in_mariadb(mariadb) as observed:
        state = VolatileStore()

        def since() -> Found:
            found = {key: value for key, value in collect(observed, state).items() if key[0] == SINCE}
            assert found == since_by_method(observed)
            return found

        assert since() == {}
        for store, method in (("de", "checkmo"), ("de", "braintree"), ("us", "checkmo"), ("de", "braintree")):
            observed.shop.orders.place(store, method)
        assert since() == {
            (SINCE, "de", "checkmo"): 2,
            (SINCE, "de", "braintree"): 0,
            (SINCE, "us", "checkmo"): 0,
        }
        state = VolatileStore()
        before = since()
        assert before[SINCE, "de", "checkmo"] == 2, "at the first start, too"
        observed.shop.orders.place("de", "paypal_express")
        assert since()[SINCE, "de", "checkmo"] == 3
        observed.shop.database.update("store", {"code": "us"}, is_active=0)
        assert not any(key[:2] == (SINCE, "us") for key in collect(observed, state))


def test_a_view_that_is_switched_off_has_no_last_order_but_counts_on(mariadb: MariaDB) -> None:
    with shop_in_mariadb(mariadb) as observed:
        shop, state, last = observed.shop, VolatileStore(), ("magento_last_order_timestamp_seconds", "us")
        shop.orders.place("us", "checkmo")
        before = collect(observed, state)
        shop.database.update("store", {"code": "us"}, is_active=0)
        shop.orders.place("us", "checkmo")
        found = collect(observed, state)
        assert found.keys() == before.keys() - {last, (SINCE, "us", "checkmo")}
        assert found["magento_orders_placed_total", "us", "checkmo"] == 1
        shop.database.update("store", {"code": "us"}, is_active=1)
        assert collect(observed, state)[last] >= before[last]


def test_deleting_and_archiving_orders_takes_nothing_back(observed: ShopInMariaDB) -> None:
    shop, state = observed.shop, VolatileStore()
    collect(observed, state)
    orders = [shop.orders.place("default", "checkmo") for _ in range(5)]
    before = collect(observed, state)
    shop.database.execute("DELETE FROM {sales_order} WHERE entity_id IN %s", (tuple(orders[:3]),))
    after = collect(observed, state)
    assert after == before
    shop.orders.place("default", "checkmo")
    key = ("magento_orders_placed_total", "default", "checkmo")
    assert collect(observed, state)[key] == before[key] + 1


def test_an_order_of_a_deleted_store_and_one_whose_store_goes_later(mariadb: MariaDB) -> None:
    with shop_in_mariadb(mariadb) as observed:
        shop, state = observed.shop, VolatileStore()
        collect(observed, state)
        shop.orders.place("us", "checkmo")
        found = collect(observed, state)
        assert found["magento_orders_placed_total", "us", "checkmo"] == 1
        shop.orders.place("us", "checkmo")
        shop.database.execute("DELETE FROM {store} WHERE code = 'us'")
        found = collect(observed, state)
        assert found["magento_orders_placed_total", "(deleted)", "checkmo"] == 1
        assert not any("us" in key for key in found)


def test_an_empty_shop(mariadb: MariaDB) -> None:
    with shop_in_mariadb(mariadb) as observed:
        found = collect(observed, VolatileStore())
        assert found["magento_orders_items_total", "default"] == 0
        assert not any(key[0] == "magento_last_order_timestamp_seconds" for key in found)


@pytest.mark.slow
def test_five_hundred_stores_stay_within_the_series_of_one_collector(mariadb: MariaDB) -> None:
    with shop_in_mariadb(mariadb) as observed:
        add_stores(observed, 497, numbered=[77])
        state = VolatileStore()
        found = collect(observed, state)
        observed.shop.orders.place("s77", "checkmo")
        found = collect(observed, state)
        assert found["magento_orders_placed_total", "s77", "checkmo"] == 1
        assert found["magento_orders_items_total", "s496"] == 0
        assert len(found) < Limits().series


def test_orders_that_a_restore_brings_back_step_by_step_are_not_counted(mariadb: MariaDB) -> None:
    """The table is created empty and filled later, as by a dump without locks."""
    with shop_in_mariadb(mariadb) as observed:
        database, state = observed.shop.database, VolatileStore()
        database.execute(
            "INSERT INTO {sales_order} (store_id, state, increment_id, base_grand_total)"
            " SELECT 1, 'complete', CONCAT('past', seq), 1 FROM seq_1_to_30000"
        )
        collect(observed, state)
        database.execute("CREATE TEMPORARY TABLE saved SELECT * FROM {sales_order}")
        database.execute("DELETE FROM {sales_order}")
        collect(observed, state)
        for first, last in ((1, 12_000), (12_001, 29_500), (29_501, 30_000)):
            database.execute(
                "INSERT INTO {sales_order} SELECT * FROM saved WHERE entity_id BETWEEN %s AND %s",
                (first, last),
            )
            found = collect(observed, state)
        assert sum(value for key, value in found.items() if key[0] == "magento_orders_placed_total") == 0


def test_orders_that_a_server_shows_again_after_it_lagged_are_not_counted_twice(
    observed: ShopInMariaDB,
) -> None:
    """A replica that stood still for a while takes over: it shows less than was seen, then the same again."""
    database, state, now = observed.shop.database, VolatileStore(), time.time()

    def placed(seconds: float) -> float:
        found = observed.run(OrdersCollector(), now + seconds, state=state)
        return sum(value for key, value in found.items() if key[0] == "magento_orders_placed_total")

    placed(0)
    start = database.value("SELECT MAX(entity_id) FROM {sales_order}")
    for _ in range(20):
        observed.shop.orders.place("de", "checkmo")
    placed(60)
    for table, key in (("sales_order", "entity_id"), ("sales_order_payment", "parent_id")):
        database.execute(
            f"CREATE TEMPORARY TABLE later_{table} SELECT * FROM {{{table}}} WHERE {key} > {start + 8}"
        )
        database.execute(f"DELETE FROM {{{table}}} WHERE {key} > {start + 8}")
    for seconds in (75, 150, 225, 300):
        assert placed(seconds) == 20
    for table, key in (("sales_order_payment", "parent_id"), ("sales_order", "entity_id")):
        database.execute(f"INSERT INTO {{{table}}} SELECT * FROM later_{table} WHERE {key} <= {start + 15}")
    assert placed(315) == 20
    for table, key in (("sales_order_payment", "parent_id"), ("sales_order", "entity_id")):
        database.execute(f"INSERT INTO {{{table}}} SELECT * FROM later_{table} WHERE {key} > {start + 15}")
    observed.shop.orders.place("de", "checkmo")
    placed(330)
    assert placed(395) == 21


def test_orders_with_numbers_of_before_a_restore_count_from_the_first_on(mariadb: MariaDB) -> None:
    with shop_in_mariadb(mariadb) as observed:
        database, state, now = observed.shop.database, VolatileStore(), time.time()

        def placed(seconds: float) -> float:
            found = observed.run(OrdersCollector(), now + seconds, state=state)
            return sum(value for key, value in found.items() if key[0] == "magento_orders_placed_total")

        database.execute(
            "INSERT INTO {sales_order} (store_id, state, increment_id, base_grand_total, created_at)"
            " SELECT 1, 'complete', CONCAT('past', seq), 1, UTC_TIMESTAMP() - INTERVAL 1 DAY"
            " FROM seq_1_to_1000"
        )
        placed(0)
        database.execute("DELETE FROM {sales_order} WHERE entity_id > 700")
        database.execute("ALTER TABLE {sales_order} AUTO_INCREMENT = 1")
        placed(15)
        for _ in range(5):
            observed.shop.orders.place("de", "checkmo")
        placed(30)
        assert placed(95) == 5
        assert database.value("SELECT MAX(entity_id) FROM {sales_order}") < 1_000
