"""Nobody buys, and nobody fills a cart either: people do not reach the shop, or stay at home."""

from __future__ import annotations

from typing import Final

from alerts import thresholds as limits
from alerts.lib.cases import HOUR, MINUTE, At, Cases, Hourly, Input
from alerts.lib.condition import only_where
from alerts.lib.model import Panel, Severity
from alerts.selling.common import selling
from alerts.selling.stopped import SHOP_BY_CARTS, SHOP_EXPECTED
from alerts.thresholds import critical
from exporter.collectors import checkout, expected_orders
from promql.expr import series

ALERTS: Final = (
    selling(
        name="MagentoNobodyComes",
        severity=Severity.CRITICAL,
        value=SHOP_EXPECTED,
        threshold=critical(limits.ORDERS_WITHOUT_CARTS),
        guard=(only_where(series(SHOP_BY_CARTS) < limits.FEW_CARTS * SHOP_EXPECTED),),
        scope="",
        for_=5 * MINUTE,
        keep_firing_for=10 * MINUTE,
        summary="Nobody buys, and hardly anybody fills a cart.",
        description='Since the shop\'s last order, {{ $value | printf "%.0f" }} more should have come (limit '
        "%limit%). Hardly any carts are filled.",
        impact="Customers do not reach the shop at all, or leave at the first page.",
        first_action="Open the shop from outside, by its public name; then check DNS, certificate, CDN and "
        "web servers.",
        why="Thirty orders were to be expected since the shop's last one, and less than a quarter of the "
        "carts that belong to them were filled. If the shop does not answer from outside, "
        "MagentoProbeFailing calls.",
        panel=Panel("magento-checkout", "due"),
        cases=Cases(
            inputs={
                "expected": Input(expected_orders.SHOP_SINCE_LAST, bad=At(35), good=At(0.5), edge=At(30)),
                "carts": Input(checkout.SHOP_CARTS_SINCE_ORDER, bad=At(34), good=At(3)),
                "filled": Input(
                    checkout.STAGE_REACHED,
                    labels={"store": "de", "stage": "cart", "customer": "guest"},
                    bad=Hourly(60),
                    good=Hourly(60),
                ),
                "ordered": Input(
                    checkout.STAGE_REACHED,
                    labels={"store": "de", "stage": "order", "customer": "guest"},
                    bad=Hourly(10),
                    good=Hourly(10),
                ),
            },
            silent={"carts are filled": {"carts": At(60)}},
            warm_up=26 * HOUR,
            step=5 * MINUTE,
            windows_full_after=0,
            needs_all_inputs=False,
            expected_description="Since the shop's last order, 35 more should have come (limit 30). Hardly "
            "any carts are filled.",
        ),
    ),
)
