"""A store has far fewer orders than its own past weeks let expect."""

from __future__ import annotations

from typing import Final

from alerts import thresholds as limits
from alerts.lib.cases import HOUR, MINUTE, At, Cases
from alerts.lib.condition import only_where, unless
from alerts.lib.model import Panel, Severity, Unit
from alerts.selling.common import DE, selling
from alerts.selling.drought_cases import EXPLAINED, UNEXPLAINED, carts, closure, orders_in
from alerts.selling.shortfall import shortfall
from alerts.thresholds import critical, warning
from exporter.collectors import checkout, expected_orders
from promql.expr import increase, max_by, series, sum_by
from promql.metrics import STORE

_CARTS: Final = sum_by(increase(series(checkout.STAGE_REACHED, stage="cart")["30m"]), *STORE)
_ORDERS_OF_TWO_HOURS: Final = max_by(series(expected_orders.EXPECTED, window="2h"), *STORE)
_TRAFFIC: Final = _CARTS.join(
    ">", warning(limits.TRAFFIC_CARTS_PER_EXPECTED_ORDER) * _ORDERS_OF_TWO_HOURS / 4, on=STORE
)
"""Stores in which carts are filled as if orders were to follow. Half an hour of carts is compared with a
quarter of two hours' orders, because after half an hour orders count as missing. With a longer window, the
carts of the last customers would hide for a while that nobody comes any more."""


ALERTS: Final = (
    selling(
        name="MagentoOrderDroughtWithTraffic",
        severity=Severity.CRITICAL,
        value=shortfall(critical(limits.ORDERS_AGAINST_EXPECTED)),
        threshold=critical(limits.DROUGHT_SURPRISE_NATS),
        unit=Unit.NATS,
        guard=(only_where(_TRAFFIC, on=STORE),),
        scope="store",
        for_=10 * MINUTE,
        keep_firing_for=15 * MINUTE,
        summary="Customers fill carts, but orders do not come.",
        description="{{ $labels.store }} has less than a fifth of its usual orders "
        '(surprise {{ $value | printf "%.1f" }} nats, limit %limit%). Carts are filled as usual.',
        impact="Customers want to buy and cannot. Every minute is lost revenue.",
        first_action="Place a test order with each payment method; look at the checkout funnel for the step "
        "that fails.",
        why="Less than a fifth of the usual orders. By chance alone that happens once in 40,000 "
        "windows. docs/alerts.md has the number of false calls for each size of shop.",
        panel=Panel("magento-overview", "selling"),
        cases=Cases(
            entity=DE,
            inputs={
                "recent_2h": orders_in(expected_orders.RECENT, "2h", bad=2, good=20, edge=3),
                "expected_2h": orders_in(expected_orders.EXPECTED, "2h", bad=18, good=5, edge=18),
                "carts": carts(bad=12, good=7),
                **closure(),
            },
            fires=UNEXPLAINED,
            silent={
                **EXPLAINED,
                "a fifth of the usual is left": {"recent_2h": At(12), "expected_2h": At(60)},
                "too small a shop to tell": {"recent_2h": At(0), "expected_2h": At(10)},
            },
            warm_up=2 * HOUR,
            step=2 * MINUTE,
            reaches_limit_after=12 * MINUTE,
            windows_full_after=30 * MINUTE,
            expected_description="de has less than a fifth of its usual orders (surprise 11.6 nats, limit "
            "10.6). Carts are filled as usual.",
        ),
    ),
    selling(
        name="MagentoOrderDroughtNoTraffic",
        severity=Severity.CRITICAL,
        value=shortfall(critical(limits.ORDERS_AGAINST_EXPECTED)),
        threshold=critical(limits.DROUGHT_SURPRISE_NATS),
        unit=Unit.NATS,
        guard=(unless(_TRAFFIC, on=STORE),),
        scope="store",
        for_=10 * MINUTE,
        keep_firing_for=15 * MINUTE,
        summary="Nobody buys, and nobody even fills a cart.",
        description="{{ $labels.store }} has less than a fifth of its usual orders "
        '(surprise {{ $value | printf "%.1f" }} nats, limit %limit%). Hardly any carts are filled.',
        impact="Customers do not reach the shop at all, or leave at the first page.",
        first_action="Open the shop from outside, by its public name; then check DNS, certificate, CDN and "
        "web servers.",
        why="The limit is that of MagentoOrderDroughtWithTraffic. If no carts are filled either, the cause "
        "lies before the checkout.",
        panel=Panel("magento-overview", "selling"),
        cases=Cases(
            entity=DE,
            inputs={
                "recent_2h": orders_in(expected_orders.RECENT, "2h", bad=2, good=20, edge=3),
                "expected_2h": orders_in(expected_orders.EXPECTED, "2h", bad=18, good=5, edge=18),
                "carts": carts(bad=7, good=12, needed=False),
                **closure(),
            },
            silent={**EXPLAINED, "too small a shop to tell": {"recent_2h": At(0), "expected_2h": At(10)}},
            warm_up=2 * HOUR,
            step=5 * MINUTE,
            reaches_limit_after=15 * MINUTE,
            expected_description="de has less than a fifth of its usual orders (surprise 11.6 nats, limit "
            "10.6). Hardly any carts are filled.",
        ),
    ),
    selling(
        name="MagentoOrdersLow",
        severity=Severity.URGENT,
        value=shortfall(warning(limits.ORDERS_AGAINST_EXPECTED), "!=30m"),
        threshold=limits.SALES_LOW_NATS,
        unit=Unit.NATS,
        scope="store",
        for_=15 * MINUTE,
        keep_firing_for=30 * MINUTE,
        summary="Fewer orders than usual.",
        description="{{ $labels.store }} has less than half of its usual orders "
        '(surprise {{ $value | printf "%.1f" }} nats, limit %limit%).',
        impact="Part of the customers may be unable to buy: one browser, one method, one country.",
        first_action="Compare payment methods, guests and customers, and the funnel's steps with last week.",
        why="Less than half of the usual orders, and not by chance. The day before a holiday can "
        "look the same.",
        panel=Panel("magento-overview", "selling"),
        cases=Cases(
            entity=DE,
            inputs={
                "recent": orders_in(expected_orders.RECENT, "6h", bad=15, good=60, edge=25),
                "expected": orders_in(expected_orders.EXPECTED, "6h", bad=60, good=60, edge=60),
            },
            silent={"half of the usual is left": {"recent": At(100), "expected": At(200)}},
            warm_up=6 * HOUR,
            step=5 * MINUTE,
            needs_all_inputs=False,
            expected_description="de has less than half of its usual orders (surprise 24.2 nats, limit 14).",
        ),
    ),
)
