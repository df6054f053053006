"""What RabbitMQ answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class Broker:
    """RabbitMQ: a busy queue, one without consumers, one that is about to be deleted."""

    step = 0
    """Which answer is next: before, a minute later, ten minutes later."""

    def queues(self) -> Sequence[Mapping[str, Any]]:
        done = (100, 130, 400)[self.step]
        stats = {"publish": done + 12, "ack": done, "deliver_get": done + 5, "redeliver": self.step}
        return [
            _queue("product_action_attribute.update", ready=7, unacked=5, consumers=2, message_stats=stats),
            _queue("async.operations.all", ready=3 * self.step, message_stats={"publish": 3 * self.step}),
            _queue("amq.gen-private", ready=1, exclusive=True, auto_delete=True, durable=False),
        ]

    def alarms(self) -> frozenset[str] | None:
        return (None, frozenset({"disk"}), frozenset({"memory"}))[self.step]


def _queue(
    name: str, *, ready: int, unacked: int = 0, consumers: int = 0, **others: object
) -> dict[str, object]:
    known = {"vhost": "/", "durable": True, "exclusive": False, "auto_delete": False, "state": "running"}
    counts = {"messages_ready": ready, "messages_unacknowledged": unacked, "messages": ready + unacked}
    return {"name": name, "consumers": consumers, **known, **counts, **others}


SOURCE = Broker
