import pytest

from alerts.lib.expression import Clock, bracketed, duration, number, parse
from alerts.lib.owners import names


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (1, "1s"),
        (90, "90s"),
        (120, "2m"),
        (3600, "1h"),
        (86_400, "1d"),
        (604_800, "1w"),
        (0.5, "500ms"),
    ],
)
def test_durations_are_in_the_largest_unit_that_divides_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
    assert parse(text) == seconds


def test_a_clock_shrinks_ranges_offsets_and_bare_durations_and_leaves_texts_alone() -> None:
    text = 'rate(a_total{x="5m"}[1h] offset 1d) > 900s and b[6h:5m] offset -1w > 2'
    assert Clock(60).render(text) == 'rate(a_total{x="5m"}[1m] offset 24m) > 15 and b[6m:5s] offset -168m > 2'
    assert Clock().render(text) == 'rate(a_total{x="5m"}[1h] offset 1d) > 900 and b[6h:5m] offset -1w > 2'


def test_a_clock_never_makes_a_range_shorter_than_four_scrapes() -> None:
    assert Clock(3600).render("increase(a_total[5m])") == "increase(a_total[5s])"


def test_names_with_digits_are_not_durations() -> None:
    assert Clock(60).render("magento:x:increase5m > 5") == "magento:x:increase5m > 5"


def test_only_loose_operators_outside_brackets_need_brackets() -> None:
    assert bracketed("a - b") == "a - b"
    assert bracketed("max by (x) (a and b < 2)") == "max by (x) (a and b < 2)"
    assert bracketed("a and b") == "(a and b)"
    assert bracketed('a{x="b > c"}') == 'a{x="b > c"}'


def test_numbers_are_written_exactly() -> None:
    assert number(10.0) == "10"
    assert number(10.6) == "10.6"


def test_the_names_of_an_expression_are_its_series() -> None:
    text = (
        'sum by (job, store) (increase(magento_a_total{b="magento_c"}[1h])) / on (job) group_left (x) '
        "magento:d:increase1h unless on (job) (up == 0)"
    )
    assert names(text) == ["magento_a_total", "magento:d:increase1h", "up"]
