"""The declared evidence fits the runbooks, the alerts, and PromQL's grammar."""

from __future__ import annotations

import re
from pathlib import Path

import promql_parser
import pytest

from alerts.catalogue import catalogue
from alerts.lib.model import Severity
from exporter.collectors import all_collectors
from exporter.evidence.capture import matchers
from exporter.evidence.declared import declared
from exporter.evidence.model import Evidence, OwnSeries, PromQL
from exporter.web.runbook_text import read
from tests.system.gameday.diagnoses import RIGHT
from tests.system.gameday.expectations import EXPECTED

PAGES = Path(__file__).resolve().parents[3] / "runbooks"
ALERTS = {alert.name: alert for alert in catalogue().all}
EVIDENCE = declared()
LABELS = {
    "job": "magento",
    "instance": "exporter:9816",
    "shop": "main",
    "store": "de",
    "queue": "a.b",
    "indexer": "x",
}

RECORDED = {rule.name for rules in catalogue().recordings.values() for rule in rules}
NAME = re.compile(r"([a-z][a-z0-9_:]+)\{")
PROMETHEUS = {"up", "scrape_duration_seconds", "process_start_time_seconds"}

each = pytest.mark.parametrize("evidence", EVIDENCE.values(), ids=EVIDENCE.keys())


@each
def test_each_hypothesis_is_a_row_of_the_runbook(evidence: Evidence) -> None:
    diagnosis = read(PAGES / f"{evidence.alert}.md").diagnosis
    assert {hypothesis.title for hypothesis in evidence.hypotheses} <= diagnosis.keys()
    assert all("<a " in diagnosis[hypothesis.title].fix for hypothesis in evidence.hypotheses)


def test_what_may_wake_somebody_has_evidence_and_so_has_what_a_game_day_plays() -> None:
    loud = {Severity.CRITICAL, Severity.URGENT}
    wanted = {alert.name for alert in ALERTS.values() if loud & set(alert.severities)}
    assert wanted | {seen.alert for fault in EXPECTED.values() for seen in fault.fires} <= EVIDENCE.keys()


def test_each_fault_of_the_game_day_has_a_right_hypothesis() -> None:
    assert {
        name: {seen.alert for seen in fault.fires} for name, fault in EXPECTED.items() if fault.fires
    } == {name: set(right) for name, right in RIGHT.items()}
    for right in RIGHT.values():
        for alert, title in right.items():
            assert title in {hypothesis.title for hypothesis in EVIDENCE[alert].hypotheses}


@each
def test_there_is_such_an_alert_and_each_fact_decides_or_is_shown(evidence: Evidence) -> None:
    assert evidence.alert in ALERTS
    assert evidence.hypotheses
    assert evidence.facts


@each
def test_queries_are_promql_with_and_without_an_alerts_labels(evidence: Evidence) -> None:
    for fact in evidence.facts:
        if isinstance(fact, PromQL):
            for labels in ({}, LABELS):
                selecting = matchers(labels, fact.labels, anywhere=fact.anywhere)
                promql_parser.parse(fact.query.replace("%s", selecting))


def test_each_series_is_one_of_ours_or_stands_on_a_recorded_page_of_its_exporter() -> None:
    pages = (Path(__file__).resolve().parents[2] / "exporters/recorded").glob("*.prom")
    elsewhere = {
        name for page in pages for name in re.findall(r"^[a-z_0-9]+", page.read_text(), re.MULTILINE)
    }
    own = {metric.name for collector in all_collectors() for metric in collector.metrics}
    sums = {f"{name}_{part}" for name in own for part in ("sum", "count")}
    known = own | sums | RECORDED | elsewhere | PROMETHEUS
    asked = {
        name
        for evidence in EVIDENCE.values()
        for fact in evidence.facts
        if isinstance(fact, PromQL)
        for name in NAME.findall(fact.query.replace("%s", ""))
    }
    assert asked - known == set()


@each
def test_fixed_labels_are_labels_of_the_metric(evidence: Evidence) -> None:
    for fact in evidence.facts:
        if isinstance(fact, OwnSeries):
            assert {*fact.labels, *fact.ignore} <= set(fact.metric.labels)
