"""Real replication: the exporter reads a replica that stood still, then one that has caught up.

A stale replica was taken for a restored database: orders and revenue counted a second time when it went on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.process import LOOPBACK, wait_until
from sandbox.servers.magento_exporter import MagentoExporter
from sandbox.servers.mariadb import MariaDB
from sandbox.shop import Shop, install
from tests.harness.firewall import Firewall
from tests.harness.limits import LONG
from tests.harness.scraping import Page, scrape

SETTLE_SECONDS = 3
STALE_SECONDS = 4 * SETTLE_SECONDS
PASSWORD = "replica-1"

PLACED = "magento_orders_placed_total"
REVENUE = "magento_orders_revenue_base_total"


@dataclass(frozen=True)
class Pair:
    """A shop's database, its replica, and the address under which the exporter knows both."""

    primary: MariaDB
    replica: MariaDB
    shop: Shop
    address: Firewall

    def replicated(self) -> bool:
        """Tell whether the replica has the newest order and has not failed."""
        rows = self.replica.execute("SHOW SLAVE STATUS")
        assert rows
        count = "SELECT COUNT(*), MAX(entity_id) FROM magento.sales_order"
        return self.primary.execute(count) == self.replica.execute(count)

    def wait_until_replicated(self) -> None:
        wait_until(self.replicated, seconds=LONG, what="the replica does not catch up")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    home = tmp_path_factory.mktemp("replica")
    with ExitStack() as undo:
        primary = undo.enter_context(
            MariaDB(home / "p", arguments=["--server-id=1", "--log-bin=binlog", "--binlog-format=ROW"])
        )
        replica = undo.enter_context(MariaDB(home / "r", arguments=["--server-id=2"]))
        for user, right in (("copier", "REPLICATION SLAVE"), ("observer", "SELECT")):
            primary.execute(f"GRANT {right} ON *.* TO {user}@'{LOOPBACK}' IDENTIFIED BY '{PASSWORD}'")
        replica.execute(
            f"CHANGE MASTER TO MASTER_HOST = '{LOOPBACK}', MASTER_PORT = {primary.port},"
            f" MASTER_USER = 'copier', MASTER_PASSWORD = '{PASSWORD}', MASTER_USE_GTID = slave_pos"
        )
        replica.execute("START SLAVE")
        primary.execute("CREATE DATABASE magento")
        connection = undo.enter_context(primary.connect("magento"))
        shop = install(connection)
        address = Firewall(primary.port)
        undo.callback(address.close)
        made = Pair(primary, replica, shop, address)
        made.wait_until_replicated()
        yield made


def total(page: Page, name: str) -> float:
    return sum(value for (metric, _), value in page.items() if metric == name)


def truth(pair: Pair) -> tuple[int, float]:
    ((orders, revenue),) = pair.primary.execute(
        "SELECT COUNT(*), COALESCE(SUM(base_grand_total), 0) FROM magento.sales_order"
    )
    return int(orders), float(revenue)


@pytest.mark.slow
def test_orders_and_revenue_equal_the_truth_after_a_stale_replica_was_read(
    pair: Pair, tmp_path: Path
) -> None:
    settings = {
        "database": {
            "host": LOOPBACK, "port": pair.address.port, "user": "observer", "password": PASSWORD,
            "name": "magento",
        },
        "state_file": str(tmp_path / "state"),
        "limits": {"minimum_refresh_seconds": 0},
        "tuning": {"settle_seconds": SETTLE_SECONDS},
    }  # fmt: skip
    _place(pair.shop, 1)  # an order of before: its store and method have their series from the start
    pair.wait_until_replicated()
    with MagentoExporter(tmp_path / "exporter", settings=settings) as exporter:

        def until(condition: Callable[[Page], bool]) -> Page:
            deadline = time.monotonic() + LONG
            while not condition(page := scrape(exporter.url)):
                assert time.monotonic() < deadline
                time.sleep(0.5)
            return page

        def works(page: Page) -> bool:
            return page.get(("magento_collector_success", (("collector", "orders"),))) == 1

        until(works)
        before = truth(pair)
        _place(pair.shop, 10)
        until(lambda page: works(page) and total(page, PLACED) == 10)
        pair.wait_until_replicated()

        pair.replica.execute("STOP SLAVE")
        _place(pair.shop, 20)
        until(lambda page: total(page, PLACED) == 30)

        pair.address.lead_to(pair.replica.port)
        ends = time.monotonic() + STALE_SECONDS
        while time.monotonic() < ends:  # the settle time is over, and still it shows less than was known
            assert total(scrape(exporter.url), PLACED) == 30
            time.sleep(0.5)

        pair.replica.execute("START SLAVE")
        _place(pair.shop, 5)
        pair.wait_until_replicated()
        orders, revenue = truth(pair)
        page = until(lambda page: total(page, PLACED) >= 35)
        for _ in range(2 * SETTLE_SECONDS):
            time.sleep(1)
            page = scrape(exporter.url)
        assert total(page, PLACED) == orders - before[0] == 35
        assert total(page, REVENUE) == pytest.approx(revenue - before[1])


def _place(shop: Shop, orders: int) -> None:
    for _ in range(orders):
        shop.orders.place("us", "checkmo")
