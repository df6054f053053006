"""Bulk operations against a real database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from exporter.collectors.bulk import (
    BY_STATUS,
    OLDEST_RUNNING,
    OLDEST_WAITING,
    WAITING_OPERATIONS,
    BulkCollector,
)
from exporter.core.collector import Tuning
from exporter.magento import stores
from sandbox.servers.mariadb import MariaDB
from tests.harness.shop import NOW, ShopInMariaDB, shop_in_mariadb

TABLES = ("magento_bulk", "magento_operation")


@pytest.fixture(params=["", "shop_"], ids=["no prefix", "prefix"])
def shop(request: pytest.FixtureRequest, mariadb: MariaDB) -> Iterator[ShopInMariaDB]:
    with shop_in_mariadb(mariadb, tables=TABLES, prefix=request.param) as shop:
        yield shop


def instant(age: float) -> datetime:
    return (NOW - timedelta(seconds=age)).replace(tzinfo=None)


def add_bulk(shop: ShopInMariaDB, uuid: str, age: float) -> None:
    shop.database.insert("magento_bulk", uuid=uuid, operation_count=1, start_time=instant(age))


def add(
    shop: ShopInMariaDB,
    uuid: str | None,
    status: int | None,
    started: float | None = None,
    topic: str | None = "async.V1.products.POST",
) -> None:
    at = instant(started) if started is not None else None
    shop.database.insert("magento_operation", bulk_uuid=uuid, status=status, started_at=at, topic_name=topic)


def collected(shop: ShopInMariaDB, tuning: Tuning | None = None) -> dict[tuple[str, ...], float]:
    return shop.run(BulkCollector(), tuning=tuning)


def test_empty_tables_give_zero(shop: ShopInMariaDB) -> None:
    found = collected(shop)
    assert {key: value for key, value in found.items() if "exact" not in key[0] and value} == {}
    assert len(found) == 13


def test_operations_by_status_and_their_ages(shop: ShopInMariaDB) -> None:
    add_bulk(shop, "old", 9000)
    add_bulk(shop, "new", 60)
    add(shop, None, 4)
    add(shop, "new", 4)
    add(shop, "old", 4)
    add(shop, "old", 4, started=300)
    add(shop, "new", 4, started=20)
    for status in (1, 1, 2, 3, 3, 5, None):
        add(shop, "old", status, started=100)
    found = collected(shop)
    truth = dict(shop.database.rows("SELECT status, COUNT(*) FROM {magento_operation} GROUP BY status"))
    names = {"open": 4, "failed_retriable": 2, "failed": 3, "rejected": 5}
    for name, status in names.items():
        assert found["magento_bulk_operations", name] == truth[status]
        assert found["magento_bulk_operations_exact", name] == 1
    assert found["magento_bulk_operations_waiting", "async.operations.all"] == 3
    assert found["magento_bulk_oldest_waiting_age_seconds", "async.operations.all"] == 9000
    assert found["magento_bulk_oldest_running_age_seconds",] == 300


@pytest.mark.parametrize(
    "topic",
    ["product_action_attribute.update", "catalog_website_attribute_value_sync", "asynchronous.feed", None],
)
def test_an_operation_whose_consumer_notes_no_start_is_not_called_waiting(
    shop: ShopInMariaDB, topic: str | None
) -> None:
    """Only `async.operations.all` sets `started_at`: what others work on has none while it runs."""
    add_bulk(shop, "theirs", 9000)
    add_bulk(shop, "own", 60)
    for _ in range(150):
        add(shop, "theirs", 4, topic=topic)
    add(shop, "own", 4)
    found = collected(shop)
    waiting, waited = "magento_bulk_operations_waiting", "magento_bulk_oldest_waiting_age_seconds"
    assert (found[waiting, "async.operations.all"], found[waited, "async.operations.all"]) == (1, 60)
    assert (found[waiting, "others"], found[waited, "others"]) == (150, 9000)


def test_beyond_the_limit_a_number_is_a_lower_bound(shop: ShopInMariaDB) -> None:
    for _ in range(4):
        add(shop, None, 3)
    found = collected(shop, Tuning(backlog_scan_limit=3))
    assert found["magento_bulk_operations", "failed"] == 3
    assert found["magento_bulk_operations_exact", "failed"] == 0
    assert found["magento_bulk_operations_exact", "open"] == 1


@pytest.mark.parametrize("version", ["2.4.3", "2.3.7"])
def test_before_2_4_4_nothing_is_read(mariadb: MariaDB, version: str) -> None:
    with shop_in_mariadb(mariadb, tables=TABLES, version=version) as shop:
        shop.database.insert("magento_operation", status=4)
        assert collected(shop) == {}


def test_a_shop_without_the_module_yields_nothing(mariadb: MariaDB) -> None:
    with shop_in_mariadb(mariadb, tables=("store",)) as shop:
        shop.read_through(BulkCollector(), shop.open([*BulkCollector.queries, *stores.QUERIES]))
        assert collected(shop) == {}


def test_statements_read_the_status_index(shop: ShopInMariaDB) -> None:
    add_bulk(shop, "bulk", 100)
    shop.database.rows(
        f"""
        INSERT INTO {{magento_operation}} (bulk_uuid, topic_name, status, started_at)
        SELECT 'bulk', 'async.x', IF(seq % 50 = 0, 4, 1),
               IF(seq % 100 = 0, NULL, '{instant(0)}' - INTERVAL seq SECOND)
        FROM seq_1_to_60000
        """
    )
    for query, parameters in (
        (BY_STATUS, {"status": 4, "limit": 1000}),
        (WAITING_OPERATIONS, {"limit": 1000}),
        (OLDEST_WAITING, {"limit": 1000, "notes_start": 1}),
        (OLDEST_RUNNING, {}),
    ):
        plan = [
            row
            for row in shop.explain(query, **parameters)
            if row["table"] == f"{shop.prefix}magento_operation"
        ]
        assert [row["key"] for row in plan] == ["MAGENTO_OPERATION_STATUS_STARTED_AT"]
        assert plan[0]["type"] in {"ref", "range"}
        assert "filesort" not in str(plan[0]["Extra"])
    assert shop.rows_read(BY_STATUS, status=1, limit=100) < 400
    assert shop.rows_read(WAITING_OPERATIONS, limit=100) < 400
    assert shop.rows_read(OLDEST_WAITING, limit=100, notes_start=1) < 800
    assert shop.rows_read(OLDEST_RUNNING) < 20
