"""The vocabulary of PromQL: what rules and panels are written in.

Selecting, aggregating by, or joining on a label that is not there raises
:exc:`~exporter.errors.SpecError` while the files are generated, not later in front of a reader.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from exporter.core.metrics import Kind
from exporter.errors import SpecError
from promql.durations import Duration, Span, span
from promql.metrics import SHOP, Selectable
from promql.nodes import (
    Aggregation,
    Call,
    Expr,
    Matcher,
    Number,
    Seconds,
    Selector,
    Text,
    Window,
    join,
)

_OPERATORS: Final = ("=~", "!~", "!=", "=")
_SUFFIXES: Final = {Kind.SUMMARY: ("sum", "count")}
_OVER_TIME: Final = frozenset({"avg", "min", "max", "sum", "count", "last", "present"})


def series(named: Selectable, /, *, part: str = "", **matchers: str) -> Selector:
    """Select series of a metric, a recording or another exporter's metric.

    ``part`` is ``sum`` or ``count`` of a summary. A matcher is ``label="value"``, or with its operator
    ``label="=~value"``. Raise :exc:`SpecError` for a label the metric does not have.
    """
    if part not in _SUFFIXES.get(named.kind, ("",)):
        raise SpecError(f"{named.name}: a {named.kind} has no {part or 'series without a suffix'}")
    has = (*SHOP, *named.labels)
    for label in matchers:
        if label not in has:
            raise SpecError(f"{named.name}: has labels {named.labels}, not {label}")
    name = f"{named.name}_{part}" if part else named.name
    kind = Kind.COUNTER if part else named.kind
    chosen = tuple(_matcher(label, value) for label, value in matchers.items())
    return Selector(name, kind, frozenset(has), chosen)


def _matcher(label: str, given: str) -> Matcher:
    operator = next((operator for operator in _OPERATORS if given.startswith(operator)), "")
    return Matcher(label, operator or "=", given.removeprefix(operator))


def number(value: float) -> Expr:
    """Return a scalar."""
    return Number(value)


def seconds(length: float | str | Duration) -> Expr:
    """Return a duration as the number of its seconds; a game day's clock shrinks it with the ranges."""
    known = length if isinstance(length, Duration) else _duration(length)
    return Seconds(known)


def _duration(length: float | str) -> Duration:
    found: Span = span(length) if isinstance(length, str) else Duration(length)
    if not isinstance(found, Duration):
        raise SpecError(f"{length}: is known to Grafana only")
    return found


def now() -> Expr:
    """Return the evaluation time, a scalar in seconds."""
    return Call("time")


def always() -> Expr:
    """Return one series without labels that is always there."""
    return Call("vector", (Number(1),))


def absent(selected: Selector) -> Expr:
    """Return 1 while nothing is selected."""
    return Call("absent", (selected,))


def age(timestamp: Selector) -> Expr:
    """Return the seconds since a ``..._timestamp_seconds`` (or the client library's start time)."""
    if not timestamp.metric.endswith(("_timestamp_seconds", "_start_time_seconds")):
        raise SpecError(f"{timestamp.metric}: is no timestamp")
    return now() - timestamp


def rate(window: Window) -> Expr:
    """Return events per second of a counter."""
    return _of(Kind.COUNTER, "rate", window)


def increase(window: Window) -> Expr:
    """Return events of a counter in the window (extrapolated to its edges)."""
    return _of(Kind.COUNTER, "increase", window)


def delta(window: Window) -> Expr:
    """Return the change of a gauge over the window."""
    return _of(Kind.GAUGE, "delta", window)


def slope(window: Window) -> Expr:
    """Return by how much a gauge changes each second."""
    return _of(Kind.GAUGE, "deriv", window)


def _of(kind: Kind, name: str, window: Window) -> Expr:
    if window.kind not in {None, kind}:
        raise SpecError(f"{name}() of {', '.join(window.metrics())}: not a {kind}")
    return Call(name, (window,))


def over_time(aggregation: str, window: Window) -> Expr:
    """Return ``avg``, ``min``, ``max``, ``sum``, ``count``, ``last`` or ``present`` over the window."""
    if aggregation not in _OVER_TIME:
        raise SpecError(f"{aggregation}_over_time is not used here")
    return Call(f"{aggregation}_over_time", (window,))


def sum_by(expr: Expr, *labels: str) -> Expr:
    """Add up, keeping ``labels``."""
    return aggregate("sum", expr, by=labels)


def max_by(expr: Expr, *labels: str) -> Expr:
    """Return the largest value per ``labels``."""
    return aggregate("max", expr, by=labels)


def min_by(expr: Expr, *labels: str) -> Expr:
    """Return the smallest value per ``labels``."""
    return aggregate("min", expr, by=labels)


def count_by(expr: Expr, *labels: str) -> Expr:
    """Return the number of series per ``labels``."""
    return aggregate("count", expr, by=labels)


def aggregate(operation: str, expr: Expr, *, by: Iterable[str] = ()) -> Expr:
    """Aggregate ``by`` labels; each must be one that ``expr`` can have."""
    labels = tuple(by)
    missing = set(labels) - (expr.labels or frozenset())
    if missing:
        raise SpecError(f"{operation} by {sorted(missing)}: not among {sorted(expr.labels or ())}")
    return Aggregation(operation, expr, labels)


def top(count: int, expr: Expr) -> Expr:
    """Return the ``count`` largest series."""
    return Aggregation("topk", expr, parameter=Number(count))


def clamp_min(expr: Expr, least: float) -> Expr:
    """Raise smaller values to ``least``."""
    return Call("clamp_min", (expr, Number(least)))


def clamp_max(expr: Expr, most: float) -> Expr:
    """Lower larger values to ``most``."""
    return Call("clamp_max", (expr, Number(most)))


def function(name: str, expr: Expr) -> Expr:
    """Apply a function of one instant vector: ``sqrt``, ``ln``, ``abs``, ``round``, ``sort_desc``, ..."""
    return Call(name, (expr,))


def relabel(expr: Expr, *, target: str, value: str, source: str = "", pattern: str = "") -> Expr:
    """Set the label ``target`` to ``value`` (``label_replace``)."""
    return Call("label_replace", (expr, Text(target), Text(value), Text(source), Text(pattern)))


def union(first: Expr, *others: Expr) -> Expr:
    """Put expressions together with ``or``."""
    for expr in others:
        first = first.or_else(expr)
    return first


def standing_out(expr: Expr, label: str, *, above: float, rest: str) -> Expr:
    """Return the series above a value; while there is none, the largest of all, under the name ``rest``.

    A graph of it has few lines when all is well, and still tells zero from no data.
    """
    largest = relabel(max_by(expr) <= above, target=label, value=rest)
    return (expr > above).or_else(largest)


__all__ = [
    "Expr",
    "Selector",
    "Window",
    "absent",
    "age",
    "aggregate",
    "always",
    "clamp_max",
    "clamp_min",
    "count_by",
    "delta",
    "function",
    "increase",
    "join",
    "max_by",
    "min_by",
    "now",
    "number",
    "over_time",
    "rate",
    "relabel",
    "seconds",
    "series",
    "slope",
    "standing_out",
    "sum_by",
    "top",
    "union",
]
