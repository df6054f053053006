"""The dashboards keep the linter's rules; each rule notices a violation; each exception is still needed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.dashboards.linting import (
    CONFIGURATION,
    OF_DASHBOARDS,
    OF_PANELS,
    OF_QUERIES,
    Json,
    excuses,
    findings,
)
from tests.dashboards.reading import RENDERED

EXCUSES = excuses(CONFIGURATION.read_text(encoding="utf-8"))
SOUND = RENDERED["magento-cron"]


def variable(dashboard: Json, name: str) -> Json:
    found: Json = next(v for v in dashboard["templating"]["list"] if v["name"] == name)
    return found


def set_variable(which: str, /, **values: Any) -> Callable[[Json], None]:
    return lambda dashboard: variable(dashboard, which).update(values)


def without_variable(name: str) -> Callable[[Json], None]:
    return lambda dashboard: dashboard["templating"]["list"].remove(variable(dashboard, name))


def set_panel(**values: Any) -> Callable[[Json], None]:
    return lambda dashboard: dashboard["panels"][0].update(values)


def set_unit(unit: str) -> Callable[[Json], None]:
    return lambda dashboard: dashboard["panels"][0]["fieldConfig"]["defaults"].update(unit=unit)


def override_unit(unit: str) -> Callable[[Json], None]:
    field = {"matcher": {}, "properties": [{"id": "unit", "value": unit}]}
    return lambda dashboard: dashboard["panels"][0]["fieldConfig"]["overrides"].append(field)


def set_query(expression: str) -> Callable[[Json], None]:
    return lambda dashboard: dashboard["panels"][0]["targets"][0].update(expr=expression)


HERE = 'job=~"$job", instance=~"$instance", shop=~"$shop"'
VIOLATIONS: list[tuple[str, Callable[[Json], None]]] = [
    ("template-datasource-rule", without_variable("datasource")),
    ("template-datasource-rule", set_variable("datasource", name="prometheus")),
    ("template-datasource-rule", set_variable("datasource", label="Source")),
    ("template-datasource-rule", set_variable("datasource", query="loki")),
    ("template-job-rule", without_variable("job")),
    ("template-job-rule", set_variable("job", multi=False)),
    ("template-job-rule", set_variable("job", allValue=".*")),
    ("template-job-rule", set_variable("job", label="Shop")),
    ("template-job-rule", set_variable("job", datasource={"type": "prometheus", "uid": "prometheus"})),
    ("template-job-rule", set_variable("job", type="custom")),
    ("template-instance-rule", without_variable("instance")),
    ("template-instance-rule", set_variable("instance", allValue=None)),
    ("template-label-promql-rule", set_variable("job", query={"query": "label_value(up, job)"})),
    ("template-label-promql-rule", set_variable("job", query={"query": "label_values(up{, job)"})),
    ("template-on-time-change-reload-rule", set_variable("job_code", refresh=1)),
    ("uneditable-dashboard-rule", lambda dashboard: dashboard.update(editable=True)),
    ("uneditable-dashboard-rule", lambda dashboard: dashboard.pop("editable")),
    ("panel-datasource-rule", set_panel(datasource={"type": "prometheus", "uid": "abc"})),
    ("panel-datasource-rule", set_panel(datasource="Prometheus")),
    ("panel-datasource-rule", lambda d: d["panels"][0]["targets"][0].pop("datasource")),
    ("panel-title-description-rule", set_panel(title="")),
    ("panel-title-description-rule", set_panel(description="")),
    ("panel-units-rule", set_unit("seconds")),
    ("panel-units-rule", override_unit("suffix:x")),
    ("panel-no-targets-rule", set_panel(targets=[])),
    ("panel-of-this-moment-rule", lambda d: d["panels"][0]["targets"][0].update(instant=False)),
    ("panel-of-this-moment-rule", lambda d: d["panels"][0]["options"].update(graphMode="area")),
    ("target-promql-rule", set_query(f"sum(up{{{HERE}}}")),
    ("target-rate-interval-rule", set_query(f"sum(rate(x_total{{{HERE}}}[5m]))")),
    ("target-rate-interval-rule", set_query(f"irate(x_total{{{HERE}}}[$__interval])")),
    ("target-job-rule", set_query('up{instance=~"$instance"}')),
    ("target-job-rule", set_query('up{job="$job", instance=~"$instance"}')),
    ("target-job-rule", set_query(f'sum(up{{{HERE}}}) / sum(up{{instance=~"$instance"}})')),
    ("target-instance-rule", set_query('up{job=~"$job"}')),
    ("target-instance-rule", set_query('up{job=~"$job", instance=~"$instance|x"}')),
    ("target-counter-agg-rule", set_query(f"sum(x_total{{{HERE}}})")),
    ("target-counter-agg-rule", set_query(f"max_over_time(x_total{{{HERE}}}[5m])")),
]


def test_every_rule_has_a_planted_violation() -> None:
    assert {rule for rule, _ in VIOLATIONS} == {*OF_DASHBOARDS, *OF_PANELS, *OF_QUERIES}


@pytest.mark.parametrize(("rule", "break_it"), VIOLATIONS, ids=[rule for rule, _ in VIOLATIONS])
def test_a_planted_violation_is_found_by_its_rule_alone(rule: str, break_it: Callable[[Json], None]) -> None:
    assert list(findings(SOUND)) == []
    broken = copy.deepcopy(SOUND)
    break_it(broken)
    assert {finding.rule for finding in findings(broken)} == {rule}


@pytest.mark.parametrize("data", RENDERED.values(), ids=RENDERED)
def test_the_dashboards_keep_the_rules(data: Json) -> None:
    assert [f for f in findings(data) if not any(excuse.covers(f) for excuse in EXCUSES)] == []


def test_every_exception_is_needed_and_says_why() -> None:
    found = [finding for data in RENDERED.values() for finding in findings(data)]
    for excuse in EXCUSES:
        assert any(excuse.covers(finding) for finding in found), excuse
        assert len(excuse.reason.split()) > 5, excuse
