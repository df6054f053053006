"""A payment method has gone quiet."""

from __future__ import annotations

from typing import Final

from alerts import thresholds as limits
from alerts.lib.cases import DAY, HOUR, MINUTE, Cases, Hourly, Input, Until
from alerts.lib.model import Category, NoData, Panel, Severity, Unit
from alerts.lib.recording import Recording
from alerts.selling.common import rule, selling, week
from alerts.thresholds import critical
from exporter.collectors import orders
from promql.expr import Expr, increase, max_by, relabel, series, sum_by, union
from promql.metrics import STORE
from promql.surprise import surprise


def _per_method(window: str) -> Expr:
    return sum_by(increase(series(orders.PLACED)[window]), *STORE, "method")


METHOD_HOUR: Final = rule(
    "magento:payment_method_orders:increase1h",
    _per_method("1h"),
    "Orders of the last hour by payment method.",
)
METHOD_RECENT_6H: Final = rule(
    "magento:payment_method_orders:increase6h",
    _per_method("6h"),
    "Orders of the last six hours by payment method.",
)
METHOD_RECENT_1D: Final = rule(
    "magento:payment_method_orders:increase1d",
    _per_method("1d"),
    "Orders of the last day by payment method.",
)
_A_WEEK_AGO: Final = series(METHOD_RECENT_6H).before("1w")
METHOD_USUAL_6H: Final = rule(
    "magento:payment_method_orders:usual6h",
    (series(METHOD_RECENT_6H).before("1d") < _A_WEEK_AGO).or_else(_A_WEEK_AGO),
    "The fewer of the orders in the same six hours of yesterday and of a week ago, by payment method.",
)
_MEAN_DAY: Final = week(METHOD_HOUR, "1d") / 7
METHOD_USUAL_1D: Final = rule(
    "magento:payment_method_orders:usual1d",
    (series(METHOD_RECENT_1D).before("1w") < _MEAN_DAY).or_else(_MEAN_DAY),
    "The fewer of the orders on the same day a week ago and on the mean day of the week before the last day, "
    "by payment method.",
)


def _quiet(recent: Recording, usual: Recording, window: str) -> Expr:
    """Return the surprise at a method's silence where only a fifth of the usual is left."""
    seen, expected = series(recent), series(usual)
    few = seen < critical(limits.ORDERS_AGAINST_EXPECTED) * expected
    return relabel(surprise(seen, expected).only_if(few), target="window", value=window)


RECORDINGS: Final = (METHOD_HOUR, METHOD_RECENT_6H, METHOD_RECENT_1D, METHOD_USUAL_6H, METHOD_USUAL_1D)

_WEEKDAYS: Final = Until(5 * DAY, Hourly(5), Until(7 * DAY, Hourly(0), Until(12 * DAY, Hourly(5), Hourly(0))))
"""A counter that stands still at weekends, from a Monday on."""

ALERTS: Final = (
    selling(
        name="MagentoPaymentMethodQuiet",
        severity=Severity.URGENT,
        service="payment",
        category=Category.CHECKOUT,
        value=max_by(
            union(
                _quiet(METHOD_RECENT_6H, METHOD_USUAL_6H, "6h"),
                _quiet(METHOD_RECENT_1D, METHOD_USUAL_1D, "1d"),
            ),
            *STORE,
            "method",
        ),
        threshold=critical(limits.DROUGHT_SURPRISE_NATS),
        unit=Unit.NATS,
        scope="store",
        for_=15 * MINUTE,
        keep_firing_for=30 * MINUTE,
        no_data=NoData.OPTIONAL,
        summary="A payment method has gone quiet.",
        description="Orders with {{ $labels.method }} in {{ $labels.store }} have all but stopped "
        '(surprise {{ $value | printf "%.1f" }} nats, limit %limit%).',
        impact="Customers who want to pay this way cannot; some choose another method, some leave.",
        first_action="Place a test order with this method; look at the provider's status page.",
        why="The method is compared with its own yesterday, its own week, and the same day a week ago. The "
        "lowest of these counts. So methods that are rarely used, or never at weekends, do not fire.",
        panel=Panel("magento-checkout", "methods"),
        cases=Cases(
            entity={"store": "de", "method": "paypal_express"},
            inputs={"placed": Input(orders.PLACED, bad=Hourly(0), good=Hourly(0.5), edge=Hourly(0.02))},
            silent={"an invoice that companies use on weekdays": {"placed": _WEEKDAYS}},
            fires={
                "a method that is used often, for ten hours": {
                    "placed": Until(12 * DAY + 21 * HOUR, Hourly(3), Hourly(0))
                }
            },
            warm_up=12 * DAY,
            step=HOUR,
            windows_full_after=2 * HOUR,
            reaches_limit_after=23 * HOUR,
            expected_description="Orders with paypal_express in de have all but stopped (surprise 12.0 "
            "nats, limit 10.6).",
        ),
    ),
)
