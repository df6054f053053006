"""Recent and expected orders against the truth, across the change of clocks, in several time zones."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from statistics import median
from zoneinfo import ZoneInfo

import pytest

from exporter.collectors.expected_orders import ExpectedOrdersCollector
from exporter.collectors.expected_orders.baseline import BUCKET, WINDOWS
from exporter.core.memory import VolatileStore
from sandbox.servers.mariadb import MariaDB
from sandbox.shop.builders.history import bulk_history
from tests.harness.shop import ShopInMariaDB, shop_in_mariadb

ZONES = {"default": "Europe/Amsterdam", "de": "Europe/Amsterdam", "us": "America/New_York"}
END = datetime(2026, 11, 10, 15, 0, tzinfo=UTC)
"""Both clocks changed in the two weeks before: Amsterdam's on 25 October, New York's on 1 November."""
NOW = END.timestamp()
RUNS = 15


@pytest.fixture(scope="module")
def observed(mariadb: MariaDB) -> Iterator[ShopInMariaDB]:
    with shop_in_mariadb(mariadb, now=END) as shop:
        bulk_history(shop.shop, orders=20_000, days=70, end=END)
        yield shop


def between(observed: ShopInMariaDB, store: str, start: float, end: float) -> int:
    return int(
        observed.shop.database.value(
            "SELECT COUNT(*) FROM {sales_order} JOIN {store} USING (store_id)"
            " WHERE code = %s AND created_at >= FROM_UNIXTIME(%s) AND created_at < FROM_UNIXTIME(%s)",
            (store, start, end),
        )
    )


def test_expected_and_recent_equal_the_truth(observed: ShopInMariaDB) -> None:
    collector, state = ExpectedOrdersCollector(), VolatileStore()
    for _ in range(RUNS):
        found = observed.run(collector, NOW, state=state)
    assert NOW % BUCKET == 0
    for store, zone in ZONES.items():
        local = END.astimezone(ZoneInfo(zone))
        for window, length in WINDOWS.items():
            ends = [(local - timedelta(weeks=week)).timestamp() for week in range(1, 9)]
            past = [between(observed, store, end - length, end) for end in ends]
            assert found["magento_orders_expected", store, window] == pytest.approx(median(past)), store
            lately = between(observed, store, NOW - length - 60, NOW + 60)
            assert found["magento_orders_recent", store, window] == pytest.approx(lately, abs=1)
    assert found["magento_orders_baseline_seconds", "default"] == pytest.approx(58 * 86_400, rel=0.01)


def test_orders_placed_now_are_recent_at_once(observed: ShopInMariaDB) -> None:
    state, key = VolatileStore(), ("magento_orders_recent", "us", "30m")
    before = observed.run(ExpectedOrdersCollector(), NOW, state=state)[key]
    for _ in range(3):
        observed.shop.orders.place("us")
    assert observed.run(ExpectedOrdersCollector(), NOW + 1, state=state)[key] == before + 3


def test_a_view_that_was_switched_off_is_absent_until_it_is_back(observed: ShopInMariaDB) -> None:
    collector, state, database = ExpectedOrdersCollector(), VolatileStore(), observed.shop.database
    for _ in range(RUNS):
        before = observed.run(collector, NOW, state=state)
    assert before["magento_orders_expected", "us", "1d"] > 0
    database.update("store", {"code": "us"}, is_active=0)
    found = observed.run(collector, NOW, state=state)
    assert found == {key: value for key, value in before.items() if key[1] != "us"}
    database.update("store", {"code": "us"}, is_active=1)
    assert observed.run(collector, NOW, state=state) == before
