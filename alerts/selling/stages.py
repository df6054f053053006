"""Customers do not get past a step of the checkout."""

from __future__ import annotations

from typing import Final

from alerts import thresholds as limits
from alerts.lib.cases import HOUR, MINUTE, Cases, Hourly, Input, Until
from alerts.lib.model import Category, NoData, Panel, Severity, Unit
from alerts.lib.recording import Recording
from alerts.selling.common import far_below, rule, selling, still_reached, week
from alerts.thresholds import critical
from exporter.collectors import checkout
from promql.expr import Expr, increase, relabel, series, sum_by, union
from promql.metrics import STORE

_STAGE_BEFORE: Final = {
    "shipping_address": "cart",
    "shipping_method": "shipping_address",
    "payment_method": "shipping_method",
    "order": "payment_method",
}
"""The checkout stage that comes before each; placement attempts are a lower bound and left out."""


def _entered(stages: Recording) -> Expr:
    """Return, for each stage, the carts that reached the one before it."""
    return union(
        *(
            relabel(series(stages, stage=before), target="stage", value=stage)
            for stage, before in _STAGE_BEFORE.items()
        )
    )


STAGES_HOUR: Final = rule(
    "magento:checkout_stage_reached:increase1h",
    sum_by(increase(series(checkout.STAGE_REACHED)["1h"]), *STORE, "stage"),
    "Carts that reached each checkout stage in the last hour.",
)
STAGES_WEEK: Final = rule(
    "magento:checkout_stage_reached:increase1w",
    week(STAGES_HOUR, "1h"),
    "Carts that reached each checkout stage in the week before the last hour.",
)
STAGE_EXPECTED: Final = rule(
    "magento:checkout_stage_expected:increase1h",
    _entered(STAGES_HOUR) * series(STAGES_WEEK) / (_entered(STAGES_WEEK) > 0),
    "Carts that should have reached the stage in the last hour: those that reached the one before, "
    "times the share of a usual week.",
)

_REACHED: Final = series(STAGES_HOUR, stage="!=order")
"""The last step is left to MagentoPaymentsFail and MagentoOrdersStopped."""

RECORDINGS: Final = (STAGES_HOUR, STAGES_WEEK, STAGE_EXPECTED)

ALERTS: Final = (
    selling(
        name="MagentoCheckoutStageFailing",
        severity=Severity.INFO,
        service="checkout",
        category=Category.CHECKOUT,
        value=far_below(_REACHED, series(STAGE_EXPECTED)),
        threshold=critical(limits.DROUGHT_SURPRISE_NATS),
        unit=Unit.NATS,
        guard=(still_reached(_REACHED, "stage"),),
        scope="store",
        for_=10 * MINUTE,
        keep_firing_for=15 * MINUTE,
        no_data=NoData.OPTIONAL,
        summary="Customers do not get past a step of the checkout.",
        description="Hardly anybody in {{ $labels.store }} reaches the step {{ $labels.stage }} any more, "
        'although carts reach the step before it (surprise {{ $value | printf "%.1f" }} nats, limit '
        "%limit%).",
        impact="Customers are stopped on their way to paying.",
        first_action="Go through the checkout to this step with the browser's console open.",
        why="Less than a fifth of the carts pass that pass in the shop's own week, and less than half as "
        "many as in the same hour a week ago (in the first week: yesterday). So bots that fill carts do not "
        "make it fire.",
        panel=Panel("magento-checkout", "funnel"),
        cases=Cases(
            entity={"store": "de", "stage": "payment_method"},
            inputs={
                "stage": Input(
                    checkout.STAGE_REACHED,
                    labels={"customer": "guest"},
                    bad=Hourly(0.5),
                    good=Hourly(16),
                    edge=Hourly(2),
                ),
                "stage_before": Input(
                    checkout.STAGE_REACHED,
                    labels={"customer": "guest", "stage": "shipping_method"},
                    bad=Hourly(20),
                    good=Hourly(20),
                ),
            },
            silent={
                "a step that few ever pass": {"stage": Hourly(1)},
                "bots fill carts and go no further": {
                    "stage": Hourly(16),
                    "stage_before": Until(26 * HOUR, Hourly(20), Hourly(660)),
                },
            },
            warm_up=26 * HOUR,
            step=10 * MINUTE,
            needs_all_inputs=False,
            reaches_limit_after=50 * MINUTE,
            expected_description="Hardly anybody in de reaches the step payment_method any more, although "
            "carts reach the step before it (surprise 13.7 nats, limit 10.6).",
        ),
    ),
)
