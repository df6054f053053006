"""From the management API's answers to samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from exporter.collectors.queues_rabbitmq import RabbitMQQueuesCollector
from exporter.core.memory import VolatileStore
from tests.harness.core import NOON, run, values

AGE = "magento_queue_oldest_message_age_seconds"


class Broker:
    def __init__(self, *queues: Mapping[str, Any]) -> None:
        self.answer = queues
        self.raised: frozenset[str] | None = None

    def queues(self) -> Sequence[Mapping[str, Any]]:
        return self.answer

    def alarms(self) -> frozenset[str] | None:
        return self.raised


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


@pytest.mark.parametrize("depths", [{}, {"messages_ready": 3, "messages_unacknowledged": 1}])
def test_what_a_broker_without_statistics_does_not_count_is_absent(depths: dict[str, int]) -> None:
    """disable_metrics_collector, without and with enable_queue_totals; a queue that was just declared."""
    found = collected(VolatileStore(), NOON, {"name": "export", **depths})
    assert {name for name, *_ in found} == ({"magento_queue_messages"} if depths else set())


def test_what_never_happened_in_a_broker_that_counts_is_zero() -> None:
    found = collected(VolatileStore(), NOON, queue("export", 0))
    for metric in ("published", "completed", "redelivered"):
        assert found[f"magento_queue_messages_{metric}_total", "export", "rabbitmq"] == 0


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


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (frozenset(), {"memory": 0, "disk": 0}),
        (frozenset({"memory"}), {"memory": 1, "disk": 0}),
        (frozenset({"memory", "disk"}), {"memory": 1, "disk": 1}),
        (frozenset({"file_descriptor_limit"}), {"memory": 0, "disk": 0}),
        (None, {}),
    ],
)
def test_alarms_by_resource_and_none_where_they_are_not_known(
    raised: frozenset[str] | None, expected: dict[str, int]
) -> None:
    broker = Broker()
    broker.raised = raised
    found = values(run(RabbitMQQueuesCollector(), VolatileStore(), NOON, broker=broker))
    assert found == {("magento_queue_broker_alarm", name): value for name, value in expected.items()}
