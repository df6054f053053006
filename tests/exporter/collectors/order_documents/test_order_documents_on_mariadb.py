"""Invoices, shipments, credit memos and cancellations against the truth."""

import time
from collections.abc import Iterator

import pytest

from exporter.collectors.order_cancellations import OrderCancellationsCollector
from exporter.collectors.order_documents import OrderDocumentsCollector
from exporter.core.memory import VolatileStore
from exporter.reading.changes import PAGE, PAGES_A_RUN
from sandbox.servers.mariadb import MariaDB
from tests.harness.observed import ObservedShop, observed_shop

Found = dict[tuple[str, ...], float]
DAY = 86_400


@pytest.fixture(scope="module")
def observed(mariadb: MariaDB) -> Iterator[ObservedShop]:
    with observed_shop(mariadb) as shop:
        yield shop


def documents(observed: ObservedShop, state: VolatileStore) -> Found:
    return observed.collect(OrderDocumentsCollector(), state, time.time())


def cancellations(observed: ObservedShop, state: VolatileStore) -> Found:
    return observed.collect(OrderCancellationsCollector(), state, time.time())


def test_documents_equal_the_truth(observed: ObservedShop) -> None:
    shop, state = observed.shop, VolatileStore()
    documents(observed, state)
    for store in ("default", "us", "us"):
        order = shop.place_order(store, "checkmo")
        shop.invoice(order)
        shop.ship(order)
    shop.refund(order)
    database = shop.database
    virtual = shop.place_order("de", "checkmo", virtual=True)
    database.update("sales_invoice", {"entity_id": shop.invoice(virtual)}, base_grand_total=None)
    found = documents(observed, state)
    for name, table, value in (
        ("invoiced", "sales_invoice", True),
        ("shipped", "sales_shipment", False),
        ("refunded", "sales_creditmemo", True),
    ):
        for store, number, amount in database.rows(
            f"SELECT s.code, COUNT(*), {'SUM(base_grand_total)' if value else '0'}"
            f" FROM {{{table}}} JOIN {{store}} s USING (store_id) GROUP BY s.code"
        ):
            assert found[f"magento_orders_{name}_total", store] == number
            if value:
                currency = "USD" if store == "us" else "EUR"
                assert found[f"magento_orders_{name}_base_total", store, currency] == float(amount or 0)
    assert found["magento_orders_shipped_total", "de"] == 0


def test_a_document_created_as_cancelled_does_not_count(observed: ObservedShop) -> None:
    shop, state = observed.shop, VolatileStore()
    documents(observed, state)
    with shop.database.transaction():
        invoice = shop.invoice(shop.place_order("default", "checkmo"))
        shop.database.update("sales_invoice", {"entity_id": invoice}, state=3)
    assert documents(observed, state)["magento_orders_invoiced_total", "default"] == 0


def test_a_cancellation_counts_once_however_often_the_order_changes(observed: ObservedShop) -> None:
    shop, state = observed.shop, VolatileStore()
    before = shop.place_order("us", "checkmo")
    shop.cancel(before)
    cancellations(observed, state)
    first, second = shop.place_order("us", "checkmo"), shop.place_order("de", "checkmo")
    shop.cancel(first)
    found = cancellations(observed, state)
    assert found["magento_orders_canceled_total", "us"] == 1
    value = shop.database.value("SELECT base_grand_total FROM {sales_order} WHERE entity_id = %s", (first,))
    assert found["magento_orders_canceled_base_total", "us", "USD"] == float(value)
    shop.cancel(second)
    for order in (before, first):
        shop.database.update("sales_order", {"entity_id": order}, customer_note="exported")
    found = cancellations(observed, state)
    assert found["magento_orders_canceled_total", "us"] == 1
    assert found["magento_orders_canceled_total", "de"] == 1
    assert cancellations(observed, state) == found


def test_a_cancellation_within_a_mass_update_is_found(observed: ObservedShop) -> None:
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


def test_a_cancellation_that_a_replica_shows_five_minutes_late_counts(observed: ObservedShop) -> None:
    shop, state = observed.shop, VolatileStore()
    first, second = shop.place_order("de", "checkmo"), shop.place_order("de", "checkmo")
    shop.database.execute("UPDATE {sales_order} SET updated_at = UTC_TIMESTAMP() - INTERVAL 400 SECOND")
    cancellations(observed, state)
    for order, late in ((first, 330), (second, 300)):
        shop.cancel(order)
        shop.database.execute(
            "UPDATE {sales_order} SET updated_at = UTC_TIMESTAMP() - INTERVAL %s SECOND WHERE entity_id = %s",
            (late, order),
        )
        found = cancellations(observed, state)
    assert found["magento_orders_canceled_total", "de"] == 2


def test_an_old_cancelled_order_does_not_count_and_is_forgotten(observed: ObservedShop) -> None:
    shop, state = observed.shop, VolatileStore()
    shop.database.execute("DELETE FROM {sales_order}")
    cancellations(observed, state)
    old = shop.place_order("default", "checkmo")
    young = shop.place_order("default", "checkmo")
    shop.database.execute(
        "UPDATE {sales_order} SET created_at = UTC_TIMESTAMP() - INTERVAL 31 DAY, state = 'canceled'"
        " WHERE entity_id = %s",
        (old,),
    )
    shop.cancel(young)
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


def test_a_table_whose_ids_start_again(observed: ObservedShop) -> None:
    shop, state = observed.shop, VolatileStore()
    shop.database.execute("ALTER TABLE {sales_order} AUTO_INCREMENT = 900000")
    shop.place_order("default", "checkmo")
    cancellations(observed, state)
    shop.database.execute("DELETE FROM {sales_order}")
    shop.database.execute("ALTER TABLE {sales_order} AUTO_INCREMENT = 1")
    order = shop.place_order("default", "checkmo")
    assert cancellations(observed, state)["magento_orders_canceled_total", "default"] == 0
    shop.cancel(order)
    assert cancellations(observed, state)["magento_orders_canceled_total", "default"] == 1


def test_split_connections_prefix_and_an_old_version(mariadb: MariaDB) -> None:
    with observed_shop(mariadb, version="2.4.3", prefix="x_", split=True) as observed:
        shop, state = observed.shop, VolatileStore()
        documents(observed, state)
        cancellations(observed, state)
        order = shop.place_order("us", "checkmo")
        shop.invoice(order)
        shop.cancel(shop.place_order("us", "checkmo"))
        assert documents(observed, state)["magento_orders_invoiced_total", "us"] == 1
        assert cancellations(observed, state)["magento_orders_canceled_total", "us"] == 1
