"""Queues in ActiveMQ Artemis, which Magento reaches by STOMP, under the same metric names as elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from exporter.core.collector import Collector, Context
from exporter.core.metrics import Metric, Sample
from exporter.magento.queues import (
    ARTEMIS,
    COMPLETED,
    CONSUMERS,
    ERROR,
    FAILED,
    IN_PROGRESS,
    MESSAGES,
    NEW,
    OLDEST_AGE,
    PUBLISHED,
)

_MILLISECONDS: Final = 1000


class ArtemisQueuesCollector(Collector):
    """Depth, age, consumers and throughput of the queues in Artemis."""

    name = "queues_artemis"
    help = "Message queues in ActiveMQ Artemis: waiting and in progress, age, consumers, throughput."
    notes = """
    Magento 2.4.9, and 2.4.8-p3, 2.4.7-p8 and 2.4.6-p13 and newer, can use Artemis by STOMP (`queue/stomp` in
    env.php). The address of its console is not in env.php: without `artemis.url` its queues are not observed.

    A message that consumers reject again and again ends in the dead-letter address (`DLQ`, after ten tries
    by default). It is counted there as failed and has the state error. Its queue of before is not known.

    Magento logs a message that it cannot publish with one line in `var/log/system.log` and goes on: what is
    lost on the way to the broker shows nowhere here.

    Written after the interface of Artemis and tested on answers in its form. No Artemis was run.
    """
    source = "artemis"
    metrics = (MESSAGES, OLDEST_AGE, CONSUMERS, PUBLISHED, COMPLETED, FAILED)

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield the samples of every lasting ANYCAST queue."""
        queues = [queue for queue in context.artemis.queues() if queue.get("Temporary") is not True]
        ends = {queue.get(end) for queue in queues for end in ("DeadLetterAddress", "ExpiryAddress")}
        for queue in queues:
            yield from _dead(queue) if queue["address"] in ends else _working(queue)


def _dead(queue: Mapping[str, Any]) -> Iterator[Sample]:
    """Yield what ended here: nobody consumes it."""
    labels = {"queue": str(queue["name"]), "broker": ARTEMIS}
    yield from _sample(MESSAGES, _number(queue, "MessageCount"), **labels, state=ERROR)
    yield from _sample(FAILED, _number(queue, "MessagesAdded"), **labels)


def _working(queue: Mapping[str, Any]) -> Iterator[Sample]:
    labels = {"queue": str(queue["name"]), "broker": ARTEMIS}
    held = _number(queue, "DeliveringCount")
    there = _number(queue, "MessageCount")
    ready = None if there is None or held is None else max(0.0, there - held)
    yield from _sample(MESSAGES, ready, **labels, state=NEW)
    yield from _sample(MESSAGES, held, **labels, state=IN_PROGRESS)
    yield from _sample(CONSUMERS, _number(queue, "ConsumerCount"), **labels)
    yield from _sample(PUBLISHED, _number(queue, "MessagesAdded"), **labels)
    yield from _sample(COMPLETED, _number(queue, "MessagesAcknowledged"), **labels)
    age = _number(queue, "FirstMessageAge")
    if ready == 0:
        yield OLDEST_AGE.sample(0, **labels)
    elif age is not None:
        yield OLDEST_AGE.sample(max(0.0, age / _MILLISECONDS), **labels)


def _sample(metric: Metric, value: float | None, **labels: str) -> Iterator[Sample]:
    """Yield a sample of what is known."""
    if value is not None:
        yield metric.sample(value, **labels)


def _number(queue: Mapping[str, Any], attribute: str) -> float | None:
    """Return an attribute; None if the broker has no such attribute, or gives an error in its place."""
    value = queue.get(attribute)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
