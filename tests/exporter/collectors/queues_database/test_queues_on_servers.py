"""Queues in the database and in RabbitMQ: every value against an independent reading of the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pika
import pytest

from exporter.collectors.queues_database import (
    CHANGED,
    NEWEST_CHANGE,
    OPEN_MESSAGES,
    PUT_IN,
    DatabaseQueuesCollector,
)
from exporter.collectors.queues_rabbitmq import RabbitMQQueuesCollector
from exporter.core.collector import Tuning
from exporter.core.memory import VolatileStore
from exporter.core.metrics import Metric
from exporter.core.render import Format, join, render
from exporter.errors import AccessDenied, SourceUnavailable, UnexpectedAnswer
from exporter.magento.queues import OPEN_STATUSES
from exporter.reading import changes
from exporter.reading.changes import PAGE
from exporter.sources.rabbitmq import RabbitMQ, RabbitMQTarget
from sandbox.process import wait_until
from sandbox.servers.mariadb import MariaDB
from sandbox.servers.rabbitmq import RabbitMQ as Broker
from tests.harness.core import NOON, run, values
from tests.harness.limited import LimitedShop, limited_shop

TABLES = ("queue", "queue_message", "queue_message_status")
QUEUES = {1: "export", 2: "product_alert.queue", 3: "async.operations.all"}


@pytest.fixture(params=["", "shop_"], ids=["no prefix", "prefix"])
def shop(request: pytest.FixtureRequest, mariadb: MariaDB) -> Iterator[LimitedShop]:
    with limited_shop(mariadb, "queues_test", TABLES, prefix=request.param) as shop:
        shop.insert("queue", [{"id": number, "name": name} for number, name in QUEUES.items()])
        shop.grant(DatabaseQueuesCollector.queries)
        yield shop


def instant(age: float) -> str:
    return datetime.fromtimestamp(NOON - age, UTC).strftime("%Y-%m-%d %H:%M:%S")


def add(shop: LimitedShop, queue: int, status: int, *ages: float) -> None:
    """Add messages whose status changed so many seconds before NOON."""
    last = int(shop.execute("SELECT COALESCE(MAX(id), 0) FROM {queue_message_status}")[0][0])
    shop.insert(
        "queue_message_status",
        [
            {
                "id": last + place,
                "queue_id": queue,
                "message_id": last + place,
                "status": status,
                "updated_at": instant(age),
            }
            for place, age in enumerate(ages, start=1)
        ],
    )


def change(shop: LimitedShop, where: str, status: int, age: float) -> None:
    shop.execute(
        f"UPDATE {{queue_message_status}} SET status = {status}, updated_at = '{instant(age)}' WHERE {where}"
    )


def by_queue(found: dict[tuple[str, ...], float], name: str) -> dict[str, float]:
    return {key[1]: value for key, value in found.items() if key[0] == name}


PUBLISHED, COMPLETED, FAILED = (
    f"magento_queue_messages_{what}_total" for what in ("published", "completed", "failed")
)


class Follower:
    """A collector with its memory, run again and again."""

    def __init__(self, shop: LimitedShop) -> None:
        self.collector, self.store, self.source = DatabaseQueuesCollector(), VolatileStore(), shop.source()

    def __call__(self, tuning: Tuning | None = None) -> dict[tuple[str, ...], float]:
        return values(run(self.collector, self.store, database=self.source, tuning=tuning))


def test_empty_tables_give_zero_for_every_queue(shop: LimitedShop) -> None:
    found = Follower(shop)()
    assert set(by_queue(found, PUBLISHED)) == set(QUEUES.values())
    assert {value for key, value in found.items() if key[0] == "magento_queue_messages"} == {0.0}
    assert by_queue(found, "magento_queue_oldest_message_age_seconds") == dict.fromkeys(QUEUES.values(), 0.0)


def test_a_shop_without_the_database_transport_yields_nothing(mariadb: MariaDB) -> None:
    with limited_shop(mariadb, "queues_none", ()) as shop:
        shop.execute("CREATE TABLE other (id int)")
        mariadb.execute(f"GRANT SELECT ON `{shop.name}`.* TO `{shop.user}`@'127.0.0.1'")
        assert run(DatabaseQueuesCollector(), database=shop.source()) == []


def test_messages_by_queue_and_state_with_their_ages(shop: LimitedShop) -> None:
    add(shop, 1, 2, 30, 700, 5)
    add(shop, 1, 5, 900)
    add(shop, 2, 3, 40, 4000)
    add(shop, 2, 4, 100_000, 200_000)
    add(shop, 3, 6, 50)
    add(shop, 3, 7, 60)
    shop.insert("queue", [{"id": 9, "name": None}])
    found = Follower(shop)()
    truth = Counter(
        (QUEUES[int(queue)], "mysql", OPEN_STATUSES[int(status)])
        for queue, status in shop.execute("SELECT queue_id, status FROM {queue_message_status}")
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


def test_beyond_the_limit_numbers_are_lower_bounds_and_ages_stay_true(shop: LimitedShop) -> None:
    add(shop, 1, 2, *range(100, 120))
    add(shop, 2, 2, 5)
    found = Follower(shop)(Tuning(backlog_scan_limit=10))
    assert found["magento_queue_messages_exact", "mysql", "new"] == 0
    assert found["magento_queue_messages_exact", "mysql", "error"] == 1
    assert found["magento_queue_messages", "export", "mysql", "new"] == 10
    assert ("magento_queue_messages", "product_alert.queue", "mysql", "new") not in found
    assert by_queue(found, "magento_queue_oldest_message_age_seconds") == {"export": 119}


def test_counters_follow_messages_through_their_life(shop: LimitedShop) -> None:
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


def test_a_change_that_becomes_visible_late_is_counted(shop: LimitedShop) -> None:
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
    shop: LimitedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "PAGES_A_RUN", 1)
    follow = Follower(shop)
    follow()
    number = 2 * PAGE + 7
    shop.execute(
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


def test_a_queue_that_is_gone_takes_its_series_with_it(shop: LimitedShop) -> None:
    follow = Follower(shop)
    follow()
    shop.execute("DELETE FROM {queue} WHERE id = 3")
    assert set(by_queue(follow(), PUBLISHED)) == {"export", "product_alert.queue"}


def test_statements_read_by_index(shop: LimitedShop) -> None:
    shop.execute(
        f"""
        INSERT INTO {{queue_message_status}} (queue_id, message_id, status, updated_at)
        SELECT 1 + seq % 3, seq, IF(seq % 20 = 0, 2 + seq % 5, 4),
               '{instant(0)}' - INTERVAL 60000 - seq SECOND
        FROM seq_1_to_60000
        """
    )
    newest = int(shop.execute("SELECT MAX(id) FROM {queue_message_status}")[0][0])
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
            {"status": 4, "since": int(NOON) - 500, "after": 3, "limit": PAGE},
            "QUEUE_MESSAGE_STATUS_STATUS_UPDATED_AT",
        ),
    ):
        [plan] = shop.explain(query, **parameters)
        assert (plan["type"], plan["key"]) == ("range", key)
        assert int(plan["rows"]) < 3000
        assert "filesort" not in str(plan["Extra"])
    assert shop.rows_read(OPEN_MESSAGES, status=4, limit=100) < 400
    assert shop.rows_read(CHANGED.query, status=4, since=1, after=0, limit=100) < 400
    assert shop.rows_read(CHANGED.query, status=4, since=int(NOON) - 100, after=0, limit=PAGE) < 400
    for query, parameters in ((PUT_IN.newest, {}), (NEWEST_CHANGE, {"status": 4})):
        assert [row["Extra"] for row in shop.explain(query, **parameters)] == ["Select tables optimized away"]


VHOST = "queues/test"
READER, PASSWORD = "queues_reader", "limited"


@pytest.fixture(scope="module")
def broker(rabbitmq: Broker) -> Broker:
    """A virtual host of our own, and a user that may look at statistics and at no message."""
    rabbitmq.declare_vhost(VHOST)
    rabbitmq.declare_user(READER, PASSWORD, tags="management")
    nothing = {"configure": "^$", "write": "^$", "read": "^$"}
    rabbitmq.api("PUT", f"permissions/{quote(VHOST, safe='')}/{READER}", nothing)
    return rabbitmq


def reader(broker: Broker, **changes: Any) -> RabbitMQ:
    settings = {
        "url": broker.management_url,
        "user": READER,
        "password": lambda: PASSWORD,
        "vhost": VHOST,
        **changes,
    }
    return RabbitMQ(RabbitMQTarget(**settings))


def publish(broker: Broker, queue: str, number: int, **properties: object) -> None:
    body = {"properties": properties, "routing_key": queue, "payload": "x", "payload_encoding": "string"}
    for _ in range(number):
        answer = broker.api("POST", f"exchanges/{quote(VHOST, safe='')}/amq.default/publish", body)
        assert answer == {"routed": True}


def take(broker: Broker, queue: str, number: int, *, requeue: bool = False) -> None:
    body = {"count": number, "ackmode": f"ack_requeue_{str(requeue).lower()}", "encoding": "auto"}
    assert len(broker.api("POST", f"queues/{quote(VHOST, safe='')}/{queue}/get", body)) == number


def in_rabbitmq(broker: Broker, store: VolatileStore, now: float = NOON) -> dict[tuple[str, ...], float]:
    source = reader(broker)
    try:
        return values(run(RabbitMQQueuesCollector(), store, now, broker=source))
    finally:
        source.close()


def until(
    broker: Broker, store: VolatileStore, name: str, wanted: float, *labels: str, now: float = NOON
) -> dict[tuple[str, ...], float]:
    """Collect until the broker's statistics have caught up."""
    found: dict[tuple[str, ...], float] = {}

    def caught_up() -> bool:
        found.clear()
        found.update(in_rabbitmq(broker, store, now))
        return found.get((name, *labels)) == wanted

    wait_until(caught_up, seconds=30, what=f"{name}{labels} = {wanted}")
    return found


def test_rabbitmq_queues_by_state_with_throughput(broker: Broker) -> None:
    broker.declare_queues(["depth", "idle", "stamped"], vhost=VHOST)
    broker.api(
        "PUT",
        f"queues/{quote(VHOST, safe='')}/reply-7f3a",
        {"durable": False, "auto_delete": True, "arguments": {}},
    )
    store, sent = VolatileStore(), int(NOON) - 5000
    publish(broker, "depth", 5)
    publish(broker, "stamped", 1, timestamp=sent)
    take(broker, "depth", 2, requeue=False)
    take(broker, "depth", 1, requeue=True)
    take(broker, "depth", 1, requeue=True)
    until(broker, store, "magento_queue_messages_redelivered_total", 1, "depth", "rabbitmq")
    found = until(broker, store, "magento_queue_messages", 3, "depth", "rabbitmq", "new")
    assert found["magento_queue_messages", "depth", "rabbitmq", "in_progress"] == 0
    assert found["magento_queue_consumers", "depth", "rabbitmq"] == 0
    assert found[PUBLISHED, "depth", "rabbitmq"] == 5
    assert found["magento_queue_messages", "idle", "rabbitmq", "new"] == 0
    assert found["magento_queue_oldest_message_age_seconds", "idle", "rabbitmq"] == 0
    assert found[PUBLISHED, "idle", "rabbitmq"] == 0
    assert found["magento_queue_oldest_message_age_seconds", "stamped", "rabbitmq"] == 5000
    assert not [key for key in found if "reply-7f3a" in key], "a reply queue has a new name each time"


def test_rabbitmq_a_consumer_takes_and_acknowledges(broker: Broker) -> None:
    broker.declare_queues(["consumed"], vhost=VHOST)
    publish(broker, "consumed", 3)
    store = VolatileStore()
    login = pika.PlainCredentials(broker.user, broker.password)
    address = pika.ConnectionParameters(broker.host, broker.port, virtual_host=VHOST, credentials=login)
    connection = pika.BlockingConnection(address)
    try:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=2)
        deliveries = channel.consume("consumed")
        tag = next(deliveries)[0].delivery_tag
        found = until(broker, store, "magento_queue_messages", 2, "consumed", "rabbitmq", "in_progress")
        assert found["magento_queue_messages", "consumed", "rabbitmq", "new"] == 1
        assert found["magento_queue_consumers", "consumed", "rabbitmq"] == 1
        channel.basic_ack(tag)
        found = until(broker, store, COMPLETED, 1, "consumed", "rabbitmq")
    finally:
        connection.close()


def test_rabbitmq_age_grows_while_nobody_consumes(broker: Broker) -> None:
    broker.declare_queues(["ageing"], vhost=VHOST)
    store, age = VolatileStore(), ("magento_queue_oldest_message_age_seconds", "ageing", "rabbitmq")
    until(broker, store, "magento_queue_messages", 0, "ageing", "rabbitmq", "new")
    publish(broker, "ageing", 2)
    until(broker, store, PUBLISHED, 2, "ageing", "rabbitmq")
    until(broker, store, "magento_queue_messages", 2, "ageing", "rabbitmq", "new")
    assert in_rabbitmq(broker, store, NOON + 600)[age] == 600
    publish(broker, "ageing", 1)
    until(broker, store, PUBLISHED, 3, "ageing", "rabbitmq", now=NOON + 900)
    found = until(broker, store, "magento_queue_messages", 3, "ageing", "rabbitmq", "new", now=NOON + 900)
    assert found[age] == 900
    take(broker, "ageing", 2)
    found = until(broker, store, "magento_queue_messages", 1, "ageing", "rabbitmq", "new", now=NOON + 1000)
    assert found[age] == 100, "the message at the head came 100 seconds ago"


def test_rabbitmq_errors_are_told_apart(broker: Broker) -> None:
    for source, expected in (
        (reader(broker, password=lambda: "wrong"), AccessDenied),
        (reader(broker, url="http://127.0.0.1:1"), SourceUnavailable),
        (
            reader(broker, vhost="no such", user=broker.user, password=lambda: broker.password),
            UnexpectedAnswer,
        ),
    ):
        with pytest.raises(expected):
            source.queues()
        source.close()


def test_both_brokers_share_one_family(shop: LimitedShop, broker: Broker) -> None:
    broker.declare_queues(["shared"], vhost=VHOST)
    source = reader(broker)
    pages = [
        render(run(DatabaseQueuesCollector(), database=shop.source()), limit=5000),
        render(run(RabbitMQQueuesCollector(), broker=source), limit=5000),
    ]
    source.close()
    text = join(pages, Format.TEXT).decode()
    assert text.count("# TYPE magento_queue_messages gauge") == 1
    declared: dict[str, set[Metric]] = {}
    for collector in (DatabaseQueuesCollector, RabbitMQQueuesCollector):
        for metric in collector.metrics:
            declared.setdefault(metric.name, set()).add(metric)
    assert all(len(metrics) == 1 for metrics in declared.values())
