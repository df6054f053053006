"""Queries about selling that several dashboards ask."""

from __future__ import annotations

from typing import Final

from alerts import thresholds
from alerts.recording import ATTEMPTS, FAILED, REVENUE, STAGES
from dashboards.lib.here import here
from dashboards.lib.style import Colour, verdict, words
from exporter.collectors import expected_orders
from promql.expr import Expr, over_time, sum_by, union

WINDOWS: Final = ("30m", "2h", "6h", "1d")
ENOUGH: Final = 10
"""Orders to be expected in a window before it is judged; with fewer a longer window is taken."""

DAY: Final = "1d:5m"

SINCE_INSTALLED: Final = "Counted since the exporter was installed: in its first day less than the orders."
"""What a number of a day made of counters says beside orders, which the database knows from before."""

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


def against_expected(*by: str) -> Expr:
    """Return orders divided by expected ones, over the shortest window in which enough are expected."""
    judged = [_judged(window, ENOUGH, by) for window in WINDOWS[:-1]]
    return union(*judged, _judged(WINDOWS[-1], 0, by))


def _judged(window: str, least: float, by: tuple[str, ...]) -> Expr:
    return recent(window, *by) / (expected(window, *by) > least)


def recent(window: str, *by: str) -> Expr:
    """Return the orders of the window, of the stores that have an expectation."""
    known = here(expected_orders.EXPECTED, window=window).now
    both = here(expected_orders.RECENT, window=window).now.only_if(known)
    return sum_by(both, *by)


def orders(window: str, *by: str) -> Expr:
    """Return the orders of the window."""
    return sum_by(here(expected_orders.RECENT, window=window).now, *by)


def expected(window: str, *by: str) -> Expr:
    """Return the orders expected in the window."""
    return sum_by(here(expected_orders.EXPECTED, window=window).now, *by)


def stage_in_a_day(stage: str, *by: str) -> Expr:
    """Return the carts that reached the stage in the last 24 hours."""
    return sum_by(over_time("sum", here(STAGES, stage=stage)[DAY]), *by)


def revenue_of_a_day(*by: str) -> Expr:
    """Return the order value of the last 24 hours."""
    return sum_by(over_time("sum", here(REVENUE)[DAY]), *by)


def failed_share(window: str, *by: str) -> Expr:
    """Return the failed share of the attempts to place an order."""
    return sum_by(here(FAILED[window]).now, *by) / (sum_by(here(ATTEMPTS[window]).now, *by) > 0)
