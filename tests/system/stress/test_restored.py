"""A backup is put back while the exporter goes on: what happens from then on is counted, and counted once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from exporter.collectors.checkout import CheckoutCollector
from exporter.collectors.orders import OrdersCollector
from exporter.collectors.placements import PlacementsCollector
from exporter.core.collector import Collector
from exporter.core.memory import VolatileStore
from sandbox.servers.mariadb import MariaDB
from sandbox.shop import ShopDatabase, bulk_history
from tests.harness.shop import NOW, ShopInMariaDB, shop_in_mariadb

COUNTED = {
    "orders": "magento_orders_placed_total",
    "attempts": "magento_checkout_placement_attempts_total",
    "failed": "magento_checkout_failed_placements_total",
}


class Watched:
    """A shop whose clock goes on in minutes, and the three collectors of selling on it."""

    def __init__(self, observed: ShopInMariaDB) -> None:
        self.observed, self.state, self.now = observed, VolatileStore(), NOW
        self.collectors: tuple[Collector, ...] = (
            OrdersCollector(),
            CheckoutCollector(),
            PlacementsCollector(),
        )
        self.found: dict[tuple[str, ...], float] = {}

    def minute(self, *, orders: int = 0, declined: int = 0) -> None:
        """Let so many customers buy and be declined, and scrape a minute later."""
        for _ in range(orders):
            self.observed.shop.orders.place("us", "checkmo", at=self.now)
        for _ in range(declined):
            cart = self.observed.shop.carts.open("us", at=self.now)
            self.observed.shop.carts.advance(cart, "payment_method", method="braintree", at=self.now)
            self.observed.shop.carts.decline(cart, at=self.now)
        self.now += timedelta(minutes=1)
        self.observed.set_clock(self.now)
        for collector in self.collectors:
            self.found |= self.observed.run(collector, self.now.timestamp(), state=self.state)

    def counted(self) -> dict[str, float]:
        sums = {
            word: sum(value for key, value in self.found.items() if key[0] == name)
            for word, name in COUNTED.items()
        }
        reached = "magento_checkout_stage_reached_total"
        return sums | {
            stage: sum(value for key, value in self.found.items() if key[0] == reached and key[2] == stage)
            for stage in ("cart", "order")
        }


def put_back(database: ShopDatabase, newest: int) -> None:
    """Let all be as it was when that order was the newest."""
    cart = database.value("SELECT MAX(quote_id) FROM {sales_order} WHERE entity_id <= %s", (newest,))
    database.execute("SET foreign_key_checks = 0")
    for table, (key, last) in {
        "sales_order_payment": ("parent_id", newest),
        "sales_order_item": ("order_id", newest),
        "sales_order_grid": ("entity_id", newest),
        "sales_order": ("entity_id", newest),
        "quote_payment": ("quote_id", cart),
        "quote_address": ("quote_id", cart),
        "quote": ("entity_id", cart),
    }.items():
        database.execute(f"DELETE FROM {{{table}}} WHERE {key} > %s", (last,))
        database.execute(f"ALTER TABLE {{{table}}} AUTO_INCREMENT = 1")
    for store in (1, 2, 3):
        number = database.value(
            "SELECT MAX(CAST(RIGHT(increment_id, 9) AS UNSIGNED)) FROM {sales_order} WHERE store_id = %s",
            (store,),
        )
        table = f"{{sequence_order_{store}}}"
        database.execute(f"DELETE FROM {table} WHERE sequence_value > %s", (number or 0,))
        database.execute(f"ALTER TABLE {table} AUTO_INCREMENT = 1")
    database.execute("SET foreign_key_checks = 1")


@pytest.mark.slow
@pytest.mark.parametrize("lost", [300, 50_000])
def test_after_a_restore_every_order_and_every_attempt_counts_once(mariadb: MariaDB, lost: int) -> None:
    with shop_in_mariadb(mariadb, now=NOW) as observed:
        bulk_history(observed.shop, orders=lost + 500, days=1, end=NOW - timedelta(minutes=1))
        backup = int(observed.database.value("SELECT MAX(entity_id) FROM {sales_order}")) - lost
        watched = Watched(observed)
        watched.minute()
        for _ in range(3):
            watched.minute(orders=5, declined=2)
        for _ in range(6):
            watched.minute()
        assert watched.counted() == {"orders": 15, "attempts": 21, "failed": 6, "cart": 21, "order": 15}

        put_back(observed.database, backup)
        for _ in range(5):
            watched.minute()
        for _ in range(4):
            watched.minute(orders=5, declined=2)
        for _ in range(40):
            watched.minute()
        assert watched.counted() == {"orders": 35, "attempts": 49, "failed": 14, "cart": 49, "order": 35}
