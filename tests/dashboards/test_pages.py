"""What must hold for every dashboard, panel, query, link and variable of the pack."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from alerts import thresholds
from alerts.__main__ import ROOT
from alerts.lib.links import DEMO_RUNBOOKS
from alerts.orders import ALERTS as ORDER_ALERTS
from alerts.recording import RECORDINGS
from alerts.thresholds import Threshold
from dashboards.__main__ import GENERATED, main, stale
from dashboards.catalogue import DASHBOARDS, WITHOUT_PANEL
from dashboards.lib.normalise import text
from dashboards.lib.panels import Worst
from dashboards.lib.style import HOURS, IDENTITY, MINUTES, Colour, scaled
from exporter.collectors import all_collectors
from exporter.collectors.order_states import LATE_STATES
from exporter.core.metrics import Kind
from exporter.core.panels import panel_id
from exporter.core.self_metrics import SELF_METRICS
from exporter.pack.addresses import NO_RUNBOOK_PAGES as NO_RUNBOOKS
from promql.metrics import SHOP, STORE
from promql.render import render
from tests.dashboards.reading import (
    ELSEWHERE,
    RENDERED,
    VARIABLE,
    known_series,
    panels,
    queries,
    selectors,
    variable_queries,
)

KNOWN = known_series()
PAGES = pytest.mark.parametrize("page", DASHBOARDS, ids=lambda page: page.uid)
EACH = pytest.mark.parametrize(("uid", "data"), RENDERED.items(), ids=RENDERED)

GRID_ROWS_OF_A_SCREEN = 21
"""(900 pixels - 96 of Grafana's own) / 38 a row, rounded down."""


def test_generated_files_are_fresh() -> None:
    assert stale() == []


def test_nothing_generated_leads_to_this_machine() -> None:
    """What a user loads opens on a telephone, or fails by a name that says what is not set."""
    shipped = [*GENERATED.glob("*.json"), *(ROOT / "alerts" / "generated").glob("*.yml")]
    assert len(shipped) > len(DASHBOARDS)
    for path in shipped:
        assert not re.search(r"localhost|127\.0\.0\.1|\[::1\]", path.read_text(encoding="utf-8")), path.name
    assert NO_RUNBOOKS in (GENERATED / "magento-overview.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("base", ["https://exporter.example/runbooks", "https://exporter.example/runbooks/"])
def test_runbooks_are_where_they_are_said_to_be(tmp_path: Path, base: str) -> None:
    assert main(["--out", str(tmp_path), "--runbook-base", base]) == 0
    made = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.glob("*.json")}
    assert made.keys() == {path.name for path in GENERATED.glob("*.json")}
    assert not any(NO_RUNBOOKS in body for body in made.values())
    (runbooks,) = (
        variable["query"]
        for variable in json.loads(made["magento-overview.json"])["templating"]["list"]
        if variable["name"] == "runbooks"
    )
    assert runbooks == "https://exporter.example/runbooks/"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--out", "OUT"], "without --runbook-base"),
        (["--out", "OUT", "--runbook-base", "http://localhost:9816/runbooks/"], "this machine"),
        (["--runbook-base", "https://exporter.example/runbooks/"], "needs --out"),
        (["--demo"], "needs --out"),
        (["--check", "--out", "OUT", "--demo"], "--check"),
    ],
)
def test_addresses_that_lead_nowhere_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], complaint: str
) -> None:
    out = tmp_path / "out"
    assert main([str(out) if word == "OUT" else word for word in words]) == 2
    assert complaint in capsys.readouterr().err
    assert not out.exists()


def test_a_demo_links_to_its_own_machine(tmp_path: Path) -> None:
    assert main(["--out", str(tmp_path), "--demo"]) == 0
    assert DEMO_RUNBOOKS in (tmp_path / "magento-overview.json").read_text(encoding="utf-8")


@PAGES
def test_the_same_source_gives_the_same_bytes(page: Any) -> None:
    assert text(page.render()) == text(page.render())


def test_uids_and_titles_are_unique() -> None:
    assert len({page.uid for page in DASHBOARDS}) == len(DASHBOARDS)
    assert len({page.title for page in DASHBOARDS}) == len(DASHBOARDS)
    assert all(len(page.uid) <= 40 for page in DASHBOARDS)


@EACH
def test_imports_by_file_and_by_hand(uid: str, data: dict[str, Any]) -> None:
    assert "__inputs" not in data
    assert "id" not in data
    assert "version" not in data
    assert data["uid"] == uid
    assert data["schemaVersion"] >= 39
    assert data["editable"] is False
    assert data["description"]
    assert data["tags"] == ["magento"]
    assert data["timezone"] == "browser"
    assert data["refresh"] == "1m"
    assert not list(nulls(data))
    for reference in datasources(data):
        assert reference in (
            {"type": "prometheus", "uid": "${datasource}"},
            {"type": "grafana", "uid": "-- Grafana --"},
        )


def nulls(value: Any, path: str = "") -> Any:
    if value is None and not path.endswith(("steps[0].value", "options.from", "options.to")):
        yield path
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from nulls(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from nulls(item, f"{path}[{index}]")


def datasources(value: Any) -> Any:
    if isinstance(value, dict):
        if "datasource" in value:
            yield value["datasource"]
        for item in value.values():
            yield from datasources(item)
    elif isinstance(value, list):
        for item in value:
            yield from datasources(item)


@PAGES
def test_panel_ids_are_unique_and_made_from_their_keys(page: Any) -> None:
    keys = [panel.key for panel in page.panels()]
    assert len(keys) == len(set(keys))
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", key) for key in keys)
    data = RENDERED[page.uid]
    found = [panel["id"] for panel in panels(data)]
    assert sorted(found) == sorted(panel_id(page.uid, key) for key in keys)
    rows = [panel["id"] for panel in data["panels"] if panel["type"] == "row"]
    assert len(set(found + rows)) == len(found + rows)


@EACH
def test_panels_lie_on_the_grid_without_overlap(uid: str, data: dict[str, Any]) -> None:
    open_panels = [panel for panel in data["panels"] if panel["type"] != "row"]
    headings = [panel for panel in data["panels"] if panel["type"] == "row"]
    for group in (open_panels + headings, *(row["panels"] for row in headings)):
        for panel in group:
            assert 0 <= panel["gridPos"]["x"] <= 24 - panel["gridPos"]["w"], panel["title"]
        for one, other in itertools.combinations(group, 2):
            assert not overlap(one["gridPos"], other["gridPos"]), (uid, one["title"], other["title"])


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
    below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    return not (beside or below)


def test_the_overview_is_one_screen() -> None:
    """What is collapsed stands below it."""
    shown = [p for p in RENDERED["magento-overview"]["panels"] if not p.get("collapsed")]
    bottoms = [p["gridPos"]["y"] + p["gridPos"]["h"] for p in shown]
    assert max(bottoms) <= GRID_ROWS_OF_A_SCREEN


@EACH
def test_every_panel_says_what_it_means_and_leads_on(uid: str, data: dict[str, Any]) -> None:
    for panel in panels(data):
        about = (uid, panel["title"])
        assert panel["title"], about
        meaning, good, then = panel["description"].split("\n\n")
        assert meaning
        assert good.startswith("**Good:** ")
        assert then.startswith("**If not:** ")
        assert panel["targets"], about
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["noValue"], about
        assert panel.get("links") or defaults["links"], about


def all_links(data: dict[str, Any]) -> set[str]:
    found: set[str] = set()
    for panel in panels(data):
        found.update(link["url"] for link in panel.get("links", ()))
        found.update(link["url"] for link in panel["fieldConfig"]["defaults"]["links"])
        for field in panel["fieldConfig"]["overrides"]:
            for item in field["properties"]:
                if item["id"] == "links":
                    found.update(link["url"] for link in item["value"])
    return found


@EACH
def test_every_link_resolves_and_keeps_shop_store_and_time(uid: str, data: dict[str, Any]) -> None:
    for url in all_links(data):
        if url.startswith("${runbooks}"):
            continue
        target, _, given = url.removeprefix("/d/").partition("?")
        assert target in RENDERED, url
        page = RENDERED[target]
        parts = given.split("&")
        assert "${__url_time_range}" in parts
        assert {f"${{{name}:queryparam}}" for name in ("datasource", *SHOP)} <= set(parts)
        assert "${store:queryparam}" in parts or any(part.startswith("var-store=") for part in parts), url
        defined = {variable["name"] for variable in page["templating"]["list"]}
        for part in parts:
            if part.startswith("var-"):
                assert part[4:].split("=")[0] in defined, url
            if part.startswith("viewPanel="):
                assert int(part.removeprefix("viewPanel=")) in {panel["id"] for panel in panels(page)}, url
        assert {"datasource", *STORE} <= {variable["name"] for variable in data["templating"]["list"]}, uid


LIMITS = [constant for constant in vars(thresholds).values() if isinstance(constant, Threshold)]
CLOCKS = {clock.unit: clock.seconds for clock in (MINUTES, HOURS)}


def limits_in(unit: str) -> set[tuple[float | None, float | None]]:
    """Return (warning, critical) of every threshold, in the panel's unit if that is one of time."""
    by = CLOCKS.get(unit, 1.0)
    made = [scaled(limit, by) for limit in LIMITS]
    return {(limit.warning, limit.critical) for limit in made}


def limits_of(steps: list[dict[str, Any]]) -> tuple[float | None, float | None]:
    """Return (warning, critical) as the colours say; those of low limits go the other way."""
    assert steps[0]["value"] is None
    colours = [step["color"] for step in steps]
    values = [step["value"] for step in steps]
    low = colours[0] in (Colour.CRITICAL, Colour.WARNING)
    limit = (
        dict(zip(colours[:-1], values[1:], strict=True)) if low else dict(zip(colours, values, strict=True))
    )
    return limit.get(Colour.WARNING), limit.get(Colour.CRITICAL)


@EACH
def test_thresholds_are_the_constants_of_the_alerts(uid: str, data: dict[str, Any]) -> None:
    for panel in panels(data):
        known = limits_in(panel["fieldConfig"]["defaults"]["unit"])
        marks = [panel["fieldConfig"]["defaults"]["thresholds"]]
        for field in panel["fieldConfig"]["overrides"]:
            marks += [item["value"] for item in field["properties"] if item["id"] == "thresholds"]
        for mark in marks:
            if len(mark["steps"]) > 1:
                assert limits_of(mark["steps"]) in known, (uid, panel["title"])


@EACH
def test_queries_name_known_series_and_labels(uid: str, data: dict[str, Any]) -> None:
    for where, expression in queries(data):
        for selected in selectors(expression):
            assert selected.name in KNOWN, (uid, where, selected.name)
            labels = {*KNOWN[selected.name].labels, *SHOP}
            assert set(selected.matchers) <= labels, (uid, where, selected)


@EACH
def test_variables_name_known_series_and_labels(uid: str, data: dict[str, Any]) -> None:
    for expression in variable_queries(data):
        for selected in selectors(expression):
            assert selected.name in KNOWN, (uid, expression)
            assert set(selected.matchers) <= {*KNOWN[selected.name].labels, *SHOP}, (
                uid,
                expression,
            )


@EACH
def test_queries_stay_in_the_chosen_shop_and_stores(uid: str, data: dict[str, Any]) -> None:
    for where, expression in queries(data):
        for selected in selectors(expression):
            if selected.name == "ALERTS" and "category" in selected.matchers:
                assert selected.matchers["category"] == "platform"  # it has its exporter's job
                continue
            if selected.name == "ALERTS":
                # an alert about what is gone has no shop, most have no store
                chosen = {("job", ".+|"), ("instance", ".+|"), ("shop", ".*|"), ("store", ".+|")}
                assert chosen <= selected.regexes or selected.matchers["alertname"] == "MagentoWatchdog"
                continue
            # another exporter has a job and an instance of its own
            other = selected.name.startswith("probe_") or selected.name in {"up", *ELSEWHERE}
            joined = {"shop"} if other else set(SHOP)
            assert joined <= set(selected.matchers), (uid, where, selected)
            if "store" in KNOWN[selected.name].labels:
                assert "store" in selected.matchers, (uid, where, selected)


@EACH
def test_counters_are_read_as_counters(uid: str, data: dict[str, Any]) -> None:
    for where, expression in queries(data):
        for selected in selectors(expression):
            counter = KNOWN[selected.name].kind in (Kind.COUNTER, Kind.SUMMARY)
            assert counter is (selected.function in ("rate", "increase")), (uid, where, selected)
        if "rate(" in expression:
            assert re.search(r"\brate\([^)]*\[\$__rate_interval\]\)", expression), (uid, where)


def test_the_overview_asks_for_nothing_dear() -> None:
    """No counter over a range: at 500 stores those cost thousands of samples a step."""
    for where, expression in queries(RENDERED["magento-overview"]):
        for selected in selectors(expression):
            assert KNOWN[selected.name].kind is Kind.GAUGE, (where, selected)
            assert selected.span <= 300, (where, selected)


@pytest.mark.parametrize("data", RENDERED.values(), ids=RENDERED)
def test_every_variable_is_defined_reloaded_and_used(data: dict[str, Any]) -> None:
    variables = {variable["name"]: variable for variable in data["templating"]["list"]}
    body = text({**data, "templating": {"list": [{**v, "name": ""} for v in variables.values()]}})
    used = {a or b for a, b in VARIABLE.findall(body) if not (a or b).startswith("__")}
    used |= set(re.findall(r"\$\{(\w+):queryparam\}", body))
    assert used <= set(variables), used - set(variables)
    repeated = {panel["repeat"] for panel in data["panels"] if "repeat" in panel}
    assert set(variables) <= used | repeated
    for variable in variables.values():
        if variable["type"] != "query":
            continue
        assert variable["refresh"] == 2
        assert variable["multi"] is variable["includeAll"] is True
        assert variable["current"]["value"] == ["$__all"]
        everything = ".*" if variable["name"] == "shop" else ".+"  # a shop may have no name
        assert variable["name"] in repeated or variable["allValue"] == everything
    assert variables["job"]["label"] == "Job"
    assert variables["instance"]["label"] == "Instance"
    assert variables["shop"]["label"] == "Shop"
    assert variables["datasource"]["label"] == "Data source"


def test_a_legend_of_the_worst_has_no_number_from_before() -> None:
    """Their lines end where all is well again, so the last number is of a fault that is over."""
    worst = [(page, panel) for page in DASHBOARDS for panel in page.panels() if isinstance(panel, Worst)]
    for page, panel in worst:
        (shown,) = (
            each for each in panels(RENDERED[page.uid]) if each["id"] == panel_id(page.uid, panel.key)
        )
        assert shown["options"]["legend"]["calcs"] == (["max"] if panel.table else [])
    assert any(panel.table for _, panel in worst)


@pytest.mark.parametrize(
    "uid", ["magento-checkout", "magento-after-order", "magento-money", "magento-overview", "magento-slo"]
)
def test_the_lines_of_a_graph_by_store_are_chosen_once(uid: str) -> None:
    """A bare topk chooses anew at each step, and draws everything that was ever among the first."""
    for where, expression in queries(RENDERED[uid]):
        for chosen in expression.split("topk(")[1:]:
            assert "@ end()" in chosen, where


def test_a_series_of_a_known_name_is_told_apart_without_the_colours_of_states() -> None:
    """What nobody gave a colour gets one that says nothing about how well it is."""
    states = {Colour.GOOD, Colour.CALM, Colour.WARNING, Colour.CRITICAL}
    assert not states & set(IDENTITY)
    for data in RENDERED.values():
        for panel in panels(data):
            if panel["type"] != "timeseries":
                continue
            coloured = {
                field["matcher"]["options"]
                for field in panel["fieldConfig"]["overrides"]
                if any(item["id"] == "color" for item in field["properties"])
            }
            legends = {target["legendFormat"] for target in panel["targets"]}
            plain = {name for name in legends if "{{" not in name and name != "__auto"}
            assert plain <= coloured, panel["title"]


STATES = {
    *("error", "failed", "failed fetches", "failed_retriable", "left out", "lost headers", "missed"),
    *("success", "thrown out a minute"),
}
"""The series that are a state: what failed, what was lost, and what ended well."""


def test_the_colours_of_states_tell_no_series_apart() -> None:
    states = {Colour.GOOD, Colour.CALM, Colour.WARNING, Colour.CRITICAL}
    coloured = {
        field["matcher"]["options"]
        for data in RENDERED.values()
        for panel in panels(data)
        if panel["type"] == "timeseries"
        for field in panel["fieldConfig"]["overrides"]
        for item in field["properties"]
        if item["id"] == "color" and item["value"].get("fixedColor") in states
    }
    assert coloured == STATES


def test_no_panel_stacks_currencies() -> None:
    """The height of euros upon dollars means nothing."""
    stacked = [
        (uid, panel["title"])
        for uid, data in RENDERED.items()
        for panel in panels(data)
        if panel["fieldConfig"]["defaults"].get("custom", {}).get("stacking", {}).get("mode") == "normal"
        and any("currency" in target["expr"] for target in panel["targets"])
    ]
    assert stacked == []


def test_repeats_are_bounded() -> None:
    for uid, data in RENDERED.items():
        variables = {variable["name"]: variable for variable in data["templating"]["list"]}
        for panel in itertools.chain(data["panels"], panels(data)):
            if "repeat" in panel:
                found = re.search(r"topk\((\d+),", variables[panel["repeat"]]["query"]["query"])
                assert found, uid
                assert int(found[1]) <= 12
                assert panel["type"] != "row" or panel["collapsed"]


def test_every_recording_rule_is_used() -> None:
    asked = {s.name for data in RENDERED.values() for _, e in queries(data) for s in selectors(e)}
    alerts = pytest.importorskip("alerts.catalogue").catalogue()
    asked |= {name for rules in alerts.recordings.values() for rule in rules for name in rule.expr.metrics()}
    asked |= {name for alert in alerts.all for name in alert.expr.metrics()}
    assert {recording.name for recording in RECORDINGS} <= asked


def test_every_metric_is_on_a_dashboard_or_says_why_not() -> None:
    asked = {s.name for data in RENDERED.values() for _, e in queries(data) for s in selectors(e)}
    asked |= {name for recording in RECORDINGS for name in recording.expr.metrics()}
    asked |= {s.name for data in RENDERED.values() for e in variable_queries(data) for s in selectors(e)}
    made = [metric for collector in all_collectors() for metric in collector.metrics] + list(SELF_METRICS)
    missing = {
        metric.name
        for metric in made
        if not asked & {metric.name, f"{metric.name}_sum", f"{metric.name}_count"}
    }
    unshown = missing - set(WITHOUT_PANEL)
    assert not unshown, f"show {unshown} in a panel, or say in dashboards/catalogue.py why not"
    assert set(WITHOUT_PANEL) <= missing, "dashboards/catalogue.py gives a reason for what is shown or gone"


def test_every_alert_leads_to_a_panel() -> None:
    keys = {(page.uid, panel.key) for page in DASHBOARDS for panel in page.panels()}
    for alert in pytest.importorskip("alerts.catalogue").catalogue().all:
        dashboard, key = alert.panel.dashboard, alert.panel.key
        found = (dashboard, key) in keys
        assert found, (
            f"{alert.name}: {dashboard} has no panel {key}; name one that shows the value, or add it"
        )


def test_the_methods_of_payment_are_compared_over_the_same_stores() -> None:
    """Only the orders are counted by store: with a chosen store the shares would be of unlike things."""
    (table,) = (
        panel
        for panel in panels(RENDERED["magento-money"])
        if panel["title"] == "What does each payment method bring?"
    )
    assert not [target["expr"] for target in table["targets"] if "$store" in target["expr"]]


def test_the_ages_of_open_orders_show_every_state_that_becomes_late() -> None:
    drawn = age_states(
        target["expr"]
        for panel in panels(RENDERED["magento-after-order"])
        if panel["title"] == "How old is the oldest unfinished order?"
        for target in panel["targets"]
    )
    judged = age_states(render(a.value) for a in ORDER_ALERTS if a.panel.key == "late")
    assert judged == set(LATE_STATES) <= drawn


def age_states(expressions: Iterable[str]) -> set[str]:
    found = (selected.matchers["state"] for text_ in expressions for selected in selectors(text_))
    return {state for matcher in found for state in matcher.split("|")}
