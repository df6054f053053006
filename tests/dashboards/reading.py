"""Reads generated dashboards for the tests: panels, queries, links, and what a query names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promql_parser

from alerts.catalogue import catalogue
from dashboards.catalogue import DASHBOARDS
from dashboards.lib.variables import ALL, ANY
from exporter.collectors import all_collectors
from exporter.core.metrics import Kind
from exporter.core.self_metrics import SELF_METRICS
from exporter.web.metrics import SCRAPE_METRICS
from promql import metrics as declared
from promql import platform
from promql.metrics import External, Selectable

PROJECT = Path(__file__).parents[2]
MACROS = {"$__rate_interval": "1m", "$__interval": "1m", "$__range": "6h"}
VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every panel but rows, those in collapsed rows included."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def queries(dashboard: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (where, expression) of every panel and annotation."""
    for panel in panels(dashboard):
        for target in panel["targets"]:
            yield f"{panel['title']} {target['refId']}", target["expr"]
    for annotation in dashboard["annotations"]["list"]:
        if "expr" in annotation:
            yield annotation["name"], annotation["expr"]


def variable_queries(dashboard: dict[str, Any]) -> Iterator[str]:
    """Yield the PromQL inside every variable's query."""
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            query_text = variable["query"]["query"]
            found = re.fullmatch(r"label_values\((.+), \w+\)|query_result\((.+)\)", query_text)
            assert found, query_text
            yield found[1] or found[2]


def plain(expression: str) -> str:
    """Return the expression as Grafana sends it with everything selected."""
    for macro, value in MACROS.items():
        expression = expression.replace(macro, value)
    return everything(expression, {})


def everything(expression: str, chosen: Mapping[str, str]) -> str:
    """Return the expression with what is chosen, and with "All" for every other variable."""

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        return chosen.get(name, ANY if name == "shop" else ALL)

    return VARIABLE.sub(value, expression)


def known_series() -> dict[str, Selectable]:
    """Return everything that may be asked for, by the name under which Prometheus stores it."""
    external = [item for item in vars(declared).values() if isinstance(item, External)]
    external += [*platform.SERIES, platform.EXPORTER_UP, platform.PLATFORM_ALERTS]
    metrics = [metric for collector in all_collectors() for metric in collector.metrics]
    recordings = [rule for rules in catalogue().recordings.values() for rule in rules]
    found: dict[str, Selectable] = {}
    for item in (*metrics, *SELF_METRICS, *SCRAPE_METRICS, *recordings, *external):
        if item.kind is Kind.SUMMARY:
            found[f"{item.name}_sum"] = found[f"{item.name}_count"] = item
        else:
            found[item.name] = item
    return found


@dataclass(frozen=True)
class Selected:
    """A selector in a query, with the function around its range, if it has one."""

    name: str
    matchers: dict[str, str]
    regexes: frozenset[tuple[str, str]]
    function: str = ""
    span: float = 0.0


def selectors(expression: str) -> list[Selected]:
    """Return every selector of a query."""
    return list(walk(promql_parser.parse(plain(expression))))


def walk(node: Any, function: str = "") -> Iterator[Selected]:
    """Yield every selector below a node of a query's tree; none below ``None``."""
    match node:
        case None:
            return
        case promql_parser.VectorSelector():
            yield _selected(node, "", 0.0)
        case promql_parser.MatrixSelector():
            yield _selected(node.vector_selector, function, node.range.total_seconds())
        case promql_parser.Call():
            for argument in node.args:
                yield from walk(argument, node.func.name)
        case promql_parser.AggregateExpr() | promql_parser.ParenExpr() | promql_parser.UnaryExpr():
            yield from walk(node.expr, function)
        case promql_parser.SubqueryExpr():
            yield from walk(node.expr)
        case promql_parser.BinaryExpr():
            yield from walk(node.lhs)
            yield from walk(node.rhs)
        case promql_parser.NumberLiteral() | promql_parser.StringLiteral():
            return
        case _:
            raise AssertionError(f"do not know how to read {node!r}")


def _selected(node: Any, function: str, span: float) -> Selected:
    matchers = {m.name: m.value for m in node.matchers.matchers}
    regexes = frozenset((m.name, m.value) for m in node.matchers.matchers if m.op == promql_parser.MatchOp.Re)
    return Selected(node.name, matchers, regexes, function, span)


RENDERED = {page.uid: page.render() for page in DASHBOARDS}


ELSEWHERE = frozenset(item.name for item in platform.SERIES) | {
    recording.name for recording in catalogue().recordings["platform"]
}
"""Series of other exporters, whose job and instance are not those of the dashboards: the shop joins them."""
