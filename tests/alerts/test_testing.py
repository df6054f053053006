"""`python -m alerts test NAME`: the cases of single alerts, and readable complaints about them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from alerts.__main__ import main
from alerts.catalogue import Catalogue
from alerts.testing import a_little_above, as_if_no_sample_lay_on_an_edge, judge


def test_says_what_differs_in_which_case(found: Catalogue, rules: Mapping[str, str], tmp_path: Path) -> None:
    alert = next(alert for alert in found.all if alert.name == "MagentoCronStopped")
    other = replace(alert, cases=replace(alert.cases, expected_description="Cron sleeps."))
    verdict = judge(other, replace(found, alerts={"cron": [other]}), list(rules.values()), tmp_path)
    assert set(verdict.complaints) == {"fires"}
    lines = verdict.report().splitlines()
    assert lines[0] == f"MagentoCronStopped: 1 of {verdict.cases} cases fail (- expected, + got)"
    assert [line for line in lines if line.startswith(("- ", "+ "))] == [
        '- description="Cron sleeps.",',
        '+ description="No cron job has started for 15m 30s (limit 15m).",',
    ]


def test_names_the_cases_that_fail(found: Catalogue, rules: Mapping[str, str], tmp_path: Path) -> None:
    alert = next(alert for alert in found.all if alert.name == "MagentoCronStopped")
    silenced = [text.replace("> 900", "> 90000") for text in rules.values()]
    verdict = judge(alert, found, silenced, tmp_path)
    assert set(verdict.complaints) == {"fires", "recovers", "tuned for another job", "tuned another alert"}


def test_runs_the_alerts_that_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "MagentoCronStopped", "MagentoCronTableBloated"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["MagentoCronStopped", "MagentoCronTableBloated"]
    assert all(line.endswith("cases hold") for line in lines)


def test_refuses_an_unknown_alert(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "MagentoCronStoped"]) == 2
    assert "no alert is named MagentoCronStoped" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("expression", "on_prometheus_3"),
    [
        ("increase(a[1h]) > 0", "increase(a[1h1ms]) > 0"),
        ("max_over_time(rate(a[5m])[1h30m:5m])", "max_over_time(rate(a[5m1ms])[1h30m1ms:5m])"),
        ('a{b="[c]"} offset 1w', 'a{b="[c]"} offset 1w'),
    ],
)
def test_where_a_range_leaves_out_its_edge_the_cases_are_the_same(
    expression: str, on_prometheus_3: str
) -> None:
    assert as_if_no_sample_lay_on_an_edge(expression) == on_prometheus_3


@pytest.mark.parametrize(
    ("condition", "raised"),
    [("a > 30", "a > 30.0003"), ("a > 0", "a > 0"), ("a < 2", "a < 2"), ("a > 0.5 and b", "a > 0.5 and b")],
)
def test_the_millisecond_lets_no_increase_on_the_limit_fire(condition: str, raised: str) -> None:
    assert a_little_above(condition) == raised
