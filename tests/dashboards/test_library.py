"""The library under the dashboards: queries that know their labels, ids that stay, JSON without dead keys."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from alerts.thresholds import Threshold
from dashboards import overview
from dashboards.lib.links import Link
from dashboards.lib.page import Dashboard
from dashboards.lib.panels import Ask, Column, Graph, Row, Stack, Stat
from dashboards.lib.style import Colour, steps, words
from exporter.collectors import cron, orders
from exporter.core.panels import panel_id
from promql.expr import (
    max_by,
    series,
)
from tests.dashboards.reading import PROJECT

PLACED = series(orders.PLACED)


def stat(key: str, **given_: Any) -> Stat:
    wanted: dict[str, Any] = {
        "key": key,
        "title": key,
        "meaning": "m",
        "good": "g",
        "then": "t",
        "unit": "short",
        "empty": "e",
        "asks": (Ask(expr=max_by(series(cron.LAG))),),
    }
    return Stat(**{**wanted, **given_})


def page(*rows: Row) -> Dashboard:
    return Dashboard(uid="test", title="Test", description="For tests", rows=rows)


def test_ids_survive_new_panels_and_other_orders() -> None:
    first = page(Row(panels=(stat("a"), stat("b")))).render()
    second = page(Row(panels=(stat("c"), stat("b"), stat("a")))).render()
    ids = {panel["title"]: panel["id"] for panel in first["panels"]}
    assert ids == {p["title"]: p["id"] for p in second["panels"] if p["title"] != "c"}
    assert ids["a"] == panel_id("test", "a")


def test_a_number_is_of_this_moment_unless_it_shows_its_course() -> None:
    now, course = page(Row(panels=(stat("a"), stat("b", spark=True)))).render()["panels"]
    assert [(target["instant"], target["range"]) for target in now["targets"]] == [(True, False)]
    assert [(target["instant"], target["range"]) for target in course["targets"]] == [(False, True)]


def test_panels_flow_and_stacks_stand_in_one_place() -> None:
    row = Row(
        panels=(stat("a", width=16, height=6), Stack(panels=(stat("b"), stat("c"))), stat("d", width=24))
    )
    at = {p["title"]: p["gridPos"] for p in page(row).render()["panels"]}
    assert (at["b"]["x"], at["b"]["y"]) == (16, 0)
    assert (at["c"]["x"], at["c"]["y"]) == (16, 4)
    assert (at["d"]["x"], at["d"]["y"]) == (0, 8)


def test_thresholds_start_from_null_and_rise() -> None:
    assert steps(Threshold(warning=1, critical=5, reason="r"), base=Colour.GOOD) == [
        {"color": "green", "value": None},
        {"color": "orange", "value": 1},
        {"color": "red", "value": 5},
    ]
    assert steps(Threshold(warning=0.8, critical=0.5, low=True, reason="r"), base=Colour.GOOD) == [
        {"color": "red", "value": None},
        {"color": "orange", "value": 0.5},
        {"color": "green", "value": 0.8},
    ]
    assert steps(None, base=Colour.NEUTRAL) == [{"color": "blue", "value": None}]


def test_nothing_is_said_in_words_and_in_grey() -> None:
    defaults = page(Row(panels=(stat("a", empty="no order yet"),))).render()["panels"][0]["fieldConfig"][
        "defaults"
    ]
    assert defaults["noValue"] == "no order yet"
    assert defaults["mappings"][-1]["options"]["result"]["text"] == "no order yet"


def test_colour_never_speaks_alone() -> None:
    options = words({0.0: ("up", Colour.GOOD)})[0]["options"]
    assert options == {"0": {"color": "green", "index": 0, "text": "up"}}


@pytest.mark.parametrize(
    ("column", "unit"),
    [
        (Column(field="version", title="Version"), "string"),
        (Column(field="Value #A", title="Runs"), None),
        (Column(field="Value", title="For", unit="s"), "s"),
    ],
)
def test_a_label_that_looks_like_a_number_is_shown_as_text(column: Column, unit: str | None) -> None:
    """Grafana reads a text as a number unless its unit is string: 10.11 became 10.1."""
    said = {each["id"]: each["value"] for each in column.override()["properties"]}
    assert said.get("unit") == unit


def test_normalised_json_has_no_key_of_old_grafanas() -> None:
    panel = page(Row(panels=(Graph(**vars_of(stat("a"))),))).render()["panels"][0]
    assert not {"span", "editable", "error", "minSpan", "height", "cacheTimeout"} & set(panel)
    assert not {"intervalFactor", "step", "metric", "target", "query"} & set(panel["targets"][0])


def vars_of(panel: Stat) -> dict[str, Any]:
    names = ("key", "title", "meaning", "good", "then", "asks", "unit", "empty")
    return {name: getattr(panel, name) for name in names}


def test_a_link_keeps_everything_but_what_it_sets() -> None:
    kept = Link("x", "magento-cron", "lag").url
    assert "${store:queryparam}" in kept
    assert kept.endswith(f"&viewPanel={panel_id('magento-cron', 'lag')}")
    chosen = Link("x", "magento-cron", sets=(("store", "de"),)).url
    assert "var-store=de" in chosen
    assert "${store:queryparam}" not in chosen


def test_renaming_a_metric_changes_the_dashboard(monkeypatch: pytest.MonkeyPatch) -> None:
    renamed = replace(cron.LAG, name="magento_cron_delay_seconds")
    monkeypatch.setattr(cron, "LAG", renamed)
    assert "magento_cron_delay_seconds" in str(Ask(expr=max_by(series(cron.LAG))).target(0).expr)


def test_rendering_twice_gives_the_same() -> None:
    assert overview.DASHBOARD.render() == overview.DASHBOARD.render()


def test_provisioning_names_what_the_dashboards_ask_for() -> None:
    folder = PROJECT / "deploy" / "grafana" / "provisioning"
    source = yaml.safe_load((folder / "datasources" / "prometheus.yml").read_text())["datasources"][0]
    assert (source["type"], source["uid"], source["isDefault"]) == ("prometheus", "prometheus", True)
    assert source["jsonData"]["timeInterval"]
    provider = yaml.safe_load((folder / "dashboards" / "magento.yml").read_text())["providers"][0]
    assert provider["type"] == "file"
    assert provider["allowUiUpdates"] is False
