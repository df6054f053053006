"""What Artemis answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.harness.artemis import queue


class Artemis:
    """A busy queue, one whose messages wait, the dead-letter address, a reply queue."""

    step = 0
    """Which answer is next: before, a minute later, ten minutes later."""

    def queues(self) -> Sequence[Mapping[str, Any]]:
        done = (100, 130, 400)[self.step]
        return [
            queue("product_action_attribute.update", 7, done + 7, done, delivering=5, consumers=1, age=900),
            queue("async.operations.all", 3 * self.step, 3 * self.step, 0, age=60_000 if self.step else None),
            queue("DLQ", self.step, self.step, 0),
            queue("ExpiryQueue", 0, 0, 0),
            queue("4c1d0c4e-private", 1, 1, 0, Temporary=True),
        ]


SOURCE = Artemis
