"""Objectives: attempts to place an order succeed, and the storefront shows what the catalogue says.

The failed share is judged by its confidence interval (:mod:`promql.wilson`): one failure of five proves
nothing, eight of twenty do.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from alerts import thresholds as limits
from alerts.lib.cases import HOUR, MINUTE, Ago, At, Cases, Hourly, Input
from alerts.lib.condition import only_where, unless
from alerts.lib.model import Alert, Category, NoData, Panel, Severity, Team, Unit
from alerts.payments_fail import TESTING
from alerts.recording import BUDGET, LEAST, STOREFRONT_STALE, failed_ratio
from exporter.collectors import indexers, placements
from promql.expr import over_time, series
from promql.metrics import SHOP

_DE: Final = {"store": "de"}


_slo: Final = partial(
    Alert,
    severity=Severity.WARNING,
    team=Team.COMMERCE,
    service="checkout",
    category=Category.CHECKOUT,
    no_data=NoData.OPTIONAL,
    unit=Unit.RATIO,
    scope="store",
)


ALERTS: Final = (
    _slo(
        name="MagentoCheckoutBudgetBurnSlow",
        value=series(LEAST["3d"]) / series(BUDGET),
        threshold=limits.BURN_SLOW,
        unit=Unit.FACTOR,
        guard=(
            only_where(failed_ratio("6h") > limits.BURN_GOES_ON * series(LEAST["3d"])),
            unless(over_time("max", series(TESTING)["3d"])),
        ),
        for_=HOUR,
        keep_firing_for=HOUR,
        summary="More orders fail at the last step than the objective allows.",
        description="Attempts to place an order in {{ $labels.store }} failed "
        '{{ $value | printf "%.1f" }} times as often in three days as the objective allows, chance allowed '
        "for (limit %limit%).",
        impact="A little of the revenue is lost every day, and nobody has noticed.",
        first_action="Compare payment methods, stores and app versions over the last week.",
        why="At this rate the month's budget is gone at the end of the month, so this can wait for days. The "
        "objective is the store's own (magento_slo_objective), and in the three days after cards were tried "
        "out the alert does not fire.",
        panel=Panel("magento-slo", "checkout_burn"),
        cases=Cases(
            entity=_DE,
            inputs={
                "failed": Input(placements.FAILED, bad=Hourly(4), good=Hourly(0.5), edge=Hourly(2.6)),
                "attempts": Input(placements.ATTEMPTS, bad=Hourly(40), good=Hourly(40)),
                "objective": Input(placements.OBJECTIVE, bad=At(0.95), good=At(0.95)),
            },
            silent={"a store in which more fail every month": {"objective": At(0.85)}},
            bad_after_firing=12 * HOUR,
            warm_up=7 * HOUR,
            step=5 * MINUTE,
            needs_all_inputs=False,
            reaches_limit_after=15 * HOUR,
            clears_after=295 * MINUTE,
            expected_description="Attempts to place an order in de failed 1.0 times as often in three days "
            "as the objective allows, chance allowed for (limit 1).",
        ),
    ),
    _slo(
        name="MagentoFreshnessBudgetBurn",
        team=Team.PLATFORM,
        service="indexers",
        category=Category.INDEX,
        value=over_time("avg", series(STOREFRONT_STALE)["6h"]),
        threshold=round(limits.BURN_STEADY * limits.FRESHNESS_BUDGET, 6),
        guard=(
            only_where(over_time("avg", series(STOREFRONT_STALE)["30m"]) > limits.STALE_GOES_ON, on=SHOP),
        ),
        scope=None,
        for_=5 * MINUTE,
        keep_firing_for=30 * MINUTE,
        summary="The storefront keeps showing what the catalogue no longer says.",
        description="The storefront was out of date for {{ $value | humanizePercentage }} of the last six "
        "hours (limit %limit%).",
        impact="Customers see old prices and stock: wrong orders, complaints, cancelled sales.",
        first_action="See which indexer waits longest; then whether cron runs the group index.",
        why="At six times the budget over six hours, a month's budget is gone in five days. The last half "
        "hour shows that it goes on.",
        panel=Panel("magento-slo", "freshness_burn"),
        cases=Cases(
            inputs={
                "backlog": Input(
                    indexers.BACKLOG, labels={"indexer": "catalog_product_price"}, bad=At(40), good=At(0)
                ),
                "view_updated": Input(
                    indexers.VIEW_UPDATED,
                    labels={"indexer": "catalog_product_price"},
                    bad=Ago(1000),
                    good=Ago(30),
                    edge=Ago(800),
                ),
            },
            warm_up=6 * HOUR,
            windows_full_after=0,
            step=5 * MINUTE,
            reaches_limit_after=35 * MINUTE,
            clears_after=15 * MINUTE,
            expected_description="The storefront was out of date for 8.219% of the last six hours (limit 6 "
            "%).",
        ),
    ),
)
