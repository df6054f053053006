"""Open orders by state against the truth, with and without the index that came with 2.4.7."""

from collections.abc import Iterator

import pytest

from exporter.collectors import order_states
from exporter.collectors.order_states import OrderStatesCollector
from exporter.magento.orders import OPEN_STATES
from sandbox.servers.mariadb import MariaDB
from tests.harness.shop import NOW, ShopInMariaDB, add_stores, shop_in_mariadb

Found = dict[tuple[str, ...], float]
_STATED = ("magento_orders_open", "magento_orders_open_oldest_age_seconds")


@pytest.fixture(scope="module", params=["2.4.9", "2.4.6"])
def observed(mariadb: MariaDB, request: pytest.FixtureRequest) -> Iterator[ShopInMariaDB]:
    with shop_in_mariadb(mariadb, version=request.param, prefix="m_") as shop:
        yield shop


@pytest.fixture(autouse=True)
def _no_orders(request: pytest.FixtureRequest) -> None:
    if "observed" in request.fixturenames:
        request.getfixturevalue("observed").empty("sales_order")


def collect(observed: ShopInMariaDB, now: float) -> Found:
    return observed.run(OrderStatesCollector(), now)


def fill(observed: ShopInMariaDB, groups: list[tuple[int | None, str, int]]) -> None:
    """Insert orders by (store id, state, number), one every ten minutes back from now."""
    for store_id, state, number in groups:
        observed.shop.database.execute(
            "INSERT INTO {sales_order} (store_id, state, increment_id, created_at)"
            " SELECT %s, %s, CONCAT(%s, seq), UTC_TIMESTAMP() - INTERVAL 10 * seq MINUTE FROM seq_1_to_%s",
            (store_id, state, f"{store_id}-{state}-", number),
        )


def assert_true(observed: ShopInMariaDB, found: Found, now: float) -> None:
    truth: Found = {}
    for store, state, number, oldest in observed.shop.database.rows(
        "SELECT COALESCE(s.code, '(deleted)'), o.state, COUNT(*), UNIX_TIMESTAMP(MIN(o.created_at))"
        " FROM {sales_order} o LEFT JOIN {store} s ON s.store_id = o.store_id"
        " WHERE o.state NOT IN ('complete', 'closed', 'canceled') GROUP BY 1, 2"
    ):
        truth["magento_orders_open", store, state] = number
        truth["magento_orders_open_oldest_age_seconds", store, state] = now - oldest
    open_orders = {key: value for key, value in found.items() if key[0] in _STATED and value}
    assert open_orders == truth


def test_counts_and_ages_equal_the_truth(observed: ShopInMariaDB) -> None:
    fill(
        observed,
        [
            (1, "processing", 250),
            (2, "processing", 3),
            (1, "pending_payment", 100),
            (3, "payment_review", 1),
            (3, "holded", 101),
            (None, "new", 2),
            (1, "complete", 50),
            (2, "closed", 20),
        ],
    )
    now = NOW.timestamp()
    found = collect(observed, now)
    assert_true(observed, found, now)
    assert found["magento_orders_open", "de", "holded"] == 0
    assert ("magento_orders_open_oldest_age_seconds", "de", "holded") not in found
    assert not any(found["magento_orders_open_truncated", state] for state in OPEN_STATES)


def test_an_empty_shop_has_zeros_for_every_store_and_no_ages(observed: ShopInMariaDB) -> None:
    found = collect(observed, NOW.timestamp())
    assert {key[1:] for key in found if key[0] == "magento_orders_open"} == {
        (store, state) for store in ("default", "de", "us") for state in OPEN_STATES
    }
    assert not any(found.values())


def test_too_many_orders_are_a_lower_bound_and_say_so(
    observed: ShopInMariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_states, "ROWS_A_RUN", 300)
    fill(observed, [(1, "processing", 500), (1, "new", 5)])
    now = NOW.timestamp()
    found = collect(observed, now)
    assert found["magento_orders_open", "default", "processing"] == 300
    assert found["magento_orders_open", "default", "new"] == 5
    assert found["magento_orders_open_truncated", "processing"] == 1
    assert found["magento_orders_open_truncated", "new"] == 0


def test_many_stores_and_states_share_a_budget(mariadb: MariaDB, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_states, "FIRST_ROWS", 40)
    monkeypatch.setattr(order_states, "ROWS_A_RUN", 100)
    monkeypatch.setattr(order_states, "SUBJECTS_A_STATEMENT", 4)
    with shop_in_mariadb(mariadb) as observed:
        fill(observed, [(1, "new", 8), (1, "processing", 30), (2, "processing", 30), (3, "holded", 3)])
        fill(observed, [(3, "processing", 30), (3, "new", 1)])
        returned = []
        source = observed.reader(OrderStatesCollector())
        of_newest = (order_states.LATEST, order_states.NEWEST_BEFORE, order_states.BEFORE.query)
        others = {query.name for query in of_newest}
        source._observer = lambda query, rows, _seconds: returned.append(rows * (query.name not in others))
        found = collect(observed, NOW.timestamp())
        assert {
            key[1:]: value for key, value in found.items() if key[0] == "magento_orders_open" and value
        } == {
            ("default", "new"): 8,
            ("default", "processing"): 30,
            ("de", "processing"): 30,
            ("us", "holded"): 3,
            ("us", "new"): 1,
            ("us", "processing"): 30,
        }
        assert not found["magento_orders_open_truncated", "processing"]
        monkeypatch.setattr(order_states, "ROWS_A_RUN", 40)
        returned.clear()
        found = collect(observed, NOW.timestamp())
        assert sum(returned) <= 6 + 40 + 6 + 40
        assert found["magento_orders_open_truncated", "processing"] == 1
        assert found["magento_orders_open", "us", "processing"] < 30


def test_large_groups_are_counted_again_after_some_minutes(mariadb: MariaDB) -> None:
    with shop_in_mariadb(mariadb) as observed:
        fill(observed, [(1, "processing", 250)])
        collector, now = OrderStatesCollector(), NOW.timestamp()
        read = []
        observed.reader(collector)._observer = lambda query, rows, _seconds: read.append(
            rows * (query is order_states.COUNTED.query)
        )
        assert_true(observed, observed.run(collector, now), now)
        fill(observed, [(1, "holded", 99), (2, "processing", 30)])
        assert sum(read) == 100 + 250
        found = observed.run(collector, now + 240)
        assert sum(read) == 100 + 250 + 100 + 99 + 30
        assert_true(observed, found, now + 240)
        fill(observed, [(2, "new", 250)])
        assert_true(observed, observed.run(collector, now + 480), now + 480)
        observed.shop.database.execute("DELETE FROM {sales_order} WHERE state = 'processing' LIMIT 20")
        found = observed.run(collector, now + 480 + order_states.COUNT_ALL_SECONDS)
        assert_true(observed, found, now + 480 + order_states.COUNT_ALL_SECONDS)


def test_the_oldest_is_exact_by_index_even_when_the_count_is_not(
    mariadb: MariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_states, "ROWS_A_RUN", 300)
    with shop_in_mariadb(mariadb) as observed:
        fill(observed, [(1, "processing", 500)])
        now = NOW.timestamp()
        age = collect(observed, now)["magento_orders_open_oldest_age_seconds", "default", "processing"]
        assert age == 500 * 600


@pytest.mark.slow
def test_five_hundred_stores_take_a_few_statements(mariadb: MariaDB) -> None:
    with shop_in_mariadb(mariadb) as observed:
        add_stores(observed, 497, numbered=())
        fill(observed, [(number, "processing", 3) for number in range(1, 501)])
        statements: list[str] = []
        source = observed.reader(OrderStatesCollector())
        source._observer = lambda query, _rows, _seconds: statements.append(query.name)
        now = NOW.timestamp()
        found = collect(observed, now)
        assert len(statements) <= 16
        assert found["magento_orders_open", "s77", "processing"] == 3
        assert len(found) == 500 * 5 + 500 + 5 + 3 * 500 + 2 * 500


def newest(found: Found, store: str) -> tuple[float, float]:
    """Return how many new orders of the store there are, and how many of them wait for their payment."""
    return found["magento_orders_newest", store], found["magento_orders_newest_unpaid", store]


def test_unpaid_orders_are_counted_among_those_of_two_hours(observed: ShopInMariaDB) -> None:
    """Orders that came ten minutes ago may be paid yet; those of 130 minutes ago are no news."""
    fill(observed, [(1, "pending_payment", 13), (1, "processing", 13), (2, "processing", 3)])
    found = collect(observed, NOW.timestamp() + 5)
    assert newest(found, "default") == (22, 11)
    assert newest(found, "de") == (3, 0)


@pytest.mark.parametrize("rush", [0, 9], ids=["", "behind a rush of younger ones"])
def test_of_many_new_orders_the_newest_say_how_many_are_unpaid(
    observed: ShopInMariaDB, monkeypatch: pytest.MonkeyPatch, rush: int
) -> None:
    monkeypatch.setattr(order_states, "LATEST_ORDERS", 6)
    fill(observed, [(1, "pending_payment", 5), (1, "processing", 3)])
    for number in range(rush):
        observed.shop.database.insert("sales_order", store_id=1, state="new", increment_id=f"rush-{number}")
    assert newest(collect(observed, NOW.timestamp() + 5), "default") == (6, 3)


def test_late_are_the_orders_that_crossed_the_limit_lately(observed: ShopInMariaDB) -> None:
    """Neither an order that was left for years, nor one whose time has not come."""
    hours = {
        (1, "pending_payment"): (23.9, 24.1, 47.9, 48.1, 20_000),
        (1, "holded"): (47.9, 48.1),
        (2, "payment_review"): (48.1, 95.9, 96.1),
        (None, "holded"): (50,),
        (1, "processing"): (25, 50),
    }
    aged = sorted(((age, *group) for group, ages in hours.items() for age in ages), key=lambda one: -one[0])
    for age, store_id, state in aged:
        observed.shop.database.execute(
            "INSERT INTO {sales_order} (store_id, state, increment_id, created_at)"
            " VALUES (%s, %s, %s, UTC_TIMESTAMP() - INTERVAL %s SECOND)",
            (store_id, state, f"{store_id}-{state}-{age}", age * 3_600),
        )
    found = collect(observed, NOW.timestamp())
    late = {key[1:]: number for key, number in found.items() if key[0] == "magento_orders_late" and number}
    assert late == {
        ("default", "pending_payment"): 2,
        ("default", "holded"): 1,
        ("de", "payment_review"): 2,
        ("(deleted)", "holded"): 1,
    }
