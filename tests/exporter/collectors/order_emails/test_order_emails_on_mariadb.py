"""Unsent e-mails against the truth, as they age."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from exporter.collectors.order_emails import DOCUMENTS, OrderEmailsCollector
from exporter.collectors.order_grid import OrderGridCollector
from exporter.core.memory import VolatileStore
from exporter.reading import watch
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


def emails(observed: ShopInMariaDB, state: VolatileStore, *, later: float = 0.0) -> Found:
    return observed.run(OrderEmailsCollector(), NOW.timestamp() + later, state=state)


def grid(observed: ShopInMariaDB, state: VolatileStore, *, later: float = 0.0) -> Found:
    return observed.run(OrderGridCollector(), NOW.timestamp() + later, state=state)


def unsent(observed: ShopInMariaDB, document: str, *, later: float = 0.0) -> int:
    """Return the truth: the fact sheet's test, at another moment than now."""
    return int(
        observed.shop.database.value(
            f"SELECT COUNT(*) FROM {{sales_{document}}} WHERE send_email = 1"
            " AND (email_sent IS NULL OR email_sent <= 0)"
            " AND created_at BETWEEN FROM_UNIXTIME(%s) AND FROM_UNIXTIME(%s)",
            (NOW.timestamp() + later - 24 * HOUR, NOW.timestamp() + later - 15 * MINUTE),
        )
    )


def test_unsent_emails_equal_the_truth_at_the_first_run(observed: ShopInMariaDB) -> None:
    shop = observed.shop
    for age in (30 * HOUR, 20 * HOUR, 2 * HOUR, 20 * MINUTE, MINUTE):
        order = shop.orders.place("default", "checkmo", at=ago(age), email=False)
        shop.orders.place("us", "checkmo", at=ago(age), email=True)
        shop.documents.invoice(order, at=ago(age), email=False)
        shop.documents.ship(order, at=ago(age), email=age > HOUR)
        shop.documents.refund(order, at=ago(age), email=False)
    found = emails(observed, VolatileStore())
    for document in DOCUMENTS:
        assert found["magento_order_emails_unsent", document] == unsent(observed, document)
    assert found["magento_order_emails_unsent", "order"] == 3
    oldest = found["magento_order_emails_oldest_unsent_age_seconds", "order"]
    assert oldest == 20 * HOUR


def test_a_new_document_is_watched_until_its_email_is_sent(observed: ShopInMariaDB) -> None:
    shop, state = observed.shop, VolatileStore()
    emails(observed, state)
    order = shop.orders.place("default", "checkmo", email=False)
    key = ("magento_order_emails_unsent", "order")
    assert emails(observed, state)[key] == 0
    assert emails(observed, state, later=10 * MINUTE)[key] == 0
    assert emails(observed, state, later=16 * MINUTE)[key] == 1
    shop.database.update("sales_order", {"entity_id": order}, email_sent=1)
    assert emails(observed, state, later=17 * MINUTE)[key] == 0
    assert emails(observed, state, later=18 * MINUTE)[key] == 0


def test_every_way_of_not_being_sent(observed: ShopInMariaDB) -> None:
    shop, state = observed.shop, VolatileStore()
    column_type = shop.database.value(
        "SELECT COLUMN_TYPE FROM information_schema.COLUMNS"
        " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'sales_order' AND COLUMN_NAME = 'email_sent'"
    )
    ways = (None, 0) if "unsigned" in column_type else (None, 0, -1, -3)  # counted down since 2.4.8
    for email_sent in ways:
        order = shop.orders.place("default", "checkmo", at=ago(HOUR), email=False)
        shop.database.update("sales_order", {"entity_id": order}, email_sent=email_sent)
    assert emails(observed, state)["magento_order_emails_unsent", "order"] == len(ways)


def test_email_never_requested_or_switched_off_is_not_owed(observed: ShopInMariaDB) -> None:
    shop, state = observed.shop, VolatileStore()
    for send_email in (None, 0):
        order = shop.orders.place("default", "checkmo", at=ago(HOUR), email=False)
        shop.database.update("sales_order", {"entity_id": order}, send_email=send_email, email_sent=None)
    assert emails(observed, state)["magento_order_emails_unsent", "order"] == 0


def test_an_order_paid_late_is_still_watched(observed: ShopInMariaDB) -> None:
    shop, state = observed.shop, VolatileStore()
    order = shop.orders.place("default", "mollie_methods_ideal", at=ago(HOUR))
    key = ("magento_order_emails_unsent", "order")
    assert emails(observed, state)[key] == 0
    shop.orders.confirm_payment(order, email=False)
    assert emails(observed, state)[key] == 1


def test_many_orders_that_wait_for_payment_hide_no_unsent_email(
    observed: ShopInMariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "MAX_WATCHED", 3)
    monkeypatch.setattr(watch, "MAX_WAITING", 3)
    shop, state = observed.shop, VolatileStore()
    key = ("magento_order_emails_unsent", "order")
    waiting = [shop.orders.place("default", "mollie_methods_ideal", at=ago(2 * HOUR)) for _ in range(5)]
    assert emails(observed, state)[key] == 0
    for _ in range(2):
        shop.orders.place("default", "checkmo", at=ago(HOUR), email=False)
    emails(observed, state)
    assert emails(observed, state, later=20 * MINUTE)[key] == 2
    shop.orders.confirm_payment(waiting[-1], email=False)
    assert emails(observed, state, later=21 * MINUTE)[key] == 3


def test_a_payment_is_waited_for_a_day(observed: ShopInMariaDB) -> None:
    shop, state = observed.shop, VolatileStore()
    orders = [shop.orders.place("us", "mollie_methods_ideal", at=ago(hours * HOUR)) for hours in (3, 1)]
    key = ("magento_order_emails_unsent", "order")
    for later in (0, 22 * HOUR):
        assert emails(observed, state, later=later)[key] == 0
    for order in orders:
        shop.orders.confirm_payment(order, email=False)
    assert emails(observed, state, later=22.1 * HOUR)[key] == 1, "not the one that is older than a day"


def test_a_week_later_it_is_forgotten(observed: ShopInMariaDB) -> None:
    shop, state = observed.shop, VolatileStore()
    shop.orders.place("default", "checkmo", at=ago(23 * HOUR), email=False)
    for later in (0, 2 * HOUR, 143 * HOUR):
        assert emails(observed, state, later=later)["magento_order_emails_unsent", "order"] == 1
    found = emails(observed, state, later=146 * HOUR)
    assert found["magento_order_emails_unsent", "order"] == 0
    assert found["magento_order_emails_oldest_unsent_age_seconds", "order"] == 0


def test_more_than_can_be_watched_waits_and_is_not_lost(
    observed: ShopInMariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "MAX_WATCHED", 3)
    monkeypatch.setattr(watch, "ROWS_A_RUN", 3)
    shop, state = observed.shop, VolatileStore()
    orders = [shop.orders.place("default", "checkmo", at=ago(HOUR), email=False) for _ in range(7)]
    key = ("magento_order_emails_unsent", "order")
    assert [emails(observed, state)[key] for _ in range(3)] == [3, 3, 3]
    shop.database.execute("UPDATE {sales_order} SET email_sent = 1 WHERE entity_id <= %s", (orders[2],))
    assert [emails(observed, state)[key] for _ in range(3)] == [3, 3, 3]
    shop.database.execute("UPDATE {sales_order} SET email_sent = 1 WHERE entity_id <= %s", (orders[5],))
    assert [emails(observed, state)[key] for _ in range(3)] == [1, 1, 1]


@pytest.mark.parametrize("setting", [None, "0", "1"])
def test_asynchronous_settings_are_told(observed: ShopInMariaDB, setting: str | None) -> None:
    database = observed.shop.database
    for path in ("sales_email/general/async_sending", "dev/grid/async_indexing"):
        database.execute("DELETE FROM {core_config_data} WHERE path = %s", (path,))
        if setting is not None:
            database.insert("core_config_data", scope="default", scope_id=0, path=path, value=setting)
    found = {**emails(observed, VolatileStore()), **grid(observed, VolatileStore())}
    assert found["magento_order_emails_async",] == (setting == "1")
    assert found["magento_order_grid_async",] == (setting == "1")


@pytest.mark.parametrize(("locked", "shown"), [("1", 1), ("0", 0), ("", 0)])
def test_a_locked_setting_wins_over_the_database(observed: ShopInMariaDB, locked: str, shown: int) -> None:
    database = observed.shop.database
    paths = ("sales_email/general/async_sending", "dev/grid/async_indexing")
    for path in paths:
        database.execute("DELETE FROM {core_config_data} WHERE path = %s", (path,))
        database.insert("core_config_data", scope="default", scope_id=0, path=path, value=str(1 - shown))
    settings = {("default", "", path): locked for path in paths}
    found: Found = {}
    for collector in (OrderEmailsCollector(), OrderGridCollector()):
        found |= observed.run(collector, locked=lambda *place: settings.get(place))
    assert found["magento_order_emails_async",] == shown
    assert found["magento_order_grid_async",] == shown
