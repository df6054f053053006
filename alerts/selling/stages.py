"""Customers do not get past a step of the checkout."""

from __future__ import annotations

from typing import Final

from alerts import thresholds as limits
from alerts.lib.cases import HOUR, MINUTE, Cases, Hourly, Input, Until
from alerts.lib.model import Category, NoData, Panel, Severity, Unit
from alerts.lib.recording import Recording
from alerts.lib.surprise import surprise
from alerts.selling.common import rule, selling, week
from alerts.thresholds import critical
from exporter.collectors import checkout
from promql.selector import increase, select, total

_STAGE_BEFORE: Final = {
    "shipping_address": "cart",
    "shipping_method": "shipping_address",
    "payment_method": "shipping_method",
    "order": "payment_method",
}
"""The checkout stage that comes before each; placement attempts are a lower bound and left out."""


def _entered(stages: Recording) -> str:
    """Return, for each stage, the carts that reached the one before it."""
    parts = [
        f'label_replace({select(stages, stage=before)}, "stage", "{stage}", "", "")'
        for stage, before in _STAGE_BEFORE.items()
    ]
    return "\nor ".join(parts)


STAGES_HOUR: Final = rule(
    "magento:checkout_stage_reached:increase1h",
    total(increase(checkout.STAGE_REACHED, "1h"), "store", "stage"),
    ("store", "stage"),
    "Carts that reached each checkout stage in the last hour.",
)
STAGES_WEEK: Final = rule(
    "magento:checkout_stage_reached:increase1w",
    week(STAGES_HOUR, "1h"),
    ("store", "stage"),
    "Carts that reached each checkout stage in the week before the last hour.",
)
STAGE_EXPECTED: Final = rule(
    "magento:checkout_stage_expected:increase1h",
    f"({_entered(STAGES_HOUR)})\n* {select(STAGES_WEEK)}\n/ (({_entered(STAGES_WEEK)}) > 0)",
    ("store", "stage"),
    "Carts that should have reached the stage in the last hour: those that reached the one before, "
    "times the share of a usual week.",
)

_STAGES_BEFORE: Final = f"({select(STAGES_HOUR)} offset 1w or {select(STAGES_HOUR)} offset 1d)"


RECORDINGS: Final = (STAGES_HOUR, STAGES_WEEK, STAGE_EXPECTED)

ALERTS: Final = (
    selling(
        name="MagentoCheckoutStageFailing",
        severity=Severity.CRITICAL,
        service="checkout",
        category=Category.CHECKOUT,
        value=f"{surprise(select(STAGES_HOUR), select(STAGE_EXPECTED))} and "
        f"{select(STAGES_HOUR)} < {critical(limits.FUNNEL_STAGE_RATIO)} * {select(STAGE_EXPECTED)}",
        threshold=critical(limits.DROUGHT_SURPRISE_NATS),
        unit=Unit.NATS,
        guard=f"unless on (job, instance, store, stage) "
        f"{select(STAGES_HOUR)} > {limits.STAGE_STILL_REACHED} * {_STAGES_BEFORE}",
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
        why="The share of carts that pass is compared with the shop's own week, so a step that is always "
        "hard does not fire. The step works while half as many carts reach it as in the same hour a week ago "
        "(in the first week: yesterday). Then bots fill the carts before it, and nobody is called.",
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
