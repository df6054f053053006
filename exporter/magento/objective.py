"""Which share of the attempts to place an order should succeed, learned from the store's own month.

In any healthy store some attempts fail: cards are declined, people leave a payment page. It is 3 % in one
store and 15 % in another. An objective that does not know this is always missed, or never.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

DAY: Final = 86_400
DAYS: Final = 30
"""Complete days that are remembered."""
ENOUGH_DAYS: Final = 7
"""Days with attempts below which nothing is learned."""

UNKNOWN: Final = 0.95
"""The objective of a store whose month is not known yet."""
FAIL_AT_LEAST: Final = 0.05
FAIL_AT_MOST: Final = 0.25
"""The share that may fail is learned between these: nobody notices less, and more is no healthy store."""
BEYOND_USUAL: Final = 1.5
"""How many times the usual share may fail."""

Day = tuple[int, int]
"""The attempts of a day, and how many of them failed."""
Days = Mapping[int, Day]
"""Days by their number since 1970, in UTC."""


def counted(days: Days, now: float, attempts: int, failed: int) -> dict[int, Day]:
    """Return the days with these attempts added to the present one, and without those that are too old."""
    today = int(now // DAY)
    kept = {day: both for day, both in days.items() if today - DAYS <= day <= today}
    before = kept.get(today, (0, 0))
    return {**kept, today: (before[0] + attempts, before[1] + failed)}


def learned(days: Days, now: float) -> float:
    """Return the objective that the complete days let choose.

    Only the middle half of the days counts, by their failed share. So neither an outage of some days nor
    card testing is taken for the usual.
    """
    today = int(now // DAY)
    complete = sorted(
        (both for day, both in days.items() if today - DAYS <= day < today and both[0]),
        key=lambda both: both[1] / both[0],
    )
    if len(complete) < ENOUGH_DAYS:
        return UNKNOWN
    quarter = len(complete) // 4
    middle = complete[quarter : len(complete) - quarter]
    usual = sum(failed for _, failed in middle) / sum(attempts for attempts, _ in middle)
    return round(1 - min(max(BEYOND_USUAL * usual, FAIL_AT_LEAST), FAIL_AT_MOST), 4)
