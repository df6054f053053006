"""Orders missing in the grid against the truth, as they age."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from exporter.collectors.order_grid import OrderGridCollector
from exporter.core.memory import VolatileStore
from sandbox.servers.mariadb import MariaDB
from tests.harness.shop import NOW, ShopInMariaDB, shop_in_mariadb

Found = dict[tuple[str, ...], float]
MINUTE = 60
HOUR = 3600


@pytest.fixture(scope="module", params=["2.4.9", "2.4.6"])
def shared(mariadb: MariaDB, request: pytest.FixtureRequest) -> Iterator[ShopInMariaDB]:
    with shop_in_mariadb(mariadb, version=request.param) as shop:
        yield shop


@pytest.fixture
def observed(shared: ShopInMariaDB) -> ShopInMariaDB:
    shared.empty("sales_creditmemo", "sales_shipment", "sales_invoice", "sales_order_grid", "sales_order")
    return shared


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def grid(observed: ShopInMariaDB, state: VolatileStore, *, later: float = 0.0) -> Found:
    return observed.run(OrderGridCollector(), NOW.timestamp() + later, state=state)


def test_orders_missing_in_the_grid(observed: ShopInMariaDB) -> None:
    shop, state = observed.shop, VolatileStore()
    for age in (30 * HOUR, 3 * HOUR, HOUR, MINUTE):
        shop.orders.place("default", "checkmo", at=ago(age), grid=False)
        shop.orders.place("default", "checkmo", at=ago(age))
    found = grid(observed, state)
    assert found["magento_order_grid_missing_orders",] == 2
    assert found["magento_order_grid_oldest_missing_age_seconds",] == 3 * HOUR
    found = grid(observed, state, later=6 * MINUTE)
    assert found["magento_order_grid_missing_orders",] == 3
    shop.database.execute(
        "INSERT INTO {sales_order_grid} (entity_id, store_id, increment_id)"
        " SELECT o.entity_id, o.store_id, o.increment_id FROM {sales_order} o"
        " LEFT JOIN {sales_order_grid} g ON g.entity_id = o.entity_id WHERE g.entity_id IS NULL"
    )
    found = grid(observed, state, later=7 * MINUTE)
    assert found["magento_order_grid_missing_orders",] == 0
    assert found["magento_order_grid_oldest_missing_age_seconds",] == 0
