"""Queues in the database: every value against an independent reading of the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from exporter.collectors.queues_database import (
    CHANGED,
    NEWEST_CHANGE,
    OPEN_MESSAGES,
    PUT_IN,
    DatabaseQueuesCollector,
)
from exporter.core.collector import Tuning
from exporter.core.memory import VolatileStore
from exporter.magento import stores
from exporter.magento.queues import OPEN_STATUSES
from exporter.reading import changes
from exporter.reading.changes import PAGE
from sandbox.servers.mariadb import MariaDB
from tests.harness.shop import NOW, ShopInMariaDB, shop_in_mariadb

TABLES = ("queue", "queue_message", "queue_message_status")
QUEUES = {1: "export", 2: "product_alert.queue", 3: "async.operations.all"}


@pytest.fixture(params=["", "shop_"], ids=["no prefix", "prefix"])
def shop(request: pytest.FixtureRequest, mariadb: MariaDB) -> Iterator[ShopInMariaDB]:
    with shop_in_mariadb(mariadb, tables=TABLES, prefix=request.param) as shop:
        shop.database.insert_many("queue", ("id", "name"), list(QUEUES.items()))
        yield shop


def instant(age: float) -> datetime:
    return (NOW - timedelta(seconds=age)).replace(tzinfo=None)


def add(shop: ShopInMariaDB, queue: int, status: int, *ages: float) -> None:
    """Add messages whose status changed so many seconds before the shop's now."""
    last = int(shop.database.rows("SELECT COALESCE(MAX(id), 0) FROM {queue_message_status}")[0][0])
    rows = [
        (last + place, queue, last + place, status, instant(age)) for place, age in enumerate(ages, start=1)
    ]
    columns = ("id", "queue_id", "message_id", "status", "updated_at")
    shop.database.insert_many("queue_message_status", columns, rows)


def change(shop: ShopInMariaDB, where: str, status: int, age: float) -> None:
    shop.database.rows(
        f"UPDATE {{queue_message_status}} SET status = {status}, updated_at = '{instant(age)}' WHERE {where}"
    )


def by_queue(found: dict[tuple[str, ...], float], name: str) -> dict[str, float]:
    return {key[1]: value for key, value in found.items() if key[0] == name}


PUBLISHED, COMPLETED, FAILED = (
    f"magento_queue_messages_{what}_total" for what in ("published", "completed", "failed")
)


class Follower:
    """A collector with its memory, run again and again."""

    def __init__(self, shop: ShopInMariaDB) -> None:
        self.shop, self.store = shop, VolatileStore()

    def __call__(self, tuning: Tuning | None = None) -> dict[tuple[str, ...], float]:
        return self.shop.run(DatabaseQueuesCollector(), state=self.store, tuning=tuning)


def test_empty_tables_give_zero_for_every_queue(shop: ShopInMariaDB) -> None:
    found = Follower(shop)()
    assert set(by_queue(found, PUBLISHED)) == set(QUEUES.values())
    assert {value for key, value in found.items() if key[0] == "magento_queue_messages"} == {0.0}
    assert by_queue(found, "magento_queue_oldest_message_age_seconds") == dict.fromkeys(QUEUES.values(), 0.0)


def test_a_shop_without_the_database_transport_yields_nothing(mariadb: MariaDB) -> None:
    with shop_in_mariadb(mariadb, tables=("store",)) as shop:
        collector = DatabaseQueuesCollector()
        shop.read_through(collector, shop.open([*collector.queries, *stores.QUERIES]))
        assert shop.run(collector) == {}


def test_messages_by_queue_and_state_with_their_ages(shop: ShopInMariaDB) -> None:
    add(shop, 1, 2, 30, 700, 5)
    add(shop, 1, 5, 900)
    add(shop, 2, 3, 40, 4000)
    add(shop, 2, 4, 100_000, 200_000)
    add(shop, 3, 6, 50)
    add(shop, 3, 7, 60)
    shop.database.insert("queue", id=9, name=None)
    found = Follower(shop)()
    truth = Counter(
        (QUEUES[int(queue)], "mysql", OPEN_STATUSES[int(status)])
        for queue, status in shop.database.rows("SELECT queue_id, status FROM {queue_message_status}")
        if int(status) in OPEN_STATUSES
    )
    counted = {key[1:]: value for key, value in found.items() if key[0] == "magento_queue_messages"}
    assert {key: value for key, value in counted.items() if value} == truth
    assert len(counted) == len(QUEUES) * len(OPEN_STATUSES)
    assert by_queue(found, "magento_queue_oldest_message_age_seconds") == {
        "export": 900,
        "product_alert.queue": 0,
        "async.operations.all": 0,
    }
    assert by_queue(found, "magento_queue_oldest_in_progress_age_seconds")["product_alert.queue"] == 4000
    assert {
        key[2]: value for key, value in found.items() if key[0] == "magento_queue_messages_exact"
    } == dict.fromkeys(OPEN_STATUSES.values(), 1.0)


def test_beyond_the_limit_numbers_are_lower_bounds_and_ages_stay_true(shop: ShopInMariaDB) -> None:
    add(shop, 1, 2, *range(100, 120))
    add(shop, 2, 2, 5)
    found = Follower(shop)(Tuning(backlog_scan_limit=10))
    assert found["magento_queue_messages_exact", "mysql", "new"] == 0
    assert found["magento_queue_messages_exact", "mysql", "error"] == 1
    assert found["magento_queue_messages", "export", "mysql", "new"] == 10
    assert ("magento_queue_messages", "product_alert.queue", "mysql", "new") not in found
    assert by_queue(found, "magento_queue_oldest_message_age_seconds") == {"export": 119}


def test_counters_follow_messages_through_their_life(shop: ShopInMariaDB) -> None:
    add(shop, 1, 2, 5000)
    add(shop, 1, 4, 5000)
    add(shop, 1, 6, 5000)
    follow = Follower(shop)
    assert set(by_queue(follow(), FAILED).values()) == {0}
    add(shop, 1, 2, 60, 60, 60)
    add(shop, 2, 2, 50)
    found = follow()
    assert by_queue(found, PUBLISHED) == {"export": 3, "product_alert.queue": 1, "async.operations.all": 0}
    assert by_queue(found, COMPLETED)["export"] == 0
    change(shop, "queue_id = 1 AND status = 2 AND id > 3", 4, age=20)
    change(shop, "queue_id = 2 AND status = 2", 6, age=19)
    found = follow()
    assert by_queue(found, COMPLETED) == {"export": 3, "product_alert.queue": 0, "async.operations.all": 0}
    assert by_queue(found, FAILED) == {"export": 0, "product_alert.queue": 1, "async.operations.all": 0}
    assert follow() == found, "nothing is counted twice"
    change(shop, "queue_id = 2", 5, age=10)
    follow()
    change(shop, "queue_id = 2", 6, age=4)
    assert by_queue(follow(), FAILED)["product_alert.queue"] == 2, "failed again after a retry"


def test_a_change_that_becomes_visible_late_is_counted(shop: ShopInMariaDB) -> None:
    add(shop, 1, 6, 5000)
    follow = Follower(shop)
    follow()
    add(shop, 1, 6, 10)
    assert by_queue(follow(), FAILED)["export"] == 1
    add(shop, 2, 6, 100)
    found = follow()
    assert by_queue(found, FAILED) == {"export": 1, "product_alert.queue": 1, "async.operations.all": 0}
    assert follow() == found


def test_a_mass_change_within_one_second_is_counted_once_and_in_pages(
    shop: ShopInMariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "PAGES_A_RUN", 1)
    follow = Follower(shop)
    follow()
    number = 2 * PAGE + 7
    shop.database.rows(
        f"""
        INSERT INTO {{queue_message_status}} (queue_id, message_id, status, updated_at)
        SELECT 1, seq, 6, '{instant(100)}' FROM seq_1_to_{number}
        """
    )
    seen = [by_queue(follow(), FAILED)["export"] for _ in range(4)]
    assert seen == [PAGE, 2 * PAGE, number, number]
    add(shop, 2, 6, 90)
    found = follow()
    assert by_queue(found, FAILED) == {"export": number, "product_alert.queue": 1, "async.operations.all": 0}
    remembered = follow.store.read("queues_database/changed", ["6"])["6"]
    assert len(remembered) < 1000, "what lies behind the place to read on is forgotten"


def test_a_queue_that_is_gone_takes_its_series_with_it(shop: ShopInMariaDB) -> None:
    follow = Follower(shop)
    follow()
    shop.database.rows("DELETE FROM {queue} WHERE id = 3")
    assert set(by_queue(follow(), PUBLISHED)) == {"export", "product_alert.queue"}


def test_statements_read_by_index(shop: ShopInMariaDB) -> None:
    shop.database.rows(
        f"""
        INSERT INTO {{queue_message_status}} (queue_id, message_id, status, updated_at)
        SELECT 1 + seq % 3, seq, IF(seq % 20 = 0, 2 + seq % 5, 4),
               '{instant(0)}' - INTERVAL 60000 - seq SECOND
        FROM seq_1_to_60000
        """
    )
    newest = int(shop.database.rows("SELECT MAX(id) FROM {queue_message_status}")[0][0])
    open_rows = [
        row for row in shop.explain(OPEN_MESSAGES, status=2, limit=100) if row["table"] != "<derived2>"
    ]
    assert [(row["type"], row["key"]) for row in open_rows] == [
        ("ref", "QUEUE_MESSAGE_STATUS_STATUS_UPDATED_AT")
    ]
    assert "filesort" not in str(open_rows[0]["Extra"])
    for query, parameters, key in (
        (PUT_IN.above, {"after": newest - 500, "limit": 2000}, "PRIMARY"),
        (
            CHANGED.query,
            {"status": 4, "since": int(NOW.timestamp()) - 500, "after": 3, "limit": PAGE},
            "QUEUE_MESSAGE_STATUS_STATUS_UPDATED_AT",
        ),
    ):
        [plan] = shop.explain(query, **parameters)
        assert (plan["type"], plan["key"]) == ("range", key)
        assert int(plan["rows"]) < 3000
        assert "filesort" not in str(plan["Extra"])
    assert shop.rows_read(OPEN_MESSAGES, status=4, limit=100) < 400
    assert shop.rows_read(CHANGED.query, status=4, since=1, after=0, limit=100) < 400
    assert (
        shop.rows_read(CHANGED.query, status=4, since=int(NOW.timestamp()) - 100, after=0, limit=PAGE) < 400
    )
    for query, parameters in ((PUT_IN.newest, {}), (NEWEST_CHANGE, {"status": 4})):
        assert [row["Extra"] for row in shop.explain(query, **parameters)] == ["Select tables optimized away"]
