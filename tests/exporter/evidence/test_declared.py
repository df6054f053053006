"""The declared evidence fits the runbooks, the alerts, and PromQL's grammar."""

from __future__ import annotations

from pathlib import Path

import promql_parser
import pytest

from alerts.catalogue import catalogue
from exporter.evidence.capture import matchers
from exporter.evidence.declared import declared
from exporter.evidence.model import Evidence, OwnSeries, PromQL
from exporter.web.runbook_text import read

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

each = pytest.mark.parametrize("evidence", EVIDENCE.values(), ids=EVIDENCE.keys())


@each
def test_each_hypothesis_is_a_row_of_the_runbook(evidence: Evidence) -> None:
    fixes = read(PAGES / f"{evidence.alert}.md").fixes
    assert {hypothesis.title for hypothesis in evidence.hypotheses} <= fixes.keys()
    assert all("<a " in fixes[hypothesis.title] for hypothesis in evidence.hypotheses)


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
                promql_parser.parse(fact.query.replace("%s", matchers(labels, fact.labels)))


@each
def test_fixed_labels_are_labels_of_the_metric(evidence: Evidence) -> None:
    for fact in evidence.facts:
        if isinstance(fact, OwnSeries):
            assert {*fact.labels, *fact.ignore} <= set(fact.metric.labels)
