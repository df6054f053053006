"""Instants as real shops hold them: zero dates of an old Magento, and times in the future.

No collector may fail by one, and no number may come from one. What else is in the table counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta

import pytest

from exporter.collectors import all_collectors
from exporter.collectors.bulk import BulkCollector
from exporter.collectors.carts import CartsCollector
from exporter.collectors.cron import CronCollector
from exporter.collectors.indexers import IndexersCollector
from exporter.collectors.order_states import OrderStatesCollector
from exporter.collectors.queues_database import DatabaseQueuesCollector
from exporter.core.collector import Collector
from exporter.core.memory import VolatileStore
from sandbox.servers.mariadb import MariaDB
from tests.harness.shop import NOW, Found, ShopInMariaDB, shop_in_mariadb

ON_THE_DATABASE = [collector for collector in all_collectors() if collector.source == "database"]
ZERO, AHEAD = "0000-00-00 00:00:00", str((NOW + timedelta(hours=8)).replace(tzinfo=None))
MINUTE, HOUR, YEAR = 60, 3_600, 365 * 86_400

COLUMNS = {
    "cron_schedule": ("created_at", "scheduled_at", "executed_at", "finished_at"),
    "customer_entity": ("created_at", "updated_at"),
    "indexer_state": ("updated",),
    "magento_bulk": ("start_time",),
    "magento_operation": ("started_at",),
    "mview_state": ("updated",),
    "queue_message_status": ("updated_at",),
    "quote": ("created_at", "updated_at"),
    "sales_creditmemo": ("created_at",),
    "sales_invoice": ("created_at",),
    "sales_order": ("created_at", "updated_at"),
    "sales_shipment": ("created_at",),
    "search_query": ("updated_at",),
}
"""Every column with an instant that a collector reads."""


@contextmanager
def old_shop(mariadb: MariaDB, version: str) -> Iterator[ShopInMariaDB]:
    """A shop with a few orders, whose session may write zero dates as those of Magento 2.3.0 could."""
    with shop_in_mariadb(mariadb, version=version) as shop:
        now = NOW.replace(tzinfo=None)
        for minutes in range(3):
            order(shop, now - timedelta(hours=2 + minutes))
        shop.database.execute("SET SESSION sql_mode = ''")
        yield shop


@pytest.fixture(scope="module")
def shop(mariadb: MariaDB) -> Iterator[ShopInMariaDB]:
    with old_shop(mariadb, "2.4.8") as shop:
        yield shop


@dataclass(frozen=True)
class Before:
    """A collector, what it shows while every instant is a real one, and what it remembers of that."""

    collector: Collector
    found: Found
    state: VolatileStore


@dataclass(frozen=True)
class Timeless:
    """A shop whose every instant is one that is none or lies ahead."""

    shop: ShopInMariaDB
    before: Mapping[str, Before]


@pytest.fixture(scope="module", params=["2.3.7", "2.4.8"])
def observed_before(request: pytest.FixtureRequest, mariadb: MariaDB) -> Iterator[Timeless]:
    with old_shop(mariadb, request.param) as shop:
        before = {}
        for kind in ON_THE_DATABASE:
            collector, state = kind(), VolatileStore()
            before[collector.name] = Before(collector, shop.run(collector, state=state), state)
        shop.database.execute(
            "UPDATE {cron_schedule} SET status = 'running' WHERE status = 'success' LIMIT 1"
        )
        yield Timeless(shop, before)


@pytest.fixture(scope="module", params=[ZERO, AHEAD, "1970-01-01 01:00:00"], ids=["zero", "ahead", "1970"])
def timeless(request: pytest.FixtureRequest, observed_before: Timeless) -> Timeless:
    shop = observed_before.shop
    for table, columns in COLUMNS.items():
        there = [column for column in columns if column in shop.columns().get(table, {})]
        if there:
            values = ", ".join(f"{column} = '{request.param}'" for column in there)
            shop.database.execute(f"UPDATE {{{table}}} SET {values}")
    return observed_before


def order(shop: ShopInMariaDB, created: object) -> int:
    """Add an order in processing, with its cart."""
    cart = shop.database.insert(
        "quote", store_id=1, created_at=created, updated_at=created, is_active=1, items_count=1
    )
    return shop.database.insert(
        "sales_order",
        store_id=1,
        state="processing",
        status="processing",
        created_at=created,
        updated_at=created,
        quote_id=cart,
        increment_id=f"9{cart:08d}",
        base_currency_code="USD",
        base_grand_total=10,
    )


@pytest.mark.parametrize("kind", ON_THE_DATABASE, ids=lambda kind: kind.name)
def test_no_collector_fails_and_none_shows_an_age_of_decades(
    timeless: Timeless, kind: type[Collector]
) -> None:
    """In the first run, and in the second one, which finds the rows changed."""
    shop, before = timeless.shop, timeless.before[kind.name]
    again = shop.run(before.collector, NOW.timestamp() + MINUTE, state=deepcopy(before.state))
    for found in (shop.run(kind()), again):
        assert {name for name, *_ in before.found} - {name for name, *_ in found} <= ABSENT_WITHOUT_INSTANT
        for (name, *labels), number in found.items():
            if name.endswith(("_age_seconds", "lag_seconds", "running_seconds")):
                assert 0 <= number < 10 * YEAR, (name, labels)
            if name.endswith("timestamp_seconds"):
                assert YEAR <= number <= NOW.timestamp() + MINUTE, (name, labels)


ABSENT_WITHOUT_INSTANT = {
    "magento_cron_job_last_success_timestamp_seconds",
    "magento_cron_job_running_seconds",
    "magento_cron_last_execution_timestamp_seconds",
    "magento_indexer_updated_timestamp_seconds",
    "magento_indexer_view_updated_timestamp_seconds",
    "magento_last_order_timestamp_seconds",
    "magento_orders_open_oldest_age_seconds",
    "magento_quote_oldest_update_timestamp_seconds",
}
"""Gauges of which nothing is known when no row has an instant."""


def test_a_zero_date_does_not_hide_the_oldest_real_one(shop: ShopInMariaDB) -> None:
    states = OrderStatesCollector()
    oldest = ("magento_orders_open_oldest_age_seconds", "default", "processing")
    number = ("magento_orders_open", "default", "processing")
    before = shop.run(states)
    order(shop, ZERO)
    after = shop.run(states)
    assert after[oldest] == before[oldest]
    assert after[number] == before[number] + 1


def test_the_oldest_cart_is_one_with_a_date(shop: ShopInMariaDB) -> None:
    carts = CartsCollector()
    before = shop.run(carts)
    order(shop, ZERO)
    after = shop.run(carts)
    oldest = "magento_quote_oldest_update_timestamp_seconds"
    assert {key: value for key, value in after.items() if key[0] == oldest} == {
        key: value for key, value in before.items() if key[0] == oldest
    }


def message(shop: ShopInMariaDB, updated: object, *, status: int = 2) -> None:
    queue = shop.database.value("SELECT MIN(id) FROM {queue}")
    number = shop.database.insert("queue_message", topic_name="x", body="y")
    shop.database.insert(
        "queue_message_status", queue_id=queue, message_id=number, updated_at=updated, status=status
    )


def test_a_message_without_a_time_waits_and_has_no_age(shop: ShopInMariaDB) -> None:
    shop.empty("queue_message_status")
    queues = DatabaseQueuesCollector()
    queue = str(shop.database.value("SELECT name FROM {queue} WHERE id = (SELECT MIN(id) FROM {queue})"))
    waiting = ("magento_queue_messages", queue, "mysql", "new")
    age = ("magento_queue_oldest_message_age_seconds", queue, "mysql")
    message(shop, ZERO)
    found = shop.run(queues)
    assert found[waiting] == 1
    assert age not in found
    message(shop, NOW.replace(tzinfo=None) - timedelta(minutes=5))
    found = shop.run(queues)
    assert found[waiting] == 2
    assert found[age] == 5 * MINUTE


def test_a_message_of_the_future_does_not_stop_the_counting(shop: ShopInMariaDB) -> None:
    shop.empty("queue_message_status")
    queue = str(shop.database.value("SELECT name FROM {queue} WHERE id = (SELECT MIN(id) FROM {queue})"))
    completed = ("magento_queue_messages_completed_total", queue, "mysql")
    state, start = VolatileStore(), NOW.timestamp()
    message(shop, AHEAD, status=4)
    shop.run(DatabaseQueuesCollector(), start, state=state)
    shop.run(DatabaseQueuesCollector(), start + 10 * MINUTE, state=state)
    before = shop.run(DatabaseQueuesCollector(), start + 11 * MINUTE, state=state)[completed]
    message(shop, NOW.replace(tzinfo=None) + timedelta(minutes=20), status=4)
    after = shop.run(DatabaseQueuesCollector(), start + 21 * MINUTE, state=state)[completed]
    assert after == before + 1


class TestCron:
    """The rows of a job, one in each test."""

    @pytest.fixture
    def shop(self, mariadb: MariaDB) -> Iterator[ShopInMariaDB]:
        with shop_in_mariadb(mariadb, tables=("cron_schedule",)) as shop:
            shop.database.execute("SET SESSION sql_mode = ''")
            yield shop

    def test_a_job_that_was_planned_for_no_time_does_not_wait(self, shop: ShopInMariaDB) -> None:
        self._add(shop, "zero_scheduled", "pending", scheduled_at=0)
        found = shop.run(CronCollector())
        assert found["magento_cron_lag_seconds",] == 0
        assert found["magento_cron_job_overdue", "zero_scheduled"] == 0
        assert found["magento_cron_jobs", "pending"] == 1

    def test_a_job_that_started_at_no_time_has_no_running_time(self, shop: ShopInMariaDB) -> None:
        self._add(shop, "zero_executed", "running", executed_at=0)
        found = shop.run(CronCollector())
        assert ("magento_cron_job_running_seconds", "zero_executed") not in found
        assert ("magento_cron_last_execution_timestamp_seconds",) not in found
        assert found["magento_cron_jobs", "running"] == 1

    def test_a_start_in_the_future_counts_as_when_it_was_first_seen(self, shop: ShopInMariaDB) -> None:
        """Otherwise a running row would show a start of just now until its time comes."""
        self._add(shop, "ahead", "running", executed_at=AHEAD)
        state, start = VolatileStore(), NOW.timestamp()
        for minutes in (0, 20, 9 * 60):
            found = shop.run(CronCollector(), start + minutes * MINUTE, state=state)
            assert found["magento_cron_last_execution_timestamp_seconds",] == start
            assert found["magento_cron_job_running_seconds", "ahead"] == minutes * MINUTE

    def test_a_future_that_an_earlier_version_remembered_ends_at_once(self, shop: ShopInMariaDB) -> None:
        self._add(shop, "quiet", "success", executed_at=NOW, finished_at=NOW)
        state, start = VolatileStore(), NOW.timestamp()
        shop.run(CronCollector(), start, state=state)
        ahead = start + 8 * HOUR
        state.commit([("cron/overall", "executed", str(ahead))])
        found = shop.run(CronCollector(), start + MINUTE, state=state)
        assert found["magento_cron_last_execution_timestamp_seconds",] == start + MINUTE
        found = shop.run(CronCollector(), start + HOUR, state=state)
        assert found["magento_cron_last_execution_timestamp_seconds",] == start + MINUTE

    def test_a_failure_that_was_planned_far_ahead_counts_as_due_now(self, shop: ShopInMariaDB) -> None:
        """Otherwise no success ends it for years, and no later failure is noted."""
        self._add(shop, "ahead", "pending", scheduled_at="2037-01-01 00:00:00")
        state, start = VolatileStore(), NOW.timestamp()
        shop.run(CronCollector(), start, state=state)
        shop.database.execute("UPDATE {cron_schedule} SET status = 'error'")
        found = shop.run(CronCollector(), start + MINUTE, state=state)
        not_done = "magento_cron_job_not_done_since_timestamp_seconds"
        assert found[not_done, "ahead", "error"] == start + MINUTE

    def _add(self, shop: ShopInMariaDB, job: str, status: str, **instants: object) -> None:
        now = NOW.replace(tzinfo=None)
        shop.database.insert(
            "cron_schedule",
            job_code=job,
            status=status,
            **{"created_at": now, "scheduled_at": now, **instants},
        )


def test_indexers_and_bulks_without_an_instant(shop: ShopInMariaDB) -> None:
    shop.database.execute(f"UPDATE {{indexer_state}} SET updated = '{ZERO}'")
    found = shop.run(IndexersCollector())
    assert not [key for key in found if key[0] == "magento_indexer_updated_timestamp_seconds"]
    assert [key for key in found if key[0] == "magento_indexer_state"]
    assert not [value for key, value in shop.run(BulkCollector()).items() if value > 10**9]
