"""Counters of followed tables under parallel transactions that commit late, in any order, or never."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from exporter.collectors.customers import CustomersCollector
from exporter.collectors.order_cancellations import OrderCancellationsCollector
from exporter.collectors.order_documents import OrderDocumentsCollector
from exporter.collectors.orders import OrdersCollector
from exporter.core.collector import Collector, Tuning
from exporter.core.memory import Memory
from exporter.sources.state import SQLiteState
from sandbox.servers.mariadb import MariaDB
from sandbox.shop.database import ShopDatabase
from tests.harness.core import context
from tests.harness.shop import ShopInMariaDB, shop_in_mariadb

CONNECTIONS = 12
TRANSACTIONS, MOST_TRANSACTIONS = 25, 1_000
RUNS = 11
"""Runs of the exporter, and transactions of each shopper, at least: whichever takes longer."""
LONGEST_DELAY = 0.6
SETTLE = Tuning(settle_seconds=30.0)
METHODS = ("checkmo", "braintree", "banktransfer")
COLLECTORS: tuple[Callable[[], Collector], ...] = (
    OrdersCollector,
    OrderDocumentsCollector,
    OrderCancellationsCollector,
    CustomersCollector,
)

TRUTH = {
    "magento_orders_placed_total": "SELECT COUNT(*) FROM {sales_order} WHERE entity_id > %s",
    "magento_orders_revenue_base_total": (
        "SELECT SUM(base_grand_total) FROM {sales_order} WHERE entity_id > %s"
    ),
    "magento_orders_invoiced_total": "SELECT COUNT(*) FROM {sales_invoice} WHERE order_id > %s",
    "magento_orders_invoiced_base_total": (
        "SELECT SUM(base_grand_total) FROM {sales_invoice} WHERE order_id > %s"
    ),
    "magento_orders_canceled_total": (
        "SELECT COUNT(*) FROM {sales_order} WHERE entity_id > %s AND state = 'canceled'"
    ),
    "magento_customers_registered_total": ("SELECT COUNT(*) FROM {customer_entity} WHERE entity_id > %s * 0"),
}


@pytest.fixture(scope="module")
def observed(mariadb: MariaDB) -> Iterator[ShopInMariaDB]:
    with shop_in_mariadb(mariadb, now=None) as shop:
        yield shop


def shopper(
    observed: ShopInMariaDB, seed: int, enough: threading.Event, failures: list[BaseException]
) -> None:
    """Place, invoice and cancel orders in transactions that stay open for a while; some roll back."""
    random = Random(seed)  # noqa: S311 - a repeatable workload, no secret
    try:
        with observed.connection() as database:
            for number in range(MOST_TRANSACTIONS):
                _one(database, random, f"{seed}-{number}")
                if number >= TRANSACTIONS and enough.is_set():
                    return
    except BaseException as failure:  # noqa: BLE001 - reported by the main thread
        failures.append(failure)


def _one(database: ShopDatabase, random: Random, number: str) -> None:
    database.connection.begin()
    order = database.insert(
        "sales_order",
        store_id=random.choice((1, 2, 3)),
        state="new",
        status="pending",
        increment_id=number,
        base_grand_total=f"{random.randrange(1, 9999) / 100:.2f}",
        base_currency_code="EUR",
        total_qty_ordered=1,
        customer_is_guest=1,
    )
    database.insert("sales_order_payment", parent_id=order, method=random.choice(METHODS))
    database.insert("customer_entity", website_id=1, store_id=1, email=f"{number}@example.com")
    time.sleep(random.random() * LONGEST_DELAY)
    if random.random() < 0.2:
        database.connection.rollback()
        return
    database.connection.commit()
    if random.random() < 0.5:
        database.insert(
            "sales_invoice",
            order_id=order,
            store_id=1,
            base_grand_total="9.99",
            base_currency_code="EUR",
            state=2,
        )
    elif random.random() < 0.5:
        database.connection.begin()
        database.update("sales_order", {"entity_id": order}, state="canceled", status="canceled")
        time.sleep(random.random() * LONGEST_DELAY)
        database.connection.commit()
    else:
        database.update("sales_order", {"entity_id": order}, state="canceled")
        database.update("sales_order", {"entity_id": order}, status="canceled")


def crash_while_collecting(observed: ShopInMariaDB, state: SQLiteState) -> None:
    """Do what a run does up to the moment before its memory is committed."""
    for make in COLLECTORS:
        collector = make()
        memory = Memory(state, collector.name, time.time())
        source = observed.reader(collector)
        directory = observed.directory()
        list(
            collector.collect(context(memory, time.time(), database=source, stores=directory, tuning=SETTLE))
        )


def test_counters_are_exact_whatever_commits_when_and_however_often_we_are_killed(
    observed: ShopInMariaDB, tmp_path: Path
) -> None:
    start = int(observed.shop.database.value("SELECT COALESCE(MAX(entity_id), 0) FROM {sales_order}"))
    state = SQLiteState(tmp_path / "state")
    sums: dict[str, float] = {}

    def collect() -> None:
        sums.clear()
        for make in COLLECTORS:
            for key, value in observed.run(make(), state=state, tuning=SETTLE).items():
                sums[key[0]] = sums.get(key[0], 0.0) + value

    collect()
    enough, failures = threading.Event(), list[BaseException]()
    threads = [
        threading.Thread(target=shopper, args=(observed, seed, enough, failures))
        for seed in range(CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    runs = 0
    while any(thread.is_alive() for thread in threads):
        collect()
        runs += 1
        if runs >= RUNS:
            enough.set()
        if runs % 4 == 0:
            crash_while_collecting(observed, state)
        if runs % 5 == 0:
            state.close()
            state = SQLiteState(tmp_path / "state")
    assert not failures
    assert runs >= RUNS
    collect()
    collect()  # a label set that is new in the last run shows its value in this one
    state.close()
    truth = {name: float(observed.shop.database.value(query, (start,)) or 0) for name, query in TRUTH.items()}
    assert {name: round(sums[name], 4) for name in truth} == truth
    assert truth["magento_orders_canceled_total"] > 10
