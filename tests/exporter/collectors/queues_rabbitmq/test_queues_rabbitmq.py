"""From the management API's answers to samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from exporter.collectors.queues_rabbitmq import RabbitMQQueuesCollector
from exporter.core.memory import VolatileStore
from tests.harness.core import NOON, run, values

AGE = "magento_queue_oldest_message_age_seconds"


class Broker:
    def __init__(self, *queues: Mapping[str, Any]) -> None:
        self.answer = queues

    def queues(self) -> Sequence[Mapping[str, Any]]:
        return self.answer


def collected(store: VolatileStore, now: float, *queues: Mapping[str, Any]) -> dict[tuple[str, ...], float]:
    return values(run(RabbitMQQueuesCollector(), store, now, broker=Broker(*queues)))


def queue(name: str, ready: int, published: int | None = None, **others: Any) -> dict[str, Any]:
    stats = {} if published is None else {"message_stats": {"publish": published}}
    return {
        "name": name,
        "messages_ready": ready,
        "messages_unacknowledged": 0,
        "consumers": 0,
        **stats,
        **others,
    }


def test_a_queue_just_declared_has_no_numbers_yet() -> None:
    found = collected(VolatileStore(), NOON, {"name": "export"})
    assert found == {
        ("magento_queue_messages_published_total", "export", "rabbitmq"): 0,
        ("magento_queue_messages_completed_total", "export", "rabbitmq"): 0,
        ("magento_queue_messages_redelivered_total", "export", "rabbitmq"): 0,
    }


def test_a_broker_that_does_not_count_gives_no_age() -> None:
    store = VolatileStore()
    assert collected(store, NOON, queue("export", 0))[AGE, "export", "rabbitmq"] == 0
    found = collected(store, NOON + 15, queue("export", 3))
    assert found["magento_queue_messages", "export", "rabbitmq", "new"] == 3
    assert (AGE, "export", "rabbitmq") not in found


def test_after_a_restart_the_broker_has_counted_nothing_and_the_age_goes_on_from_there() -> None:
    store = VolatileStore()
    collected(store, NOON, queue("export", 2, 2))
    assert collected(store, NOON + 500, queue("export", 2, 2))[AGE, "export", "rabbitmq"] == 500
    assert collected(store, NOON + 600, queue("export", 2))[AGE, "export", "rabbitmq"] == 0
    assert collected(store, NOON + 700, queue("export", 2))[AGE, "export", "rabbitmq"] == 100


def test_a_publishers_timestamp_beats_the_estimate() -> None:
    stamped = queue("export", 2, 2, head_message_timestamp=int(NOON) - 77)
    assert collected(VolatileStore(), NOON, stamped)[AGE, "export", "rabbitmq"] == 77
    empty = queue("export", 0, 2, head_message_timestamp="")
    assert collected(VolatileStore(), NOON, empty)[AGE, "export", "rabbitmq"] == 0


def test_queues_that_do_not_last_are_left_out() -> None:
    found = collected(
        VolatileStore(),
        NOON,
        queue("amq.gen-x7", 1),
        queue("reply-1", 1, auto_delete=True),
        queue("reply-2", 1, exclusive=True),
        {"messages_ready": 1},
        queue("export", 1),
    )
    assert {key[1] for key in found} == {"export"}


def test_a_queue_that_is_deleted_is_forgotten() -> None:
    store = VolatileStore()
    collected(store, NOON, queue("export", 1, 1))
    assert collected(store, NOON + 15) == {}
    assert store.scan("queues_rabbitmq/arrivals", "", "~") == []
