"""Shoppers whose transactions commit late, in any order, or never, and what the counters must then say."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from exporter.collectors.customers import CustomersCollector
from exporter.collectors.order_cancellations import OrderCancellationsCollector
from exporter.collectors.order_documents import OrderDocumentsCollector
from exporter.collectors.orders import OrdersCollector
from sandbox.shop import ShopDatabase
from tests.harness.shop import ShopInMariaDB

COLLECTORS = (OrdersCollector, OrderDocumentsCollector, OrderCancellationsCollector, CustomersCollector)
METHODS = ("checkmo", "braintree", "banktransfer")
TRUTH = {
    "magento_orders_placed_total": "SELECT COUNT(*) FROM {sales_order}",
    "magento_orders_revenue_base_total": "SELECT SUM(base_grand_total) FROM {sales_order}",
    "magento_orders_items_total": "SELECT SUM(total_qty_ordered) FROM {sales_order}",
    "magento_orders_by_customer_total": "SELECT COUNT(*) FROM {sales_order}",
    "magento_orders_invoiced_total": "SELECT COUNT(*) FROM {sales_invoice}",
    "magento_orders_invoiced_base_total": "SELECT SUM(base_grand_total) FROM {sales_invoice}",
    "magento_orders_canceled_total": "SELECT COUNT(*) FROM {sales_order} WHERE state = 'canceled'",
    "magento_customers_registered_total": "SELECT COUNT(*) FROM {customer_entity}",
}


def truth(shop: ShopInMariaDB) -> dict[str, float]:
    """Return what each counter must say in sum, of a shop that was empty when the exporter came."""
    return {name: float(shop.database.value(query) or 0) for name, query in TRUTH.items()}


@dataclass(slots=True)
class Shoppers:
    """Threads that place, invoice and cancel orders; `delay` says how long a transaction stays open."""

    shop: ShopInMariaDB
    delay: Callable[[Random], float]
    failures: list[BaseException] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self, number: int, go_on: Callable[[int], bool]) -> None:
        """Start so many; each goes on while `go_on` agrees, given the number of its transactions."""
        self.threads = [threading.Thread(target=self._shop, args=(seed, go_on)) for seed in range(number)]
        for thread in self.threads:
            thread.start()

    @property
    def busy(self) -> bool:
        """Whether one still goes on."""
        return any(thread.is_alive() for thread in self.threads)

    def _shop(self, seed: int, go_on: Callable[[int], bool]) -> None:
        random, number = Random(seed), 0  # noqa: S311 - a repeatable workload, no secret
        try:
            with self.shop.connection() as database:
                while go_on(number):
                    number += 1
                    self._order(database, random, f"{seed}-{number}")
        except BaseException as failure:  # noqa: BLE001 - reported by the main thread
            self.failures.append(failure)

    def _order(self, database: ShopDatabase, random: Random, number: str) -> None:
        """Place an order, or roll it back; then invoice or cancel it."""
        database.connection.begin()
        order = database.insert(
            "sales_order",
            store_id=random.choice((1, 2, 3)),
            state="new",
            status="pending",
            increment_id=number,
            base_grand_total=f"{random.randrange(1, 9999) / 100:.2f}",
            base_currency_code="EUR",
            total_qty_ordered=2,
            customer_is_guest=random.choice((0, 1)),
        )
        database.insert("sales_order_payment", parent_id=order, method=random.choice(METHODS))
        database.insert("customer_entity", website_id=1, store_id=1, email=f"{number}@example.com")
        time.sleep(self.delay(random))
        if random.random() < 0.2:
            database.connection.rollback()
            return
        database.connection.commit()
        if random.random() < 0.5:
            paid = {"base_grand_total": "9.99", "base_currency_code": "EUR", "state": 2}
            database.insert("sales_invoice", order_id=order, store_id=1, **paid)
        elif random.random() < 0.5:
            database.connection.begin()
            database.update("sales_order", {"entity_id": order}, state="canceled", status="canceled")
            time.sleep(self.delay(random))
            database.connection.commit()
        else:
            database.update("sales_order", {"entity_id": order}, state="canceled")
            database.update("sales_order", {"entity_id": order}, status="canceled")
