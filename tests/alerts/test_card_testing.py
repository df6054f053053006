"""Several alerts together while stolen cards are tried out: nobody is called as long as customers buy."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from alerts.catalogue import Catalogue
from tests.alerts.together import answers, fires, question

PLACE = 'job="magento", instance="shop:9816", env="prod", store="de"'
"""A store of a target that carries a label of its owner's, too, which no join may stumble over."""
QUIET, TESTING, AFTER = 6 * 60, 3 * 60, 2 * 60
"""Minutes before the cards are tried out, while they are, and afterwards."""
LENGTH = QUIET + TESTING + AFTER
WINDOWS = {"30m": 0.5, "2h": 2, "6h": 6, "1d": 24}
"""The windows of the orders in hours."""
TOGETHER = ("MagentoPaymentsFail", "MagentoCarding")
FAILING = "magento:placements_failed:least_ratio > magento:placements_failed:limit"


SINCE_LAST = f"magento_orders_expected_since_last{{{PLACE}}}"


def attempts(orders: float, tested: float, blocked: int = LENGTH, again: float = 0) -> dict[str, str]:
    """Return the attempts an hour by customers and testers; from a minute on all fail, and some try again."""
    failed, tries, counters = 0.0, 0.0, ([0.0], [0.0])
    for minute in range(LENGTH):
        testing = tested / 60 if QUIET <= minute < QUIET + TESTING else 0.0
        refused = orders / 60 * (1 + again if minute >= blocked else 1 / 30)
        tries += testing + max(orders / 60, refused)
        failed += testing + refused
        counters[0].append(failed)
        counters[1].append(tries)
    names = ("magento_checkout_failed_placements_total", "magento_checkout_placement_attempts_total")
    return {
        f"{name}{{{PLACE}}}": " ".join(f"{value:.4f}" for value in values)
        for name, values in zip(names, counters, strict=True)
    }


def bought(orders: float) -> dict[str, str]:
    """Return the orders of each window and those expected, if as many come as always."""
    series = {SINCE_LAST: " ".join(str(minute % 10) for minute in range(LENGTH))}
    for name in ("magento_orders_recent", "magento_orders_expected"):
        for window, hours in WINDOWS.items():
            series[f'{name}{{{PLACE}, window="{window}"}}'] = f"{orders * hours!r}x{LENGTH}"
    return series


def stopped(orders: float, minute: int) -> dict[str, str]:
    """Return the orders of each window and those expected, if no more come from the minute on."""
    series = {}
    for window, hours in WINDOWS.items():
        usual, falls = orders * hours, round(hours * 60)
        labels = f'{PLACE}, window="{window}"'
        series[f"magento_orders_expected{{{labels}}}"] = f"{usual!r}x{LENGTH}"
        series[f"magento_orders_recent{{{labels}}}"] = (
            f"{usual!r}x{minute - 1} {usual!r}-{usual / falls!r}x{falls} 0x{LENGTH}"
        )
    return series


@pytest.mark.parametrize("orders", [1, 30])
@pytest.mark.parametrize("tested", [200, 3_000])
def test_nobody_is_called_while_cards_are_tried_out_and_customers_buy(
    found: Catalogue, rules: Mapping[str, str], tmp_path: Path, orders: float, tested: float
) -> None:
    series = attempts(orders, tested) | bought(orders)
    never = question(f"count_over_time(({fires('MagentoPaymentsFail')})[{LENGTH}m:1m])", LENGTH, number=0)
    would_be = question(FAILING, QUIET + TESTING, number=1)
    notified = question(fires("MagentoCarding"), QUIET + TESTING, number=1)
    assert not answers(found, rules, tmp_path, TOGETHER, series, never, would_be, notified)


@pytest.mark.parametrize(("orders", "tested"), [(12, 20), (30, 30)])
def test_tries_that_only_two_hours_make_certain_do_not_count_while_customers_buy(
    found: Catalogue, rules: Mapping[str, str], tmp_path: Path, orders: float, tested: float
) -> None:
    series = attempts(orders, tested) | bought(orders)
    not_certain = question(FAILING, QUIET + 150, number=0)
    assert not answers(found, rules, tmp_path, TOGETHER, series, not_certain)


def test_somebody_is_called_when_the_gateway_has_blocked_a_small_shop_for_the_cards(
    found: Catalogue, rules: Mapping[str, str], tmp_path: Path
) -> None:
    blocked = QUIET + 20
    series = attempts(3.8, 200, blocked) | stopped(3.8, blocked)
    called = fires("MagentoPaymentsFail")
    before, in_time = question(called, blocked - 1, number=0), question(called, blocked + 130, number=1)
    assert not answers(found, rules, tmp_path, TOGETHER, series, before, in_time)


def test_somebody_is_called_once_ten_orders_are_overdue_although_customers_try_again(
    found: Catalogue, rules: Mapping[str, str], tmp_path: Path
) -> None:
    outage = QUIET - 60
    series = attempts(60, 0, outage, again=3) | stopped(60, outage)
    series[SINCE_LAST] = f"0x{outage} 1+1x{LENGTH - outage}"
    called = fires("MagentoPaymentsFail")
    before, in_time = question(called, outage + 11, number=0), question(called, outage + 13, number=1)
    assert not answers(found, rules, tmp_path, TOGETHER, series, before, in_time)


def test_somebody_is_called_when_payments_fail_soon_after_card_testing_ended(
    found: Catalogue, rules: Mapping[str, str], tmp_path: Path
) -> None:
    outage = QUIET + TESTING + 65
    series = attempts(30, 3_000, outage) | stopped(30, outage)
    called = fires("MagentoPaymentsFail")
    before, in_time = question(called, outage - 1, number=0), question(called, outage + 25, number=1)
    assert not answers(found, rules, tmp_path, TOGETHER, series, before, in_time)
