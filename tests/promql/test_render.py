"""The text of a tree: one line, or as many as it needs to be read, and always the same tree."""

from __future__ import annotations

import pytest

from alerts.catalogue import catalogue
from exporter.collectors import cron, orders
from exporter.errors import SpecError
from promql.expr import Expr, clamp_min, increase, max_by, number, series, sum_by, top
from promql.render import following, layout, render
from tests.alerts.loading import script

compare = script("compare_rules")

LAG = max_by(series(cron.LAG))
PLACED = sum_by(increase(series(orders.PLACED)["1h"]), "store", "method")
RULES = {rule.name: rule.expr for rule in (*catalogue().all, *catalogue().owners.recordings)}


@pytest.mark.parametrize("name", RULES)
def test_lines_and_brackets_do_not_change_the_tree(name: str) -> None:
    expected = compare.parsed(render(RULES[name]))
    for width in (40, 80, 110):
        assert compare.parsed(layout(RULES[name], width)) == expected


@pytest.mark.parametrize("name", RULES)
def test_what_fits_is_on_one_line(name: str) -> None:
    text = render(RULES[name])
    assert layout(RULES[name], len(text)) == text
    assert layout(RULES[name], 10_000) == text


def test_long_expressions_are_broken_at_their_operators() -> None:
    many = (PLACED > 10).only_if(PLACED < 100).unless(LAG > 5, on=())
    assert layout(many, 80).splitlines() == [
        "sum by (store, method) (increase(magento_orders_placed_total[1h])) > 10",
        "and sum by (store, method) (increase(magento_orders_placed_total[1h])) < 100",
        "unless on () max(magento_cron_lag_seconds) > 5",
    ]


def test_an_aggregation_opens_a_bracket_over_lines() -> None:
    either = max_by((PLACED > 10).or_else(PLACED < 1), "store")
    assert layout(either, 80).splitlines() == [
        "max by (store) (",
        "  sum by (store, method) (increase(magento_orders_placed_total[1h])) > 10",
        "  or sum by (store, method) (increase(magento_orders_placed_total[1h])) < 1",
        ")",
    ]


def test_a_mixture_of_and_and_or_has_brackets_for_its_reader() -> None:
    mixed = LAG.or_else(LAG.only_if(LAG > 1))
    assert render(mixed) == (
        "max(magento_cron_lag_seconds) or "
        "(max(magento_cron_lag_seconds) and max(magento_cron_lag_seconds) > 1)"
    )


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (number(10.0), "10"),
        (number(10.6), "10.6"),
        (number(-1), "-1"),
        (top(3, LAG), "topk(3, max(magento_cron_lag_seconds))"),
        (clamp_min(LAG, 0.5), "clamp_min(max(magento_cron_lag_seconds), 0.5)"),
        (LAG.truth(">", 2), "max(magento_cron_lag_seconds) > bool 2"),
        (LAG.join("*", LAG, on=(), group_left=()), f"{render(LAG)} * on () group_left () {render(LAG)}"),
        (LAG - (LAG - 1), f"{render(LAG)} - ({render(LAG)} - 1)"),
        (LAG["1h":"5m"].before("1d").at_end(), f"{render(LAG)}[1h:5m] offset 1d @ end()"),
        (series(cron.RUNS, job_code='a"b\\c'), 'magento_cron_job_runs_total{job_code="a\\"b\\\\c"}'),
    ],
)
def test_everything_is_written_as_prometheus_reads_it(expr: Expr, text: str) -> None:
    assert render(expr) == text


def test_what_follows_an_operator_is_a_mutant_s_name() -> None:
    assert following(LAG.only_if(LAG > 1)) == "and max(magento_cron_lag_seconds) > 1"


def test_a_range_is_no_operand() -> None:
    with pytest.raises(SpecError, match="no operand"):
        _ = series(cron.LAG)["5m"] + 1
    with pytest.raises(SpecError, match="without a step"):
        LAG["5m"]  # type: ignore[index]
