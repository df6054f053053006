"""Cancellations against the truth."""

from exporter.collectors.order_cancellations import OrderCancellationsCollector
from exporter.core.memory import VolatileStore
from exporter.reading.changes import PAGE, PAGES_A_RUN
from tests.harness.shop import ShopInMariaDB

Found = dict[tuple[str, ...], float]
DAY = 86_400


def cancellations(observed: ShopInMariaDB, state: VolatileStore) -> Found:
    return observed.run(OrderCancellationsCollector(), state=state)


def test_a_cancellation_counts_once_however_often_the_order_changes(observed: ShopInMariaDB) -> None:
    shop, state = observed.shop, VolatileStore()
    before = shop.orders.place("us", "checkmo")
    shop.orders.cancel(before)
    cancellations(observed, state)
    first, second = shop.orders.place("us", "checkmo"), shop.orders.place("de", "checkmo")
    shop.orders.cancel(first)
    found = cancellations(observed, state)
    assert found["magento_orders_canceled_total", "us"] == 1
    value = shop.database.value("SELECT base_grand_total FROM {sales_order} WHERE entity_id = %s", (first,))
    assert found["magento_orders_canceled_base_total", "us", "USD"] == float(value)
    shop.orders.cancel(second)
    for order in (before, first):
        shop.database.update("sales_order", {"entity_id": order}, customer_note="exported")
    found = cancellations(observed, state)
    assert found["magento_orders_canceled_total", "us"] == 1
    assert found["magento_orders_canceled_total", "de"] == 1
    assert cancellations(observed, state) == found


def test_a_cancellation_within_a_mass_update_is_found(observed: ShopInMariaDB) -> None:
    shop, state = observed.shop, VolatileStore()
    cancellations(observed, state)
    shop.database.execute(
        "INSERT INTO {sales_order} (store_id, state, increment_id, base_grand_total)"
        " SELECT 1, IF(seq %% 1000 = 0, 'canceled', 'processing'), CONCAT('mass', seq), 1"
        " FROM seq_1_to_%s",
        (PAGE * PAGES_A_RUN + 3_000,),
    )
    first = cancellations(observed, state)["magento_orders_canceled_total", "default"]
    second = cancellations(observed, state)["magento_orders_canceled_total", "default"]
    assert 0 < first < second == 13
    shop.database.execute(
        "UPDATE {sales_order} SET customer_note = 'exported' WHERE increment_id LIKE 'mass%'"
    )
    seen = [cancellations(observed, state)["magento_orders_canceled_total", "default"] for _ in range(3)]
    assert seen == [13, 13, 13]
    shop.database.execute("DELETE FROM {sales_order} WHERE increment_id LIKE 'mass%'")


def test_a_cancellation_that_a_replica_shows_five_minutes_late_counts(observed: ShopInMariaDB) -> None:
    shop, state = observed.shop, VolatileStore()
    first, second = shop.orders.place("de", "checkmo"), shop.orders.place("de", "checkmo")
    shop.database.execute("UPDATE {sales_order} SET updated_at = UTC_TIMESTAMP() - INTERVAL 400 SECOND")
    cancellations(observed, state)
    for order, late in ((first, 330), (second, 300)):
        shop.orders.cancel(order)
        shop.database.execute(
            "UPDATE {sales_order} SET updated_at = UTC_TIMESTAMP() - INTERVAL %s SECOND WHERE entity_id = %s",
            (late, order),
        )
        found = cancellations(observed, state)
    assert found["magento_orders_canceled_total", "de"] == 2


def test_an_old_cancelled_order_does_not_count_and_is_forgotten(observed: ShopInMariaDB) -> None:
    shop, state = observed.shop, VolatileStore()
    shop.database.execute("DELETE FROM {sales_order}")
    cancellations(observed, state)
    old = shop.orders.place("default", "checkmo")
    young = shop.orders.place("default", "checkmo")
    shop.database.execute(
        "UPDATE {sales_order} SET created_at = UTC_TIMESTAMP() - INTERVAL 31 DAY, state = 'canceled'"
        " WHERE entity_id = %s",
        (old,),
    )
    shop.orders.cancel(young)
    assert cancellations(observed, state)["magento_orders_canceled_total", "default"] == 1
    assert len(state.scan("order_cancellations/counted", "", "z")) == 1
    shop.database.execute(
        "UPDATE {sales_order} SET created_at = created_at - INTERVAL 32 DAY WHERE entity_id = %s", (young,)
    )
    key = state.scan("order_cancellations/counted", "", "z")[0][0]
    day, number = key.split("/")
    state.commit(
        [
            ("order_cancellations/counted", key, None),
            ("order_cancellations/counted", f"{int(day) - 32:06d}/{number}", "1"),
        ]
    )
    assert cancellations(observed, state)["magento_orders_canceled_total", "default"] == 1
    assert state.scan("order_cancellations/counted", "", "z") == []


def test_a_table_whose_ids_start_again(observed: ShopInMariaDB) -> None:
    shop, state = observed.shop, VolatileStore()
    shop.database.execute("ALTER TABLE {sales_order} AUTO_INCREMENT = 900000")
    shop.orders.place("default", "checkmo")
    cancellations(observed, state)
    shop.database.execute("DELETE FROM {sales_order}")
    shop.database.execute("ALTER TABLE {sales_order} AUTO_INCREMENT = 1")
    order = shop.orders.place("default", "checkmo")
    assert cancellations(observed, state)["magento_orders_canceled_total", "default"] == 0
    shop.orders.cancel(order)
    assert cancellations(observed, state)["magento_orders_canceled_total", "default"] == 1
