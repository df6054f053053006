"""Objectives: attempts to place an order succeed, and the storefront shows what the catalogue says.

The failed share is judged by its confidence interval (:mod:`promql.wilson`): one failure of five proves
nothing, eight of twenty do.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from alerts import thresholds as limits
from alerts.lib.cases import DAY, HOUR, MINUTE, Ago, At, Cases, Hourly, Input, Line, Until
from alerts.lib.condition import Clause, only_where
from alerts.lib.model import Alert, Category, NoData, Panel, Severity, Team, Unit
from alerts.lib.recording import Recording
from alerts.recording import ATTEMPTS, FAILED, STOREFRONT_STALE, failed_ratio
from alerts.selling.shortfall import ORDERS_SURPRISE, shortfall
from alerts.thresholds import warning
from exporter.collectors import expected_orders, indexers, placements
from promql.expr import clamp_min, increase, over_time, series, sum_by
from promql.metrics import SHOP, STORE
from promql.surprise import surprise
from promql.wilson import least_share

_DE: Final = {"store": "de"}


def _least_ratio(window: str) -> Recording:
    return Recording(
        name=f"magento:placements_failed:least_ratio{window}",
        expr=least_share(series(FAILED[window]), series(ATTEMPTS[window])),
        group="slo",
        help=f"The failed share of the attempts of the last {window} that chance cannot explain.",
    )


LEAST: Final = {window: _least_ratio(window) for window in ("10m", "30m", "1h", "2h", "6h", "3d")}

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


_RECENT: Final = series(expected_orders.RECENT, window="30m")
_AN_HOUR_AGO: Final = _RECENT.before("1h")

_REMEMBERED: Final = "45m"
"""How long after the last of many failures orders are watched. The critical alerts about the checkout keep
firing for up to 35 minutes, so they would notify although nobody fails any more. Only failures while
customers bought count, so that a repaired outage is not taken for a card test."""

DESPITE: Final = Recording(
    name="magento:placements_failed_despite_orders:increase10m",
    expr=sum_by(increase(series(placements.FAILED)["10m"]), *STORE)
    .only_if(series(expected_orders.EXPECTED, window="30m") > 0, on=STORE)
    .unless(series(ORDERS_SURPRISE, window="30m") > limits.ORDERS_FALL_NATS, on=STORE)
    .unless(shortfall(warning(limits.ORDERS_AGAINST_EXPECTED)) > limits.ORDERS_IN_DOUBT_NATS, on=STORE)
    .unless(
        (surprise(_RECENT, _AN_HOUR_AGO) > limits.ORDERS_FALL_NATS).only_if(_RECENT < _AN_HOUR_AGO), on=STORE
    ),
    group="slo",
    help="Attempts to place an order that failed in the last ten minutes, by store, while as many orders "
    "come as expected, and as an hour ago; absent when they do not.",
)

RECORDINGS: Final = (*LEAST.values(), DESPITE)


def _goes_on(window: str, short: str) -> Clause:
    """Return the condition that the short window is still bad: at least half as bad as the long one."""
    return only_where(failed_ratio(short) > limits.BURN_GOES_ON * series(LEAST[window]), on=STORE)


def _attempts(*, bad: float, good: float, edge: float, attempts: float) -> dict[str, Input]:
    return {
        "failed": Input(placements.FAILED, bad=Hourly(bad), good=Hourly(good), edge=Hourly(edge)),
        "attempts": Input(placements.ATTEMPTS, bad=Hourly(attempts), good=Hourly(attempts)),
    }


_DESCRIPTION: Final = (
    "At least {{ $value | humanizePercentage }} of the attempts to place an order in {{ $labels.store }} "
    "failed in the last %s, chance allowed for (limit %%limit%%)."
)

_ONE_CUSTOMER: Final = Until(HOUR, Hourly(0), Until(2 * HOUR, Hourly(5), Hourly(0)))

ALERTS: Final = (
    _slo(
        name="MagentoCheckoutBudgetBurnFast",
        severity=Severity.CRITICAL,
        value=series(LEAST["1h"]),
        threshold=round(limits.BURN_FAST * limits.CHECKOUT_BUDGET, 6),
        guard=(_goes_on("1h", "5m"),),
        for_=5 * MINUTE,
        keep_firing_for=30 * MINUTE,
        summary="Most orders fail at the last step.",
        description=_DESCRIPTION % "hour",
        impact="Customers press the button and get an error; most go elsewhere.",
        first_action="Read the latest errors of the payment method in var/log/payment.log and exception.log.",
        why="At 14.4 times the budget, a month's budget is gone in two days. The five-minute window shows "
        "that it goes on. It waits five minutes, in which MagentoOrdersHoldDespiteFailures can inhibit it "
        "because the failures are not customers'. It keeps firing until the half hour of "
        "MagentoCheckoutBudgetBurnSteady is over, so that nobody is notified again after the repair.",
        panel=Panel("magento-slo", "checkout_burn"),
        cases=Cases(
            entity=_DE,
            inputs=_attempts(bad=99, good=1, edge=80, attempts=100),
            silent={"four failures of five attempts": {"failed": Hourly(4), "attempts": Hourly(5)}},
            warm_up=HOUR,
            step=2 * MINUTE,
            needs_all_inputs=False,
            reaches_limit_after=50 * MINUTE,
            clears_after=2 * MINUTE,
            expected_description="At least 85.03% of the attempts to place an order in de failed in the "
            "last hour, chance allowed for (limit 72 %).",
        ),
    ),
    _slo(
        name="MagentoCheckoutBudgetBurnSteady",
        severity=Severity.CRITICAL,
        value=series(LEAST["6h"]),
        threshold=round(limits.BURN_STEADY * limits.CHECKOUT_BUDGET, 6),
        guard=(_goes_on("6h", "30m"), only_where(series(FAILED["6h"]) > limits.STEADY_FAILURES)),
        for_=15 * MINUTE,
        keep_firing_for=5 * MINUTE,
        summary="A large part of the orders fails at the last step, for hours.",
        description=_DESCRIPTION % "six hours",
        impact="About every third attempt to pay fails, and many of these customers leave.",
        first_action="Compare payment methods and stores: what do the failures have in common?",
        why="At six times the budget, a month's budget is gone in five days. The half-hour window "
        "shows that it goes on. With a dozen failures or fewer the alert does not fire: they "
        "may be two or three customers who try again and again.",
        panel=Panel("magento-slo", "checkout_burn"),
        cases=Cases(
            entity=_DE,
            inputs=_attempts(bad=280, good=5, edge=140, attempts=500),
            silent={"one customer tries five times": {"failed": _ONE_CUSTOMER, "attempts": _ONE_CUSTOMER}},
            bad_after_firing=2 * HOUR,
            warm_up=HOUR,
            step=5 * MINUTE,
            needs_all_inputs=False,
            reaches_limit_after=80 * MINUTE,
            clears_after=15 * MINUTE,
            expected_description="At least 32.57% of the attempts to place an order in de failed in the "
            "last six hours, chance allowed for (limit 30 %).",
        ),
    ),
    _slo(
        name="MagentoCheckoutBudgetBurnSlow",
        value=series(LEAST["3d"]),
        threshold=round(limits.BURN_SLOW * limits.CHECKOUT_BUDGET, 6),
        guard=(_goes_on("3d", "6h"),),
        for_=HOUR,
        keep_firing_for=HOUR,
        summary="More orders fail at the last step than the objective allows.",
        description=_DESCRIPTION % "three days",
        impact="A little of the revenue is lost every day, and nobody has noticed.",
        first_action="Compare payment methods, stores and app versions over the last week.",
        why="At this rate the month's budget is gone at the end of the month. So this can wait for days.",
        panel=Panel("magento-slo", "checkout_burn"),
        cases=Cases(
            entity=_DE,
            inputs=_attempts(bad=4, good=0.5, edge=2.6, attempts=40),
            bad_after_firing=12 * HOUR,
            warm_up=7 * HOUR,
            step=5 * MINUTE,
            needs_all_inputs=False,
            reaches_limit_after=15 * HOUR,
            clears_after=295 * MINUTE,
            expected_description="At least 5.177% of the attempts to place an order in de failed in the "
            "last three days, chance allowed for (limit 5 %).",
        ),
    ),
    _slo(
        name="MagentoOrdersHoldDespiteFailures",
        severity=Severity.INFO,
        service="payment",
        value=over_time("max", series(DESPITE)[_REMEMBERED]),
        threshold=warning(limits.CARDING_FAILURES),
        unit=Unit.NUMBER,
        guard=(only_where(series(DESPITE), on=STORE),),
        for_=2 * MINUTE,
        summary="Attempts to order fail by the dozen, and customers buy as usual.",
        description='Up to {{ $value | printf "%.0f" }} attempts to place an order failed in '
        "{{ $labels.store }} in ten minutes (limit %limit%), and as many orders come as expected, and as an "
        "hour ago.",
        impact="None of its own. It inhibits the critical alerts about a failing checkout, because "
        "customers can buy.",
        first_action="Go to MagentoCarding, which fires beside it: somebody tries out stolen cards.",
        why="Card tests and outages both fail by the dozen. Only the number of orders tells one "
        "from the other. The alert ends at once when orders are missing, and not by chance. "
        "Then the alerts about the checkout are no longer inhibited. In a busy store, half an "
        "hour far below the usual is enough. In a small store half an hour is too short. "
        "There the alert ends when any window has less than half of the usual orders. So it "
        "ends before an order drought can fire.",
        panel=Panel("magento-checkout", "failed_placements"),
        cases=Cases(
            entity=_DE,
            inputs={
                "failed": Input(placements.FAILED, bad=Hourly(210), good=Hourly(6), edge=Hourly(174)),
                "expected_30m": Input(
                    expected_orders.EXPECTED, labels={"window": "30m"}, bad=At(50), good=At(500)
                ),
                "recent_30m": Input(
                    expected_orders.RECENT,
                    labels={"window": "30m"},
                    bad=At(50),
                    good=Line(108, -45),
                    needed=False,
                ),
                "expected_6h": Input(
                    expected_orders.EXPECTED, labels={"window": "6h"}, bad=At(20), good=At(60), needed=False
                ),
                "recent_6h": Input(
                    expected_orders.RECENT, labels={"window": "6h"}, bad=At(20), good=At(0), needed=False
                ),
            },
            silent={
                "fewer orders come than expected": {"recent_30m": At(26)},
                "fewer orders come than an hour ago": {"recent_30m": Line(250, -50)},
                "nothing is expected at this hour": {"expected_30m": At(0)},
                "an outage that is repaired": {
                    "failed": Until(2 * HOUR, Hourly(210), Hourly(6)),
                    "recent_30m": Until(124 * MINUTE, At(0), At(50)),
                },
                "a shop so small that its half hour says nothing, and none of its orders comes": {
                    "expected_30m": At(1.9),
                    "recent_30m": At(0),
                    "expected_6h": At(23),
                    "recent_6h": At(0),
                },
            },
            fires={
                "the failures have ended twenty minutes ago": {
                    "failed": Until(2 * HOUR, Hourly(210), Hourly(6)),
                    "expected_30m": At(50),
                    "recent_30m": At(50),
                    "expected_6h": At(20),
                    "recent_6h": At(20),
                },
                "a busy shop sells a little less than usual": {"expected_6h": At(600), "recent_6h": At(480)},
                "more orders come than expected, and than an hour ago": {
                    "recent_30m": Until(90 * MINUTE, At(50), At(80))
                },
            },
            warm_up=2 * HOUR,
            step=2 * MINUTE,
            reaches_limit_after=8 * MINUTE,
            expected_description="Up to 35 attempts to place an order failed in de in ten minutes (limit "
            "30), and as many orders come as expected, and as an hour ago.",
        ),
    ),
    _slo(
        name="MagentoFailedPlacementsUnusual",
        severity=Severity.URGENT,
        value=series(LEAST["1h"]) / clamp_min(failed_ratio("3d"), limits.USUAL_FAILURE_RATIO_FLOOR),
        threshold=warning(limits.FAILED_PLACEMENTS_FACTOR),
        unit=Unit.FACTOR,
        for_=10 * MINUTE,
        keep_firing_for=30 * MINUTE,
        summary="More attempts to place an order fail than usual.",
        description='Attempts to place an order in {{ $labels.store }} fail {{ $value | printf "%.1f" }} '
        "times as often as in the last three days, chance allowed for (limit %limit%).",
        impact="Some customers cannot pay; which ones is not known yet.",
        first_action="Compare the failures by payment method, amount and country.",
        why="The share is compared with the shop's own last three days. So it notices a change long before "
        "the objective is at risk.",
        panel=Panel("magento-checkout", "failed_placements"),
        cases=Cases(
            entity=_DE,
            inputs=_attempts(bad=24, good=2, edge=12, attempts=100),
            silent={"as many failures as ever": {"failed": Hourly(24)}},
            warm_up=DAY,
            windows_full_after=0,
            step=30 * MINUTE,
            needs_all_inputs=False,
            reaches_limit_after=30 * MINUTE,
            expected_description="Attempts to place an order in de fail 4.1 times as often as in the last "
            "three days, chance allowed for (limit 3).",
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
