"""How surprising it is that so few orders came, in the windows in which the shop was open."""

from __future__ import annotations

from typing import Final

from alerts import thresholds as limits
from alerts.lib.alertmanager import NOBODY_BUYS
from alerts.lib.surprise import surprise
from alerts.selling.common import rule
from exporter.collectors import deployment, expected_orders
from exporter.core.baseline import WINDOWS
from promql.metrics import ALERTS as FIRING
from promql.selector import select, total

RECENT: Final = select(expected_orders.RECENT)
EXPECTED: Final = select(expected_orders.EXPECTED)

ORDERS_SURPRISE: Final = rule(
    "magento:orders_surprise:nats",
    f"{surprise(RECENT, EXPECTED)} and {RECENT} < {EXPECTED}",
    ("store", "window"),
    "How surprising it is that so few orders came in the window, in nats; absent when there are enough.",
)


def _said_to_be_closed() -> str:
    """Return the alerts that fire and say at its source why nobody buys."""
    plain = "|".join(name for name, source in NOBODY_BUYS.items() if not source)
    parts = [select(FIRING, alertname=f"=~{plain}", alertstate="firing")]
    parts += [
        select(FIRING, alertname=name, source=source, alertstate="firing")
        for name, source in NOBODY_BUYS.items()
        if source
    ]
    return "\n  or ".join(parts)


SHOP_CLOSED: Final = rule(
    "magento:shop_closed:bool",
    total(
        f"\n  {select(deployment.MAINTENANCE)} == 1\n  or {_said_to_be_closed()}\n  or {RECENT} * 0\n",
        operator="max",
    ),
    (),
    "1 while the shop is in maintenance mode, or an alert says at its source why nobody buys; else 0 for "
    "every shop whose orders are known, so that the mean over a time is the share of it.",
)


def _shares_closed() -> str:
    """Return the share of each of the windows of the orders in which the shop was closed."""
    parts = [
        f'label_replace(avg_over_time({select(SHOP_CLOSED)}[{window}]), "window", "{window}", "", "")'
        for window in WINDOWS
    ]
    return "\nor ".join(parts)


CLOSED_SHARE: Final = rule(
    "magento:shop_closed:ratio",
    _shares_closed(),
    ("window",),
    "Share of the time of each window of magento_orders_recent in which the shop was closed.",
)

SURPRISE_OPEN: Final = rule(
    "magento:orders_surprise_open:nats",
    f"{select(ORDERS_SURPRISE)}\n"
    f"unless on (job, instance, window) {select(CLOSED_SHARE)} > {limits.CLOSED_AT_MOST}",
    ("store", "window"),
    "magento:orders_surprise:nats of the windows in which the shop was not closed for more than a tenth of "
    "the time: otherwise it was said already why there were no orders.",
)

RECORDINGS: Final = (ORDERS_SURPRISE, SHOP_CLOSED, CLOSED_SHARE, SURPRISE_OPEN)


def shortfall(share: float, windows: str = "=~.+") -> str:
    """Return the largest surprise of a store over the open windows in which less than ``share`` came."""
    effect = f"{select(SURPRISE_OPEN, window=windows)} and {RECENT} < {share} * {EXPECTED}"
    return total(effect, "store", operator="max")
