"""Expressions know their labels, and their text is the tree that was built."""

from __future__ import annotations

from typing import Any

import promql_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.collectors import cron, orders
from exporter.errors import SpecError
from promql.expr import Expr, age, increase, max_by, number, over_time, rate, series, sum_by
from promql.render import render

PLACED = series(orders.PLACED)


def test_a_label_that_is_not_there_breaks_the_build() -> None:
    with pytest.raises(SpecError, match="colour"):
        series(orders.PLACED, colour="red")
    with pytest.raises(SpecError, match="queue"):
        sum_by(PLACED, "queue")
    with pytest.raises(SpecError, match="store"):
        sum_by(sum_by(rate(PLACED["5m"]), "method"), "store")


def test_a_join_needs_the_label_on_both_sides() -> None:
    by_store, by_method = sum_by(PLACED, "store"), sum_by(PLACED, "method")
    with pytest.raises(SpecError, match="no such label"):
        by_store.join("/", by_method, on=("store",))
    with pytest.raises(SpecError, match="different labels"):
        _ = by_store / by_method


def test_counters_and_gauges_are_not_mixed_up() -> None:
    with pytest.raises(SpecError, match="not a counter"):
        rate(series(cron.LAG)["5m"])
    with pytest.raises(SpecError, match="no timestamp"):
        age(series(cron.LAG))
    with pytest.raises(SpecError):
        series(cron.DURATION)


@pytest.mark.parametrize("span", ["", "5", "5 m", "$interval", "5m:", "h", "1x"])
def test_a_range_is_a_duration(span: str) -> None:
    with pytest.raises(SpecError, match="no duration"):
        PLACED[span]


def test_text_is_as_an_engineer_would_write_it() -> None:
    failed = sum_by(increase(series(cron.RUNS, status="error")["1h"]), "job_code")
    text = 'sum by (job_code) (increase(magento_cron_job_runs_total{status="error"}[1h]))'
    assert render(failed) == text
    assert render(failed / 4 > 1) == f"{text} / 4 > 1"
    assert render(1 - failed / (failed + 1)) == f"1 - {text} / ({text} + 1)"
    assert render(over_time("max", failed["1d":"1h"])) == f"max_over_time({text}[1d:1h])"


def combine(left: Expr, operator: str, right: Expr) -> Expr:
    return {
        "+": left.__add__,
        "-": left.__sub__,
        "*": left.__mul__,
        "/": left.__truediv__,
    }[operator](right)


LEAF = number(1.0)
EXPRESSIONS = st.recursive(
    st.sampled_from([LEAF, max_by(series(cron.LAG)), number(-2.5)]),
    lambda inner: st.builds(combine, inner, st.sampled_from("+-*/"), inner),
    max_leaves=8,
)


@given(left=EXPRESSIONS, operator=st.sampled_from("+-*/"), right=EXPRESSIONS)
def test_brackets_keep_the_tree(left: Expr, operator: str, right: Expr) -> None:
    parsed: Any = promql_parser.parse(render(combine(left, operator, right)))
    assert same(parsed.lhs, promql_parser.parse(render(left)))
    assert same(parsed.rhs, promql_parser.parse(render(right)))


def same(one: Any, other: Any) -> bool:
    return flat(one) == flat(other)


def flat(node: Any) -> Any:
    """Return the tree without its brackets."""
    if isinstance(node, promql_parser.ParenExpr):
        return flat(node.expr)
    if isinstance(node, promql_parser.BinaryExpr):
        return (flat(node.lhs), str(node.op), flat(node.rhs))
    return str(node)
