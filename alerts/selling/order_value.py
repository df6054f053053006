"""Orders are worth far more or far less than usual."""

from __future__ import annotations

from typing import Final

from alerts import thresholds as limits
from alerts.lib.cases import DAY, HOUR, MINUTE, Cases, Hourly, Input
from alerts.lib.condition import only_where
from alerts.lib.model import Panel, Unit
from alerts.selling.common import DE, rule, selling, week
from alerts.selling.payment_methods import METHOD_HOUR
from alerts.thresholds import warning
from exporter.collectors import orders
from promql.expr import function, increase, series, sum_by
from promql.metrics import STORE

REVENUE_HOUR: Final = rule(
    "magento:orders_revenue_base:increase1h",
    sum_by(increase(series(orders.REVENUE)["1h"]), *STORE),
    "Value of the orders of the last hour in base currency.",
)
_ORDERS_6H: Final = sum_by(increase(series(orders.PLACED)["6h"]), *STORE)

VALUE_6H: Final = rule(
    "magento:order_value_base:mean6h",
    sum_by(increase(series(orders.REVENUE)["6h"]), *STORE) / (_ORDERS_6H > 0),
    "Mean value of an order in the last six hours.",
)
VALUE_1W: Final = rule(
    "magento:order_value_base:mean1w",
    week(REVENUE_HOUR) / (sum_by(week(METHOD_HOUR), *STORE) > limits.ORDERS_FOR_A_MEAN),
    "Mean value of an order in the last week, where it has enough of them.",
)

RECORDINGS: Final = (REVENUE_HOUR, VALUE_6H, VALUE_1W)

ALERTS: Final = (
    selling(
        name="MagentoOrderValueUnusual",
        value=function("exp", function("abs", function("ln", series(VALUE_6H) / (series(VALUE_1W) > 0)))),
        threshold=warning(limits.ORDER_VALUE_FACTOR),
        unit=Unit.FACTOR,
        guard=(only_where(_ORDERS_6H > limits.ORDERS_FOR_A_MEAN, on=STORE),),
        scope="store",
        for_=15 * MINUTE,
        keep_firing_for=30 * MINUTE,
        summary="Orders are worth far more or far less than usual.",
        description="The mean order of {{ $labels.store }} in the last six hours is "
        '{{ $value | printf "%.1f" }} times as large, or as small, as that of the week (limit %limit%).',
        impact="A wrong price, discount or currency sells goods at a loss; or somebody orders with stolen "
        "cards.",
        first_action="Look at the latest orders: which product or coupon makes the difference?",
        why="The mean of more than ten orders does not triple, or fall to a third, without a cause.",
        panel=Panel("magento-money", "order_value"),
        cases=Cases(
            entity=DE,
            inputs={
                "revenue": Input(
                    orders.REVENUE,
                    labels={"currency": "EUR"},
                    bad=Hourly(1000),
                    good=Hourly(200),
                    edge=Hourly(700),
                ),
                "orders": Input(orders.PLACED, labels={"method": "checkmo"}, bad=Hourly(4), good=Hourly(4)),
            },
            silent={"hardly any orders": {"orders": Hourly(1)}},
            warm_up=2 * DAY,
            step=20 * MINUTE,
            windows_full_after=2 * HOUR,
            needs_all_inputs=False,
            reaches_limit_after=260 * MINUTE,
            clears_after=HOUR,
            expected_description="The mean order of de in the last six hours is 3.2 times as large, or as "
            "small, as that of the week (limit 3).",
        ),
    ),
)
