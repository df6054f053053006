"""What the alerts of this subject share."""

from __future__ import annotations

from functools import partial
from typing import Final

from alerts import thresholds as limits
from alerts.lib.cases import Hourly, Input
from alerts.lib.condition import Clause, only_where, unless
from alerts.lib.model import Alert, Category, Severity, Team
from alerts.lib.recording import Recording
from alerts.thresholds import critical
from exporter.collectors import checkout
from promql.expr import Expr, Selector, over_time, series
from promql.metrics import STORE
from promql.surprise import surprise

DE: Final = {"store": "de"}
CARTS_FILLED: Final = Input(
    checkout.STAGE_REACHED, labels={"stage": "cart", "customer": "guest"}, bad=Hourly(60), good=Hourly(60)
)
"""In a case: sixty carts an hour, whatever becomes of them."""


def rule(name: str, expr: Expr, about: str) -> Recording:
    """Return a recording rule of this subject."""
    return Recording(name=name, expr=expr, group="selling", help=about)


def week(hourly: Recording, before: str = "") -> Expr:
    """Return a week as the sum of its hours, which reads a sample an hour instead of every scrape."""
    hours = series(hourly)["1w":"1h"]
    return over_time("sum", hours.before(before) if before else hours)


def far_below(reached: Expr, expected: Expr) -> Expr:
    """Return the surprise in nats where less than a fifth of what was expected came."""
    return surprise(reached, expected).only_if(reached < critical(limits.FUNNEL_STAGE_RATIO) * expected)


def still_reached(reached: Selector, label: str) -> Clause:
    """Return the guard that drops what half as many reach as a week ago; in the first week, as yesterday."""
    return unless(reached > limits.STAGE_STILL_REACHED * _before(reached), on=(*STORE, label))


def fell_by_half(reached: Selector, label: str) -> Clause:
    """Return the guard that keeps what less than half as many reach as then: nothing on the first day."""
    return only_where(reached <= limits.STAGE_STILL_REACHED * _before(reached), on=(*STORE, label))


def _before(reached: Selector) -> Expr:
    return reached.before("1w").or_else(reached.before("1d"))


selling: Final = partial(
    Alert, severity=Severity.WARNING, team=Team.COMMERCE, service="selling", category=Category.BUSINESS
)
