"""Queues in RabbitMQ, under the same metric names as those in the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from exporter.core.collector import Collector, Context
from exporter.core.memory import Table
from exporter.core.metrics import Sample, counter, gauge
from exporter.magento.queues import (
    COMPLETED,
    CONSUMERS,
    IN_PROGRESS,
    MESSAGES,
    NEW,
    OLDEST_AGE,
    PUBLISHED,
    RABBITMQ,
    Arrivals,
    has_statistics,
)
from exporter.reading import instants

REDELIVERED = counter(
    "magento_queue_messages_redelivered_total",
    "Messages delivered once more because a consumer rejected them with requeue or disconnected"
    " (message_stats.redeliver).",
    "queue",
    "broker",
)

ALARM = gauge(
    "magento_queue_broker_alarm",
    "1 while RabbitMQ blocks publishers because this resource (memory or disk) is short, else 0.",
    "resource",
)

MEMORY: Final = "memory"
DISK: Final = "disk"

_COUNTERS = ((PUBLISHED, "publish"), (COMPLETED, "ack"), (REDELIVERED, "redeliver"))


class RabbitMQQueuesCollector(Collector):
    """Depth, age, consumers and throughput of the queues in RabbitMQ."""

    name = "queues_rabbitmq"
    help = "Message queues in RabbitMQ: waiting and in progress, age, consumers, throughput."
    notes = """
    The management API refreshes its numbers every `collect_statistics_interval` (5 seconds by default).

    Cron starts consumers with `--max-messages`. Those poll the queue and are not among its consumers.
    Whether they live shows in the messages completed. From 2.4.3 to 2.4.8, cron also takes a message of each
    queue once a minute and gives it back: one redelivered message a minute is normal.

    A broker with `management_agent.disable_metrics_collector` has no counters here: absent, not 0.

    A message that a consumer rejects without requeue is gone: Magento declares no dead-letter exchange, and
    the API counts no rejections. So there is no `magento_queue_messages_failed_total` for this broker.

    `magento_queue_broker_alarm` is absent where the API does not answer `/api/health/checks/alarms`: before
    RabbitMQ 3.8.10, or behind a proxy that lets only the queues pass.
    """
    source = "rabbitmq"
    metrics = (MESSAGES, OLDEST_AGE, CONSUMERS, PUBLISHED, COMPLETED, REDELIVERED, ALARM)

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield the samples of every durable queue of the virtual host."""
        arrivals = context.memory.table("arrivals")
        queues = {str(queue["name"]): queue for queue in context.broker.queues() if _lasting(queue)}
        known = arrivals.scan()
        arrivals.delete(known.keys() - queues.keys())
        for name, queue in queues.items():
            yield from _state(name, queue)
            yield from _totals(name, queue)
            age = _age(name, queue, context.now, arrivals, known.get(name))
            if age is not None:
                yield OLDEST_AGE.sample(age, queue=name, broker=RABBITMQ)
        yield from _alarms(context.broker.alarms())


def _alarms(raised: frozenset[str] | None) -> Iterator[Sample]:
    """Yield a number for each resource that blocks publishers; nothing if it is not known."""
    if raised is not None:
        for resource in (MEMORY, DISK):
            yield ALARM.sample(float(resource in raised), resource=resource)


def _lasting(queue: Mapping[str, Any]) -> bool:
    """Return whether the queue is there to stay: reply queues have a new name each, without end."""
    name = str(queue.get("name", "amq."))
    return not (name.startswith("amq.") or queue.get("exclusive") or queue.get("auto_delete"))


def _state(name: str, queue: Mapping[str, Any]) -> Iterator[Sample]:
    """Yield the current numbers; a queue that was just declared has none yet."""
    for state, field in ((NEW, "messages_ready"), (IN_PROGRESS, "messages_unacknowledged")):
        if field in queue:
            yield MESSAGES.sample(queue[field], queue=name, broker=RABBITMQ, state=state)
    if "consumers" in queue:
        yield CONSUMERS.sample(queue["consumers"], queue=name, broker=RABBITMQ)


def _totals(name: str, queue: Mapping[str, Any]) -> Iterator[Sample]:
    """Yield the broker's own counters. What never happened is absent there, and 0 here.

    Nothing is yielded of a broker that does not count.
    """
    if not has_statistics(queue):
        return
    stats = queue.get("message_stats", {})
    for metric, field in _COUNTERS:
        yield metric.sample(stats.get(field, 0), queue=name, broker=RABBITMQ)


def _age(
    name: str, queue: Mapping[str, Any], now: float, arrivals: Table, known: Mapping[str, Any] | None
) -> float | None:
    """Return the age of the oldest message: from its own timestamp, else from the counters.

    ``None`` if the broker has never counted for this queue (``rates_mode = none`` switches that off).
    """
    if "messages_ready" not in queue:
        return None
    ready, published = int(queue["messages_ready"]), queue.get("message_stats", {}).get("publish")
    age = 0.0 if not ready else None
    if published is not None or known is not None:
        history = Arrivals.from_json(known) if known else Arrivals()
        age = history.note(now, published=int(published or 0), ready=ready)
        if history.to_json() != known:
            arrivals.put(name, history.to_json())
    stamped = queue.get("head_message_timestamp")
    if ready and isinstance(stamped, int):
        own = instants.age(stamped, now)
        return age if own is None else own
    return age
