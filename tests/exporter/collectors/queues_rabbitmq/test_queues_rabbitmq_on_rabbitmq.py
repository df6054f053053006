"""Queues in RabbitMQ: every value against an independent reading of the truth."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pika
import pytest

from exporter.collectors.queues_database import (
    DatabaseQueuesCollector,
)
from exporter.collectors.queues_rabbitmq import RabbitMQQueuesCollector
from exporter.core.memory import VolatileStore
from exporter.core.metrics import Metric
from exporter.core.render import Format, join, render
from exporter.errors import AccessDenied, SourceUnavailable
from exporter.sources.rabbitmq import RabbitMQ, RabbitMQTarget
from sandbox.process import wait_until
from sandbox.servers.mariadb import MariaDB
from sandbox.servers.rabbitmq import RabbitMQ as Broker
from tests.harness.core import NOON, run, values
from tests.harness.limits import LONG
from tests.harness.shop import shop_in_mariadb

VHOST = "queues/test"
PUBLISHED, COMPLETED = (f"magento_queue_messages_{what}_total" for what in ("published", "completed"))
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

    wait_until(caught_up, seconds=LONG, what=f"{name}{labels} = {wanted}")
    return found


def test_queues_by_state_with_throughput(broker: Broker) -> None:
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


def test_a_consumer_takes_and_acknowledges(broker: Broker) -> None:
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


def test_age_grows_while_nobody_consumes(broker: Broker) -> None:
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


def test_a_memory_alarm_is_seen_by_the_limited_user_and_ends(broker: Broker) -> None:
    store, alarm = VolatileStore(), "magento_queue_broker_alarm"
    found = until(broker, store, alarm, 0, "memory")
    assert found[alarm, "disk"] == 0
    broker.block_publishers()
    try:
        found = until(broker, store, alarm, 1, "memory")
        assert found[alarm, "disk"] == 0
    finally:
        broker.admit_publishers()
    until(broker, store, alarm, 0, "memory")


def test_a_disk_alarm_is_seen_by_the_limited_user_and_ends(broker: Broker) -> None:
    store, alarm = VolatileStore(), "magento_queue_broker_alarm"
    until(broker, store, alarm, 0, "disk")
    broker.control("set_disk_free_limit", "9999GB")
    try:
        found = until(broker, store, alarm, 1, "disk")
        assert found[alarm, "memory"] == 0
    finally:
        broker.control("set_disk_free_limit", "50MB")
    until(broker, store, alarm, 0, "disk")


def test_errors_are_told_apart(broker: Broker) -> None:
    for source, expected in (
        (reader(broker, password=lambda: "wrong"), AccessDenied),
        (reader(broker, url="http://127.0.0.1:1"), SourceUnavailable),
        (
            reader(broker, vhost="no such", user=broker.user, password=lambda: broker.password),
            AccessDenied,
        ),
    ):
        with pytest.raises(expected):
            source.queues()
        source.close()


def test_both_brokers_share_one_family(mariadb: MariaDB, broker: Broker) -> None:
    broker.declare_queues(["shared"], vhost=VHOST)
    source = reader(broker)
    with shop_in_mariadb(mariadb) as shop:
        database = shop.open(DatabaseQueuesCollector.queries)
        pages = [
            render(run(DatabaseQueuesCollector(), database=database), limit=5000),
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
