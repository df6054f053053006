"""Orders that should have come since the last one, also in the first days of a Prometheus."""

from __future__ import annotations

from typing import Final

from alerts.recording import STAGES
from alerts.selling.common import rule
from alerts.selling.stopped import OVERDUE, SHOP_EXPECTED, SHOP_OVERDUE
from exporter.collectors import expected_orders, orders
from promql.expr import Expr, max_by, now, over_time, relabel, series, sum_by, union
from promql.metrics import SHOP, STORE

TOGETHER: Final = "(all)"
"""The label ``store`` of what is said of all stores of a shop together: three small ones make a large one."""

_HOUR: Final = 3_600


def for_all(expr: Expr) -> Expr:
    """Return the result for a shop as that of all its stores together."""
    return relabel(expr, target="store", value=TOGETHER)


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
        for_all(union(series(SHOP_OVERDUE), SHOP_EXPECTED, _by_today(*SHOP))),
    ),
    f"magento:orders_overdue:count of each store, and of all stores of the shop as store {TOGETHER}. In the "
    "first days, before carts or past weeks are known, the hour of the week or the last hour decides.",
)

RECORDINGS: Final = (AWAITED,)
