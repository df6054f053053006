"""What to expect now, from the same hours of past weeks.

Demand follows the week and the hour of the day in the shop's own time zone. So it is
compared with the same weekday and local time. On a public holiday no more than on
a Sunday is expected. A sale or an outage in one of several
weeks does not move the median much. With fewer than two weeks nothing is expected.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from statistics import median
from typing import Final
from zoneinfo import ZoneInfo

from exporter.core.holidays import IsHoliday

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
    return days_ago(now, 7 * weeks, zone)


def days_ago(now: float, days: int, zone: ZoneInfo) -> float:
    """Return the Unix time of the same local time some days ago."""
    local = datetime.fromtimestamp(now, UTC).astimezone(zone)
    return (local - timedelta(days=days)).timestamp()


def has_holiday(begin: float, end: float, zone: ZoneInfo, is_holiday: IsHoliday) -> bool:
    """Return whether a stretch of time touches a holiday, by the store's clock."""
    return any(is_holiday(day) for day, _, _ in _days(begin, end, zone))


def with_sundays(
    begin: float, end: float, week: int, zone: ZoneInfo, is_holiday: IsHoliday
) -> Iterator[tuple[float, float]]:
    """Yield what a stretch of time is compared with, some weeks ago: for a holiday the Sunday before it."""
    for day, start, stop in _days(begin, end, zone):
        back = ((day.weekday() + 1) % 7 or 7) + 7 * (week - 1) if is_holiday(day) else 7 * week
        yield days_ago(start, back, zone), days_ago(stop, back, zone)


def _days(begin: float, end: float, zone: ZoneInfo) -> Iterator[tuple[date, float, float]]:
    """Yield each local day that a stretch of time touches, and the part of the stretch in it."""
    while True:
        local = datetime.fromtimestamp(begin, UTC).astimezone(zone)
        midnight = datetime.combine(local.date() + timedelta(days=1), time(), zone).timestamp()
        yield local.date(), begin, min(midnight, end)
        if midnight >= end:
            return
        begin = midnight


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
