"""The copy for Grafana has the shape that its file provisioning reads, and is paused."""

from typing import Any

import pytest
import yaml

from alerts.__main__ import ROOT
from alerts.catalogue import Catalogue
from alerts.lib.grafana import for_grafana
from dashboards.catalogue import DASHBOARDS
from exporter.core.panels import panel_id

FILE = ROOT / "deploy" / "grafana" / "provisioning" / "alerting" / "magento.yaml"
KEYS = {
    "uid",
    "title",
    "condition",
    "data",
    "dashboardUid",
    "panelId",
    "noDataState",
    "execErrState",
    "for",
    "keepFiringFor",
    "annotations",
    "labels",
    "isPaused",
}


@pytest.fixture(scope="module")
def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load(FILE.read_text())
    assert document["apiVersion"] == 1
    for group in document["groups"]:
        assert set(group) == {"orgId", "name", "folder", "interval", "rules"}
    return [rule for group in document["groups"] for rule in group["rules"]]


def test_every_alert_but_the_watchdog_is_there(rules: list[dict[str, Any]], found: Catalogue) -> None:
    assert [rule["title"] for rule in rules] == [a.name for a in found.all if a.name != "MagentoWatchdog"]
    assert len({rule["uid"] for rule in rules}) == len(rules)


def test_rules_are_flat_paused_and_complete(rules: list[dict[str, Any]]) -> None:
    for rule in rules:
        assert set(rule) <= KEYS
        assert set(rule) >= KEYS - {"keepFiringFor"}
        assert rule["isPaused"] is True
        assert rule["noDataState"] in {"OK", "NoData", "Alerting"}
        assert rule["execErrState"] == "Error"
        assert len(rule["uid"]) <= 40


def test_the_query_is_reduced_and_then_judged(rules: list[dict[str, Any]]) -> None:
    for rule in rules:
        query, last, judged = rule["data"]
        assert [step["refId"] for step in rule["data"]] == ["A", "B", "C"]
        assert query["datasourceUid"] == "prometheus"
        assert query["model"]["instant"] is True
        assert (last["model"]["type"], last["model"]["reducer"]) == ("reduce", "last")
        assert (judged["model"]["type"], judged["model"]["expression"]) == ("math", "is_number($B)")
        assert rule["condition"] == "C"
        assert all(step["datasourceUid"] == "__expr__" for step in (last, judged))


def test_panels_exist_and_are_named_with_their_dashboard(rules: list[dict[str, Any]]) -> None:
    panels = {(page.uid, panel_id(page.uid, panel.key)) for page in DASHBOARDS for panel in page.panels()}
    assert {(rule["dashboardUid"], rule["panelId"]) for rule in rules} <= panels


def test_templates_speak_of_grafanas_values() -> None:
    text = "{{ $value | humanize }} in {{ $labels.store }}"
    assert for_grafana(text) == "{{ $values.B.Value | humanize }} in {{ $labels.store }}"


def test_nothing_is_taken_for_an_environment_variable() -> None:
    assert "${" not in FILE.read_text()
