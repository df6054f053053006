"""PromQL from metric specs: a query that names a label its metric does not have cannot be built.

A matcher is ``label="value"``; a value may start with another operator:
``store="=~$store"``, ``status="!=success"``. Every series also has the labels
that Prometheus adds at the scrape, ``job`` and ``instance``.
"""

from __future__ import annotations

import json
from typing import Final

from exporter.core.metrics import Kind
from exporter.errors import SpecError
from promql.metrics import SHOP as TARGET
from promql.metrics import External as Foreign
from promql.metrics import Selectable

_OPERATORS: Final = ("=~", "!~", "!=", "=")
_SUFFIXES: Final = {Kind.SUMMARY: ("_sum", "_count")}


def select(series: Selectable, /, suffix: str = "", **matchers: str) -> str:
    """Return an instant selector; ``suffix`` is ``_sum`` or ``_count`` of a summary."""
    if suffix not in _SUFFIXES.get(series.kind, ("",)):
        raise SpecError(f"{series.name}: a {series.kind} has no {suffix or 'series without a suffix'}")
    for label in matchers:
        if label not in (*TARGET, *series.labels):
            raise SpecError(f"{series.name}: has labels {series.labels}, not {label}")
    inside = ", ".join(_matcher(label, value) for label, value in matchers.items())
    return f"{series.name}{suffix}{{{inside}}}" if inside else f"{series.name}{suffix}"


def increase(
    series: Selectable, window: str, /, suffix: str = "", *, before: str = "", **matchers: str
) -> str:
    """Return the increase of a counter over ``window``, as it was ``before`` if that is given."""
    return _of_counter("increase", series, window, suffix, matchers, before=before)


def total(expression: str, *labels: str, operator: str = "sum") -> str:
    """Aggregate by the target's labels and ``labels``."""
    return f"{operator} by ({', '.join((*TARGET, *labels))}) ({expression})"


def _of_counter(
    function: str, series: Selectable, window: str, suffix: str, matchers: dict[str, str], *, before: str = ""
) -> str:
    if series.kind is Kind.GAUGE:
        raise SpecError(f"{series.name}: {function}() of a gauge")
    offset = f" offset {before}" if before else ""
    return f"{function}({select(series, suffix, **matchers)}[{window}]{offset})"


def _matcher(label: str, value: str) -> str:
    for operator in _OPERATORS:
        if value.startswith(operator):
            return f"{label}{operator}{json.dumps(value[len(operator) :])}"
    return f"{label}={json.dumps(value)}"


__all__ = ["TARGET", "Foreign", "Selectable", "increase", "select", "total"]
