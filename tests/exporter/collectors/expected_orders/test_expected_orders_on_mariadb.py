"""Recent and expected orders against the truth, across the change of clocks, in several time zones."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from statistics import median
from zoneinfo import ZoneInfo

import pytest

from exporter.collectors.expected_orders import ExpectedOrdersCollector
from exporter.core.baseline import BUCKET, WINDOWS
from exporter.core.memory import VolatileStore
from sandbox.servers.mariadb import MariaDB
from sandbox.shop.history import bulk_history
from tests.harness.observed import ObservedShop, observed_shop

ZONES = {"default": "Europe/Amsterdam", "de": "Europe/Amsterdam", "us": "America/New_York"}
END = datetime(2026, 11, 10, 15, 0, tzinfo=UTC)
"""Both clocks changed in the two weeks before: Amsterdam's on 25 October, New York's on 1 November."""
NOW = END.timestamp()
RUNS = 15


@pytest.fixture(scope="module")
def observed(mariadb: MariaDB) -> Iterator[ObservedShop]:
    with observed_shop(mariadb) as shop:
        bulk_history(shop.shop, orders=20_000, days=70, end=END)
        yield shop


def between(observed: ObservedShop, store: str, start: float, end: float) -> int:
    return int(
        observed.shop.database.value(
            "SELECT COUNT(*) FROM {sales_order} JOIN {store} USING (store_id)"
            " WHERE code = %s AND created_at >= FROM_UNIXTIME(%s) AND created_at < FROM_UNIXTIME(%s)",
            (store, start, end),
        )
    )


def test_expected_and_recent_equal_the_truth(observed: ObservedShop) -> None:
    collector, state = ExpectedOrdersCollector(), VolatileStore()
    for _ in range(RUNS):
        found = observed.collect(collector, state, NOW)
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


def test_orders_placed_now_are_recent_at_once(observed: ObservedShop) -> None:
    state, key = VolatileStore(), ("magento_orders_recent", "us", "30m")
    now = time.time()
    before = observed.collect(ExpectedOrdersCollector(), state, now)[key]
    for _ in range(3):
        observed.shop.place_order("us")
    assert observed.collect(ExpectedOrdersCollector(), state, now + 1)[key] == before + 3


def test_a_view_that_was_switched_off_is_absent_until_it_is_back(observed: ObservedShop) -> None:
    collector, state, database = ExpectedOrdersCollector(), VolatileStore(), observed.shop.database
    for _ in range(RUNS):
        before = observed.collect(collector, state, NOW)
    assert before["magento_orders_expected", "us", "1d"] > 0
    database.update("store", {"code": "us"}, is_active=0)
    found = observed.collect(collector, state, NOW)
    assert found == {key: value for key, value in before.items() if key[1] != "us"}
    database.update("store", {"code": "us"}, is_active=1)
    assert observed.collect(collector, state, NOW) == before


def test_split_connections_and_prefix(mariadb: MariaDB) -> None:
    with observed_shop(mariadb, version="2.3.7", prefix="p_", split=True) as observed:
        observed.shop.place_order("de")
        found = observed.collect(ExpectedOrdersCollector(), VolatileStore(), time.time())
        assert found["magento_orders_recent", "de", "30m"] == 1
        assert found["magento_orders_recent", "us", "1d"] == 0
        assert not any(key[0] == "magento_orders_expected" for key in found)
