"""How many orders were to be expected since the last one.

The time since the last order is laid over the past weeks by the store's own clock. The median of the
orders in it is what was to be expected. A shop of few orders has a small number after hours, a large
one after minutes.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from statistics import median
from typing import Final

from exporter.collectors.expected_orders.baseline import (
    WEEKS,
    expected,
    has_holiday,
    weeks_ago,
    with_sundays,
)
from exporter.collectors.expected_orders.history import History

LONGEST: Final = 7 * 86_400
"""Seconds that are looked back at most: beyond a week, past weeks would overlap."""

_LONG: Final = 86_400
"""Seconds since the last order from which on the number is not computed at every run."""

_LIFETIME: Final = 300
"""Seconds for which such a number is kept: after a day, five minutes change it by a third of a per cent."""


class SinceLast:
    """Computes the number, and keeps it where it is expensive and hardly changes."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, ...], tuple[object, float | None]] = {}

    def expected(self, history: History, stores: tuple[str, ...]) -> float | None:
        """Return the orders to be expected since the last order in any of the stores, if they are known."""
        last = max(history.last(stores).values(), default=None)
        if last is None:
            return None
        if history.now - last < _LONG:
            return _since(history, stores, last)
        version = (last, int(history.now) // _LIFETIME, history.backfilled)
        kept = self._kept.get(stores)
        if kept is None or kept[0] != version:
            kept = self._kept[stores] = version, _since(history, stores, last)
        return kept[1]


def _since(history: History, stores: tuple[str, ...], last: float) -> float | None:
    begin = max(last, history.now - LONGEST)
    known = min(history.begins(stores).values())
    weeks = []
    for week in range(1, WEEKS + 1):
        spans = {store: _span(history, store, begin, week) for store in stores}
        if min(start for start, _ in spans.values()) >= known:
            together: dict[tuple[float, float], list[str]] = {}
            for store, span in spans.items():
                together.setdefault(span, []).append(store)
            weeks.append(sum(history.between(some, *span) for span, some in together.items()))
    number = expected(weeks)
    return None if number is None else min(number, on_holidays(history, stores, begin, len(weeks)))


def on_holidays(history: History, stores: Iterable[str], begin: float, weeks: int) -> float:
    """Return what the Sundays of past weeks let expect from then until now; no limit without a holiday."""
    clocks = {store: (history.zone(store), history.is_holiday(store)) for store in stores}
    if not any(has_holiday(begin, history.now, *clock) for clock in clocks.values()):
        return inf
    return median(
        sum(
            history.between((store,), *span)
            for store, clock in clocks.items()
            for span in with_sundays(begin, history.now, week, *clock)
        )
        for week in range(1, weeks + 1)
    )


def _span(history: History, store: str, begin: float, week: int) -> tuple[float, float]:
    zone = history.zone(store)
    return weeks_ago(begin, week, zone), weeks_ago(history.now, week, zone)
