"""What Fastly reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.harness.shop import NOW


class Fastly:
    """A service that is asked, a minute later, and again when the minutes between are forgotten."""

    step = 0
    """Which answer is next: before, a minute later, ten minutes later."""

    def report(self, since: int) -> tuple[int, Sequence[tuple[int, Mapping[str, int]]]]:
        end = int(NOW.timestamp()) + (0, 60, 660)[self.step] - 5
        seconds = range(since or end - 1, end)
        return end, [(second, {"hits": 90, "miss": 7, "pass": 3}) for second in seconds]


SOURCE = Fastly
