"""The real exporter, killed three times, while 32 connections place, invoice and cancel orders."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter.collectors.customers import CustomersCollector
from exporter.collectors.order_cancellations import OrderCancellationsCollector
from exporter.collectors.order_documents import OrderDocumentsCollector
from exporter.collectors.orders import OrdersCollector
from exporter.core.memory import NEW_SERIES_SECONDS
from exporter.magento import stores
from sandbox.servers.magento_exporter import MagentoExporter
from sandbox.servers.mariadb import MariaDB
from sandbox.shop.database import ShopDatabase
from tests.harness.limits import LONG
from tests.harness.shop import PASSWORD, ShopInMariaDB, shop_in_mariadb

COLLECTORS = (OrdersCollector, OrderDocumentsCollector, OrderCancellationsCollector, CustomersCollector)
CONNECTIONS = 32
SECONDS = 60.0
LONGEST_DELAY = 20.0
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


@pytest.fixture
def observed(mariadb: MariaDB) -> Iterator[ShopInMariaDB]:
    with shop_in_mariadb(mariadb, now=None) as shop:
        yield shop


@pytest.fixture
def exporter(observed: ShopInMariaDB, tmp_path: Path) -> Iterator[MagentoExporter]:
    queries = [*stores.QUERIES, *(query for collector in COLLECTORS for query in collector.queries)]
    settings = {
        "database": {
            "host": observed.server.host,
            "port": observed.server.port,
            "user": observed.login(queries),
            "password": PASSWORD,
            "name": observed.name,
        },
        "collectors": {"only": [collector.name for collector in COLLECTORS]},
        "limits": {"minimum_refresh_seconds": 0},
        "state_file": str(tmp_path / "state"),
    }
    with MagentoExporter(tmp_path / "exporter", settings=settings) as server:
        yield server


def scrape(exporter: MagentoExporter) -> dict[str, float]:
    """Return the sum over all label sets of every counter; every collector must have succeeded."""
    text = httpx.get(exporter.url, timeout=LONG).text
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            assert sample.name != "magento_collector_success" or sample.value == 1, sample
            sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    return sums


def counted(exporter: MagentoExporter) -> dict[str, float]:
    """Return what is scraped of the counters whose truth is known."""
    found = scrape(exporter)
    return {name: round(found[name], 4) for name in TRUTH}


def shopper(observed: ShopInMariaDB, seed: int, until: float, failures: list[BaseException]) -> None:
    random = Random(seed)  # noqa: S311 - a repeatable workload, no secret
    try:
        with observed.connection() as database:
            number = 0
            while time.monotonic() < until:
                number += 1
                _one(database, random, f"{seed}-{number}")
    except BaseException as failure:  # noqa: BLE001 - reported by the main thread
        failures.append(failure)


def _one(database: ShopDatabase, random: Random, number: str) -> None:
    """Place an order; most transactions are short and some stay open for very long."""
    database.connection.begin()
    order = database.insert(
        "sales_order",
        store_id=random.choice((1, 2, 3)),
        state="new",
        increment_id=number,
        base_grand_total=f"{random.randrange(1, 9999) / 100:.2f}",
        base_currency_code="EUR",
        total_qty_ordered=2,
        customer_is_guest=random.choice((0, 1)),
    )
    database.insert("sales_order_payment", parent_id=order, method=random.choice(("checkmo", "braintree")))
    database.insert("customer_entity", website_id=1, store_id=1, email=f"{number}@example.com")
    time.sleep(random.random() ** 6 * LONGEST_DELAY)
    if random.random() < 0.2:
        database.connection.rollback()
        return
    database.connection.commit()
    if random.random() < 0.6:
        database.insert(
            "sales_invoice", order_id=order, store_id=1, base_grand_total="9.99", base_currency_code="EUR"
        )
    else:
        database.connection.begin()
        database.update("sales_order", {"entity_id": order}, state="canceled")
        time.sleep(random.random() ** 6 * LONGEST_DELAY)
        database.connection.commit()


@pytest.mark.slow
def test_every_counter_is_exact_after_three_sigkills(
    observed: ShopInMariaDB, exporter: MagentoExporter
) -> None:
    assert not any(value for name, value in scrape(exporter).items() if name in TRUTH)
    until = time.monotonic() + SECONDS
    failures: list[BaseException] = []
    threads = [
        threading.Thread(target=shopper, args=(observed, seed, until, failures))
        for seed in range(CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    kills = [until - SECONDS * part for part in (0.25, 0.5, 0.75)]
    while any(thread.is_alive() for thread in threads):
        scrape(exporter)
        if kills and time.monotonic() > kills[-1]:
            kills.pop()
            exporter.kill()
            exporter.start()
        time.sleep(0.5)
    assert not failures
    assert not kills
    exporter.kill()
    exporter.start()  # a new process runs every collector at once
    truth = {name: float(observed.shop.database.value(query) or 0) for name, query in TRUTH.items()}
    deadline = time.monotonic() + 3 * NEW_SERIES_SECONDS
    while (found := counted(exporter)) != truth and time.monotonic() < deadline:
        time.sleep(1)  # a label set that is new is shown as 0 for a minute
    assert found == truth
    assert truth["magento_orders_canceled_total"] > 100
