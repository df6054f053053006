"""How surprising it is that so few orders came, in the windows in which the shop was open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from alerts import thresholds as limits
from alerts.lib.alertmanager import NOBODY_BUYS
from alerts.selling.common import rule
from exporter.collectors import deployment, expected_orders
from exporter.collectors.expected_orders.baseline import WINDOWS
from promql.expr import Expr, max_by, over_time, relabel, series, union
from promql.metrics import ALERTS as FIRING
from promql.metrics import SHOP, STORE
from promql.surprise import surprise

RECENT: Final = series(expected_orders.RECENT)
EXPECTED: Final = series(expected_orders.EXPECTED)

ORDERS_SURPRISE: Final = rule(
    "magento:orders_surprise:nats",
    surprise(RECENT, EXPECTED).only_if(RECENT < EXPECTED),
    "How surprising it is that so few orders came in the window, in nats; absent when there are enough.",
)


def _alerts_that_name_the_cause() -> Iterator[Expr]:
    """Yield the alerts that fire and name the cause why nobody can buy."""
    plain = "|".join(name for name, source in NOBODY_BUYS.items() if not source)
    yield series(FIRING, alertname=f"=~{plain}", alertstate="firing")
    for name, source in NOBODY_BUYS.items():
        if source:
            yield series(FIRING, alertname=name, source=source, alertstate="firing")


SHOP_CLOSED: Final = rule(
    "magento:shop_closed:bool",
    max_by(
        union(series(deployment.MAINTENANCE).equals(1), *_alerts_that_name_the_cause(), RECENT * 0), *SHOP
    ),
    "1 while the shop is in maintenance mode, or an alert fires that names why nobody can buy. Else 0 for "
    "every shop whose orders are known, so that its mean is a share of the time.",
)


def _shares_closed() -> Expr:
    """Return the share of each of the windows of the orders in which the shop was closed."""
    return union(
        *(
            relabel(over_time("avg", series(SHOP_CLOSED)[window]), target="window", value=window)
            for window in WINDOWS
        )
    )


CLOSED_SHARE: Final = rule(
    "magento:shop_closed:ratio",
    _shares_closed(),
    "Share of the time of each window of magento_orders_recent in which the shop was closed.",
)

SURPRISE_OPEN: Final = rule(
    "magento:orders_surprise_open:nats",
    series(ORDERS_SURPRISE).unless(series(CLOSED_SHARE) > limits.CLOSED_AT_MOST, on=(*SHOP, "window")),
    "magento:orders_surprise:nats of the windows in which the shop was not closed for more than a tenth of "
    "the time. For the others, another alert has named the cause.",
)

RECORDINGS: Final = (ORDERS_SURPRISE, SHOP_CLOSED, CLOSED_SHARE, SURPRISE_OPEN)


def shortfall(share: float, windows: str = "=~.+") -> Expr:
    """Return the largest surprise of a store over the open windows in which less than ``share`` came."""
    few = series(SURPRISE_OPEN, window=windows).only_if(RECENT < share * EXPECTED)
    return max_by(few, *STORE)
