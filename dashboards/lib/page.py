"""A dashboard of the pack: rows of panels, the common variables, annotations and links."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from grafanalib import core

from dashboards.lib.normalise import normalised
from dashboards.lib.panels import DATASOURCE, Panel, Row, Stack
from dashboards.lib.style import Colour, Json
from dashboards.lib.variables import Variable, common
from exporter.core.panels import panel_id
from promql.expr import Expr
from promql.render import render

TAG: Final = "magento"
SCHEMA_VERSION: Final = 39
"""The newest version that Grafana 10.4 knows; later versions of Grafana migrate it when they load it."""

COLUMNS: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """Marks on every graph: one for each sample of ``expr`` above zero.

    With ``at_value`` a mark stands at the moment that is its value, in milliseconds of Unix time.
    """

    name: str
    expr: Expr
    title: str
    text: str
    colour: Colour
    tags: str = ""
    at_value: bool = False
    shown: bool = True

    def render(self) -> Json:
        """Return the annotation's JSON."""
        return {
            "name": self.name,
            "datasource": dict(DATASOURCE),
            "enable": self.shown,
            "hide": False,
            "iconColor": str(self.colour),
            "expr": render(self.expr),
            "titleFormat": self.title,
            "textFormat": self.text,
            "tagKeys": self.tags,
            "useValueForTime": self.at_value,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """One dashboard. ``uid`` is its address for ever."""

    uid: str
    title: str
    description: str
    rows: Sequence[Row]
    variables: Sequence[Variable] = ()
    annotations: Sequence[Annotation] = ()
    time_from: str = "now-6h"
    by_store: bool = True

    def panels(self) -> Iterator[Panel]:
        """Yield every panel, those in collapsed rows included."""
        return itertools.chain.from_iterable(row.every() for row in self.rows)

    def panel(self, key: str) -> Panel:
        """Return the panel with this key."""
        return next(panel for panel in self.panels() if panel.key == key)

    def render(self) -> Json:
        """Return the JSON that Grafana loads."""
        variables = [*common(by_store=self.by_store), *self.variables]
        dashboard = core.Dashboard(
            uid=self.uid,
            title=self.title,
            description=self.description,
            tags=[TAG],
            editable=False,
            timezone="browser",
            refresh="1m",
            schemaVersion=SCHEMA_VERSION,
            graphTooltip=core.GRAPH_TOOLTIP_MODE_SHARED_CROSSHAIR,
            time=core.Time(self.time_from, "now"),
            templating=core.Templating(list=[variable.render() for variable in variables]),
            annotations=core.Annotations(list=[_built_in(), *(a.render() for a in self.annotations)]),
            links=[_ladder()],
            panels=list(_placed(self.uid, self.rows)),
        )
        return normalised(dashboard)


def _ladder() -> Any:
    return core.DashboardLink(
        title="Magento dashboards",
        type="dashboards",
        tags=[TAG],
        asDropdown=True,
        includeVars=True,
        keepTime=True,
        tooltip="Every dashboard of the pack, with this shop, store and time",
    )


def _built_in() -> Json:
    return {
        "name": "Annotations & Alerts",
        "builtIn": 1,
        "datasource": {"type": "grafana", "uid": "-- Grafana --"},
        "enable": True,
        "hide": True,
        "iconColor": "rgba(0, 211, 255, 1)",
        "type": "dashboard",
    }


def _placed(uid: str, rows: Sequence[Row]) -> Iterator[Any]:
    y = 0
    for row in rows:
        heading = bool(row.title)
        panels, bottom = _flow(uid, row.panels, y + heading)
        if not heading:
            yield from panels
            y = bottom
            continue
        yield _heading(uid, row, y, panels if row.collapsed else [])
        if not row.collapsed:
            yield from panels
        y = y + 1 if row.collapsed else bottom


def _heading(uid: str, row: Row, y: int, inside: list[Any]) -> Any:
    return core.RowPanel(
        title=row.title,
        id=panel_id(uid, row.key or f"row {row.title}"),
        gridPos=core.GridPos(h=1, w=COLUMNS, x=0, y=y),
        collapsed=row.collapsed,
        panels=inside,
        repeat=core.Repeat(None, row.repeat or None, None),
    )


def _flow(uid: str, panels: Sequence[Panel | Stack], top: int) -> tuple[list[Any], int]:
    """Place panels from left to right; a new line starts below the tallest panel of the last one."""
    placed: list[Any] = []
    x, y, bottom = 0, top, top
    for item in panels:
        if x + item.width > COLUMNS:
            x, y = 0, bottom
        below = y
        for panel in item.panels if isinstance(item, Stack) else (item,):
            placed.append(panel.render(uid, x, below))
            below += panel.height
        x, bottom = x + item.width, max(bottom, below)
    return placed, bottom
