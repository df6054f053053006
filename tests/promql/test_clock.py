"""How a game day's clock shrinks the lengths of time in an expression."""

from __future__ import annotations

from exporter.collectors import cron
from promql.clock import Clock
from promql.expr import Expr, age, increase, over_time, seconds, series
from promql.render import render

RUNS = series(cron.RUNS, status="=~5m|1h")


def at(scale: float, expr: Expr) -> str:
    return render(Clock(scale).scaled(expr))


def test_ranges_offsets_and_bare_durations_shrink_and_texts_do_not() -> None:
    late = age(series(cron.LAST_EXECUTION)) > seconds("15m")
    expr = (increase(RUNS.before("1d")["1h"]) > 900).only_if(late, on=("job",))
    assert at(60, expr) == (
        'increase(magento_cron_job_runs_total{status=~"5m|1h"}[1m] offset 24m) > 900 '
        "and on (job) time() - magento_cron_last_execution_timestamp_seconds > 15"
    )
    assert at(1, expr) == (
        'increase(magento_cron_job_runs_total{status=~"5m|1h"}[1h] offset 1d) > 900 '
        "and on (job) time() - magento_cron_last_execution_timestamp_seconds > 900"
    )


def test_a_subquery_shrinks_with_its_step_and_offset() -> None:
    expr = over_time("max", series(cron.LAG)["6h":"5m"].before("1w"))
    assert at(60, expr) == "max_over_time(magento_cron_lag_seconds[6m:5s] offset 168m)"


def test_a_range_is_never_shorter_than_four_scrapes() -> None:
    assert at(3600, increase(RUNS["5m"])).endswith("[5s])")


def test_what_grafana_fills_in_stays() -> None:
    assert at(60, increase(RUNS["$__range"])).endswith("[$__range])")


def test_intervals_of_rules_shrink_to_whole_seconds() -> None:
    assert str(Clock(60).duration(90)) == "2s"
    assert str(Clock(600).duration(60, least=1)) == "1s"
    assert str(Clock().duration(90)) == "90s"
