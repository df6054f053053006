"""Is the shop selling, since when not, and what it costs: the band on top of the Overview.

It reads what the alerts read and compares with their limits, but does not wait as they do. So it is red
before somebody is called, and it is not green while somebody is.
"""

from __future__ import annotations

from typing import Final

from alerts import thresholds as limits
from alerts.lib.alertmanager import ALL_STORES
from alerts.payments_fail import LIMIT, SHARE, TESTED_NOW
from alerts.recording import ATTEMPTS, FAILED, REVENUE, STAGES, failed_ratio
from alerts.selling.common import rule
from alerts.selling.stopped import OVERDUE, SHOP_BY_CARTS, SHOP_EXPECTED, SHOP_OVERDUE
from alerts.thresholds import critical, warning
from exporter.collectors import deployment, expected_orders, orders
from exporter.core.metrics import Kind
from promql import metrics
from promql.expr import Expr, clamp_min, max_by, now, over_time, relabel, series, sum_by, union
from promql.metrics import SHOP, STORE, External, Selectable

TOGETHER: Final = "(all)"
"""The label ``store`` of what is said of all stores of a shop together: three small ones make a large one."""

_SHORTEST: Final = "30m"
_HOUR: Final = 3_600
_DAY: Final = slice("1d", "5m")
_DOUBT, _STOPPED = 1, 2


def _with_all(metric: Selectable, **matchers: str) -> Expr:
    """Return the sum for each store, and for all stores of a shop together."""
    each = series(metric, **matchers)
    return union(sum_by(each, *STORE), _all(sum_by(each, *SHOP)))


def _all(expr: Expr) -> Expr:
    """Return the result for a shop as that of all its stores together."""
    return relabel(expr, target="store", value=TOGETHER)


def _expected(window: str) -> Expr:
    return _with_all(expected_orders.EXPECTED, window=window)


LAST: Final = rule(
    "magento:last_order:timestamp",
    union(max_by(series(orders.LAST_ORDER), *STORE), _all(max_by(series(orders.LAST_ORDER), *SHOP))),
    f"Unix time of the last order by store, and of all stores of the shop as store {TOGETHER}.",
)


def _by_today(*by: str) -> Expr:
    """Return what the last hour lets expect since the last order, where nothing else is known yet."""
    hour = sum_by(over_time("sum", series(STAGES, stage="order")["1h":"5m"]), *by)
    return hour * (now() - max_by(series(orders.LAST_ORDER), *by)) / _HOUR


AWAITED: Final = rule(
    "magento:orders_awaited:count",
    union(
        series(OVERDUE),
        max_by(series(expected_orders.SINCE_LAST), *STORE),
        _by_today(*STORE),
        _all(union(series(SHOP_OVERDUE), SHOP_EXPECTED, _by_today(*SHOP))),
    ),
    f"magento:orders_overdue:count of each store, and of all stores of the shop as store {TOGETHER}. In the "
    "first days, before carts or past weeks are known, the hour of the week or the last hour decides.",
)
FAILING: Final = rule(
    "magento:placements_failing:ratio",
    series(SHARE).only_if(series(SHARE) > series(LIMIT)).unless(series(TESTED_NOW)),
    "The certain share of failed attempts in stores in which payments fail. MagentoPaymentsFail waits longer "
    "where it may be card testing.",
)
_MOST: Final = (series(FAILING) >= critical(limits.FAILING_NOW)).or_else(
    series(FAILING).only_if(failed_ratio("5m") >= limits.NEARLY_ALL_FAIL)
)
_FAILS: Final = (failed_ratio("5m") > series(LIMIT)).only_if(series(FAILED["5m"]) >= limits.FEW_FAILURES)
# Customers who try again look like card testers from the outage on; testers were there before it.
_STILL_TESTED: Final = series(TESTED_NOW).only_if(series(TESTED_NOW).before("10m"))
_NOBODY_CAN: Final = _FAILS.only_if(series(AWAITED) >= limits.OVERDUE_WHILE_FAILING).unless(_STILL_TESTED)
_HALF_OF_THE_SHOP: Final = 0.5


def _failing() -> Expr:
    """Return 1 where payments fail, 2 where most do or nobody orders; 2 for the shop if half of it stops."""
    tries, most = series(ATTEMPTS["10m"]), _MOST.or_else(_NOBODY_CAN)
    stopped = sum_by(tries.only_if(most), *SHOP) / sum_by(tries, *SHOP)
    return union(
        most * 0 + _STOPPED,
        series(FAILING) * 0 + _DOUBT,
        _all(stopped.truth(">=", _HALF_OF_THE_SHOP) + _DOUBT),
    )


def _silent() -> Expr:
    """Return 1 if orders are overdue, 2 if MagentoOrdersStopped or MagentoNobodyComes holds."""
    limit = limits.ORDERS_OVERDUE
    overdue = series(AWAITED).truth(">=", warning(limit)) + series(AWAITED).truth(">", critical(limit))
    nobody = (SHOP_EXPECTED > critical(limits.ORDERS_WITHOUT_CARTS)).only_if(
        series(SHOP_BY_CARTS) < limits.FEW_CARTS * SHOP_EXPECTED
    )
    return union(_all(nobody * 0 + _STOPPED), overdue)


def _called() -> Expr:
    """Return 1 while somebody is called about the store, or about what all stores stand on."""
    calls = {"alertname": "=~Magento.+", "alertstate": "firing", "severity": "critical"}
    everywhere = max_by(series(metrics.ALERTS, store=f"=~|{ALL_STORES}", **calls), *SHOP) * _DOUBT
    here = max_by(series(metrics.ALERTS, store=f"!~|{ALL_STORES}", **calls), *STORE) * _DOUBT
    return union(here, (series(LAST) * 0).join("+", everywhere, on=SHOP, group_left=()))


def _closed() -> Expr:
    """Return 2 while the shop is in maintenance mode."""
    closed = max_by(series(deployment.MAINTENANCE), *SHOP) * _STOPPED
    return (series(LAST) * 0).join("+", closed, on=SHOP, group_left=())


def _worst(*evidence: Expr) -> Expr:
    marked = (relabel(expr, target="of", value=str(number)) for number, expr in enumerate(evidence))
    return max_by(union(*marked), *STORE)


STATE: Final = rule(
    "magento:selling:state",
    _worst(series(LAST) * 0, _failing(), _silent(), _called(), _closed()),
    f"0 selling, 1 in doubt or in part, 2 not selling, by store and together ({TOGETHER}): the worst of what "
    "the alerts read, of the calls about it, and of maintenance.",
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

RECORDINGS: Final = (LAST, AWAITED, FAILING, STATE, STATE_TOGETHER, SINCE, MISSING, VALUE, LOST)
