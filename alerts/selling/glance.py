"""Is the shop selling, since when not, and what it costs: the band on top of the Overview.

It is faster and less certain than the alerts. It notifies nobody, so a wrong orange costs a look.
"""

from __future__ import annotations

from typing import Final

from alerts import thresholds as limits
from alerts.recording import ATTEMPTS, FAILED, REVENUE, STAGES
from alerts.selling.common import rule
from alerts.thresholds import Threshold, critical, warning
from exporter.collectors import expected_orders, orders
from exporter.core.metrics import Kind
from promql.expr import (
    Expr,
    clamp_max,
    clamp_min,
    max_by,
    now,
    over_time,
    relabel,
    seconds,
    series,
    sum_by,
    union,
)
from promql.metrics import SHOP, STORE, External, Selectable
from promql.wilson import least_share

TOGETHER: Final = "(all)"
"""The label ``store`` of what is said of all stores of a shop together: three small ones make a large one."""

_SHORTEST: Final = "30m"
_LONGER: Final = ("1d", "6h", "2h")
_JUST_NOW: Final = ("5m", "10m")
_DAY: Final = slice("1d", "5m")


def _with_all(metric: Selectable, **matchers: str) -> Expr:
    """Return the sum for each store, and for all stores of a shop together."""
    each = series(metric, **matchers)
    return union(sum_by(each, *STORE), _all(sum_by(each, *SHOP)))


def _all(expr: Expr) -> Expr:
    return relabel(expr, target="store", value=TOGETHER)


def _expected(window: str) -> Expr:
    return _with_all(expected_orders.EXPECTED, window=window)


LAST: Final = rule(
    "magento:last_order:timestamp",
    union(max_by(series(orders.LAST_ORDER), *STORE), _all(max_by(series(orders.LAST_ORDER), *SHOP))),
    f"Unix time of the last order by store, and of all stores of the shop as store {TOGETHER}.",
)


def _awaited() -> Expr:
    """Return how many orders were expected at least since the last one.

    The longest window of the expectation that lies within the gap is taken; in the first half hour, the part
    of the shortest window that has passed.
    """
    gap = now() - series(LAST)
    part = clamp_max(gap / seconds(_SHORTEST), 1) * _expected(_SHORTEST)
    return union(*(_expected(window).only_if(gap >= seconds(window)) for window in _LONGER), part)


AWAITED: Final = rule(
    "magento:orders_awaited:count",
    _awaited(),
    f"Orders expected at least since the last one, by store and together ({TOGETHER}).",
)


def _largest(*given: Expr) -> Expr:
    marked = (relabel(expr, target="of", value=str(number)) for number, expr in enumerate(given))
    return max_by(union(*marked), *STORE)


FAILING: Final = rule(
    "magento:placements_failing:ratio",
    _largest(*(least_share(_with_all(FAILED[window]), _with_all(ATTEMPTS[window])) for window in _JUST_NOW)),
    "Failed share of the attempts that chance cannot explain, the larger of the last five and ten minutes.",
)
PLACED: Final = rule(
    "magento:placements_succeeded:increase10m",
    _with_all(ATTEMPTS["10m"]) - _with_all(FAILED["10m"]),
    "Attempts to place an order in the last ten minutes that did not fail.",
)
_USUAL: Final = _largest(over_time("avg", series(PLACED)["6h":"10m"]), _expected(_SHORTEST) / 3)
"""What ten minutes usually bring: by the week, or by the last six hours if they are better (a campaign)."""


def _level(value: Expr, limit: Threshold) -> Expr:
    """Return 0, from the warning on 1, from the critical on 2."""
    return value.truth(">=", warning(limit)) + value.truth(">=", critical(limit))


def _doubts() -> Expr:
    """Return the doubts of both kinds of evidence, added up."""
    orders_hold = series(PLACED) >= limits.ORDERS_HOLD * _USUAL
    none = series(FAILING) * 0
    failing = _level(series(FAILING), limits.FAILING_NOW).unless(orders_hold, on=STORE).or_else(none)
    silent = _level(series(AWAITED), limits.ORDERS_AWAITED)
    both = union(
        relabel(failing, target="of", value="payments"), relabel(silent, target="of", value="silence")
    )
    return sum_by(both, *STORE)


STATE: Final = rule(
    "magento:selling:state",
    clamp_max(_doubts(), 2),
    f"0 selling, 1 in doubt, 2 not selling, by store and together ({TOGETHER}). Failing attempts count, "
    "unless orders hold, and so does the time without an order. Two doubts are a no.",
)
STATE_TOGETHER: Final = rule(
    "magento:selling_together:state",
    series(STATE, store=TOGETHER),
    "magento:selling:state of all stores of the shop together.",
)
_IN_TROUBLE: Final = series(STATE) > 0
_ALL_IN_TROUBLE: Final = series(STATE, store=TOGETHER) > 0

_SINCE: Final = External("magento:not_selling:since", Kind.GAUGE, "the rule's own past", ("store",))
SINCE: Final = rule(
    _SINCE.name,
    union(over_time("last", series(_SINCE)["5m"]), series(LAST)).only_if(_IN_TROUBLE, on=STORE),
    "Unix time of the last order before the store stopped selling, or was in doubt; absent while it sells. "
    "Five minutes of selling end it.",
)

_MISSING: Final = External("magento:orders_missing:count", Kind.GAUGE, "the rule's own past", ("store",))


def _missing() -> Expr:
    """Return the value of five minutes ago and what these five minutes brought less than expected."""
    expected = _expected(_SHORTEST) / 6
    before = over_time("last", series(_MISSING).before("5m")["5m"]).or_else(expected * 0)
    total = clamp_min(before + expected - _with_all(STAGES, stage="order"), 0)
    return union(total.only_if(_IN_TROUBLE, on=STORE), total.only_if(_ALL_IN_TROUBLE, on=SHOP))


MISSING: Final = rule(
    _MISSING.name,
    _missing(),
    "Orders that were expected and did not come since the store was no longer, or in doubt, selling.",
)
VALUE: Final = rule(
    "magento:order_value_base:mean1d",
    sum_by(over_time("sum", series(REVENUE)[_DAY]), *STORE, "currency").join(
        "/",
        sum_by(over_time("sum", series(STAGES, stage="order")[_DAY]), *STORE) > 0,
        on=STORE,
        group_left=(),
    ),
    "Mean value of an order of the last day in base currency, by store.",
)
LOST: Final = rule(
    "magento:revenue_missing:sum",
    series(VALUE).join("*", series(MISSING), on=STORE, group_left=()),
    "magento:orders_missing:count in money: times the mean order of the last day, in base currency.",
)

RECORDINGS: Final = (
    LAST,
    AWAITED,
    FAILING,
    PLACED,
    STATE,
    STATE_TOGETHER,
    SINCE,
    MISSING,
    VALUE,
    LOST,
)
