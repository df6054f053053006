"""Payments fail: judged within minutes, kept apart from card testing by tries and by what customers buy."""

from __future__ import annotations

from typing import Final

from alerts import thresholds as limits
from alerts.lib.cases import HOUR, MINUTE, At, Cases, Hourly, Input
from alerts.lib.condition import only_where, unless
from alerts.lib.model import Alert, Category, NoData, Panel, Severity, Team, Unit
from alerts.lib.recording import Recording
from alerts.recording import ATTEMPTS, FAILED, LEAST, failed_ratio
from alerts.selling.stopped import OVERDUE
from alerts.thresholds import critical, warning
from exporter.collectors import expected_orders, placements
from promql.expr import Expr, clamp_max, clamp_min, max_by, over_time, relabel, series, union
from promql.metrics import STORE

_TEN_MINUTES_OF_THREE_DAYS: Final = 432
_ATTEMPTS_OF_AN_HOUR: Final = series(ATTEMPTS["1h"])


def _rule(name: str, expr: Expr, about: str) -> Recording:
    return Recording(name=name, expr=expr, group="slo", help=about)


USUAL: Final = _rule(
    "magento:placements_failed:usual_ratio",
    series(FAILED["3d"]).before("1d") / (series(ATTEMPTS["3d"]).before("1d") > 0),
    "The failed share of the attempts of the three days that ended a day ago.",
)
LIMIT: Final = _rule(
    "magento:placements_failed:limit",
    clamp_max(
        clamp_min(limits.PAYMENTS_FAIL_FACTOR * series(USUAL), critical(limits.PAYMENTS_FAIL)),
        limits.PAYMENTS_FAIL_MOST,
    ).or_else(_ATTEMPTS_OF_AN_HOUR * 0 + limits.PAYMENTS_FAIL_UNKNOWN),
    "The certain share of failed attempts from which on payments fail: twice the usual of three days, within "
    "bounds.",
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


HIGHEST_LEVEL: Final = _rule(
    "magento:orders_level:max6h",
    over_time("max", series(LEVEL)["6h"]),
    "The best level of the last six hours: an outage does not become the usual while it lasts.",
)


def _customers_buy(window: str, of_window: str, part: float, chance: float = 0) -> Expr:
    """Return the stores in which as many buy as usually today, beside far more tries than usual."""
    usual = series(HIGHEST_LEVEL) * _expected(of_window) * part
    failed, tries = series(FAILED[window]), series(ATTEMPTS[window])
    placed = tries - failed
    bought = placed + limits.WOULD_HAVE_BOUGHT * failed
    return (
        (bought >= limits.BUYS_DESPITE_FAILURES[window] * usual)
        .only_if(tries >= limits.TRIES_OF_TESTERS * usual)
        .only_if(placed + chance >= limits.PLACED_AT_LEAST * usual)
    )


TESTED_10M: Final = _rule(
    "magento:orders_hold:count10m",
    _customers_buy("10m", "30m", round(1 / 3, 6)),
    "magento:orders_hold:count of the last ten minutes alone.",
)


_TESTED_SHORTLY: Final = union(series(TESTED_10M), _customers_buy("30m", "30m", 1))
_TESTED_2H: Final = _customers_buy("2h", "2h", 1, limits.ORDERS_BY_CHANCE)
TESTED: Final = _rule(
    "magento:orders_hold:count",
    union(_TESTED_SHORTLY, _TESTED_2H),
    "Attempts that customers can have made, in stores in which they buy as usually today although there "
    "are far more tries; absent in others.",
)


def _tries_of_an_hour() -> Expr:
    """Return the stores with far more tries than usual in an hour: two hours remember testing that ended."""
    usual = series(HIGHEST_LEVEL) * _expected("30m") * 2
    return _ATTEMPTS_OF_AN_HOUR >= limits.TRIES_OF_TESTERS * usual


_AWAITED: Final = series(OVERDUE).or_else(max_by(series(expected_orders.SINCE_LAST), *STORE))
TESTED_NOW: Final = _rule(
    "magento:orders_hold_now:count",
    union(_TESTED_SHORTLY, _TESTED_2H.only_if(_tries_of_an_hour())).unless(_AWAITED >= limits.NOBODY_ORDERS),
    "magento:orders_hold:count less the stores in which the many tries have ended, or in which nobody "
    "orders any more.",
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
            # Here one side has a label more: the window.
            _certain("2h", "30m", limits.MORE_FAILURES).unless(series(TESTED), on=STORE),
        ),
        *STORE,
    ),
    "The largest of the certain shares of failed attempts in ten minutes, half an hour and two hours that "
    "go on.",
)


TESTING: Final = _rule(
    "magento:card_testing:failed10m",
    series(FAILED["10m"])
    .only_if(
        series(FAILED["10m"]) > limits.CARDING_FACTOR * series(FAILED["3d"]) / _TEN_MINUTES_OF_THREE_DAYS
    )
    .only_if(series(LEAST["10m"]) > series(LIMIT))
    .only_if(series(TESTED_10M)),
    "Failed attempts of ten minutes in stores in which most failures are not customers': far more fail "
    "than usual, there are more tries than usual, and customers buy. Absent in others.",
)

RECORDINGS: Final = (
    USUAL,
    LIMIT,
    LEVEL_2H,
    LEVEL,
    HIGHEST_LEVEL,
    TESTED_10M,
    TESTED,
    TESTED_NOW,
    SHARE,
    TESTING,
)


def _usual_orders(window: str, number: float) -> Input:
    """Return how many orders are usual in the window, in every case."""
    return Input(
        expected_orders.EXPECTED, labels={"window": window}, bad=At(number), good=At(number), needed=False
    )


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
            only_where(series(SHARE) > series(LIMIT)),
            unless(series(TESTED_NOW)),
        ),
        scope=None,
        for_=2 * MINUTE,
        keep_firing_for=10 * MINUTE,
        no_data=NoData.OPTIONAL,
        summary="Payments fail: customers press the button and get no order.",
        description="At least {{ $value | humanizePercentage }} of the attempts to place an order in "
        "{{ $labels.store }} fail, chance allowed for (limit %limit%).",
        impact="Customers who want to pay cannot; most go elsewhere.",
        first_action="Place a test order with each payment method, and read the provider's status page.",
        why="More than a fifth of the attempts fails for certain, and twice the store's usual share or more, "
        "in ten minutes, half an hour or two hours. It is not card testing: there are no more attempts "
        "than usual, or customers buy less, or ten orders are overdue.",
        panel=Panel("magento-slo", "checkout_burn"),
        cases=Cases(
            entity={"store": "de"},
            inputs={
                "failed": Input(placements.FAILED, bad=Hourly(99), good=Hourly(12), edge=Hourly(25)),
                "attempts": Input(placements.ATTEMPTS, bad=Hourly(100), good=Hourly(100)),
                "expected_30m": _usual_orders("30m", 50),
                "expected_2h": _usual_orders("2h", 200),
                "recent_2h": Input(
                    expected_orders.RECENT, labels={"window": "2h"}, bad=At(200), good=At(200), needed=False
                ),
                "since_last": Input(expected_orders.SINCE_LAST, bad=At(1), good=At(1), needed=False),
            },
            silent={
                "more than twice the usual share, but not for certain": {"failed": Hourly(28)},
                "three failures of three attempts": {"failed": Hourly(3), "attempts": Hourly(3)},
                "cards are tried out, and customers buy": {
                    "failed": Hourly(400),
                    "attempts": Hourly(500),
                    "since_last": At(9),
                },
                "cards are tried out in a small shop, and by chance nobody buys": {
                    "failed": Hourly(400),
                    "attempts": Hourly(400),
                    "expected_30m": At(1),
                    "expected_2h": At(4),
                    "recent_2h": At(4),
                },
            },
            fires={
                "as many tries as of cards, and nobody orders any more": {
                    "failed": Hourly(400),
                    "attempts": Hourly(500),
                    "since_last": At(10),
                },
                "a day with five times the usual orders, and 60 % fail": {
                    "failed": Hourly(300),
                    "attempts": Hourly(500),
                    "recent_2h": At(1_000),
                },
            },
            warm_up=26 * HOUR,
            step=2 * MINUTE,
            needs_all_inputs=False,
            reaches_limit_after=4 * MINUTE,
            clears_after=4 * MINUTE,
            expected_description="At least 45.04% of the attempts to place an order in de fail, "
            "chance allowed for (limit 20 %).",
        ),
    ),
    Alert(
        name="MagentoFailedPlacementsUnusual",
        severity=Severity.URGENT,
        team=Team.COMMERCE,
        service="checkout",
        category=Category.CHECKOUT,
        value=series(LEAST["2h"]),
        threshold=warning(limits.FAILED_PLACEMENTS),
        unit=Unit.RATIO,
        guard=(
            only_where(series(LEAST["2h"]) > limits.PAYMENTS_FAIL_FACTOR * series(USUAL)),
            only_where(series(FAILED["2h"]) >= limits.MORE_FAILURES),
            only_where(failed_ratio("30m") > limits.BURN_GOES_ON * series(LEAST["2h"])),
            unless(series(TESTED)),
        ),
        scope="store",
        for_=5 * MINUTE,
        keep_firing_for=30 * MINUTE,
        no_data=NoData.OPTIONAL,
        summary="More attempts to place an order fail than usual.",
        description="At least {{ $value | humanizePercentage }} of the attempts to place an order in "
        "{{ $labels.store }} failed in two hours, chance allowed for (limit %limit%). That is twice the "
        "usual, or more.",
        impact="Some customers cannot pay; which ones is not known yet.",
        first_action="Compare the failures by payment method, amount and country.",
        why="The failed share of two hours is compared with twice the store's own usual share, and with 8 %. "
        "While cards are tried out and customers buy as usual today, it does not fire.",
        panel=Panel("magento-checkout", "failed_placements"),
        cases=Cases(
            entity={"store": "de"},
            inputs={
                "failed": Input(placements.FAILED, bad=Hourly(24), good=Hourly(2), edge=Hourly(12)),
                "attempts": Input(placements.ATTEMPTS, bad=Hourly(100), good=Hourly(100)),
                "expected_30m": _usual_orders("30m", 50),
            },
            silent={
                "as many failures as ever": {"failed": Hourly(24)},
                "one customer who tries again and again": {"failed": Hourly(4), "attempts": Hourly(4)},
                "cards are tried out, and customers buy": {"expected_30m": At(20)},
            },
            warm_up=30 * HOUR,
            step=10 * MINUTE,
            needs_all_inputs=False,
            reaches_limit_after=HOUR,
            clears_after=20 * MINUTE,
            expected_description="At least 10.24% of the attempts to place an order in de failed in two "
            "hours, chance allowed for (limit 8 %). That is twice the usual, or more.",
        ),
    ),
)
