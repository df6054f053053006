"""PromQL expressions that know the labels of their result.

:mod:`promql.selector` selects series by spec; this module combines them, for panels and recording rules.
An :class:`Expr` carries the labels its result can have: aggregating by, or joining
on, a label that is not there raises :exc:`~exporter.errors.SpecError` while the
dashboards are generated, not later in front of a reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from exporter.core.metrics import Kind
from exporter.errors import SpecError
from promql.selector import TARGET, Foreign, Selectable, select

_DURATION = re.compile(r"(\d+(ms|[smhdwy]))+")
_MACROS: Final = ("$__rate_interval", "$__range", "$__interval")
_ATOM: Final = 100
_ATTACHED: Final = {"*": 5, "/": 5, "+": 4, "-": 4, "and": 2, "unless": 2, "or": 1}
_COMPARISON: Final = 3


PROMETHEUS: Final = "Prometheus itself"
UP: Final = Foreign("up", Kind.GAUGE, PROMETHEUS)
ALERTS: Final = Foreign(
    "ALERTS",
    Kind.GAUGE,
    PROMETHEUS,
    ("alertname", "alertstate", "severity", "category", "service", "source", "store"),
)
SCRAPE_DURATION: Final = Foreign("scrape_duration_seconds", Kind.GAUGE, PROMETHEUS)
SCRAPE_SAMPLES: Final = Foreign("scrape_samples_scraped", Kind.GAUGE, PROMETHEUS)
PROCESS: Final = "the process metrics of the Prometheus client library"
PROCESS_CPU: Final = Foreign("process_cpu_seconds_total", Kind.COUNTER, PROCESS)
PROCESS_MEMORY: Final = Foreign("process_resident_memory_bytes", Kind.GAUGE, PROCESS)
PROCESS_FILES: Final = Foreign("process_open_fds", Kind.GAUGE, PROCESS)
PROCESS_STARTED: Final = Foreign("process_start_time_seconds", Kind.GAUGE, PROCESS)


@dataclass(frozen=True, slots=True)
class Expr:
    """A PromQL expression: its text, the labels its result may carry, and how tightly its top operator binds.

    ``labels`` is ``None`` for a scalar. Arithmetic with numbers and expressions
    uses Python's operators; the rest are methods.
    """

    text: str
    labels: frozenset[str] | None
    binds: int = _ATOM

    def __str__(self) -> str:
        return self.text

    def __add__(self, other: Expr | float) -> Expr:
        return _binary(self, "+", other)

    def __sub__(self, other: Expr | float) -> Expr:
        return _binary(self, "-", other)

    def __mul__(self, other: Expr | float) -> Expr:
        return _binary(self, "*", other)

    def __truediv__(self, other: Expr | float) -> Expr:
        return _binary(self, "/", other)

    def __radd__(self, other: float) -> Expr:
        return _binary(number(other), "+", self)

    def __rsub__(self, other: float) -> Expr:
        return _binary(number(other), "-", self)

    def __rmul__(self, other: float) -> Expr:
        return _binary(number(other), "*", self)

    def __rtruediv__(self, other: float) -> Expr:
        return _binary(number(other), "/", self)

    def __gt__(self, other: Expr | float) -> Expr:
        return _binary(self, ">", other)

    def __ge__(self, other: Expr | float) -> Expr:
        return _binary(self, ">=", other)

    def __lt__(self, other: Expr | float) -> Expr:
        return _binary(self, "<", other)

    def __le__(self, other: Expr | float) -> Expr:
        return _binary(self, "<=", other)

    def equals(self, other: Expr | float) -> Expr:
        """Keep the series whose value equals ``other``."""
        return _binary(self, "==", other)

    def truth(self, comparison: str, other: Expr | float) -> Expr:
        """Compare and answer 1 or 0 (``bool``), keeping every series."""
        return _binary(self, comparison, other, modifier="bool")

    def join(
        self,
        operator: str,
        other: Expr,
        *,
        on: Iterable[str],
        group_left: Iterable[str] | None = None,
    ) -> Expr:
        """Combine with ``other`` where the labels ``on`` agree.

        ``group_left`` (many on this side, one on the other) names labels to copy
        from the other side; an empty one copies none.
        """
        return _binary(self, operator, other, on=tuple(on), group_left=group_left)

    def only_if(self, other: Expr, *, on: Iterable[str] | None = None) -> Expr:
        """Keep the series that have a partner in ``other`` (``and``)."""
        return _binary(self, "and", other, on=None if on is None else tuple(on))

    def unless(self, other: Expr, *, on: Iterable[str] | None = None) -> Expr:
        """Drop the series that have a partner in ``other``."""
        return _binary(self, "unless", other, on=None if on is None else tuple(on))

    def or_else(self, other: Expr, *, on: Iterable[str] | None = None) -> Expr:
        """Add the series of ``other`` that have no partner here (``or``)."""
        joined = _binary(self, "or", other, on=None if on is None else tuple(on))
        return Expr(joined.text, _union(self.labels, other.labels), joined.binds)

    def __getitem__(self, subquery: str) -> Window:
        """Return the range of a subquery: ``expr["30d:1h"]``."""
        text = self.text if self.binds == _ATOM else f"({self.text})"
        return Window(f"{text}[{_span(subquery)}]", self.labels or frozenset(), None)


@dataclass(frozen=True, slots=True)
class Window:
    """A range vector: a selector or a subquery with its time span. ``kind`` is ``None`` for a subquery."""

    text: str
    labels: frozenset[str]
    kind: Kind | None


@dataclass(frozen=True, slots=True)
class Series:
    """An instant-vector selector: an expression with :attr:`now`, a range vector with ``[...]``."""

    text: str
    kind: Kind
    labels: frozenset[str]
    offset: str = ""

    @property
    def now(self) -> Expr:
        """The value at the evaluation time."""
        return Expr(f"{self.text}{self.offset}", self.labels)

    def __getitem__(self, span: str) -> Window:
        return Window(f"{self.text}[{_span(span)}]{self.offset}", self.labels, self.kind)

    def before(self, offset: str) -> Series:
        """Return the same series as it was ``offset`` ago."""
        return Series(self.text, self.kind, self.labels, f" offset {_window(offset)}")


def series(named: Selectable, /, *, part: str = "", **matchers: str) -> Series:
    """Select series of a metric, a recording or another exporter's metric.

    ``part`` is ``sum`` or ``count`` of a summary. A matcher is ``label="value"``, or with its operator
    ``label="=~value"``. Raise :exc:`SpecError` for a label the metric does not have.
    """
    suffix = f"_{part}" if part else ""
    kind = Kind.COUNTER if part else named.kind
    return Series(select(named, suffix, **matchers), kind, frozenset((*TARGET, *named.labels)))


def number(value: float) -> Expr:
    """Return a scalar literal."""
    text = str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))  # noqa: PLR2004
    return Expr(text, None, _ATOM if value >= 0 else 6)


def now() -> Expr:
    """Return the evaluation time, a scalar in seconds."""
    return Expr("time()", None)


def age(timestamp: Series) -> Expr:
    """Return the seconds since a ``..._timestamp_seconds`` (or the client library's start time)."""
    if not timestamp.text.partition("{")[0].endswith(("_timestamp_seconds", "_start_time_seconds")):
        raise SpecError(f"{timestamp.text}: is no timestamp")
    return now() - timestamp.now


def rate(window: Window) -> Expr:
    """Return events per second of a counter."""
    return _of_counter("rate", window)


def increase(window: Window) -> Expr:
    """Return events of a counter in the window (extrapolated to its edges)."""
    return _of_counter("increase", window)


def delta(window: Window) -> Expr:
    """Return the change of a gauge over the window."""
    return _of_gauge("delta", window)


def over_time(aggregation: str, window: Window) -> Expr:
    """Return ``avg``, ``min``, ``max``, ``sum``, ``count``, ``last`` or ``present`` over the window."""
    if aggregation not in {"avg", "min", "max", "sum", "count", "last", "present"}:
        raise SpecError(f"{aggregation}_over_time is not used here")
    return Expr(f"{aggregation}_over_time({window.text})", window.labels)


def changes(window: Window) -> Expr:
    """Return how often a gauge changed its value in the window."""
    return _of_gauge("changes", window)


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
        raise SpecError(f"{operation} by {sorted(missing)}: not among the labels of {expr.text}")
    clause = f" by ({', '.join(labels)}) " if labels else ""
    return Expr(f"{operation}{clause}({expr.text})", frozenset(labels))


def top(count: int, expr: Expr) -> Expr:
    """Return the ``count`` largest series."""
    return Expr(f"topk({count}, {expr.text})", expr.labels)


def clamp_min(expr: Expr, least: float) -> Expr:
    """Raise smaller values to ``least``."""
    return Expr(f"clamp_min({expr.text}, {number(least)})", expr.labels)


def clamp_max(expr: Expr, most: float) -> Expr:
    """Lower larger values to ``most``."""
    return Expr(f"clamp_max({expr.text}, {number(most)})", expr.labels)


def function(name: str, expr: Expr) -> Expr:
    """Apply a function of one instant vector: ``sqrt``, ``ln``, ``abs``, ``round``, ``sort_desc``, ..."""
    return Expr(f"{name}({expr.text})", expr.labels)


def relabel(expr: Expr, *, target: str, value: str, source: str = "", pattern: str = "") -> Expr:
    """Set the label ``target`` to ``value`` (``label_replace``)."""
    text = f'label_replace({expr.text}, "{target}", "{value}", "{source}", "{pattern}")'
    return Expr(text, (expr.labels or frozenset()) | {target})


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


def _of_counter(name: str, window: Window) -> Expr:
    if window.kind is not None and window.kind is not Kind.COUNTER:
        raise SpecError(f"{name}({window.text}): not a counter")
    return Expr(f"{name}({window.text})", window.labels)


def _of_gauge(name: str, window: Window) -> Expr:
    if window.kind is not None and window.kind is not Kind.GAUGE:
        raise SpecError(f"{name}({window.text}): not a gauge")
    return Expr(f"{name}({window.text})", window.labels)


def _span(span: str) -> str:
    """Return a range, or range and step of a subquery; every part must be a duration."""
    return ":".join(_window(part) for part in span.split(":", 1))


def _window(span: str) -> str:
    if span not in _MACROS and not _DURATION.fullmatch(span):
        raise SpecError(f"{span!r} is no duration")
    return span


def _union(left: frozenset[str] | None, right: frozenset[str] | None) -> frozenset[str] | None:
    return None if left is None and right is None else (left or frozenset()) | (right or frozenset())


def _binary(
    left: Expr,
    operator: str,
    other: Expr | float,
    *,
    modifier: str = "",
    on: tuple[str, ...] | None = None,
    group_left: Iterable[str] | None = None,
) -> Expr:
    right = other if isinstance(other, Expr) else number(other)
    binds = _ATTACHED.get(operator, _COMPARISON)
    copied = None if group_left is None else tuple(group_left)
    _check_join(left, right, operator, on, copied)
    words = [operator, modifier, *_matching(on, copied)]
    text = f"{_operand(left, binds)} {' '.join(w for w in words if w)} {_operand(right, binds, right=True)}"
    return Expr(text, _result_labels(left, right, operator, on, copied), binds)


def _check_join(
    left: Expr, right: Expr, operator: str, on: tuple[str, ...] | None, copied: tuple[str, ...] | None
) -> None:
    for label in on or ():
        for side in (left, right):
            if label not in (side.labels or frozenset()):
                raise SpecError(f"{operator} on ({label}): {side.text} has no such label")
    for label in copied or ():
        if label not in (right.labels or frozenset()):
            raise SpecError(f"group_left ({label}): {right.text} has no such label")
    set_operator = operator in {"and", "unless", "or"}
    vectors = left.labels is not None and right.labels is not None
    if on is None and vectors and not set_operator and left.labels != right.labels:
        raise SpecError(f"{left.text} {operator} {right.text}: different labels, say on which to join")


def _matching(on: tuple[str, ...] | None, copied: tuple[str, ...] | None) -> list[str]:
    words = [] if on is None else [f"on ({', '.join(on)})"]
    if copied is not None:
        words.append(f"group_left ({', '.join(copied)})" if copied else "group_left ()")
    return words


def _result_labels(
    left: Expr,
    right: Expr,
    operator: str,
    on: tuple[str, ...] | None,
    copied: tuple[str, ...] | None,
) -> frozenset[str] | None:
    if left.labels is None:
        return right.labels
    keeps_left = right.labels is None or on is None or operator in {"and", "unless", "or"}
    if keeps_left:
        return left.labels
    if copied is not None:
        return left.labels | set(copied)
    return left.labels if operator in {">", "<", ">=", "<=", "==", "!="} else frozenset(on or ())


def _operand(expr: Expr, binds: int, *, right: bool = False) -> str:
    """Return the operand, in parentheses unless it certainly binds tighter."""
    tighter = expr.binds > binds or (expr.binds == binds and not right and binds != _COMPARISON)
    return expr.text if tighter else f"({expr.text})"
