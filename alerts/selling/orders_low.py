"""A store has far fewer orders than its past weeks and its own carts let expect."""

from __future__ import annotations

from typing import Final

from alerts import thresholds as limits
from alerts.lib.cases import HOUR, MINUTE, At, Cases, Hourly, Input
from alerts.lib.model import Panel, Severity, Unit
from alerts.selling.common import CARTS_FILLED, DE, rule, selling
from alerts.selling.stopped import ORDERS_PER_CART
from alerts.thresholds import warning
from exporter.collectors import checkout, expected_orders
from promql.expr import Expr, increase, max_by, relabel, series, sum_by, union
from promql.metrics import STORE
from promql.surprise import surprise

_WINDOWS: Final = ("2h", "6h")


def _by_carts(window: str) -> Expr:
    carts = sum_by(increase(series(checkout.STAGE_REACHED, stage="cart")[window]), *STORE)
    return relabel(carts * series(ORDERS_PER_CART), target="window", value=window)


BY_CARTS: Final = rule(
    "magento:orders_by_carts:count",
    union(*map(_by_carts, _WINDOWS)),
    "Orders that the carts of the window let expect, by store.",
)
_BY_HOUR: Final = max_by(series(expected_orders.EXPECTED, window=f"=~{'|'.join(_WINDOWS)}"), *STORE, "window")
DUE: Final = rule(
    "magento:orders_due:count",
    (_BY_HOUR < series(BY_CARTS)).or_else(series(BY_CARTS).only_if(_BY_HOUR)),
    "Orders of the window that past weeks and the carts let expect, whichever is less.",
)
_SEEN: Final = max_by(series(expected_orders.RECENT), *STORE, "window")
_FEW: Final = _SEEN < warning(limits.ORDERS_AGAINST_EXPECTED) * series(DUE)

RECORDINGS: Final = (BY_CARTS, DUE)

ALERTS: Final = (
    selling(
        name="MagentoOrdersLow",
        severity=Severity.URGENT,
        value=max_by(surprise(_SEEN, series(DUE)).only_if(_FEW), *STORE),
        threshold=limits.SALES_LOW_NATS,
        unit=Unit.NATS,
        scope="store",
        for_=15 * MINUTE,
        keep_firing_for=30 * MINUTE,
        summary="Fewer orders than usual, although carts are filled.",
        description="{{ $labels.store }} has less than half of the orders that past weeks and its carts let "
        'expect (surprise {{ $value | printf "%.1f" }} nats, limit %limit%).',
        impact="Part of the customers may be unable to buy: one browser, one method, one country.",
        first_action="Compare payment methods, guests and customers, and the funnel's steps with last week.",
        why="Less than half of the orders that two or six hours of past weeks let expect, and less than half "
        "of those that the carts let expect. Fewer visitors fill fewer carts, so a quiet day does not fire.",
        panel=Panel("magento-overview", "selling"),
        cases=Cases(
            entity=DE,
            inputs={
                "recent": Input(
                    expected_orders.RECENT, labels={"window": "6h"}, bad=At(15), good=At(60), edge=At(25)
                ),
                "expected": Input(
                    expected_orders.EXPECTED, labels={"window": "6h"}, bad=At(60), good=At(60), edge=At(60)
                ),
                "filled": CARTS_FILLED,
                "ordered": Input(
                    checkout.STAGE_REACHED,
                    labels={"stage": "order", "customer": "guest"},
                    bad=Hourly(12),
                    good=Hourly(12),
                    needed=False,
                ),
            },
            silent={
                "half of the usual is left": {"recent": At(100), "expected": At(200)},
                "a quiet day on which few carts are filled": {"filled": Hourly(12), "ordered": Hourly(2)},
            },
            warm_up=26 * HOUR,
            step=5 * MINUTE,
            windows_full_after=0,
            needs_all_inputs=False,
            expected_description="de has less than half of the orders that past weeks and its carts let "
            "expect (surprise 24.2 nats, limit 14).",
        ),
    ),
)
