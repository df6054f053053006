"""The catalogue's own rules: policy, closure with metrics, panels and runbooks."""

import ast
import re
from collections.abc import Iterator, Mapping

import promql_parser
import pytest
import yaml

from alerts.__main__ import ROOT
from alerts.catalogue import Catalogue
from alerts.lib.condition import MAINTENANCE, THRESHOLD
from alerts.lib.model import Alert, NoData, Severity
from alerts.lib.prometheus import tags
from dashboards.catalogue import DASHBOARDS
from exporter.collectors import all_collectors
from exporter.core.metrics import Kind
from exporter.core.self_metrics import SELF_METRICS
from promql import platform
from promql.durations import Duration, Span
from promql.metrics import (
    ALERTS,
    PROBE_CERTIFICATE,
    PROBE_DURATION,
    PROBE_LAST_MODIFIED,
    PROBE_SUCCESS,
    PROBE_UP,
    SCRAPE_DURATION,
    SHOP,
)
from promql.nodes import Call, Range, Selector, Subquery
from promql.render import layout

RUNBOOKS = ROOT / "runbooks"
DECLARATIONS = sorted(path for path in (ROOT / "alerts").rglob("*.py") if path.parent.name != "lib")
CANNOT_BUY = {
    "MagentoDatabaseBlocked",
    "MagentoSearchAliasMissing",
    "MagentoOrdersStopped",
    "MagentoPaymentsFail",
    "MagentoPaymentMethodDead",
    "MagentoPricesMissing",
    "MagentoMaintenanceForgotten",
    "MagentoNobodyComes",
    "MagentoBackendDown",
    "MagentoBackendsSick",
    "MagentoBrokerBlocksPublishers",
    "MagentoSessionStoreDown",
    "MagentoSessionWritesRefused",
    "MagentoProbeFailing",
    "MagentoDatabaseRefusesConnections",
    "MagentoDiskFull",
    "MagentoPhpFull",
    "MagentoSearchDown",
    "MagentoExporterDown",
}
"""The alerts that say: customers cannot buy now. Only these may wake somebody."""

CHANGES_NAME_LABELS = {"label_replace"}


def series(found: Catalogue) -> dict[str, tuple[str, ...]]:
    """Return the labels of everything that may be selected, by name."""
    known: dict[str, tuple[str, ...]] = {}
    metrics = [metric for collector in all_collectors() for metric in collector.metrics]
    for metric in (*metrics, *SELF_METRICS):
        suffixes = ("_sum", "_count") if metric.kind is Kind.SUMMARY else ("",)
        known.update({metric.name + suffix: metric.labels for suffix in suffixes})
    for recording in found.owners.recordings:
        known[recording.name] = recording.labels
    own = (
        *THRESHOLD.labels,
        "store",
        "queue",
        "indexer",
        "job_code",
        "varnish",
        "layer",
        "collector",
        "document",
        "consumer",
    )
    known[THRESHOLD.name] = own
    known[MAINTENANCE.name] = MAINTENANCE.labels
    for foreign in (
        SCRAPE_DURATION,
        ALERTS,
        PROBE_SUCCESS,
        PROBE_CERTIFICATE,
        PROBE_DURATION,
        PROBE_LAST_MODIFIED,
        PROBE_UP,
        *platform.SERIES,
    ):
        known[foreign.name] = foreign.labels
    known["up"] = (*PROBE_UP.labels, platform.ROLE)
    return known


def selectors(node: object) -> Iterator[promql_parser.VectorSelector]:
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for attribute in ("lhs", "rhs", "expr", "vector_selector"):
        if hasattr(node, attribute):
            yield from selectors(getattr(node, attribute))
    arguments = getattr(node, "args", None) or []
    for argument in arguments:
        yield from selectors(argument)


def labels_of(node: object, known: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Return the labels that the result of an expression can have; assert that all that it names exist."""
    if isinstance(node, promql_parser.VectorSelector):
        have = {*known[node.name], *SHOP}
        assert {matcher.name for matcher in node.matchers.matchers} <= have, node.prettify()
        return have
    if isinstance(node, promql_parser.AggregateExpr):
        inner = labels_of(node.expr, known)
        kept = set(node.modifier.labels) if node.modifier else set()
        assert kept <= inner, node.prettify()
        return kept
    if isinstance(node, promql_parser.BinaryExpr):
        return labels_of_pair(node, known)
    if isinstance(node, promql_parser.Call):
        parts = [labels_of(argument, known) for argument in node.args]
        have = set().union(*parts) if parts else set()
        if node.func.name in CHANGES_NAME_LABELS:
            have.add(node.args[1].val)
        return have
    for attribute in ("expr", "vector_selector"):
        if hasattr(node, attribute):
            return labels_of(getattr(node, attribute), known)
    return set()


def test_limits_stand_in_thresholds() -> None:
    """Only 0 and 1 are compared with as they are: they mean none, some, down and up."""
    literals = {
        f"{path.name}:{node.value.lineno}": node.value.value
        for path in DECLARATIONS
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.keyword) and node.arg == "threshold" and isinstance(node.value, ast.Constant)
    }
    assert {where: value for where, value in literals.items() if value not in {0, 1}} == {}


def labels_of_pair(node: promql_parser.BinaryExpr, known: Mapping[str, tuple[str, ...]]) -> set[str]:
    left, right = labels_of(node.lhs, known), labels_of(node.rhs, known)
    matching = node.modifier.matching if node.modifier else None
    if matching is not None and matching.type == promql_parser.LabelModifierType.Exclude:
        ignored = set(matching.labels)
        assert ignored <= left | right, node.prettify()
        assert left - ignored == right - ignored, node.prettify()
    elif matching is not None:
        assert set(matching.labels) <= left, node.prettify()
        assert set(matching.labels) <= right, node.prettify()
    return left or right  # a number or time() has none


def test_only_what_stops_customers_from_buying_wakes_somebody(found: Catalogue) -> None:
    assert {alert.name for alert in found.all if alert.severity is Severity.CRITICAL} == CANNOT_BUY


def test_waits_before_it_fires(alert: Alert) -> None:
    assert alert.for_ >= 2 * alert.interval or alert.name == "MagentoWatchdog"


def test_does_not_blink(alert: Alert) -> None:
    """What can come and go within minutes keeps firing for a while, unless nobody is notified."""
    slow = alert.for_ >= 10 * 60
    notified = alert.severity not in {Severity.INFO, Severity.NONE}
    assert alert.keep_firing_for or slow or not notified or not alert.cases.inputs


def test_names_only_series_and_labels_that_exist(alert: Alert, found: Catalogue) -> None:
    tree = promql_parser.parse(layout(alert.expr))
    have = labels_of(tree, series(found))
    named = set(re.findall(r"\$labels\.(\w+)", alert.description))
    assert named <= have
    assert set(alert.cases.entity) <= have


def test_recording_rules_name_only_series_and_labels_that_exist(found: Catalogue) -> None:
    known = series(found)
    for recording in found.owners.recordings:
        have = labels_of(promql_parser.parse(layout(recording.expr)), known)
        assert have == {*SHOP, *recording.labels}, recording.name


def test_every_recording_rule_is_used(found: Catalogue) -> None:
    used = {name for alert in found.all for name in found.owners.closure(alert)}
    pages = "".join(path.read_text() for path in (ROOT / "dashboards" / "generated").glob("*.json"))
    rules = {rule.name: rule for rule in found.owners.recordings}
    waiting = [name for name in rules if name in pages]
    while waiting:
        name = waiting.pop()
        used.add(name)
        waiting += [read for read in rules[name].expr.metrics() if read in rules and read not in used]
    assert [name for name in rules if name not in used] == []


def test_recording_rules_stand_before_what_uses_them(found: Catalogue) -> None:
    order = [r.name for rules in found.recordings.values() for r in rules]
    at = {name: place for place, name in enumerate(order)}
    group = {r.name: subject for subject, rules in found.recordings.items() for r in rules}
    for recording in found.owners.recordings:
        for name in (s.name for s in selectors(promql_parser.parse(layout(recording.expr)))):
            reads_its_own_past = name == recording.name
            if name in at and group[name] == group[recording.name] and not reads_its_own_past:
                assert at[name] < at[recording.name]


def test_links_to_a_panel_that_exists(alert: Alert) -> None:
    panels = {(page.uid, panel.key) for page in DASHBOARDS for panel in page.panels()}
    assert (alert.panel.dashboard, alert.panel.key) in panels


def test_has_a_runbook(alert: Alert) -> None:
    assert (RUNBOOKS / f"{alert.runbook}.md").is_file()


def test_every_runbook_belongs_to_an_alert(found: Catalogue) -> None:
    pages = {path.stem for path in RUNBOOKS.glob("Magento*.md")}
    assert pages == {alert.runbook for alert in found.all}


def test_says_whether_absence_is_silent(alert: Alert) -> None:
    functions = {node.function for node in alert.value.walk() if isinstance(node, Call)}
    assert (alert.no_data is NoData.FIRES) is bool(functions & {"absent", "vector"})


def test_threshold_series_name_a_label_that_the_alert_has(alert: Alert) -> None:
    if alert.scope:
        assert alert.scope in alert.cases.entity


def test_every_domain_alert_can_be_silenced_by_its_collector(alert: Alert, found: Catalogue) -> None:
    labels = {"collector", "source"} & tags(alert, found.owners).keys()
    shared = {"MagentoQueueStalled", "MagentoConsumerDead", "MagentoQueueMessagesFailing"}
    assert bool(labels) is (alert.inherits and alert.name not in shared)


@pytest.mark.parametrize("kind", ["alert", "record"])
def test_generated_files_hold_the_whole_catalogue(
    kind: str, found: Catalogue, rules: Mapping[str, str]
) -> None:
    names = [
        r[kind]
        for text in rules.values()
        for g in yaml.safe_load(text)["groups"]
        for r in g["rules"]
        if kind in r
    ]
    wanted = [a.name for a in found.all] if kind == "alert" else [r.name for r in found.owners.recordings]
    assert sorted(names) == sorted(wanted)


RETENTION_SECONDS = 15 * 86_400
"""Prometheus' default retention: nothing may look back further."""

SCRAPE_SECONDS = 15


def test_looks_back_no_further_than_prometheus_keeps_and_never_at_less_than_four_scrapes(
    alert: Alert, found: Catalogue
) -> None:
    rules = {recording.name: recording.expr for recording in found.owners.recordings}
    for expr in (alert.expr, *(rules[name] for name in found.owners.closure(alert) if name in rules)):
        nodes = list(expr.walk())
        ranges = [length(node.span) for node in nodes if isinstance(node, Range | Subquery)]
        offsets = [
            length(node.offset) for node in nodes if isinstance(node, Selector | Subquery) and node.offset
        ]
        assert max(ranges, default=0) + max(offsets, default=0) <= RETENTION_SECONDS
        assert min(ranges, default=300) >= 4 * SCRAPE_SECONDS


def length(span: Span) -> float:
    assert isinstance(span, Duration)
    return span.seconds


def test_what_costs_sales_by_the_hour_does_not_wait_for_monday(found: Catalogue) -> None:
    urgent = {
        alert.name for alert in found.all if {Severity.URGENT, Severity.CRITICAL} & set(alert.severities)
    }
    assert urgent >= {
        "MagentoCronStopped",
        "MagentoIndexerInvalid",
        "MagentoIndexerStuck",
        "MagentoIndexerViewStuck",
        "MagentoIndexerVersionAhead",
        "MagentoIndexerChangelogMissing",
        "MagentoOrderEmailsUnsent",
        "MagentoOrdersLow",
        "MagentoPaymentMethodQuiet",
        "MagentoFailedPlacementsUnusual",
        "MagentoSessionsEvicted",
        "MagentoDataStale",
    }


def test_an_alert_about_selling_is_explained_in_two_sentences(found: Catalogue) -> None:
    for alert in (*found.alerts["selling"], *found.alerts["slo"]):
        assert len(re.findall(r"[.?](?:\s|$)", alert.why)) <= 2, alert.name
