"""Bulk operations against a real database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from exporter.collectors.bulk import (
    BY_STATUS,
    OLDEST_RUNNING,
    OLDEST_WAITING,
    WAITING_OPERATIONS,
    BulkCollector,
)
from exporter.core.collector import Tuning
from sandbox.servers.mariadb import MariaDB
from tests.harness.core import NOON, run, values
from tests.harness.limited import LimitedShop, limited_shop

TABLES = ("magento_bulk", "magento_operation")


@pytest.fixture(params=["", "shop_"], ids=["no prefix", "prefix"])
def shop(request: pytest.FixtureRequest, mariadb: MariaDB) -> Iterator[LimitedShop]:
    with limited_shop(mariadb, "bulk_test", TABLES, prefix=request.param) as shop:
        shop.grant(BulkCollector.queries)
        yield shop


def instant(age: float) -> str:
    return datetime.fromtimestamp(NOON - age, UTC).strftime("%Y-%m-%d %H:%M:%S")


def add_bulk(shop: LimitedShop, uuid: str, age: float) -> None:
    shop.insert("magento_bulk", [{"uuid": uuid, "operation_count": 1, "start_time": instant(age)}])


def add(shop: LimitedShop, uuid: str | None, status: int | None, started: float | None = None) -> None:
    at = instant(started) if started is not None else None
    shop.insert("magento_operation", [{"bulk_uuid": uuid, "status": status, "started_at": at}])


def collected(shop: LimitedShop, tuning: Tuning | None = None) -> dict[tuple[str, ...], float]:
    return values(run(BulkCollector(), database=shop.source(), tuning=tuning))


def test_empty_tables_give_zero(shop: LimitedShop) -> None:
    found = collected(shop)
    assert {key: value for key, value in found.items() if "exact" not in key[0] and value} == {}
    assert len(found) == 11


def test_operations_by_status_and_their_ages(shop: LimitedShop) -> None:
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
    truth = dict(shop.execute("SELECT status, COUNT(*) FROM {magento_operation} GROUP BY status"))
    names = {"open": 4, "failed_retriable": 2, "failed": 3, "rejected": 5}
    for name, status in names.items():
        assert found["magento_bulk_operations", name] == truth[status]
        assert found["magento_bulk_operations_exact", name] == 1
    assert found["magento_bulk_operations_waiting",] == 3
    assert found["magento_bulk_oldest_waiting_age_seconds",] == 9000
    assert found["magento_bulk_oldest_running_age_seconds",] == 300


def test_beyond_the_limit_a_number_is_a_lower_bound(shop: LimitedShop) -> None:
    for _ in range(4):
        add(shop, None, 3)
    found = collected(shop, Tuning(backlog_scan_limit=3))
    assert found["magento_bulk_operations", "failed"] == 3
    assert found["magento_bulk_operations_exact", "failed"] == 0
    assert found["magento_bulk_operations_exact", "open"] == 1


@pytest.mark.parametrize("version", ["2.4.3", "2.3.7"])
def test_before_2_4_4_nothing_is_read(mariadb: MariaDB, version: str) -> None:
    with limited_shop(mariadb, "bulk_old", TABLES, version=version) as shop:
        mariadb.execute(f"GRANT SELECT ON `{shop.name}`.* TO `{shop.user}`@'127.0.0.1'")
        shop.insert("magento_operation", [{"status": 4}])
        assert collected(shop) == {}


def test_a_shop_without_the_module_yields_nothing(mariadb: MariaDB) -> None:
    with limited_shop(mariadb, "bulk_none", ()) as shop:
        mariadb.execute(f"GRANT SELECT ON `{shop.name}`.* TO `{shop.user}`@'127.0.0.1'")
        assert collected(shop) == {}


def test_statements_read_the_status_index(shop: LimitedShop) -> None:
    add_bulk(shop, "bulk", 100)
    shop.execute(
        f"""
        INSERT INTO {{magento_operation}} (bulk_uuid, status, started_at)
        SELECT 'bulk', IF(seq % 50 = 0, 4, 1), IF(seq % 100 = 0, NULL, '{instant(0)}' - INTERVAL seq SECOND)
        FROM seq_1_to_60000
        """
    )
    for query, parameters in (
        (BY_STATUS, {"status": 4, "limit": 1000}),
        (WAITING_OPERATIONS, {"limit": 1000}),
        (OLDEST_WAITING, {}),
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
    assert shop.rows_read(OLDEST_WAITING) < 500
    assert shop.rows_read(OLDEST_RUNNING) < 20
