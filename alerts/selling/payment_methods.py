"""A payment method brings no orders any more: the orders with the other methods are the clock."""

from __future__ import annotations

from functools import partial
from typing import Final

from alerts import thresholds as limits
from alerts.lib.cases import HOUR, MINUTE, At, Cases, Hourly, Input
from alerts.lib.condition import Clause, only_where
from alerts.lib.model import Category, NoData, Panel, Severity, Unit
from alerts.selling.common import rule, selling, week
from alerts.thresholds import critical
from exporter.collectors import orders
from promql.expr import clamp_max, function, increase, max_by, over_time, series, sum_by
from promql.metrics import STORE

METHOD_HOUR: Final = rule(
    "magento:payment_method_orders:increase1h",
    sum_by(increase(series(orders.PLACED)["1h"]), *STORE, "method"),
    "Orders of the last hour by payment method.",
)
METHOD_WEEK: Final = rule(
    "magento:payment_method_orders:increase1w",
    week(METHOD_HOUR, "1h"),
    "Orders of the week before the last hour by payment method.",
)
METHOD_SHARE: Final = rule(
    "magento:payment_method_share:ratio1w",
    series(METHOD_WEEK).join("/", sum_by(series(METHOD_WEEK), *STORE) > 0, on=STORE, group_left=()),
    "Share of a payment method in the orders of its store in the week before the last hour.",
)
_SINCE: Final = max_by(series(orders.SINCE_LAST), *STORE, "method")
METHOD_QUIET: Final = rule(
    "magento:payment_method_quiet:nats",
    _SINCE * function("ln", 1 - clamp_max(series(METHOD_SHARE), limits.METHOD_SHARE_AT_MOST)) * -1,
    "How surprising it is that so many orders came since the last one with the payment method, in nats.",
)
_LONGEST_GAP: Final = max_by(over_time("max", series(orders.SINCE_LAST).before("1d")["6d"]), *STORE, "method")

RECORDINGS: Final = (METHOD_HOUR, METHOD_WEEK, METHOD_SHARE, METHOD_QUIET)


def _far_longer(factor: float) -> Clause:
    """Return the guard that the gap is far longer than any of the last week."""
    return only_where(_SINCE > factor * _LONGEST_GAP)


def _orders(hourly: float, *, needed: bool = True, **labels: str) -> Input:
    return Input(orders.PLACED, labels=labels, bad=Hourly(hourly), good=Hourly(hourly), needed=needed)


_DESCRIPTION: Final = (
    "So many orders came in {{ $labels.store }} since the last one with {{ $labels.method }} that chance is "
    "ruled out (limit %limit% nats)."
)

_quiet: Final = partial(
    selling,
    service="payment",
    category=Category.CHECKOUT,
    value=series(METHOD_QUIET),
    threshold=critical(limits.METHOD_DEAD_NATS),
    unit=Unit.NATS,
    no_data=NoData.OPTIONAL,
    description=_DESCRIPTION,
    first_action="Place a test order with this method; look at the provider's status page.",
    panel=Panel("magento-checkout", "method_gap"),
)

ALERTS: Final = (
    _quiet(
        name="MagentoPaymentMethodDead",
        severity=Severity.CRITICAL,
        guard=(
            _far_longer(limits.METHOD_GAP_FACTOR),
            only_where(series(METHOD_SHARE) >= limits.MAIN_METHOD_SHARE),
        ),
        scope=None,
        for_=2 * MINUTE,
        keep_firing_for=10 * MINUTE,
        summary="A main payment method brings no orders any more.",
        impact="Customers who want to pay this way cannot; some choose another method, most leave.",
        why="A method with at least 30 % of the store's orders has none, while so many others came that "
        "chance is ruled out. The gap is also twice as long as any of the last week, so methods that "
        "rest outside office hours do not fire.",
        cases=Cases(
            entity={"store": "de", "method": "paypal_express"},
            inputs={
                "since": Input(orders.SINCE_LAST, bad=At(30), good=At(1), edge=At(5)),
                "with_it": _orders(10_000),
                "with_another": _orders(4, needed=False, method="checkmo"),
            },
            silent={
                "a method that few use": {"with_another": Hourly(100_000)},
                "a method that is used in office hours only": {"since": At(30)},
            },
            warm_up=26 * HOUR,
            step=2 * MINUTE,
            windows_full_after=0,
            needs_all_inputs=False,
            expected_description="So many orders came in de since the last one with paypal_express that "
            "chance is ruled out (limit 15 nats).",
        ),
    ),
    _quiet(
        name="MagentoPaymentMethodQuiet",
        severity=Severity.URGENT,
        guard=(
            _far_longer(limits.SMALL_METHOD_GAP_FACTOR),
            only_where(series(METHOD_SHARE) < limits.MAIN_METHOD_SHARE),
        ),
        scope="store",
        for_=5 * MINUTE,
        keep_firing_for=30 * MINUTE,
        summary="A payment method has gone quiet.",
        impact="Customers who want to pay this way cannot; some choose another method, some leave.",
        why="A method with less than 30 % of the store's orders has none, while so many others came that "
        "chance is ruled out. The gap is also three times as long as any of the last week, so methods "
        "that are rarely used, or never at weekends, do not fire.",
        cases=Cases(
            entity={"store": "de", "method": "paypal_express"},
            inputs={
                "since": Input(orders.SINCE_LAST, bad=At(200), good=At(15), edge=At(60)),
                "with_it": _orders(100),
                "with_another": _orders(400, needed=False, method="checkmo"),
            },
            silent={
                "a main method": {"with_it": Hourly(10_000)},
                "a method that rests at weekends": {"since": At(200)},
            },
            warm_up=26 * HOUR,
            step=5 * MINUTE,
            windows_full_after=0,
            needs_all_inputs=False,
            expected_description="So many orders came in de since the last one with paypal_express that "
            "chance is ruled out (limit 15 nats).",
        ),
    ),
)
