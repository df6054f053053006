"""Our panel classes. grafanalib makes the JSON; these decide what a panel must say and how it looks.

grafanalib 0.7.1 writes some panel types in forms that Grafana has dropped, so
their modern options are given here and :mod:`dashboards.lib.normalise` removes
what is dead.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final

from grafanalib import core

from alerts.thresholds import Threshold
from dashboards.lib.links import Link, Page
from dashboards.lib.style import (
    PALETTE,
    PALETTE_BY_NAME,
    Clock,
    Colour,
    Json,
    fixed,
    nothing,
    override_like,
    scaled,
    steps,
    told_apart,
)
from exporter.core.panels import panel_id
from promql.expr import Expr, standing_out, top
from promql.render import render

DATASOURCE: Final[Mapping[str, str]] = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One query of a panel. ``legend`` names its series; ``instant`` asks for the last value only.

    ``may_be_empty`` declares that a healthy shop may have no answer.
    """

    expr: Expr
    legend: str = ""
    may_be_empty: bool = False
    instant: bool = False
    table: bool = False

    def in_clock(self, clock: Clock) -> Ask:
        """Return the question whose answer, in seconds, is in this unit of time instead."""
        return replace(self, expr=self.expr / clock.seconds)

    def target(self, index: int) -> Any:
        """Return grafanalib's target."""
        return core.Target(
            expr=render(self.expr),
            legendFormat=self.legend or "__auto",
            refId=chr(ord("A") + index),
            instant=self.instant,
            format="table" if self.table else "time_series",
            datasource=dict(DATASOURCE),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel(ABC):
    """What every panel has.

    ``key`` never changes: the panel's id, and so every link to it, is made from
    it. ``title`` is a question or a consequence. ``meaning``, ``good`` and
    ``then`` (what to do when it is bad) become the description. ``empty`` is
    shown when there is no value: say which kind of nothing it is.
    """

    key: str
    title: str
    meaning: str
    good: str
    then: str
    asks: tuple[Ask, ...]
    unit: str
    empty: str
    link: Link | Page | None = None
    links: tuple[Link | Page, ...] = ()
    threshold: Threshold | None = None
    base: Colour = Colour.GOOD
    decimals: int | None = None
    least: float | None = None
    most: float | None = None
    mappings: Sequence[Json] = ()
    overrides: Sequence[Json] = ()
    transformations: Sequence[Json] = ()
    width: int = 8
    height: int = 8
    repeat: str = ""
    per_row: int = 4
    since: str = ""
    type: ClassVar[str]

    @property
    def description(self) -> str:
        """The panel's description, in Markdown."""
        return f"{self.meaning}\n\n**Good:** {self.good}\n\n**If not:** {self.then}"

    def all_links(self) -> tuple[Link | Page, ...]:
        """Return every link of the panel, the one a click follows first."""
        return (*((self.link,) if self.link else ()), *self.links)

    def render(self, uid: str, x: int, y: int) -> Any:
        """Return grafanalib's panel at this place of the grid."""
        defaults, custom, options = self._defaults(), self._custom(), self._options()
        if custom:
            defaults["custom"] = custom
        extra: Json = {
            "type": self.type,
            "fieldConfig": {"defaults": defaults, "overrides": list(self._overrides())},
            "options": options,
        }
        return _Rendered(
            title=self.title,
            description=self.description,
            id=panel_id(uid, self.key),
            gridPos=core.GridPos(h=self.height, w=self.width, x=x, y=y),
            dataSource=dict(DATASOURCE),
            targets=[ask.target(index) for index, ask in enumerate(self._questions())],
            links=[link.as_panel_link() for link in self._header_links()],
            transformations=list(self._transformations()),
            maxDataPoints=None,
            timeFrom=self.since or None,
            hideTimeOverride=False,
            repeat=core.Repeat("h", self.repeat, self.per_row) if self.repeat else core.Repeat(),
            extraJson=extra,
        )

    def _header_links(self) -> tuple[Link | Page, ...]:
        return self.all_links()

    def _defaults(self) -> Json:
        given = {"decimals": self.decimals, "min": self.least, "max": self.most}
        return {
            "color": self._colour(),
            "unit": self._unit(),
            "noValue": self.empty,
            "mappings": [*self.mappings, nothing(self.empty)],
            "thresholds": {"mode": "absolute", "steps": steps(self._limit(), base=self.base)},
            "links": [link.as_data_link() for link in self.all_links()],
            **{key: value for key, value in given.items() if value is not None},
        }

    def _colour(self) -> Json:
        return {"mode": "thresholds"}

    def _questions(self) -> Sequence[Ask]:
        return self.asks

    def _overrides(self) -> Sequence[Json]:
        return self.overrides

    def _transformations(self) -> Sequence[Json]:
        return self.transformations

    def _unit(self) -> str:
        return self.unit

    def _limit(self) -> Threshold | None:
        return self.threshold

    def _custom(self) -> Json:
        return {}

    @abstractmethod
    def _options(self) -> Json:
        """Return the options of the panel's type."""


class _Rendered(core.Panel):  # type: ignore[misc]  # grafanalib has no types
    """A panel of any type: grafanalib's common part, and the rest from ``extraJson``."""

    def to_json_data(self) -> Json:
        """Return the panel's JSON."""
        data: Json = self.panel_json({})
        return data


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat(Panel):
    """One number (or a few) of this moment, coloured by its threshold.

    ``spark`` draws its course behind it, and then the number is the newest of the whole range: it stays
    when its source is gone. So it is for numbers that nobody acts upon, not for one with a threshold.
    """

    type: ClassVar[str] = "stat"
    reduce: str = "lastNotNull"
    spark: bool = False
    filled: bool = False
    show: str = "value"
    columns: str = "auto"
    width: int = 4
    height: int = 4

    def _header_links(self) -> tuple[Link | Page, ...]:
        return ()  # a click on the number follows the link, and the title keeps its room

    def _questions(self) -> Sequence[Ask]:
        return self.asks if self.spark else [replace(ask, instant=True) for ask in self.asks]

    def _options(self) -> Json:
        return {
            "colorMode": "background" if self.filled else "value",
            "graphMode": "area" if self.spark else "none",
            "justifyMode": "auto",
            "orientation": self.columns,
            "textMode": self.show,
            "reduceOptions": {"calcs": [self.reduce], "fields": "", "values": False},
        }


_LEGEND_CALCS: Final = ("lastNotNull", "max")
_SOLID: Final = 60
_QUIET_AXIS: Final = {
    "short": 5,
    "locale": 5,
    "opm": 5,
    "reqps": 1,
    "s": 60,
    "m": 5,
    "h": 1,
    "percentunit": 0.05,
}
"""How far an axis reaches at least, by unit, so that zeros lie flat on a scale that means something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph(Panel):
    """Values over time. Plain while all is well; a limit is a dashed line in the alert's colour."""

    type: ClassVar[str] = "timeseries"
    base: Colour = Colour.NONE
    fill: int = 8
    bars: bool = False
    stacked: bool = False
    table: bool = False
    calcs: tuple[str, ...] = ()
    axis: str = ""
    soft_most: float | None = None
    least: float | None = 0.0
    stepped: bool = False
    legend: bool = True
    by_name: bool = False
    clock: Clock | None = None
    """Shows the seconds that the queries and the limit are in as minutes or hours."""

    def _questions(self) -> Sequence[Ask]:
        clock = self.clock
        return [ask.in_clock(clock) for ask in self.asks] if clock else self.asks

    def _unit(self) -> str:
        return self.clock.unit if self.clock else self.unit

    def _limit(self) -> Threshold | None:
        return scaled(self.threshold, self.clock.seconds) if self.threshold and self.clock else self.threshold

    def _colour(self) -> Json:
        return {"mode": PALETTE_BY_NAME if self.by_name else PALETTE}

    def _custom(self) -> Json:
        soft_most = _QUIET_AXIS.get(self._unit()) if self.soft_most is None else self.soft_most
        soft = {} if soft_most is None else {"axisSoftMax": soft_most}
        return {
            "drawStyle": "bars" if self.bars else "line",
            "lineInterpolation": "stepAfter" if self.stepped else "linear",
            "lineWidth": self._line_width(),
            "fillOpacity": _SOLID if self.bars or self.stacked else self.fill,
            "gradientMode": "none" if self.bars or self.stacked else "opacity",
            "showPoints": "auto",
            "pointSize": 5,
            "spanNulls": False,
            "axisPlacement": "auto",
            "axisLabel": self.axis,
            "axisColorMode": "text",
            "axisCenteredZero": False,
            "barAlignment": 0,
            "barWidthFactor": 0.8,
            "scaleDistribution": {"type": "linear"},
            "stacking": {"group": "A", "mode": "normal" if self.stacked else "none"},
            "hideFrom": {"legend": False, "tooltip": False, "viz": False},
            "thresholdsStyle": {"mode": "dashed" if self.threshold else "off"},
            **soft,
        }

    def _overrides(self) -> Sequence[Json]:
        """Return the panel's overrides, after a colour that is no state for each series of a known name."""
        fixed_names = {item["matcher"]["options"] for item in self.overrides}
        known = [ask.legend for ask in self.asks if ask.legend and "{{" not in ask.legend]
        return (*told_apart(*(name for name in known if name not in fixed_names)), *self.overrides)

    def _calcs(self) -> Sequence[str]:
        return self.calcs or (_LEGEND_CALCS if self.table else ())

    def _line_width(self) -> int:
        if self.bars:
            return 1
        return 0 if self.stacked else 2  # a line around nothing would lie on top of the stack

    def _options(self) -> Json:
        return {
            "legend": {
                "calcs": list(self._calcs()),
                "displayMode": "table" if self.table else "list",
                "placement": "right" if self.table else "bottom",
                "showLegend": self.legend,
                **({"sortBy": "Max", "sortDesc": True} if self.table else {}),
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Worst(Graph):
    """A line for each series above a value; one grey line, ``rest``, for the largest while there is none.

    It is calm while all is well, and still tells zero from no data. ``by`` is the label that names the lines.
    """

    by: str
    above: float
    rest: str
    shown: int = 10

    def _questions(self) -> Sequence[Ask]:
        return [replace(ask, expr=self._worst(ask.expr)) for ask in super(Worst, self)._questions()]

    def _worst(self, expr: Expr) -> Expr:
        above = self.above / self.clock.seconds if self.clock else self.above
        return standing_out(top(self.shown, expr), self.by, above=above, rest=self.rest)

    def _calcs(self) -> Sequence[str]:
        """Leave out the last number: a line ends where all is well again, and its last one is from before."""
        return self.calcs or (("max",) if self.table else ())

    def _overrides(self) -> Sequence[Json]:
        rest = f"/^{self.rest} *$/"  # a label that it does not have leaves a blank in its name
        return (*self.overrides, override_like(rest, color=fixed(Colour.MUTED)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline(Panel):
    """States over time, one lane a series; every state has a word as well as a colour."""

    type: ClassVar[str] = "state-timeline"
    lane: float = 0.85

    def _defaults(self) -> Json:
        """Return the defaults, the colour of what is well toned down: most of a timeline is well."""
        calm: Json = _toned_down(super(Timeline, self)._defaults())
        return calm

    def _custom(self) -> Json:
        return {
            "fillOpacity": 80,
            "lineWidth": 0,
            "hideFrom": {"legend": False, "tooltip": False, "viz": False},
        }

    def _options(self) -> Json:
        return {
            "alignValue": "center",
            "mergeValues": True,
            "rowHeight": self.lane,
            "showValue": "auto",
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False, "calcs": []},
            "tooltip": {"mode": "single", "sort": "none"},
        }


def _toned_down(value: Any) -> Any:
    """Return JSON with the colour of what is well made darker."""
    if isinstance(value, dict):
        return {key: _toned_down(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_toned_down(item) for item in value]
    return str(Colour.CALM) if value == str(Colour.GOOD) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars(Panel):
    """A few values side by side, longest first where the query sorts them."""

    type: ClassVar[str] = "bargauge"
    names: str = "left"
    reduce: str = "lastNotNull"
    least: float | None = 0.0

    def _options(self) -> Json:
        return {
            "displayMode": "basic",
            "orientation": "horizontal",
            "valueMode": "color",
            "namePlacement": self.names,
            "showUnfilled": True,
            "minVizHeight": 16,
            "maxVizHeight": 28,
            "minVizWidth": 8,
            "text": {"titleSize": 15, "valueSize": 20},
            "reduceOptions": {"calcs": [self.reduce], "fields": "", "values": False},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table: the field as queried, and how it is shown."""

    field: str
    title: str
    unit: str = ""
    width: int = 0
    threshold: Threshold | None = None
    base: Colour = Colour.QUIET
    bar: bool = False
    most: float | None = None
    mappings: Sequence[Json] = ()
    link: Link | Page | None = None
    decimals: int | None = None

    def override(self) -> Json:
        """Return the field override that makes the column look like this."""
        properties: list[tuple[str, Any]] = [("displayName", self.title), ("noValue", "\u2013")]
        # Grafana shows a label that looks like a number as one: version 10.11 as 10.1
        unit = self.unit or ("" if self.field.startswith("Value") else "string")
        plain = (("unit", unit), ("custom.width", self.width), ("max", self.most))
        properties += [(key, value) for key, value in plain if value]
        if self.decimals is not None:
            properties.append(("decimals", self.decimals))
        if self.mappings:
            properties.append(("mappings", list(self.mappings)))
        if self.threshold:
            marks = {"mode": "absolute", "steps": steps(self.threshold, base=self.base)}
            properties.append(("thresholds", marks))
        if self.bar:
            properties.append(("min", 0))
            properties.append(
                ("custom.cellOptions", {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"})
            )
            if not self.threshold:
                properties.append(("color", fixed(Colour.NEUTRAL)))
        elif self.threshold or self.mappings:
            properties.append(("custom.cellOptions", {"type": "color-text"}))
        if self.link:
            properties.append(("links", [self.link.as_data_link()]))
        return {
            "matcher": {"id": "byName", "options": self.field},
            "properties": [{"id": key, "value": value} for key, value in properties],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Panel):
    """Rows by label, one column a query. ``columns`` are in the order shown; every other field is hidden."""

    type: ClassVar[str] = "table"
    columns: tuple[Column, ...] = field(default=())
    sort: str = ""
    descending: bool = True
    unit: str = "short"
    base: Colour = Colour.QUIET

    def _questions(self) -> Sequence[Ask]:
        return [replace(ask, instant=True, table=True) for ask in self.asks]

    def _overrides(self) -> Sequence[Json]:
        return [*(column.override() for column in self.columns), *self.overrides]

    def _transformations(self) -> Sequence[Json]:
        return [*self._shape(), *self.transformations]

    def _shape(self) -> list[Json]:
        shown = [column.field for column in self.columns]
        queried = [chr(ord("A") + index) for index in range(len(self.asks))]
        labels = sorted({label for ask in self.asks for label in ask.expr.labels or ()})
        values = ["Value"] if len(queried) == 1 else [f"Value #{name}" for name in queried]
        hidden = [name for name in ("Time", "__name__", *labels, *values) if name not in shown]
        merge: list[Json] = [{"id": "merge", "options": {}}] if len(queried) > 1 else []
        organize = {
            "excludeByName": dict.fromkeys(hidden, True),
            "includeByName": {},
            "indexByName": {name: index for index, name in enumerate(shown)},
            "renameByName": {},
        }
        return [*merge, {"id": "organize", "options": organize}]

    def _custom(self) -> Json:
        return {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": False, "inspect": False}

    def _defaults(self) -> Json:
        return {**super(Table, self)._defaults(), "links": [], "mappings": list(self.mappings)}

    def _options(self) -> Json:
        by = next((c.title or c.field for c in self.columns if c.field == self.sort), self.sort)
        return {
            "cellHeight": "sm",
            "showHeader": True,
            "sortBy": [{"displayName": by, "desc": self.descending}] if by else [],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Panels of one width, one below the other, in the place of one panel."""

    panels: tuple[Panel, ...]

    @property
    def width(self) -> int:
        """The width of the stack, in columns of the grid."""
        return max(panel.width for panel in self.panels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Panels under one question. A row without a title has no heading. ``repeat`` is a variable's name."""

    title: str = ""
    panels: tuple[Panel | Stack, ...]
    collapsed: bool = False
    repeat: str = ""
    key: str = ""

    def every(self) -> Iterator[Panel]:
        """Yield every panel, those in stacks included."""
        for item in self.panels:
            yield from item.panels if isinstance(item, Stack) else (item,)
