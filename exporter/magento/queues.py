r"""Magento's message queues: statuses, and the metrics that both brokers feed under one name.

Sources: ``Magento\MysqlMq\Model\QueueManagement`` and
``Magento\AsynchronousOperations`` of 2.4.8-p1.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Self

from exporter.core.metrics import counter, gauge

MYSQL: Final = "mysql"
RABBITMQ: Final = "rabbitmq"
ARTEMIS: Final = "artemis"
"""Values of the label ``broker``."""

NEW: Final = "new"
IN_PROGRESS: Final = "in_progress"
RETRY: Final = "retry"
ERROR: Final = "error"

OPEN_STATUSES: Final[Mapping[int, str]] = MappingProxyType({2: NEW, 3: IN_PROGRESS, 5: RETRY, 6: ERROR})
"""``queue_message_status.status`` of messages that are not done: number to label ``state``."""

COMPLETE_STATUS: Final = 4
ERROR_STATUS: Final = 6

MESSAGES: Final = gauge(
    "magento_queue_messages",
    "Messages not done yet or failed. rabbitmq, artemis: new is what is ready, in_progress what is with a"
    " consumer. artemis: error is what is in a dead-letter or expiry address.",
    "queue",
    "broker",
    "state",
)
OLDEST_AGE: Final = gauge(
    "magento_queue_oldest_message_age_seconds",
    "How long the oldest waiting message has waited, 0 if none waits. rabbitmq: a lower bound.",
    "queue",
    "broker",
)
CONSUMERS: Final = gauge(
    "magento_queue_consumers",
    "Consumers that are subscribed to the queue (rabbitmq, artemis). Consumers that cron starts poll"
    " RabbitMQ and do not count there.",
    "queue",
    "broker",
)
PUBLISHED: Final = counter(
    "magento_queue_messages_published_total",
    "Messages put into the queue. mysql: rows of queue_message_status; rabbitmq: message_stats.publish;"
    " artemis: MessagesAdded.",
    "queue",
    "broker",
)
COMPLETED: Final = counter(
    "magento_queue_messages_completed_total",
    "Messages done. mysql: rows that reached status complete; rabbitmq: message_stats.ack; artemis:"
    " MessagesAcknowledged.",
    "queue",
    "broker",
)
FAILED: Final = counter(
    "magento_queue_messages_failed_total",
    "Messages that will not be retried. mysql: rows that reached the status error; artemis: MessagesAdded of"
    " a dead-letter or expiry address.",
    "queue",
    "broker",
)


def has_statistics(queue: Mapping[str, Any]) -> bool:
    """Return whether RabbitMQ counts what happens in the queue.

    With ``management_agent.disable_metrics_collector``, the default of its plain container image, the
    management API names the queues, at most with their depths. A queue that was just declared looks alike.
    """
    return "consumers" in queue


class Arrivals:
    """When the messages of a first-in-first-out queue arrived, from samples of its counters.

    A broker tells how many messages were ever published and how many wait, not
    since when. But the message at the head is number ``published - ready + 1``,
    so it had arrived by the first sample that showed so many published. The age
    that follows is never longer than the true one, and for a message that came
    after the first sample it falls short by no more than the time between two
    samples. A broker may gather the two numbers some seconds apart: then the
    instant at which the queue was last seen empty bounds the age.
    """

    LIMIT: Final = 512
    """Samples kept. Beyond it every second one is forgotten, which can only make an age shorter."""

    HEADS: Final = 4
    """Heads remembered: one that was too high, because ``ready`` lagged, must not cost older samples."""

    def __init__(self) -> None:
        self._samples: list[tuple[float, int]] = []
        self._heads: list[int] = []
        self._emptied = 0.0

    def note(self, now: float, *, published: int, ready: int) -> float:
        """Take in what the broker says at ``now`` (Unix seconds); return the age of the oldest message.

        The age in seconds is a lower bound, and 0 when no message waits.
        """
        if self._samples and published < self._samples[-1][1]:
            self._samples, self._heads = [], []  # the broker's statistics began anew
        if not self._samples or published > self._samples[-1][1]:
            self._samples.append((now, published))
        if ready <= 0:
            self._samples, self._heads, self._emptied = self._samples[-1:], [], now
            return 0.0
        head = published - ready + 1
        arrived = self._samples[self._first_with(head)][0]
        self._heads = [*self._heads, head][-self.HEADS :]
        self._samples = self._samples[self._first_with(min(self._heads)) :]
        if len(self._samples) > self.LIMIT:
            self._samples = [*self._samples[:-1:2], self._samples[-1]]
        return max(0.0, now - max(arrived, self._emptied))

    def _first_with(self, number: int) -> int:
        """Return the position of the first sample by which message ``number`` had been published."""
        return bisect_left(self._samples, number, key=lambda sample: sample[1])

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-serialisable data."""
        return {
            "samples": [list(sample) for sample in self._samples],
            "heads": self._heads,
            "emptied": self._emptied,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return what :meth:`to_json` described."""
        arrivals = cls()
        arrivals._samples = [(float(at), int(published)) for at, published in data["samples"]]
        arrivals._heads = [int(head) for head in data["heads"]]
        arrivals._emptied = float(data["emptied"])
        return arrivals
