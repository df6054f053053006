"""From the attributes of Artemis' queues to samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from exporter.collectors.queues_artemis import ArtemisQueuesCollector
from tests.harness.artemis import queue
from tests.harness.core import run, values

AGE = "magento_queue_oldest_message_age_seconds"
MESSAGES = "magento_queue_messages"
FAILED = "magento_queue_messages_failed_total"


class Artemis:
    def __init__(self, *queues: Mapping[str, Any]) -> None:
        self.answer = queues

    def queues(self) -> Sequence[Mapping[str, Any]]:
        return self.answer


def collected(*queues: Mapping[str, Any]) -> dict[tuple[str, ...], float]:
    return values(run(ArtemisQueuesCollector(), artemis=Artemis(*queues)))


def test_what_is_with_a_consumer_does_not_wait() -> None:
    found = collected(queue("export", 7, 20, 13, delivering=5, consumers=1, age=90_500))
    assert found[MESSAGES, "export", "artemis", "new"] == 2
    assert found[MESSAGES, "export", "artemis", "in_progress"] == 5
    assert found["magento_queue_consumers", "export", "artemis"] == 1
    assert found["magento_queue_messages_published_total", "export", "artemis"] == 20
    assert found["magento_queue_messages_completed_total", "export", "artemis"] == 13
    assert found[AGE, "export", "artemis"] == 90.5


def test_nothing_waits_while_all_are_with_a_consumer() -> None:
    assert collected(queue("export", 5, 5, 0, delivering=5, age=90_000))[AGE, "export", "artemis"] == 0


@pytest.mark.parametrize("end", ["DLQ", "lost.and.found"])
def test_what_ends_in_the_dead_letter_address_has_failed_and_does_not_wait(end: str) -> None:
    found = collected(
        queue("export", 0, 9, 9, DeadLetterAddress=end), queue(end, 2, 3, 0, DeadLetterAddress=end)
    )
    assert found[MESSAGES, end, "artemis", "error"] == 2
    assert found[FAILED, end, "artemis"] == 3
    assert (MESSAGES, end, "artemis", "new") not in found
    assert (AGE, end, "artemis") not in found


def test_a_reply_queue_is_left_out() -> None:
    assert collected(queue("b3f0", 1, 1, 0, Temporary=True)) == {}


@pytest.mark.parametrize("value", [None, "ERROR: java.lang.IllegalStateException", True])
def test_what_the_broker_does_not_give_is_absent(value: object) -> None:
    """Jolokia's ignoreErrors puts a text where an attribute could not be read."""
    found = collected(queue("export", 4, 9, 5, FirstMessageAge=value, ConsumerCount=value))
    assert (AGE, "export", "artemis") not in found
    assert ("magento_queue_consumers", "export", "artemis") not in found
    assert found[MESSAGES, "export", "artemis", "new"] == 4
