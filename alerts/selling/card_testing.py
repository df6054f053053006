"""Stolen cards are tried out in the checkout."""

from __future__ import annotations

from typing import Final

from alerts import thresholds as limits
from alerts.lib.cases import HOUR, MINUTE, At, Cases, Hourly, Input
from alerts.lib.model import Category, NoData, Panel
from alerts.payments_fail import TESTING
from alerts.selling.common import DE, selling
from alerts.thresholds import warning
from exporter.collectors import expected_orders, placements
from promql.expr import series

ALERTS: Final = (
    selling(
        name="MagentoCarding",
        service="payment",
        category=Category.SECURITY,
        value=series(TESTING),
        threshold=warning(limits.CARDING_FAILURES),
        scope="store",
        for_=5 * MINUTE,
        keep_firing_for=90 * MINUTE,
        no_data=NoData.OPTIONAL,
        summary="Stolen cards are probably being tried out in the checkout.",
        description='{{ $value | printf "%.0f" }} attempts to place an order failed in {{ $labels.store }} '
        "in ten minutes (limit %limit%), far more than usual, while customers buy.",
        impact="Each attempt costs a gateway fee; chargebacks follow, and the gateway may block the shop.",
        first_action="Look at the latest guest carts: one amount, one address or one network? Turn on "
        "reCAPTCHA.",
        why="Thirty attempts fail in ten minutes, five times the usual, and a larger share than ever is "
        "healthy. There are more tries than usual, and customers buy as usual today: that tells a program "
        "from an outage of payments, which adds no tries.",
        panel=Panel("magento-checkout", "failed_placements"),
        cases=Cases(
            entity=DE,
            inputs={
                "failed": Input(placements.FAILED, bad=Hourly(210), good=Hourly(3), edge=Hourly(174)),
                "attempts": Input(placements.ATTEMPTS, bad=Hourly(310), good=Hourly(103)),
                "expected_30m": Input(
                    expected_orders.EXPECTED, labels={"window": "30m"}, bad=At(50), good=At(50)
                ),
            },
            silent={
                "a shop with as many failures every day": {"failed": Hourly(210), "attempts": Hourly(310)},
                "payments fail, and there are no more tries than usual": {
                    "expected_30m": At(130),
                },
                "a flash sale with the usual share of declined cards": {
                    "attempts": Hourly(4_000),
                },
            },
            warm_up=30 * HOUR,
            step=5 * MINUTE,
            needs_all_inputs=False,
            reaches_limit_after=5 * MINUTE,
            expected_description="35 attempts to place an order failed in de in ten minutes (limit 30), far "
            "more than usual, while customers buy.",
        ),
    ),
)
