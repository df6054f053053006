"""The collector: from the history of the orders to what is recent and what was expected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from exporter.collectors.expected_orders.baseline import (
    WEEKS,
    WINDOWS,
    expected,
    has_holiday,
    in_windows,
    weeks_ago,
)
from exporter.collectors.expected_orders.history import ORDERS, PAST_ORDERS, History
from exporter.collectors.expected_orders.since import SinceLast, on_holidays
from exporter.core.collector import EVERY_HALF_MINUTE, Collector, Context
from exporter.core.metrics import Sample, gauge

RECENT = gauge(
    "magento_orders_recent",
    "Orders placed in the last 30m, 2h, 6h or 1d, to the minute (sales_order.created_at);"
    " absent for a store view that is switched off (store.is_active).",
    "store",
    "window",
)
EXPECTED = gauge(
    "magento_orders_expected",
    "Median of the orders in the same local hours of the last 2 to 8 weeks; absent with less history"
    " and for a store view that is switched off (store.is_active).",
    "store",
    "window",
)
BASELINE = gauge(
    "magento_orders_baseline_seconds",
    "Length of the store's order history from which magento_orders_expected is computed, at most 58 days;"
    " absent for a store view that is switched off (store.is_active).",
    "store",
)
SINCE_LAST = gauge(
    "magento_orders_expected_since_last",
    "Orders that were to be expected since the store's last one, at most a week ago: the median of the same"
    " local time in the last 2 to 8 weeks. Absent with less history, without a known order,"
    " and for a store view that is switched off (store.is_active).",
    "store",
)
SHOP_SINCE_LAST = gauge(
    "magento_shop_orders_expected_since_last",
    "magento_orders_expected_since_last of all stores together: since the last order in any of them.",
)

HOLIDAY = gauge(
    "magento_calendar_holiday",
    "Whether today is a public holiday of the store's country (general/country/default), or one of the "
    "shop's "
    "own (tuning.own_holidays), by the store's clock.",
    "store",
)

_EXPECTED_LIFETIME: Final = 300
"""Seconds for which the expected numbers are not computed again."""


class ExpectedOrdersCollector(Collector):
    """Orders lately, and orders expected."""

    name = "expected_orders"
    help = "Orders in recent windows and what the last weeks let expect; from sales_order."
    notes = """
    `magento_orders_expected` is the median of the same window in the last two to eight weeks: the same
    weekday and time in the store's own time zone, also when the clocks were changed in between. A week
    before the store's first order does not count. With fewer than two weeks there is no sample.

    The orders before the first start are read in the first minutes, the newest first.
    `magento_orders_baseline_seconds` says how far back they are known. While an exporter that was away
    catches up, there are no samples.

    `magento_orders_expected_since_last` begins at the store's last order and grows until the next one.
    0 means that an order has just come, or that none was to be expected. A store without an order in the
    history has no sample. A week is looked at at most.

    On a public holiday of the store's country (`general/country/default`) no more is expected than on the
    Sundays before it. The calendar (2025 to 2036) comes with the exporter. The settings
    `tuning.holidays`, `tuning.holiday_regions`, `tuning.own_holidays` and `tuning.no_holidays` change it.

    A store view that is switched off has no samples. Its orders are counted all the same, so it has its
    history when it is switched on again.
    """
    source = "database"
    metrics = (RECENT, EXPECTED, BASELINE, SINCE_LAST, SHOP_SINCE_LAST, HOLIDAY)
    queries = (*ORDERS.queries, PAST_ORDERS)
    refresh = EVERY_HALF_MINUTE

    def __init__(self) -> None:
        self._known: tuple[object, Mapping[tuple[str, str], float]] = ((), {})
        self._since = SinceLast()

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield the samples of one run."""
        history = History(context)
        behind = history.follow()
        history.backfill()
        history.prune()
        if behind:
            return
        stores = {str(store_id): context.stores.code(store_id) for store_id in context.stores.active_ids()}
        yield from _recent(history, stores)
        for store_id, code in stores.items():
            zone, is_holiday = history.zone(store_id), history.is_holiday(store_id)
            yield HOLIDAY.sample(float(has_holiday(history.now, history.now, zone, is_holiday)), store=code)
        for store_id, begin in history.begins(stores).items():
            yield BASELINE.sample(context.now - begin, store=stores[store_id])
        for (store_id, window), number in self._expected(history, stores).items():
            yield EXPECTED.sample(number, store=stores[store_id], window=window)
        yield from self._since_last(history, stores)

    def _since_last(self, history: History, stores: Mapping[str, str]) -> Iterator[Sample]:
        for store_id, code in stores.items():
            number = self._since.expected(history, (store_id,))
            if number is not None:
                yield SINCE_LAST.sample(number, store=code)
        number = self._since.expected(history, tuple(stores))
        if number is not None:
            yield SHOP_SINCE_LAST.sample(number)

    def _expected(self, history: History, stores: Mapping[str, str]) -> Mapping[tuple[str, str], float]:
        """Compute at most every five minutes.

        The past does not change, and the hour of the day changes slowly.
        """
        version = (int(history.now) // _EXPECTED_LIFETIME, history.backfilled, tuple(stores))
        if self._known[0] != version:
            self._known = (version, dict(_all_expected(history, stores)))
        return self._known[1]


def _recent(history: History, stores: Mapping[str, str]) -> Iterator[Sample]:
    """Yield the orders of every window that is wholly known."""
    for window, length in WINDOWS.items():
        if history.covered <= history.now - length:
            orders = history.lately(length)
            for store_id, code in stores.items():
                yield RECENT.sample(orders.get(store_id, 0), store=code, window=window)


def _all_expected(history: History, stores: Mapping[str, str]) -> Iterator[tuple[tuple[str, str], float]]:
    """Yield ((store id, window), expected orders) of every store with enough history."""
    past: dict[float, dict[str, dict[str, float]]] = {}
    longest = max(WINDOWS.values())
    for store_id, begin in history.begins(stores).items():
        weeks: dict[str, list[float]] = {window: [] for window in WINDOWS}
        for week in range(1, WEEKS + 1):
            end = weeks_ago(history.now, week, history.zone(store_id))
            if end not in past:
                past[end] = in_windows(history.quarters(end - longest, end), end)
            for window, length in WINDOWS.items():
                if end - length >= begin:
                    weeks[window].append(past[end][window].get(store_id, 0.0))
        for window, numbers in weeks.items():
            number = expected(numbers)
            if number is not None:
                start = history.now - WINDOWS[window]
                yield (store_id, window), min(number, on_holidays(history, (store_id,), start, len(numbers)))
