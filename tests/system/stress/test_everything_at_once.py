"""Everything at once: parallel shoppers, late commits, rollbacks, and an exporter that is killed five times.

At the end every counter of orders, checkout and placements equals the truth, exactly, and no scrape ever
saw one fall.
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pymysql
import pytest

from exporter.collectors.checkout import CheckoutCollector
from exporter.collectors.orders import OrdersCollector
from exporter.collectors.placements import PlacementsCollector
from exporter.rights.statements import queries_of
from sandbox.process import LOOPBACK, free_port
from sandbox.servers.mariadb import MariaDB
from sandbox.shop.builders.history import bulk_history
from sandbox.shop.builders.shop import Shop
from tests.harness import truth
from tests.harness.limits import LONG
from tests.harness.shop import PASSWORD, ShopInMariaDB, shop_in_mariadb

SHOPPERS = 32
SECONDS = 60.0
KILL_AFTER = (10.0, 20.0, 30.0, 40.0, 50.0)
LONGEST_COMMIT = 20.0
LONGEST_OPEN = 35.0
"""Seconds after which a shopper gives up, however long the others' locks have kept him."""
SETTLE = 45.0
"""Longer than any transaction: the machine may be slow."""

ISOLATION_LEVELS = ("REPEATABLE READ", "READ COMMITTED")
LOCK_WAIT, DEADLOCK = 1205, 1213
ENOUGH = 10

LINE = re.compile(r"(magento_\w+)\{([^}]*)\} (\S+)")
LABEL = re.compile(r'(\w+)="([^"]*)"')
COUNTED = (
    "magento_orders_placed_total",
    "magento_orders_revenue_base_total",
    "magento_orders_items_total",
    "magento_orders_by_customer_total",
    "magento_checkout_stage_reached_total",
    "magento_checkout_placement_attempts_total",
    "magento_checkout_failed_placements_total",
    "magento_checkout_placements_waiting",
)
SUMS = {
    "magento_orders_placed_total": (
        "SELECT s.code, p.method, COUNT(*) FROM {sales_order} o JOIN {store} s ON s.store_id = o.store_id"
        " JOIN {sales_order_payment} p ON p.parent_id = o.entity_id WHERE o.entity_id > %s GROUP BY 1, 2"
    ),
    "magento_orders_revenue_base_total": (
        "SELECT s.code, o.base_currency_code, SUM(o.base_grand_total) FROM {sales_order} o"
        " JOIN {store} s ON s.store_id = o.store_id WHERE o.entity_id > %s GROUP BY 1, 2"
    ),
    "magento_orders_items_total": (
        "SELECT s.code, SUM(o.total_qty_ordered) FROM {sales_order} o"
        " JOIN {store} s ON s.store_id = o.store_id WHERE o.entity_id > %s GROUP BY 1"
    ),
    "magento_orders_by_customer_total": (
        "SELECT s.code, IF(o.customer_is_guest, 'guest', 'registered'), COUNT(*) FROM {sales_order} o"
        " JOIN {store} s ON s.store_id = o.store_id WHERE o.entity_id > %s GROUP BY 1, 2"
    ),
}

Series = dict[tuple[str, ...], float]


class RolledBackError(Exception):
    """Ends a transaction that a shopper wants to fail."""


@dataclass
class Shopper:
    """One connection that fills carts and buys, in transactions that may stay open for long or fail."""

    shop: Shop
    customers: list[int]
    random: Random
    stop: threading.Event
    done: dict[str, int] = field(default_factory=dict)

    def run(self) -> None:
        while not self.stop.is_set():
            self._visit()

    def _visit(self) -> None:
        store = self.random.choice(("default", "default", "de", "us"))
        customer = self.random.choice(self.customers) if self.random.random() < 0.4 else None
        virtual, headless = self.random.random() < 0.15, self.random.random() < 0.2
        method = self.random.choice(("checkmo", "banktransfer", "braintree", "paypal_express"))
        cart = 0

        def begin() -> None:
            nonlocal cart
            cart = self.shop.carts.open(store, customer_id=customer, virtual=virtual, headless=headless)

        if not self._commits(begin):
            return
        if headless and not self._commits(lambda: self.shop.carts.add_items(cart)):
            return
        for step in ("shipping_address", "shipping_method", "payment_method"):
            if self.stop.is_set() or self.random.random() < 0.07:
                return
            if not self._commits(lambda step=step: self.shop.carts.advance(cart, step, method=method)):
                return
        for _ in range(self.random.choice((0, 0, 0, 1, 2))):
            self.shop.carts.decline(cart)
            self._note("declined")
        for _ in range(self.random.choice((0, 1, 1, 1, 1, 2))):
            self._place(cart, store)

    def _place(self, cart: int, store: str) -> None:
        """Place an order as Magento does: the number is taken for good before the transaction begins."""
        database = self.shop.database
        kept = database.value("SELECT reserved_order_id FROM {quote} WHERE entity_id = %s", (cart,))
        ordered = kept and database.rows("SELECT 1 FROM {sales_order} WHERE increment_id = %s", (kept,))
        number = kept
        if not kept or ordered:
            number = self.shop.stock.next_number("order", self.shop.stores[store].store_id)

        def order() -> None:
            database.update("quote", {"entity_id": cart}, reserved_order_id=number)
            self.shop.orders.buy(cart)

        self._note("ordered" if self._commits(order) else "failed")

    def _commits(self, work: Callable[[], None]) -> bool:
        """Do something in a transaction that waits before its end; return whether it was committed."""
        fails, began = self.random.random() < 0.1, time.monotonic()
        try:
            with suppress(RolledBackError), self.shop.database.transaction():
                work()
                time.sleep(self._delay())
                # Waiting for others' locks on a busy machine may take longer than the exporter waits for
                # a transaction: what is committed then is outside its promise.
                if time.monotonic() - began > LONGEST_OPEN:
                    self._note("overdue")
                    fails = True
                if fails:
                    raise RolledBackError
        except pymysql.OperationalError as error:
            if error.args[0] not in (LOCK_WAIT, DEADLOCK):
                raise
            self._note("deadlocked")
            return False
        return not fails

    def _delay(self) -> float:
        late = self.random.random() < 0.05
        return self.random.uniform(0, LONGEST_COMMIT) if late else self.random.random() / 10

    def _note(self, what: str) -> None:
        self.done[what] = self.done.get(what, 0) + 1


@dataclass
class Watcher:
    """Runs the exporter, scrapes it all the time, and never lets a counter fall unnoticed."""

    settings: dict[str, str]
    url: str
    process: subprocess.Popen[bytes] | None = None
    latest: Series = field(default_factory=dict)
    falls: list[str] = field(default_factory=list)
    scrapes: int = 0

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "exporter", "serve"],
            env=os.environ | self.settings,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(LONG)

    def scrape(self) -> bool:
        """Scrape once; return whether there was an answer."""
        try:
            with urllib.request.urlopen(self.url, timeout=LONG) as answer:  # noqa: S310 - on loopback
                text = answer.read().decode()
        except (urllib.error.URLError, OSError):
            return False
        found = {
            (match[1], *(value for _, value in LABEL.findall(match[2]))): float(match[3])
            for match in LINE.finditer(text)
            if match[1] in COUNTED
        }
        for key, value in found.items():
            if key[0].endswith("_total") and value < self.latest.get(key, 0.0):
                self.falls.append(f"{key}: {self.latest[key]} to {value}")
        self.latest.update(found)
        self.scrapes += 1
        return True

    def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Scrape until the condition holds; return whether it did in time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.scrape() and condition():
                return True
            time.sleep(0.5)
        return False


@contextmanager
def watched(observed: ShopInMariaDB, directory: Path) -> Iterator[Watcher]:
    queries = queries_of([OrdersCollector, CheckoutCollector, PlacementsCollector])
    port = free_port()
    settings = {
        "DATABASE__HOST": observed.server.host,
        "DATABASE__PORT": str(observed.server.port),
        "DATABASE__USER": observed.login(queries),
        "DATABASE__PASSWORD": PASSWORD,
        "DATABASE__NAME": observed.name,
        "WEB__LISTEN": f"{LOOPBACK}:{port}",
        "STATE_FILE": str(directory / "state"),
        "COLLECTORS__ONLY": "[orders, checkout, placements]",
        "TUNING__SETTLE_SECONDS": f"{SETTLE:.0f}",
    }
    watcher = Watcher(
        {f"MAGENTO_EXPORTER_{name}": value for name, value in settings.items()},
        f"http://{LOOPBACK}:{port}/metrics",
    )
    watcher.start()
    try:
        yield watcher
    finally:
        watcher.kill()


def expected(shop: Shop, orders: int, carts: int, numbers: dict[str, int]) -> Series:
    """Return every series that has a value, by independent queries."""
    found: Series = {
        (name, *map(str, row[:-1])): float(row[-1])
        for name, query in SUMS.items()
        for row in shop.database.rows(query, (orders,))
        if row[-1]
    }
    for key, value in truth.funnel(shop, carts).items():
        found["magento_checkout_stage_reached_total", *key] = value
    names = COUNTED[-3:]
    for store, values in truth.placements(shop, numbers).items():
        for name, value in zip(
            (
                "magento_checkout_placement_attempts_total",
                "magento_checkout_failed_placements_total",
                names[2],
            ),
            values,
            strict=True,
        ):
            if value:
                found[name, store] = value
    return found


def enough(shoppers: list[Shopper]) -> bool:
    """Return whether orders were placed, failed and declined, and placed at each isolation level."""
    for what in ("ordered", "failed", "declined"):
        if sum(shopper.done.get(what, 0) for shopper in shoppers) <= ENOUGH:
            return False
    levels = len(ISOLATION_LEVELS)
    return all(
        sum(shopper.done.get("ordered", 0) for shopper in shoppers[level::levels]) > ENOUGH
        for level in range(levels)
    )


@pytest.mark.slow
def test_counters_are_exact_under_parallel_checkouts_and_kills(mariadb: MariaDB, tmp_path: Path) -> None:
    with ExitStack() as stack:
        observed = stack.enter_context(shop_in_mariadb(mariadb, now=None))
        shop = observed.shop
        bulk_history(shop, orders=200, days=1)
        customers = [shop.customers.register() for _ in range(10)]
        orders = int(shop.database.value("SELECT MAX(entity_id) FROM {sales_order}"))
        carts = int(shop.database.value("SELECT MAX(entity_id) FROM {quote}"))
        numbers = truth.sequence_tops(shop)
        watcher = stack.enter_context(watched(observed, tmp_path))
        assert watcher.until(lambda: {key[0] for key in watcher.latest} == set(COUNTED), 60)

        stop = threading.Event()
        shoppers = [
            Shopper(
                Shop(stack.enter_context(observed.connection())),
                customers,
                Random(number),  # noqa: S311
                stop,
            )
            for number in range(SHOPPERS)
        ]
        for number, shopper in enumerate(shoppers):
            # Half of them buy as Magento does by default: gap locks make the others wait and deadlock.
            # The rest has none, waits for nobody, and keeps many transactions under way at once.
            level = ISOLATION_LEVELS[number % len(ISOLATION_LEVELS)]
            shopper.shop.database.execute(f"SET SESSION TRANSACTION ISOLATION LEVEL {level}")
        threads = [threading.Thread(target=shopper.run) for shopper in shoppers]
        started = time.monotonic()
        for thread in threads:
            thread.start()
        for moment in (*KILL_AFTER, SECONDS):
            while time.monotonic() - started < moment:
                watcher.scrape()
                time.sleep(0.7)
            if moment in KILL_AFTER:
                watcher.kill()
                watcher.start()
        # A slow machine takes longer until each way to end has been taken often enough to mean something.
        assert watcher.until(lambda: enough(shoppers), 4 * SECONDS), [shopper.done for shopper in shoppers]
        stop.set()
        for thread in threads:
            thread.join(LONG)
        assert not any(thread.is_alive() for thread in threads)

        wanted = expected(shop, orders, carts, numbers)

        def reached() -> bool:
            return {key: value for key, value in watcher.latest.items() if value} == wanted

        watcher.until(reached, 4 * SETTLE + 180)
        assert {key: value for key, value in watcher.latest.items() if value} == wanted
        settled = time.monotonic()
        assert watcher.until(lambda: time.monotonic() - settled > SETTLE, 2 * SETTLE)
        assert reached(), "and nothing is counted later"
        assert watcher.falls == []
        assert watcher.scrapes > 20
