"""Turns grafanalib's JSON into what Grafana 10.4 to 13 would write: no dead key, no null, stable order.

grafanalib 0.7.1 writes the model of older Grafanas. What it gets wrong is
put right here, in one place; the tests check the result against Grafana's own schemas.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from grafanalib._gen import DashboardEncoder

from dashboards.lib.style import Json

_DEAD_IN_DASHBOARD: Final = (
    "__inputs", "gnetId", "hideControls", "id", "rows", "sharedCrosshair", "style", "version",
)  # fmt: skip
_DEAD_IN_PANEL: Final = (
    "cacheTimeout", "editable", "error", "height", "interval", "minSpan", "span", "timeShift",
)  # fmt: skip
_DEAD_IN_TARGET: Final = ("query", "target", "metric", "step", "intervalFactor", "interval")
_DEAD_IN_VARIABLE: Final = ("useTags", "tagsQuery", "tagValuesQuery", "auto", "auto_min", "auto_count")
_KEPT_IN_ROW: Final = ("type", "id", "title", "gridPos", "collapsed", "panels", "repeat")
_OPEN_ENDS: Final[Mapping[str, tuple[str, ...]]] = {"steps": ("value",), "options": ("from", "to")}
_OF_QUERIES_ONLY: Final = (
    "allValue", "includeAll", "multi", "regex", "sort", "datasource",
)  # fmt: skip


def normalised(dashboard: Any) -> Json:
    """Return the dashboard as plain JSON data."""
    data: Json = json.loads(json.dumps(dashboard.to_json_data(), cls=DashboardEncoder))
    data = _without(data, _DEAD_IN_DASHBOARD)
    data["panels"] = [_panel(panel) for panel in data["panels"]]
    data["templating"]["list"] = [_variable(variable) for variable in data["templating"]["list"]]
    data["timepicker"] = {}
    data["links"] = [{**link, "url": link.get("url") or ""} for link in data["links"]]
    pruned: Json = _pruned(data)
    return pruned


def text(dashboard: Mapping[str, Any]) -> str:
    """Return the file's text; the same data gives the same bytes."""
    return json.dumps(dashboard, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _panel(panel: Json) -> Json:
    if panel["type"] == "row":
        row = {key: value for key, value in panel.items() if key in _KEPT_IN_ROW}
        return {**row, "panels": [_panel(inner) for inner in panel.get("panels", ())]}
    panel = _without(panel, _DEAD_IN_PANEL)
    if not panel.get("hideTimeOverride"):
        panel.pop("hideTimeOverride", None)
    if panel.get("repeat") is None:
        panel = _without(panel, ("repeat", "repeatDirection", "maxPerRow"))
    if not panel["transformations"]:
        del panel["transformations"]
    return {**panel, "targets": [_target(target) for target in panel["targets"]]}


def _target(target: Json) -> Json:
    kept = _without(target, _DEAD_IN_TARGET)
    return {**kept, "editorMode": "code", "range": not target["instant"], "exemplar": False}


def _variable(variable: Json) -> Json:
    kept = _without(variable, _DEAD_IN_VARIABLE)
    kept["current"] = {}
    if variable["type"] == "constant":
        chosen = {"selected": True, "text": variable["query"], "value": variable["query"]}
        kept = {**_without(kept, ("refresh",)), "current": chosen, "options": [chosen]}
    if variable["type"] != "query":
        return _without(kept, _OF_QUERIES_ONLY)
    expression = variable["query"]
    kept["current"] = {"selected": True, "text": ["All"], "value": ["$__all"]}
    kept["query"] = {"query": expression, "refId": f"{variable['name']}Variable"}
    return kept


def _without(data: Json, keys: tuple[str, ...]) -> Json:
    return {key: value for key, value in data.items() if key not in keys}


def _pruned(value: Any, key: str = "") -> Any:
    """Drop nulls, except where null is an open end: of the first threshold step, of a mapped range."""
    if isinstance(value, dict):
        ends = _OPEN_ENDS.get(key, ())
        return {k: _pruned(v, k) for k, v in value.items() if v is not None or k in ends}
    if isinstance(value, list):
        return [_pruned(item, key) for item in value]
    return value
