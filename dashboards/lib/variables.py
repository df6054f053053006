"""Dashboard variables: data source, shop, store, and what a page adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from grafanalib import core

from dashboards.lib.here import CHOSEN_SHOP
from dashboards.lib.panels import DATASOURCE
from exporter.collectors.orders import BY_CUSTOMER
from exporter.core.self_metrics import ENABLED
from exporter.errors import SpecError
from promql.expr import Expr, series
from promql.metrics import SHOP, Selectable
from promql.render import render

ALL: Final = ".+"
ANY: Final = ".*"
"""As :data:`ALL`, and what has no such label: a shop whose name the scrape configuration does not give."""
_ON_TIME_CHANGE: Final = 2
_ALPHABETICAL: Final = 5
_HIDDEN: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable whose values come from a query, by default the values of one label of a metric."""

    name: str
    label: str
    query: str
    regex: str = ""
    hidden: bool = False
    sort: int = _ALPHABETICAL
    all_value: str | None = ALL

    def render(self) -> Any:
        """Return grafanalib's template."""
        return core.Template(
            name=self.name,
            label=self.label,
            type="query",
            query=self.query,
            dataSource=dict(DATASOURCE),
            includeAll=True,
            multi=True,
            allValue=self.all_value,
            refresh=_ON_TIME_CHANGE,
            regex=self.regex,
            sort=self.sort,
            hide=_HIDDEN if self.hidden else 0,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSource(Variable):
    """The Prometheus that is asked. One variable makes the file import by hand and by provisioning alike."""

    name: str = "datasource"
    label: str = "Data source"
    query: str = "prometheus"

    def render(self) -> Any:
        """Return grafanalib's template."""
        return core.Template(name=self.name, label=self.label, type="datasource", query=self.query, refresh=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant(Variable):
    """A hidden value that whoever installs the dashboards can change in one place."""

    def render(self) -> Any:
        """Return grafanalib's template."""
        return core.Template(
            name=self.name, label=self.label, type="constant", query=self.query, refresh=0, hide=_HIDDEN
        )


def values_of(
    name: str, label: str, metric: Selectable, of: str, /, *, by_store: bool = False, hidden: bool = False
) -> Variable:
    """Return the variable ``name`` with the values of the metric's label ``of`` in the chosen shop."""
    if of not in (*SHOP, *metric.labels):
        raise SpecError(f"{metric.name}: has no label {of!r}")
    before = SHOP[: SHOP.index(of)] if of in SHOP else SHOP
    known = {label: CHOSEN_SHOP[label] for label in before}
    if by_store:
        known = {**known, "store": "=~$store"}
    part = "count" if metric.kind.value == "summary" else ""
    query = f"label_values({render(series(metric, part=part, **known))}, {of})"
    return Variable(name=name, label=label, query=query, hidden=hidden)


def labels_in(name: str, label: str, expr: Expr, of: str) -> Variable:
    """Return a hidden variable with the values that the label ``of`` has in a result, in its order."""
    if of not in (expr.labels or ()):
        raise SpecError(f"variable {name}: its query has no label {of!r}")
    return Variable(
        name=name,
        label=label,
        query=f"query_result({render(expr)})",
        regex=f'/{of}="([^"]+)"/',
        hidden=True,
        sort=0,
        all_value=None,
    )


def common(*, by_store: bool) -> Sequence[Variable]:
    """Return the variables of every dashboard.

    Where nothing is split by store the variable is hidden, not absent, so that links hand it on.
    """
    return (
        DataSource(),
        values_of("job", "Job", ENABLED, "job"),
        values_of("instance", "Instance", ENABLED, "instance"),
        replace(values_of("shop", "Shop", ENABLED, "shop"), all_value=ANY),
        values_of("store", "Store", BY_CUSTOMER, "store", hidden=not by_store),
    )
