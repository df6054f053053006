"""Invoices, shipments and credit memos: what became of the orders."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from exporter.core.collector import EVERY_HALF_MINUTE, Collector, Context
from exporter.core.metrics import Metric, Sample, counter
from exporter.core.ports import Row
from exporter.core.query import Connection
from exporter.magento.orders import DOCUMENT_CANCELED
from exporter.magento.stores import of_known_stores
from exporter.reading.followed import Followed

INVOICED = counter("magento_orders_invoiced_total", "Invoices created (sales_invoice).", "store")
INVOICED_BASE = counter(
    "magento_orders_invoiced_base_total",
    "Value of created invoices in the website's base currency (sales_invoice.base_grand_total).",
    "store",
    "currency",
)
SHIPPED = counter("magento_orders_shipped_total", "Shipments created (sales_shipment).", "store")
REFUNDED = counter("magento_orders_refunded_total", "Credit memos created (sales_creditmemo).", "store")
REFUNDED_BASE = counter(
    "magento_orders_refunded_base_total",
    "Value of created credit memos in the website's base currency (sales_creditmemo.base_grand_total).",
    "store",
    "currency",
)


@dataclass(frozen=True, slots=True)
class Document:
    """One kind of document and its counters. A shipment has no value and no state."""

    followed: Followed
    number: Metric
    value: Metric | None


def _document(name: str, number: Metric, value: Metric | None) -> Document:
    valued = ("base_grand_total", "base_currency_code", "state") if value else ()
    followed = Followed(
        name, f"sales_{name}", columns=("store_id", *valued), connection=Connection.SALES, state=name
    )
    return Document(followed, number, value)


DOCUMENTS: Final = (
    _document("invoice", INVOICED, INVOICED_BASE),
    _document("shipment", SHIPPED, None),
    _document("creditmemo", REFUNDED, REFUNDED_BASE),
)


class OrderDocumentsCollector(Collector):
    """Invoices, shipments and credit memos, exactly counted."""

    name = "order_documents"
    help = "Invoices, shipments and refunds: number and value; from sales_invoice, _shipment, _creditmemo."
    notes = """
    A document counts when it is created. One that is created as cancelled does not count. One that is
    cancelled later stays counted.
    """
    source = "database"
    metrics = (INVOICED, INVOICED_BASE, SHIPPED, REFUNDED, REFUNDED_BASE)
    queries = tuple(query for document in DOCUMENTS for query in document.followed.queries)
    refresh = EVERY_HALF_MINUTE

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield the samples of one run."""
        for document in DOCUMENTS:
            new = document.followed.read(context)
            _initialise(context, document)
            for row in new.rows:
                _count(context, document, row)
        for metric in self.metrics:
            yield from of_known_stores(context.memory.counters(metric).samples(), context.stores)


def _initialise(context: Context, document: Document) -> None:
    stores = context.stores
    for store_id in stores.view_ids():
        store = stores.code(store_id)
        context.memory.counters(document.number).initialise(store=store)
        if document.value is not None:
            currency = stores.currency(store_id)
            context.memory.counters(document.value).initialise(store=store, currency=currency)


def _count(context: Context, document: Document, row: Row) -> None:
    if row.get("state") == DOCUMENT_CANCELED:
        return
    store = context.stores.code(row["store_id"])
    context.memory.counters(document.number).add(store=store)
    if document.value is not None:
        currency = str(row["base_currency_code"] or context.stores.currency(row["store_id"]))
        value = max(row["base_grand_total"] or Decimal(0), Decimal(0))
        context.memory.counters(document.value).add(value, store=store, currency=currency)
