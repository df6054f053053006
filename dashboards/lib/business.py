"""Queries that several dashboards ask."""

from __future__ import annotations

from typing import Final

from alerts import thresholds
from alerts.recording import ATTEMPTS, FAILED, HIT_RATIO, PAGES_LOOKED_UP, REVENUE, STAGES
from alerts.selling import glance
from dashboards.lib.here import here
from dashboards.lib.panels import Ask
from dashboards.lib.style import Colour, line, override, verdict, words
from exporter.collectors import expected_orders
from exporter.collectors import orders as orders_placed
from exporter.collectors.expected_orders import baseline
from exporter.core import self_metrics
from promql.durations import Duration
from promql.expr import (
    Expr,
    age,
    clamp_max,
    clamp_min,
    function,
    increase,
    max_by,
    min_by,
    over_time,
    sum_by,
    union,
)
from promql.metrics import PROCESS_STARTED, SHOP, Selectable
from promql.wilson import least_share

WINDOWS: Final = tuple(baseline.WINDOWS)
ENOUGH: Final = 10
"""Orders to be expected in a window before it is judged; with fewer a longer window is taken."""


HALF_HOUR: Final = 1800
MILLISECONDS: Final = 1000


def tiles(minutes: int) -> slice:
    """Return the subquery over the windows of five minutes that fill so many minutes, end to end.

    It is a millisecond short: Prometheus 2 counts both ends of a span, at every fifth minute one window more.
    """
    return slice(Duration(minutes * 60 - 0.001), "5m")


DAY: Final = tiles(24 * 60)

RANGE: Final = slice("$__range", "5m")
SHOWN: Final = 10
"""Lines of a graph by store or payment method, chosen once for all that it shows."""

SINCE_INSTALLED: Final = "Counted since the exporter was installed: in its first day less than the orders."
"""What a number of a day made of counters says beside orders, which the database knows from before."""

FAILING_MEANING: Final = (
    "Share of the attempts to place an order in the last hour that left no order, chance allowed for "
    "as in the alerts: one failure of one attempt says little."
)
FAILING_GOOD: Final = (
    f"Below {thresholds.warning(thresholds.CHECKOUT_FAILURE_RATIO):.0%}; declined cards are a few percent in "
    "many shops."
)
"""What is said of :func:`least_failed_share` wherever it is a headline."""

STAGE_NAMES: Final = {
    "cart": "Cart",
    "shipping_address": "Address",
    "shipping_method": "Shipping",
    "payment_method": "Payment",
    "order": "Order",
}
SELLING: Final = (
    *words({0.0: ("no", Colour.CRITICAL)}),
    *verdict(
        thresholds.ORDERS_AGAINST_EXPECTED,
        {Colour.GOOD: "yes", Colour.WARNING: "too little", Colour.CRITICAL: "hardly"},
    ),
)
"""The answer to "are we selling?", for orders divided by expected ones."""


BAND: Final = words(
    {
        0.0: ("Selling", Colour.GOOD),
        1.0: ("In doubt, or in part", Colour.WARNING),
        2.0: ("NOT SELLING", Colour.CRITICAL),
    }
)
"""The words of :func:`selling_state`."""


BARS_WITH_THE_USUAL: Final = (
    override("orders", **line(Colour.NEUTRAL)),
    override("a week ago", custom__drawStyle="line", **line(Colour.MUTED, fill=0)),
    override("usual", custom__drawStyle="line", **line(Colour.ACCENT, dashed=True)),
)
"""How orders look in front of what is usual: bars before lines, so that a stop is a gap."""

ATTEMPTS_AND_FAILED: Final = (
    override("attempts", **line(Colour.NEUTRAL)),
    override("failed", **line(Colour.CRITICAL)),
)


def selling_state() -> Expr:
    """Return 0 if the chosen stores sell, 1 if that is in doubt or some do not, 2 if they do not.

    Where all stores of a shop are chosen, they are judged together: a small one alone makes no red band.
    """
    together = here(glance.STATE_TOGETHER)
    one_of_many = clamp_max(here(glance.STATE), 1)
    return max_by(together.or_else(one_of_many)).only_if(max_by(together)).or_else(max_by(here(glance.STATE)))


def since_last_order(*by: str) -> Expr:
    """Return the seconds since the newest order of the chosen stores."""
    return min_by(age(here(orders_placed.LAST_ORDER)), *by)


def usual_gap() -> Expr:
    """Return the seconds between two orders that are usual at this hour of the week."""
    return HALF_HOUR / (sum_by(here(expected_orders.EXPECTED, window="30m")) > 0)


def gaps_missed(*by: str) -> Expr:
    """Return how many orders were expected at least since the last one."""
    return max_by(here(glance.AWAITED), *by)


def orders_with_the_usual(**matchers: str) -> tuple[Ask, ...]:
    """Return the orders of the last five minutes at each moment, those of a week before, and the usual."""
    placed = here(STAGES, stage="order", **matchers)
    usual = sum_by(here(expected_orders.EXPECTED, window="30m", **matchers)) / 6
    return (
        Ask(expr=sum_by(placed), legend="orders"),
        Ask(expr=sum_by(placed.before("1w")), legend="a week ago", may_be_empty=True),
        Ask(expr=usual, legend="usual"),
    )


def attempts_and_failed(**matchers: str) -> tuple[Ask, ...]:
    """Return the attempts to order of the last five minutes at each moment, and those that failed."""
    return (
        Ask(expr=sum_by(here(ATTEMPTS["5m"], **matchers)), legend="attempts"),
        Ask(expr=sum_by(here(FAILED["5m"], **matchers)), legend="failed"),
    )


def against_expected(*by: str) -> Expr:
    """Return orders divided by expected ones, over the shortest window in which enough are expected."""
    judged = [_judged(window, ENOUGH, by) for window in WINDOWS[:-1]]
    return union(*judged, _judged(WINDOWS[-1], 0, by))


def _judged(window: str, least: float, by: tuple[str, ...]) -> Expr:
    return recent(window, *by) / (expected(window, *by) > least)


def recent(window: str, *by: str) -> Expr:
    """Return the orders of the window, of the stores that have an expectation."""
    known = here(expected_orders.EXPECTED, window=window)
    both = here(expected_orders.RECENT, window=window).only_if(known)
    return sum_by(both, *by)


def orders(window: str, *by: str) -> Expr:
    """Return the orders of the window."""
    return sum_by(here(expected_orders.RECENT, window=window), *by)


def expected(window: str, *by: str) -> Expr:
    """Return the orders expected in the window."""
    return sum_by(here(expected_orders.EXPECTED, window=window), *by)


def stage_in_a_day(stage: str, *by: str) -> Expr:
    """Return the carts that reached the stage in the last 24 hours."""
    return sum_by(over_time("sum", here(STAGES, stage=stage)[DAY]), *by)


def revenue_of_a_day(*by: str) -> Expr:
    """Return the order value of the last 24 hours."""
    return sum_by(over_time("sum", here(REVENUE)[DAY]), *by)


def failed_share(window: str, *by: str) -> Expr:
    """Return the failed share of the attempts to place an order."""
    return sum_by(here(FAILED[window]), *by) / (sum_by(here(ATTEMPTS[window]), *by) > 0)


def least_failed_share(window: str) -> Expr:
    """Return the failed share of the chosen stores' attempts beyond chance, as the alerts judge it."""
    return least_share(sum_by(here(FAILED[window])), sum_by(here(ATTEMPTS[window])))


def hit_ratio(*by: str) -> Expr:
    """Return the share of the looked-up pages that the cache answered, if they are enough to judge.

    The alert asks for as many: of three requests at night all may be misses, and nothing is wrong.
    """
    enough = here(PAGES_LOOKED_UP) > thresholds.PAGE_REQUESTS
    return min_by(here(HIT_RATIO).only_if(enough), *by)


def behind(*by: str, **matchers: str) -> Expr:
    """Return by how long collectors have missed the time of their next good run.

    One that has had no good run has missed it since its exporter was started.
    """
    late = age(here(self_metrics.LAST_SUCCESS, **matchers)) - here(self_metrics.REFRESH, **matchers)
    in_vain = here(self_metrics.SUCCESS, **matchers).equals(0)
    never = in_vain.join("+", age(here(PROCESS_STARTED)), on=SHOP, group_left=())
    return function("floor", clamp_min(max_by(late.or_else(never), *by), 0))


def five_minutes(metric: Selectable, *by: str, **matchers: str) -> Expr:
    """Return the events of the five minutes before each moment: a stop is a gap."""
    return sum_by(increase(here(metric, **matchers)["5m"]), *by)


def an_hour(metric: Selectable, *by: str, **matchers: str) -> Expr:
    """Return the events of the last hour at each moment."""
    return sum_by(increase(here(metric, **matchers)["1h"]), *by)


def recorded(recording: Selectable, minutes: int, *by: str, **matchers: str) -> Expr:
    """Return the sum over so many minutes of what was recorded for five minutes each."""
    return sum_by(over_time("sum", here(recording, **matchers)[tiles(minutes)]), *by)
