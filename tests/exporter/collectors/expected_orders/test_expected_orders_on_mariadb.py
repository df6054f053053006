"""Recent and expected orders against the truth, across the change of clocks, in several time zones."""

from collections.abc import Iterable, Iterator
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


def usual_since(observed: ShopInMariaDB, stores: Iterable[str], last: float) -> float:
    """Return the median of the weeks; of a quarter of an hour that lies partly in one, that part."""
    weeks = []
    for week in range(1, 9):
        number = 0.0
        for store in stores:
            zone = ZoneInfo(ZONES[store])
            start, end = (
                (datetime.fromtimestamp(at, zone) - timedelta(weeks=week)).timestamp() for at in (last, NOW)
            )
            for quarter in range(int(start) // BUCKET * BUCKET, int(end), BUCKET):
                part = min(quarter + BUCKET, end) - max(quarter, start)
                number += between(observed, store, quarter, quarter + BUCKET) * part / BUCKET
        weeks.append(number)
    return median(weeks)


def test_orders_expected_since_the_last_equal_the_truth(observed: ShopInMariaDB) -> None:
    collector, state, database = ExpectedOrdersCollector(), VolatileStore(), observed.shop.database
    ends = {"default": 3 * 3_600 + 100, "de": 26 * 3_600 + 7, "us": 20_017}
    with database.transaction():
        for store, seconds in ends.items():
            database.execute(
                "DELETE o FROM {sales_order} o JOIN {store} s ON s.store_id = o.store_id"
                " WHERE s.code = %s AND o.created_at > FROM_UNIXTIME(%s)",
                (store, NOW - seconds),
            )
    last = {
        store: float(
            database.value(
                "SELECT UNIX_TIMESTAMP(MAX(o.created_at)) FROM {sales_order} o"
                " JOIN {store} s ON s.store_id = o.store_id WHERE s.code = %s",
                (store,),
            )
        )
        for store in ZONES
    }
    for _ in range(RUNS):
        found = observed.run(collector, NOW, state=state)
    for store in ZONES:
        expected = usual_since(observed, (store,), last[store])
        assert expected > 1
        assert found["magento_orders_expected_since_last", store] == pytest.approx(expected), store
    together = usual_since(observed, ZONES, max(last.values()))
    assert found["magento_shop_orders_expected_since_last",] == pytest.approx(together)


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
    assert ("magento_shop_orders_expected_since_last",) in found
    assert {key for key in before if "us" not in key} == found.keys()
    assert all(found[key] == before[key] for key in found if key[1:])
    database.update("store", {"code": "us"}, is_active=1)
    assert observed.run(collector, NOW, state=state) == before
