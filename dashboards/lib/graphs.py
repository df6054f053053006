"""One graph of what another exporter says, written in a few lines."""

from __future__ import annotations

from alerts.thresholds import Threshold
from dashboards.lib.links import Link
from dashboards.lib.panels import Ask, Graph
from dashboards.lib.there import LEGEND
from promql.expr import Expr


def graph(
    key: str,
    title: str,
    asks: Expr,
    unit: str,
    *,
    texts: tuple[str, str, str, str],
    link: Link,
    legend: str = LEGEND,
    threshold: Threshold | None = None,
    width: int = 6,
    soft_most: float | None = None,
    may_be_empty: bool = False,
) -> Graph:
    """Return a graph with one query; ``texts`` are meaning, good, then and empty."""
    meaning, good, then, empty = texts
    return Graph(
        key=key,
        title=title,
        meaning=meaning,
        good=good,
        then=then,
        asks=(Ask(expr=asks, legend=legend, may_be_empty=may_be_empty),),
        unit=unit,
        decimals=0 if unit == "locale" else None,
        empty=empty,
        threshold=threshold,
        width=width,
        soft_most=soft_most,
        height=6,
        link=link,
    )
