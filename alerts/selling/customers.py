"""Only guests order, or only customers with an account: the login is broken, or ordering without one."""

from __future__ import annotations

from typing import Final

from alerts import thresholds as limits
from alerts.lib.cases import HOUR, MINUTE, Cases, Hourly, Input
from alerts.lib.model import Category, NoData, Panel, Severity, Unit
from alerts.selling.common import far_below, fell_by_half, rule, selling, week
from alerts.thresholds import critical
from exporter.collectors import checkout
from promql.expr import increase, series, sum_by
from promql.metrics import STORE

KIND_HOUR: Final = rule(
    "magento:customer_orders:increase1h",
    sum_by(increase(series(checkout.STAGE_REACHED, stage="order")["1h"]), *STORE, "customer"),
    "Orders of the last hour by guests and by customers with an account.",
)
KIND_WEEK: Final = rule(
    "magento:customer_orders:increase1w",
    week(KIND_HOUR, "1h"),
    "Orders of the week before the last hour by guests and by customers with an account.",
)
KIND_EXPECTED: Final = rule(
    "magento:customer_orders_expected:increase1h",
    (series(KIND_WEEK).join("/", sum_by(series(KIND_WEEK), *STORE) > 0, on=STORE, group_left=())).join(
        "*", sum_by(series(KIND_HOUR), *STORE), on=STORE, group_left=()
    ),
    "Orders of the last hour that should be by guests and by customers with an account: all orders of the "
    "hour, times the share of a usual week.",
)
_ORDERED: Final = series(KIND_HOUR)

RECORDINGS: Final = (KIND_HOUR, KIND_WEEK, KIND_EXPECTED)


def _orders(customer: str, bad: float, good: float) -> Input:
    return Input(
        checkout.STAGE_REACHED,
        labels={"stage": "order", "customer": customer},
        bad=Hourly(bad),
        good=Hourly(good),
    )


ALERTS: Final = (
    selling(
        name="MagentoCustomersQuiet",
        severity=Severity.URGENT,
        service="checkout",
        category=Category.CHECKOUT,
        value=far_below(_ORDERED, series(KIND_EXPECTED)),
        threshold=critical(limits.DROUGHT_SURPRISE_NATS),
        unit=Unit.NATS,
        guard=(fell_by_half(_ORDERED, "customer"),),
        scope="store",
        for_=10 * MINUTE,
        keep_firing_for=30 * MINUTE,
        no_data=NoData.OPTIONAL,
        summary="Only guests order, or only customers with an account.",
        description="Hardly any order of {{ $labels.store }} is by {{ $labels.customer }} customers, "
        'although the others order (surprise {{ $value | printf "%.1f" }} nats, limit %limit%).',
        impact="Customers who have to log in, or who have no account, cannot buy.",
        first_action="Log in as a customer and place a test order; then do so as a guest.",
        why="Of the orders of the last hour, less than a fifth of the usual share is by this kind of "
        "customer, and less than half as many as in the same hour a week ago (in the first week: yesterday). "
        "On the first day nothing is usual yet, and it does not fire.",
        panel=Panel("magento-checkout", "guests"),
        cases=Cases(
            entity={"store": "de", "customer": "registered"},
            inputs={
                "ordered": Input(
                    checkout.STAGE_REACHED,
                    labels={"stage": "order"},
                    bad=Hourly(0.5),
                    good=Hourly(24),
                    edge=Hourly(3),
                ),
                "others": _orders("guest", 60, 60),
            },
            silent={
                "a kind of customer that hardly ever orders": {"ordered": Hourly(1)},
                "nobody orders": {"ordered": Hourly(0.5), "others": Hourly(0.5)},
            },
            warm_up=26 * HOUR,
            step=10 * MINUTE,
            needs_all_inputs=False,
            reaches_limit_after=50 * MINUTE,
            expected_description="Hardly any order of de is by registered customers, although the "
            "others order (surprise 16.4 nats, limit 10.6).",
        ),
    ),
)
