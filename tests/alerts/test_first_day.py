"""What compares with a usual day is silent while there is none."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from alerts.catalogue import Catalogue
from tests.alerts.together import answers, fires, question

PLACE = 'job="magento", instance="shop:9816", store="de", stage="order"'
ORDERS = f"magento_checkout_stage_reached_total{{{PLACE}, customer=%r}}"
DAY, QUIET = 24 * 60, 3 * 60
"""In minutes: customers with an account order for three hours or for a day, and then no more."""


@pytest.mark.parametrize(("after", "number"), [(QUIET, 0), (DAY + QUIET, 1)])
def test_one_kind_of_customer_is_missed_from_the_second_day_on(
    found: Catalogue, rules: Mapping[str, str], tmp_path: Path, after: int, number: int
) -> None:
    series = {
        (ORDERS % "registered").replace("'", '"'): f"0+0.5x{after} {after / 2}x120",
        (ORDERS % "guest").replace("'", '"'): f"0+1x{after + 120}",
    }
    quiet = question(f"{fires('MagentoCustomersQuiet')}", after + 90, number=number)
    assert not answers(found, rules, tmp_path, ["MagentoCustomersQuiet"], series, quiet)


@pytest.mark.parametrize(("a_minute", "number"), [(0.5, 0), (1.5, 1)])
def test_a_few_first_orders_are_no_usual_value(
    found: Catalogue, rules: Mapping[str, str], tmp_path: Path, a_minute: float, number: int
) -> None:
    """Ten minutes before the first full hour orders are twenty times as large as from then on."""
    large, small = 500 * a_minute, 25 * a_minute
    place = 'job="magento", instance="shop:9816", store="de"'
    series = {
        f'magento_orders_placed_total{{{place}, method="checkmo"}}': f"_x49 0+{a_minute}x60",
        f'magento_orders_revenue_base_total{{{place}, currency="EUR"}}': (
            f"_x49 0+{large}x10 {10 * large + small}+{small}x49"
        ),
    }
    unusual = question(f"{fires('MagentoOrderValueUnusual')}", 108, number=number)
    assert not answers(found, rules, tmp_path, ["MagentoOrderValueUnusual"], series, unusual)
