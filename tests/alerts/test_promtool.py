"""Every alert in every kind of situation, by Prometheus' own unit tests on the shipped rule files."""

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alerts.catalogue import Catalogue
from alerts.lib import promtool
from alerts.lib.cases import At
from alerts.lib.links import DEMO
from alerts.lib.model import Alert, NoData
from alerts.testing import Verdict, judge
from exporter.errors import SpecError
from promql.nodes import Call


def test_behaves(alert: Alert, verdicts: Mapping[str, Future[Verdict]]) -> None:
    verdict = verdicts[alert.name].result()
    assert not verdict.complaints, verdict.report()


def test_has_every_kind_of_case(alert: Alert, found: Catalogue) -> None:
    document = promtool.unit_tests(alert, "rules.yml", owners=found.owners, links=DEMO)
    kinds = {test["name"].removeprefix(f"{alert.name}: ").split()[0] for test in document["tests"]}
    wanted = {"fires", "maintenance"}
    if alert.cases.inputs:
        wanted.add("recovers")
    if alert.no_data is not NoData.FIRES:
        wanted.add("absent")
    if alert.op in {">", "<"} and any(item.edge for item in alert.cases.inputs.values()):
        wanted.add("edge")
    if alert.scope is not None:
        wanted.add("tuned")
    if len(alert.cases.inputs) > 1 and alert.cases.needs_all_inputs:
        wanted.add("mixed")
    assert wanted <= kinds


def _asks_for_absence(alert: Alert) -> bool:
    return any(isinstance(node, Call) and node.function == "absent" for node in alert.value.walk())


def test_boundary_is_asked_for(alert: Alert) -> None:
    """An alert with a limit has an input at the limit; one on states or that fires at it has none."""
    has_edge = any(item.edge is not None for item in alert.cases.inputs.values())
    only_states = alert.op in ("==", "<=", ">=") or not alert.cases.inputs or _asks_for_absence(alert)
    assert has_edge is not only_states


def test_fires_in_one_place_only(alert: Alert, found: Catalogue) -> None:
    """The firing case has other places beside it, each different in one label."""
    document = promtool.unit_tests(alert, "rules.yml", owners=found.owners, links=DEMO)
    others = list(promtool.elsewhere(alert))
    if alert.cases.covers_all_places:
        assert not others
        return
    assert len(others) == len({**promtool.TARGET, **alert.cases.entity})
    series = [entry["series"] for entry in document["tests"][0]["input_series"]]
    assert sum("another" in text for text in series) >= len(others)


@pytest.mark.parametrize("kind", ["silent", "fires"])
def test_situation_names_known_inputs(found: Catalogue, kind: str) -> None:
    situation: dict[str, Any] = {kind: {"a typing error": {"no such input": At(1)}}}
    with pytest.raises(SpecError, match="no input is named no such input"):
        replace(found.all[0].cases, **situation)


@pytest.mark.parametrize(
    "name",
    [
        "MagentoDataStale",
        "MagentoIndexerChangelogMissing",
        "MagentoIndexerInvalid",
        "MagentoIndexerStuck",
        "MagentoIndexerVersionAhead",
        "MagentoIndexerViewStuck",
    ],
)
def test_is_a_warning_in_other_places(
    name: str, found: Catalogue, rules: Mapping[str, str], tmp_path: Path
) -> None:
    """An alert that is urgent for some places only is a warning for one that it does not name."""
    alert = next(alert for alert in found.all if alert.name == name)
    description = alert.cases.expected_description
    for value in alert.cases.entity.values():
        description = description.replace(value, "elsewhere")
    labels = {label: value for label, value in alert.cases.labels.items() if label != "severity"}
    entity = dict.fromkeys(alert.cases.entity, "elsewhere")
    cases = replace(alert.cases, entity=entity, labels=labels, expected_description=description)
    changed = replace(alert, cases=cases)
    alone = replace(found, alerts={found.subject(alert): [changed]})
    verdict = judge(changed, alone, list(rules.values()), tmp_path)
    assert not verdict.complaints, verdict.report()


@pytest.mark.parametrize("name", ["MagentoCronDailyJobFailed", "MagentoCronJobNeverRan"])
def test_a_job_that_makes_prices_is_urgent(
    name: str, found: Catalogue, rules: Mapping[str, str], tmp_path: Path
) -> None:
    """The nightly job of the price rules is known to have failed before the sale begins."""
    alert = next(alert for alert in found.all if alert.name == name)
    job = "catalogrule_apply_all"
    description = alert.cases.expected_description.replace(alert.cases.entity["job_code"], job)
    labels = {**alert.cases.labels, "severity": "urgent"}
    cases = replace(alert.cases, entity={"job_code": job}, labels=labels, expected_description=description)
    changed = replace(alert, cases=cases)
    alone = replace(found, alerts={found.subject(alert): [changed]})
    verdict = judge(changed, alone, list(rules.values()), tmp_path)
    assert not verdict.complaints, verdict.report()


def test_times_that_are_no_multiples_of_the_step_are_refused(found: Catalogue) -> None:
    with pytest.raises(SpecError, match="warm_up is no multiple of step"):
        replace(found.all[0].cases, warm_up=600, step=1800)
