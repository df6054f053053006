"""Invoices, shipments and credit memos against the truth."""

from exporter.collectors.order_documents import OrderDocumentsCollector
from exporter.core.memory import VolatileStore
from tests.harness.shop import ShopInMariaDB

Found = dict[tuple[str, ...], float]


def documents(observed: ShopInMariaDB, state: VolatileStore) -> Found:
    return observed.run(OrderDocumentsCollector(), state=state)


def test_documents_equal_the_truth(observed: ShopInMariaDB) -> None:
    shop, state = observed.shop, VolatileStore()
    documents(observed, state)
    for store in ("default", "us", "us"):
        order = shop.orders.place(store, "checkmo")
        shop.documents.invoice(order)
        shop.documents.ship(order)
    shop.documents.refund(order)
    database = shop.database
    virtual = shop.orders.place("de", "checkmo", virtual=True)
    database.update("sales_invoice", {"entity_id": shop.documents.invoice(virtual)}, base_grand_total=None)
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


def test_a_document_created_as_cancelled_does_not_count(observed: ShopInMariaDB) -> None:
    shop, state = observed.shop, VolatileStore()
    documents(observed, state)
    with shop.database.transaction():
        invoice = shop.documents.invoice(shop.orders.place("default", "checkmo"))
        shop.database.update("sales_invoice", {"entity_id": invoice}, state=3)
    assert documents(observed, state)["magento_orders_invoiced_total", "default"] == 0
