"""The rules of Grafana's ``dashboard-linter``, under its names, in our own words and at least as strict.

The linter itself is a Go program that not every machine can install. Where its rules look at some types
of panels only, these look at all; a rule that it words as a warning is an error here, as with ``--strict``.
``panel-of-this-moment-rule`` is ours alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import promql_parser
import yaml

from tests.dashboards.reading import panels, walk

Json = dict[str, Any]

CONFIGURATION: Final = Path(__file__).parents[2] / "dashboards" / "lint.yaml"
UNITS: Final = frozenset((Path(__file__).parent / "grafana_units.txt").read_text(encoding="utf-8").split())
DATASOURCES: Final = ("$datasource", "${datasource}")
RATE_INTERVAL: Final = "7m13s"
"""Stands for ``$__rate_interval``: nobody writes it by hand."""
_MACROS: Final = {"$__rate_interval": RATE_INTERVAL, "$__interval": "1m", "$__range": "6h"}
_TEMPLATED: Final = re.compile(r"(?:label_values|label_names|metrics|query_result)\((.+)\)")
_COUNTING: Final = ("rate", "irate", "increase")


@dataclass(frozen=True)
class Finding:
    """One violation: of which rule, where, and what is wrong."""

    rule: str
    dashboard: str
    panel: str
    message: str


def findings(dashboard: Json) -> Iterator[Finding]:
    """Yield every violation of every rule."""
    title = dashboard["title"]
    for rule, whole in OF_DASHBOARDS.items():
        yield from (Finding(rule, title, "", message) for message in whole(dashboard))
    for panel in panels(dashboard):
        for rule, of_panel in OF_PANELS.items():
            yield from (Finding(rule, title, panel["title"], message) for message in of_panel(panel))
        for target in panel.get("targets", ()):
            for rule, of_query in OF_QUERIES.items():
                yield from (Finding(rule, title, panel["title"], m) for m in of_query(target["expr"]))


@dataclass(frozen=True)
class Excuse:
    """An entry of the configuration: a panel, or each of a dashboard, that may break a rule, and why."""

    rule: str
    dashboard: str
    panel: str
    reason: str

    def covers(self, finding: Finding) -> bool:
        """Tell whether this is the finding meant."""
        meant = (self.rule, self.dashboard, self.panel or finding.panel)
        return meant == (finding.rule, finding.dashboard, finding.panel)


def excuses(configuration: str) -> list[Excuse]:
    """Read the exceptions. One without a panel is for a page that shows nothing of our own exporter."""
    rules: Mapping[str, Any] = yaml.safe_load(configuration)["exclusions"]
    return [
        Excuse(rule, entry["dashboard"], entry.get("panel", ""), given["reason"])
        for rule, given in rules.items()
        for entry in given["entries"]
    ]


def _templates(dashboard: Json, kind: str) -> list[Json]:
    return [variable for variable in dashboard["templating"]["list"] if variable["type"] == kind]


def _datasource_template(dashboard: Json) -> Iterator[str]:
    sources = _templates(dashboard, "datasource")
    if len(sources) != 1:
        yield f"{len(sources)} variables choose a data source"
    for source in sources:
        named = (source["name"], source.get("label"), source["query"])
        if named != ("datasource", "Data source", "prometheus"):
            yield f"the data source's variable is {named}"


def _label_template(name: str) -> Callable[[Json], Iterator[str]]:
    def rule(dashboard: Json) -> Iterator[str]:
        found = [v for v in dashboard["templating"]["list"] if v["name"] == name]
        if not found:
            yield f"no variable {name}"
            return
        variable = found[0]
        wanted = {"type": "query", "label": name.title(), "multi": True, "allValue": ".+"}
        wrong = {key: variable.get(key) for key, value in wanted.items() if variable.get(key) != value}
        if variable.get("datasource", {}).get("uid") not in DATASOURCES:
            wrong["datasource"] = variable.get("datasource")
        if wrong:
            yield f"variable {name} has {wrong}"

    return rule


def _templates_are_promql(dashboard: Json) -> Iterator[str]:
    for variable in _templates(dashboard, "query"):
        asked = variable["query"]["query"]
        found = _TEMPLATED.fullmatch(asked)
        expression = found and re.sub(r", *\w+$", "", found[1])
        if not expression or _parsed(expression) is None:
            yield f"variable {variable['name']} asks {asked!r}"


def _reload_on_time_change(dashboard: Json) -> Iterator[str]:
    for variable in _templates(dashboard, "query"):
        if variable.get("refresh") != 2:
            yield f"variable {variable['name']} does not reload when the time range changes"


def _uneditable(dashboard: Json) -> Iterator[str]:
    if dashboard.get("editable") is not False:
        yield "the dashboard can be edited"


def _panel_datasource(panel: Json) -> Iterator[str]:
    sources = [panel.get("datasource"), *(target.get("datasource") for target in panel.get("targets", ()))]
    for source in sources:
        if not isinstance(source, dict) or source.get("uid") not in DATASOURCES:
            yield f"data source {source}"


def _title_and_description(panel: Json) -> Iterator[str]:
    for key in ("title", "description"):
        if not panel.get(key):
            yield f"no {key}"


def _units(panel: Json) -> Iterator[str]:
    fields = panel["fieldConfig"]
    given = [p["value"] for field in fields["overrides"] for p in field["properties"] if p["id"] == "unit"]
    for unit in (fields["defaults"].get("unit"), *given):
        if unit not in UNITS:
            yield f"unit {unit!r}"


def _of_this_moment(panel: Json) -> Iterator[str]:
    """Find numbers that would stay when their source is gone: a range ends at its newest sample."""
    if panel["type"] != "stat":
        return
    defaults = panel["fieldConfig"]["defaults"]
    words = [mapping for mapping in defaults["mappings"] if mapping["type"] != "special"]
    judged = len(defaults["thresholds"]["steps"]) > 1 or words
    if judged and panel["options"]["graphMode"] != "none":
        yield "a judged number with its course"
    if panel["options"]["graphMode"] == "none" and not all(t["instant"] for t in panel["targets"]):
        yield "a number without its course that asks for a range"


def _has_targets(panel: Json) -> Iterator[str]:
    if not panel.get("targets"):
        yield "no query"


def _parsed(expression: str) -> Any:
    """Return the tree of a query as Grafana sends it, or ``None`` if it is no PromQL."""
    for macro, value in _MACROS.items():
        expression = expression.replace(macro, value)
    try:
        return promql_parser.parse(expression)
    except ValueError:
        return None


def _valid(expression: str) -> Iterator[str]:
    if _parsed(expression) is None:
        yield f"not PromQL: {expression}"


def _rate_interval(expression: str) -> Iterator[str]:
    interval = promql_parser.parse(f"x[{RATE_INTERVAL}]").range.total_seconds()
    for selected in walk(_parsed(expression)):
        if selected.function in ("rate", "irate") and selected.span != interval:
            yield f"{selected.name}: {selected.function}() not over $__rate_interval"


def _matched(label: str) -> Callable[[str], Iterator[str]]:
    def rule(expression: str) -> Iterator[str]:
        for selected in walk(_parsed(expression)):
            if (label, f"${label}") not in selected.regexes:
                yield f'{selected.name}: not matched by {label}=~"${label}"'

    return rule


def _counters_are_counted(expression: str) -> Iterator[str]:
    for selected in walk(_parsed(expression)):
        if selected.name.endswith("_total") and selected.function not in _COUNTING:
            yield f"{selected.name}: a counter outside {', '.join(_COUNTING)}"


OF_DASHBOARDS: Final[Mapping[str, Callable[[Json], Iterator[str]]]] = {
    "template-datasource-rule": _datasource_template,
    "template-job-rule": _label_template("job"),
    "template-instance-rule": _label_template("instance"),
    "template-label-promql-rule": _templates_are_promql,
    "template-on-time-change-reload-rule": _reload_on_time_change,
    "uneditable-dashboard-rule": _uneditable,
}
OF_PANELS: Final[Mapping[str, Callable[[Json], Iterator[str]]]] = {
    "panel-datasource-rule": _panel_datasource,
    "panel-title-description-rule": _title_and_description,
    "panel-units-rule": _units,
    "panel-no-targets-rule": _has_targets,
    "panel-of-this-moment-rule": _of_this_moment,
}
OF_QUERIES: Final[Mapping[str, Callable[[str], Iterator[str]]]] = {
    "target-promql-rule": _valid,
    "target-rate-interval-rule": _rate_interval,
    "target-job-rule": _matched("job"),
    "target-instance-rule": _matched("instance"),
    "target-counter-agg-rule": _counters_are_counted,
}
