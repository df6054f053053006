"""Payments fail: judged within ten minutes, and kept apart from card testing by what customers buy."""

from __future__ import annotations

from typing import Final

from alerts import thresholds as limits
from alerts.lib.cases import HOUR, MINUTE, At, Cases, Hourly, Input
from alerts.lib.condition import only_where, unless
from alerts.lib.model import Alert, Category, NoData, Panel, Severity, Team, Unit
from alerts.lib.recording import Recording
from alerts.recording import ATTEMPTS, FAILED, failed_ratio
from alerts.slo import LEAST
from alerts.thresholds import critical
from exporter.collectors import expected_orders, placements
from promql.expr import Expr, clamp_max, clamp_min, max_by, over_time, relabel, series, union
from promql.metrics import STORE

_ATTEMPTS_OF_AN_HOUR: Final = series(ATTEMPTS["1h"])
_USUAL: Final = series(FAILED["3d"]).before("1d") / (series(ATTEMPTS["3d"]).before("1d") > 0)


def _rule(name: str, expr: Expr, about: str) -> Recording:
    return Recording(name=name, expr=expr, group="slo", help=about)


LIMIT: Final = _rule(
    "magento:placements_failed:limit",
    clamp_max(
        clamp_min(limits.PAYMENTS_FAIL_FACTOR * _USUAL, critical(limits.PAYMENTS_FAIL)),
        limits.PAYMENTS_FAIL_MOST,
    ).or_else(_ATTEMPTS_OF_AN_HOUR * 0 + limits.PAYMENTS_FAIL_UNKNOWN),
    "The certain share of failed attempts from which on payments fail: twice the usual of three days, within "
    "bounds.",
)


def _certain(window: str, goes_on: str, least: float) -> Expr:
    """Return the certain share of one window, if it is no single customer's and goes on."""
    share = (
        series(LEAST[window])
        .only_if(series(FAILED[window]) >= least)
        .only_if(failed_ratio(goes_on) > series(LIMIT))
    )
    return relabel(share, target="window", value=window)


SHARE: Final = _rule(
    "magento:placements_failed:least_ratio",
    max_by(
        union(
            _certain("10m", "10m", limits.FEW_FAILURES),
            _certain("30m", "10m", limits.FEW_FAILURES),
            _certain("2h", "30m", limits.MORE_FAILURES),
        ),
        *STORE,
    ),
    "The largest of the certain shares of failed attempts in ten minutes, half an hour and two hours that "
    "go on.",
)


def _expected(window: str) -> Expr:
    return max_by(series(expected_orders.EXPECTED, window=window), *STORE)


LEVEL_2H: Final = _rule(
    "magento:orders_level:ratio2h",
    max_by(series(expected_orders.RECENT, window="2h"), *STORE)
    / (_expected("2h") > limits.ORDERS_FOR_A_LEVEL),
    "Orders of two hours as a share of those expected, in stores with enough of them.",
)
LEVEL: Final = _rule(
    "magento:orders_level:ratio6h",
    clamp_min(over_time("avg", series(LEVEL_2H)["6h"]), limits.LEVEL_AT_LEAST).or_else(
        _expected("30m") * 0 + 1
    ),
    "How well a store sells today, as a share of past weeks: the mean of six hours. On a day with five times "
    "the usual orders it is 5.",
)


def _customers_buy(window: str, of_window: str, part: float) -> Expr:
    """Return the stores in which as many buy as usually today, beside far more tries than usual."""
    usual = series(LEVEL) * _expected(of_window) * part
    failed, tries = series(FAILED[window]), series(ATTEMPTS[window])
    bought = tries - failed + limits.WOULD_HAVE_BOUGHT * failed
    return (bought >= limits.BUYS_DESPITE_FAILURES[window] * usual).only_if(
        tries >= limits.TRIES_OF_TESTERS * usual
    )


TESTED: Final = _rule(
    "magento:orders_hold:count",
    union(
        _customers_buy("10m", "30m", round(1 / 3, 6)),
        _customers_buy("30m", "30m", 1),
        _customers_buy("2h", "2h", 1),
    ),
    "Attempts that customers can have made, in stores in which they buy as usually today although there "
    "are far more tries; absent in others.",
)

RECORDINGS: Final = (LIMIT, SHARE, LEVEL_2H, LEVEL, TESTED)

ALERTS: Final = (
    Alert(
        name="MagentoPaymentsFail",
        severity=Severity.CRITICAL,
        team=Team.COMMERCE,
        service="payment",
        category=Category.CHECKOUT,
        value=series(SHARE),
        threshold=critical(limits.PAYMENTS_FAIL),
        unit=Unit.RATIO,
        guard=(
            only_where(series(SHARE) > series(LIMIT), on=STORE),
            unless(series(TESTED), on=STORE),
        ),
        scope=None,
        for_=2 * MINUTE,
        keep_firing_for=15 * MINUTE,
        no_data=NoData.OPTIONAL,
        summary="Payments fail: customers press the button and get no order.",
        description="At least {{ $value | humanizePercentage }} of the attempts to place an order in "
        "{{ $labels.store }} fail, chance allowed for (limit %limit%).",
        impact="Customers who want to pay cannot; most go elsewhere.",
        first_action="Place a test order with each payment method, and read the provider's status page.",
        why="It compares the failed share of ten minutes, half an hour and two hours with twice the store's "
        "own usual share, at least 20 % and at most 40 %. While cards are tried out and customers buy as "
        "usually today, it does not fire: then there are more tries and no fewer orders. In an outage orders "
        "are missing.",
        panel=Panel("magento-slo", "checkout_burn"),
        cases=Cases(
            entity={"store": "de"},
            inputs={
                "failed": Input(placements.FAILED, bad=Hourly(99), good=Hourly(3), edge=Hourly(25)),
                "attempts": Input(placements.ATTEMPTS, bad=Hourly(100), good=Hourly(100)),
                "expected_30m": Input(
                    expected_orders.EXPECTED,
                    labels={"window": "30m"},
                    bad=At(50),
                    good=At(50),
                    needed=False,
                ),
                "expected_2h": Input(
                    expected_orders.EXPECTED,
                    labels={"window": "2h"},
                    bad=At(200),
                    good=At(200),
                    needed=False,
                ),
                "recent_2h": Input(
                    expected_orders.RECENT, labels={"window": "2h"}, bad=At(200), good=At(200), needed=False
                ),
            },
            silent={
                "three failures of three attempts": {"failed": Hourly(3), "attempts": Hourly(3)},
                "cards are tried out, and customers buy": {
                    "failed": Hourly(400),
                    "attempts": Hourly(500),
                },
            },
            fires={
                "a day with five times the usual orders, and 60 % fail": {
                    "failed": Hourly(300),
                    "attempts": Hourly(500),
                    "recent_2h": At(1_000),
                },
            },
            warm_up=30 * HOUR,
            step=2 * MINUTE,
            needs_all_inputs=False,
            reaches_limit_after=4 * MINUTE,
            clears_after=4 * MINUTE,
            expected_description="At least 43.38% of the attempts to place an order in de fail, "
            "chance allowed for (limit 20 %).",
        ),
    ),
)
