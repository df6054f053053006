"""The real exporter, killed three times, while 32 connections place, invoice and cancel orders."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter.magento import stores
from sandbox.servers.magento_exporter import MagentoExporter
from sandbox.servers.mariadb import MariaDB
from tests.harness.limits import LONG
from tests.harness.shop import PASSWORD, ShopInMariaDB, shop_in_mariadb
from tests.system.stress.shoppers import COLLECTORS, TRUTH, Shoppers, truth

CONNECTIONS = 32
SECONDS = 60.0
LONGEST_DELAY = 20.0
ENOUGH = 10
"""Orders of each shopper, at least: on a slow machine it takes longer."""


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


@pytest.mark.slow
def test_every_counter_is_exact_after_three_sigkills(
    observed: ShopInMariaDB, exporter: MagentoExporter
) -> None:
    assert not any(value for name, value in scrape(exporter).items() if name in TRUTH)
    until = time.monotonic() + SECONDS
    # Most transactions are short and some stay open for very long.
    shoppers = Shoppers(observed, delay=lambda random: random.random() ** 6 * LONGEST_DELAY)
    shoppers.start(CONNECTIONS, lambda done: time.monotonic() < until or done < ENOUGH)
    kills = [until - SECONDS * part for part in (0.25, 0.5, 0.75)]
    while shoppers.busy:
        scrape(exporter)
        if kills and time.monotonic() > kills[-1]:
            kills.pop()
            exporter.kill()
            exporter.start()
        time.sleep(0.5)
    assert not shoppers.failures
    assert not kills
    exporter.kill()
    exporter.start()  # a new process runs every collector at once
    wanted = truth(observed)
    deadline = time.monotonic() + LONG
    while (found := counted(exporter)) != wanted and time.monotonic() < deadline:
        time.sleep(1)  # a label set that is new is shown as 0 for a minute
    assert found == wanted
    assert wanted["magento_orders_canceled_total"] > 100
