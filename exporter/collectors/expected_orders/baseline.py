"""What to expect now, from the same hours of past weeks.

Demand follows the week and the hour of the day in the shop's own time zone. So it is
compared with the same weekday and local time. A sale or an outage in one of several
weeks does not move the median much. With fewer than two weeks nothing is expected.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Final
from zoneinfo import ZoneInfo

WINDOWS: Final[Mapping[str, int]] = {"30m": 1_800, "2h": 7_200, "6h": 21_600, "1d": 86_400}
"""Label value to length in seconds."""

WEEKS: Final = 8
"""Past weeks compared with at most."""

LEAST_WEEKS: Final = 2
"""Past weeks without which nothing is expected."""

BUCKET: Final = 900
"""Seconds of one bucket of the history."""

HISTORY: Final = WEEKS * 7 * 86_400 + 2 * 86_400
"""Seconds of history that are of use: the longest window of the oldest week, and a change of the clocks."""


def weeks_ago(now: float, weeks: int, zone: ZoneInfo) -> float:
    """Return the Unix time of the same weekday and local time some weeks ago.

    A local time that the clocks skipped that day is read as if they had not been changed yet.
    """
    local = datetime.fromtimestamp(now, UTC).astimezone(zone)
    return (local - timedelta(weeks=weeks)).timestamp()


def in_windows(buckets: Iterable[tuple[int, Mapping[str, int]]], end: float) -> dict[str, dict[str, float]]:
    """Return, per window that ends at ``end`` and per key, the sum of the buckets inside.

    ``buckets`` are (start, counts by key). Of a bucket that lies only partly in a window, that part counts.
    """
    sums: dict[str, dict[str, float]] = {window: defaultdict(float) for window in WINDOWS}
    for start, counts in buckets:
        for window, length in WINDOWS.items():
            inside = min(start + BUCKET, end) - max(start, end - length)
            if inside > 0:
                share = inside / BUCKET
                for key, number in counts.items():
                    sums[window][key] += number * share
    return sums


def expected(past: Sequence[float]) -> float | None:
    """Return the median of past weeks, or nothing if there are too few of them."""
    return median(past) if len(past) >= LEAST_WEEKS else None
