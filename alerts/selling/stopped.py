"""Orders have stopped while carts are filled: the fastest proof that nobody can buy."""

from __future__ import annotations

from typing import Final

from alerts import thresholds as limits
from alerts.lib.alertmanager import ALL_STORES
from alerts.lib.cases import HOUR, MINUTE, At, Cases, Hourly, Input
from alerts.lib.model import Panel, Severity
from alerts.selling.common import CARTS_FILLED, DE, rule, selling
from alerts.selling.stages import STAGES_WEEK
from alerts.thresholds import critical
from exporter.collectors import checkout, expected_orders
from promql.expr import Expr, count_by, max_by, over_time, relabel, series, sum_by, union
from promql.metrics import SHOP, STORE


def _orders_per_cart(*by: str) -> Expr:
    carts, bought = (sum_by(series(STAGES_WEEK, stage=stage), *by) for stage in ("cart", "order"))
    return bought / (carts > 0)


ORDERS_PER_CART: Final = rule(
    "magento:checkout_orders_per_cart:ratio1w",
    _orders_per_cart(*STORE),
    "Orders for each cart that was filled in the week before the last hour, by store.",
)
SHOP_ORDERS_PER_CART: Final = rule(
    "magento:shop_orders_per_cart:ratio1w",
    _orders_per_cart(*SHOP),
    "Orders for each cart that was filled in the whole shop in the week before the last hour.",
)


def _overdue(expected: Expr, by_carts: Expr) -> Expr:
    """Return the smaller of both expectations: one by the hour, one by the carts."""
    return (expected < by_carts).or_else(by_carts.only_if(expected))


OVERDUE: Final = rule(
    "magento:orders_overdue:count",
    _overdue(
        max_by(series(expected_orders.SINCE_LAST), *STORE),
        max_by(series(checkout.CARTS_SINCE_ORDER), *STORE)
        * over_time("max", series(ORDERS_PER_CART)["3d":"1h"]),
    ),
    "Orders of the store that should have come since its last one: what past weeks and the carts since "
    "then let expect, whichever is less.",
)
SHOP_EXPECTED: Final = max_by(series(expected_orders.SHOP_SINCE_LAST), *SHOP)
SHOP_BY_CARTS: Final = rule(
    "magento:shop_orders_overdue:by_carts",
    max_by(series(checkout.SHOP_CARTS_SINCE_ORDER), *SHOP)
    * over_time("max", series(SHOP_ORDERS_PER_CART)["3d":"1h"]),
    "Orders of the whole shop that the carts since its last one let expect.",
)
SHOP_OVERDUE: Final = rule(
    "magento:shop_orders_overdue:count",
    _overdue(SHOP_EXPECTED, series(SHOP_BY_CARTS)),
    "magento:orders_overdue:count of all stores of a shop together.",
)

_SEVERAL_STORES: Final = count_by(series(expected_orders.SINCE_LAST), *SHOP) > 1

RECORDINGS: Final = (ORDERS_PER_CART, SHOP_ORDERS_PER_CART, OVERDUE, SHOP_BY_CARTS, SHOP_OVERDUE)

ALERTS: Final = (
    selling(
        name="MagentoOrdersStopped",
        severity=Severity.CRITICAL,
        value=union(
            series(OVERDUE),
            relabel(series(SHOP_OVERDUE).only_if(_SEVERAL_STORES), target="store", value=ALL_STORES),
        ),
        threshold=critical(limits.ORDERS_OVERDUE),
        scope="store",
        for_=2 * MINUTE,
        keep_firing_for=10 * MINUTE,
        summary="Orders have stopped, and customers go on filling carts.",
        description='Since the last order of {{ $labels.store }}, {{ $value | printf "%.0f" }} more should '
        "have come (limit %limit%).",
        impact="Customers want to buy and cannot. Every minute is lost revenue.",
        first_action="Place a test order with each payment method; look at the checkout funnel for the step "
        "that fails.",
        why="Since the last order, fifteen more should have come, both by the hour of the week and by the "
        "carts that were filled since. Small stores reach the limit together: then the store is all-stores.",
        panel=Panel("magento-checkout", "due"),
        cases=Cases(
            entity=DE,
            inputs={
                "expected": Input(expected_orders.SINCE_LAST, bad=At(20), good=At(0.5), edge=At(15)),
                "carts": Input(checkout.CARTS_SINCE_ORDER, bad=At(200), good=At(3)),
                "filled": CARTS_FILLED,
                "ordered": Input(
                    checkout.STAGE_REACHED,
                    labels={"stage": "order", "customer": "guest"},
                    bad=Hourly(10),
                    good=Hourly(10),
                ),
            },
            silent={
                "a holiday on which few carts are filled": {"expected": At(500), "carts": At(30)},
                "bots fill carts at a quiet hour": {"expected": At(2), "carts": At(5_000)},
            },
            warm_up=26 * HOUR,
            step=2 * MINUTE,
            windows_full_after=0,
            needs_all_inputs=False,
            expected_description="Since the last order of de, 20 more should have come (limit 15).",
        ),
    ),
)
