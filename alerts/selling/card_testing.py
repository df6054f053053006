"""Stolen cards are tried out in the checkout."""

from __future__ import annotations

from typing import Final

from alerts import thresholds as limits
from alerts.lib.cases import HOUR, MINUTE, Cases, Hourly, Input
from alerts.lib.condition import only_where
from alerts.lib.model import Category, NoData, Panel
from alerts.selling.common import DE, selling
from alerts.thresholds import warning
from exporter.collectors import placements
from promql.expr import increase, series, sum_by
from promql.metrics import STORE

_FAILED: Final = sum_by(increase(series(placements.FAILED)["10m"]), *STORE)
_FAILED_OF_A_DAY: Final = sum_by(increase(series(placements.FAILED).before("1h")["1d"]), *STORE)
_TEN_MINUTES_OF_A_DAY: Final = 144

ALERTS: Final = (
    selling(
        name="MagentoCarding",
        service="payment",
        category=Category.SECURITY,
        value=_FAILED,
        threshold=warning(limits.CARDING_FAILURES),
        guard=(
            only_where(
                _FAILED.join(">", limits.CARDING_FACTOR * _FAILED_OF_A_DAY / _TEN_MINUTES_OF_A_DAY, on=STORE),
                on=STORE,
            ),
        ),
        scope="store",
        for_=5 * MINUTE,
        keep_firing_for=90 * MINUTE,
        no_data=NoData.OPTIONAL,
        summary="Stolen cards are probably being tried out in the checkout.",
        description='{{ $value | printf "%.0f" }} attempts to place an order failed in {{ $labels.store }} '
        "in ten minutes (limit %limit%), far more than usual.",
        impact="Each attempt costs a gateway fee; chargebacks follow, and the gateway may block the shop.",
        first_action="Look at the latest guest carts: one amount, one address or one network? Turn on "
        "reCAPTCHA.",
        why="People give up after a few attempts. Thirty failures in ten minutes, five times the usual, "
        "come from a program. It keeps firing for as long as MagentoFailedPlacementsUnusual counts these "
        "attempts. Card testers come back, and a second alert about them helps nobody. In the first hour "
        "after the installation it is silent, because the usual number is not known yet.",
        panel=Panel("magento-checkout", "failed_placements"),
        cases=Cases(
            entity=DE,
            inputs={"failed": Input(placements.FAILED, bad=Hourly(210), good=Hourly(6), edge=Hourly(174))},
            silent={"a shop with as many failures every day": {"failed": Hourly(210)}},
            warm_up=26 * HOUR,
            step=5 * MINUTE,
            reaches_limit_after=5 * MINUTE,
            expected_description="35 attempts to place an order failed in de in ten minutes (limit 30), far "
            "more than usual.",
        ),
    ),
)
