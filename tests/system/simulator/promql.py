"""PromQL over whole arrays of time: every expression is evaluated for all minutes at once.

Only what the rules use is there; anything else is refused. The results are compared with
those of Prometheus in ``test_engine.py``.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, Final

import numpy as np
import promql_parser as ast

from tests.system.simulator import series as windows
from tests.system.simulator.series import (
    NAME,
    Bools,
    Floats,
    Labels,
    Series,
    Store,
    Vector,
    labels_of,
    matches,
)

MINUTE: Final = 60


class EvaluationError(Exception):
    """The expression is not supported, or Prometheus would refuse its result."""


_ARITHMETIC: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": np.divide,
    "%": np.fmod,
    "^": np.power,
}
_COMPARISON: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_PLAIN: Final[Mapping[str, Callable[[Floats], Floats]]] = {
    "abs": np.abs,
    "ceil": np.ceil,
    "exp": np.exp,
    "floor": np.floor,
    "ln": np.log,
    "sqrt": np.sqrt,
}
_OVER_TIME: Final[Mapping[str, Callable[..., Series]]] = {
    "avg_over_time": windows.mean,
    "count_over_time": windows.number,
    "last_over_time": windows.latest,
    "max_over_time": windows.largest,
    "min_over_time": windows.smallest,
    "sum_over_time": windows.total,
}


def parse(text: str) -> Any:
    """Return the expression's tree. A text is parsed once."""
    return _parsed(text)


@cache
def _parsed(text: str) -> Any:
    return ast.parse(text)


@dataclass(frozen=True, slots=True)
class Window:
    """The samples that one range covers in each minute: a series' piece and the windows' edges in it."""

    found: Vector
    first: windows.Edges
    last: windows.Edges
    step: int
    at_ends: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Evaluates expressions against a store.

    ``delayed`` are the metrics that the rule's own group writes after this rule: in a minute their newest
    sample is that of the minute before.
    """

    store: Store
    delayed: frozenset[str] = frozenset()

    def vector(self, text: str, lo: int, hi: int) -> Vector:
        """Return the expression's result in the minutes from ``lo`` up to, without, ``hi``."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            found = self._any(parse(text), lo, hi)
        if isinstance(found, dict):
            return found
        return {(): Series.always(np.broadcast_to(found, hi - lo).astype(np.float64))}

    def _any(self, node: Any, lo: int, hi: int) -> Vector | Floats | float:
        kind = type(node).__name__
        method = getattr(self, f"_{kind}", None)
        if method is None:
            raise EvaluationError(f"not supported: {kind}")
        found: Vector | Floats | float = method(node, lo, hi)
        return found

    def _instant(self, node: Any, lo: int, hi: int) -> Vector:
        found = self._any(node, lo, hi)
        if not isinstance(found, dict):
            raise EvaluationError("a scalar where a vector is needed")
        return found

    def _scalar(self, node: Any, lo: int, hi: int) -> Floats | float:
        found = self._any(node, lo, hi)
        if isinstance(found, dict):
            raise EvaluationError("a vector where a scalar is needed")
        return found

    # --- what the tree's nodes mean; each method has its node's name ---------------------------------

    def _NumberLiteral(self, node: Any, _lo: int, _hi: int) -> float:  # noqa: N802
        return float(node.val)

    def _ParenExpr(self, node: Any, lo: int, hi: int) -> Vector | Floats | float:  # noqa: N802
        return self._any(node.expr, lo, hi)

    def _UnaryExpr(self, node: Any, lo: int, hi: int) -> Vector | Floats | float:  # noqa: N802
        found = self._any(node.expr, lo, hi)
        if isinstance(found, dict):
            return _renamed({labels: Series(-one.values, one.present) for labels, one in found.items()})
        return -found

    def _VectorSelector(self, node: Any, lo: int, hi: int) -> Vector:  # noqa: N802
        offset = _minutes(node.offset)
        offset = max(offset, 1) if node.name in self.delayed else offset
        return self._samples(node, lo - offset, hi - offset)

    def _samples(self, node: Any, lo: int, hi: int) -> Vector:
        if node.at is not None:
            raise EvaluationError("not supported: @")
        return self.store.read(node.name, _wanted(node), lo, hi)

    def _AggregateExpr(self, node: Any, lo: int, hi: int) -> Vector:  # noqa: N802
        found = self._instant(node.expr, lo, hi)
        keep = _grouping(node.modifier)
        groups: dict[Labels, list[Series]] = {}
        for labels, one in found.items():
            groups.setdefault(keep(labels), []).append(one)
        return {labels: _aggregate(str(node.op), members) for labels, members in groups.items()}

    def _BinaryExpr(self, node: Any, lo: int, hi: int) -> Vector | Floats | float:  # noqa: N802
        name = str(node.op)
        left, right = self._any(node.lhs, lo, hi), self._any(node.rhs, lo, hi)
        whether = node.modifier is not None and node.modifier.return_bool
        if isinstance(left, dict) and isinstance(right, dict):
            if name in _SETS:
                return _SETS[name](left, right, _signature(node.modifier))
            return _joined(name, left, right, node.modifier, whether=whether)
        if isinstance(left, dict):
            return _with_scalar(name, left, lambda one: (one, right), whether=whether)
        if isinstance(right, dict):
            return _with_scalar(name, right, lambda one: (left, one), whether=whether)
        if name in _COMPARISON:
            return np.asarray(_COMPARISON[name](left, right), dtype=np.float64)
        result: Floats | float = _ARITHMETIC[name](left, right)
        return result

    def _Call(self, node: Any, lo: int, hi: int) -> Vector | Floats | float:  # noqa: N802
        name, arguments = node.func.name, node.args
        if name == "time":
            return self.store.start + np.arange(lo, hi, dtype=np.float64) * MINUTE
        if name == "vector":
            number = self._scalar(arguments[0], lo, hi)
            return {(): Series.always(np.broadcast_to(number, hi - lo).astype(np.float64))}
        if name in _OVER_TIME:
            window = self._window(arguments[0], lo, hi)
            reduce = _OVER_TIME[name]
            found = {labels: reduce(one, window.first, window.last) for labels, one in window.found.items()}
            return found if name == "last_over_time" else _renamed(found)
        if name in ("increase", "rate"):
            return self._increase(arguments[0], lo, hi, per_second=name == "rate")
        return self._of_instant(name, arguments, lo, hi)

    def _of_instant(self, name: str, arguments: Sequence[Any], lo: int, hi: int) -> Vector:
        found = self._instant(arguments[0], lo, hi)
        if name in _PLAIN:
            change = _PLAIN[name]
            return _renamed({key: Series(change(one.values), one.present) for key, one in found.items()})
        if name in ("clamp_min", "clamp_max"):
            bound = self._scalar(arguments[1], lo, hi)
            limit = np.maximum if name == "clamp_min" else np.minimum
            clamped = {key: Series(limit(one.values, bound), one.present) for key, one in found.items()}
            return _renamed(clamped)
        if name == "label_replace":
            return _label_replace(found, *(text.val for text in arguments[1:]))
        if name == "absent":
            missing = ~_any_present(found.values(), hi - lo)
            return {_labels_of_absent(arguments[0]): Series(np.ones(hi - lo), missing)}
        raise EvaluationError(f"not supported: {name}()")

    def _increase(self, node: Any, lo: int, hi: int, *, per_second: bool) -> Vector:
        window = self._window(node, lo, hi)
        scale = 1.0 / _seconds(node.range) if per_second else 1.0
        found: Vector = {}
        for labels, one in window.found.items():
            grown = windows.increase(one, window.first, window.last, window.step, at_ends=window.at_ends)
            found[labels] = Series(grown.values * scale, grown.present)
        return _renamed(found)

    def _window(self, node: Any, lo: int, hi: int) -> Window:
        if type(node).__name__ == "SubqueryExpr":
            return self._subquery(node, lo, hi)
        if type(node).__name__ != "MatrixSelector":
            raise EvaluationError(f"not a range: {type(node).__name__}")
        selector, length = node.vector_selector, _minutes(node.range)
        offset = _minutes(selector.offset)
        behind = 1 if selector.name in self.delayed and offset == 0 else 0
        found = self._samples(selector, lo - offset - length, hi - offset)
        first = np.arange(hi - lo, dtype=np.int64)
        return Window(found, first, first + length - behind, MINUTE, (0, behind * MINUTE))

    def _subquery(self, node: Any, lo: int, hi: int) -> Window:
        """Evaluate the inner expression at whole multiples of the step, as Prometheus does."""
        step, length, offset = _minutes(node.step) or 1, _minutes(node.range), _minutes(node.offset)
        zero = self.store.start // MINUTE
        moments = np.arange(lo - offset, hi - offset, dtype=np.int64) + zero
        begin, end = -(-(moments - length) // step), moments // step
        low, high = int(begin[0]), int(end[-1])
        inner = self._instant(node.expr, low * step - zero, high * step - zero + 1)
        thin = {key: Series(one.values[::step], one.present[::step]) for key, one in inner.items()}
        return Window(thin, begin - low, end - low, step * MINUTE, (0, 0))


# --- selectors and times -----------------------------------------------------------------------------


def _seconds(length: timedelta | None) -> int:
    return 0 if length is None else int(length.total_seconds())


def _minutes(length: timedelta | None) -> int:
    seconds = _seconds(length)
    if seconds % MINUTE:
        raise EvaluationError(f"not a whole number of minutes: {length}")
    return seconds // MINUTE


_OPERATORS: Final = {
    "MatchOp.Equal": "=",
    "MatchOp.NotEqual": "!=",
    "MatchOp.Re": "=~",
    "MatchOp.NotRe": "!~",
}


def conditions(node: Any) -> list[tuple[str, str, str]]:
    """Return the (label, operator, value) of a selector."""
    return [(one.name, _OPERATORS[str(one.op)], one.value) for one in node.matchers.matchers]


def _wanted(node: Any) -> windows.Wanted:
    return matches(conditions(node))


def _labels_of_absent(node: Any) -> Labels:
    if type(node).__name__ != "VectorSelector":
        return ()
    return labels_of({name: value for name, operator, value in conditions(node) if operator == "="})


def _any_present(found: Any, length: int) -> Bools:
    there = np.zeros(length, dtype=np.bool_)
    for one in found:
        there = there | one.present
    return there


# --- labels ------------------------------------------------------------------------------------------


def _renamed(found: Vector) -> Vector:
    """Drop the metric's name from the labels."""
    return merged((tuple(pair for pair in key if pair[0] != NAME), one) for key, one in found.items())


def merged(pieces: Any) -> Vector:
    """Put series with the same labels together; in no minute may two of them have a sample."""
    found: Vector = {}
    for labels, one in pieces:
        known = found.get(labels)
        if known is None:
            found[labels] = one
        elif (known.present & one.present).any():
            raise EvaluationError(f"more than one series with the labels {dict(labels)}")
        else:
            values = np.where(one.present, one.values, known.values)
            found[labels] = Series(values, known.present | one.present)
    return found


def _grouping(modifier: Any) -> Callable[[Labels], Labels]:
    if modifier is None:
        return lambda _: ()
    names = frozenset(modifier.labels)
    if str(modifier.type).endswith("By"):
        return lambda labels: tuple(pair for pair in labels if pair[0] in names)
    return lambda labels: tuple(pair for pair in labels if pair[0] not in names and pair[0] != NAME)


def _signature(modifier: Any) -> Callable[[Labels], Labels]:
    names, only = _matching(modifier)
    if only:
        return lambda labels: tuple(pair for pair in labels if pair[0] in names)
    return lambda labels: tuple(pair for pair in labels if pair[0] not in names and pair[0] != NAME)


def _matching(modifier: Any) -> tuple[frozenset[str], bool]:
    if modifier is None or modifier.matching is None:
        return frozenset(), False
    return frozenset(modifier.matching.labels), str(modifier.matching.type).endswith("Include")


def _label_replace(found: Vector, target: str, replacement: str, source: str, pattern: str) -> Vector:
    whole = re.compile(pattern)
    template = re.sub(r"\$(\d+)", r"\\g<\1>", replacement)

    def changed(labels: Labels) -> Labels:
        known = dict(labels)
        match = whole.fullmatch(known.get(source, ""))
        return labels if match is None else labels_of({**known, target: match.expand(template)})

    return merged((changed(labels), one) for labels, one in found.items())


# --- operators ---------------------------------------------------------------------------------------


def _aggregate(name: str, members: Sequence[Series]) -> Series:
    there = _any_present(members, len(members[0].values))
    if name in ("sum", "avg", "count"):
        number, values = np.zeros(len(there)), np.zeros(len(there))
        for one in members:
            number += one.present
            values += np.where(one.present, one.values, 0.0)
        if name == "count":
            return Series(number, there)
        return Series(values if name == "sum" else values / np.maximum(number, 1), there)
    if name in ("max", "min"):
        sign = 1.0 if name == "max" else -1.0
        best = np.full(len(there), -np.inf)
        for one in members:
            best = np.fmax(best, np.where(one.present, sign * one.values, -np.inf))
        numbers = _any_present([one.only(~np.isnan(one.values)) for one in members], len(there))
        return Series(np.where(numbers, sign * best, np.nan), there)
    raise EvaluationError(f"not supported: {name}")


def _with_scalar(
    name: str, found: Vector, sides: Callable[[Floats], tuple[Any, Any]], *, whether: bool
) -> Vector:
    if name in _ARITHMETIC:
        compute = _ARITHMETIC[name]
        return _renamed({key: Series(compute(*sides(one.values)), one.present) for key, one in found.items()})
    if name not in _COMPARISON:
        raise EvaluationError(f"not supported with a scalar: {name}")
    compare = _COMPARISON[name]
    if whether:
        flags = {
            key: Series(compare(*sides(one.values)).astype(np.float64), one.present)
            for key, one in found.items()
        }
        return _renamed(flags)
    return {key: one.only(compare(*sides(one.values))) for key, one in found.items()}


def _by_signature(
    found: Vector, sign: Callable[[Labels], Labels]
) -> dict[Labels, list[tuple[Labels, Series]]]:
    groups: dict[Labels, list[tuple[Labels, Series]]] = {}
    for labels, one in found.items():
        groups.setdefault(sign(labels), []).append((labels, one))
    return groups


def _joined(name: str, left: Vector, right: Vector, modifier: Any, *, whether: bool) -> Vector:
    """Match series one to one, or many to one with group_left or group_right."""
    sign = _signature(modifier)
    names, only = _matching(modifier)
    card = "OneToOne" if modifier is None else str(modifier.card).rpartition(".")[2]
    extra = tuple(modifier.group_labels or ()) if modifier is not None and card != "OneToOne" else ()
    mine, theirs = _by_signature(left, sign), _by_signature(right, sign)
    if card in ("OneToOne", "ManyToOne"):
        _refuse_twins(theirs, mine)
    if card in ("OneToOne", "OneToMany"):
        _refuse_twins(mine, theirs)
    keep_name = name in _COMPARISON and not whether
    pieces: list[tuple[Labels, Series]] = []
    for signature in mine.keys() & theirs.keys():
        for labels, one in mine[signature]:
            for others, other in theirs[signature]:
                both = one.present & other.present
                many, few = (others, labels) if card == "OneToMany" else (labels, others)
                result = dict(many)
                if not keep_name:
                    result.pop(NAME, None)
                if card == "OneToOne":
                    result = {key: text for key, text in result.items() if (key in names) == only}
                for label in extra:
                    result[label] = dict(few).get(label, "")
                pieces.append((labels_of(result), _computed(name, one, other, both, whether=whether)))
    return merged(pieces)


def _computed(name: str, one: Series, other: Series, both: Bools, *, whether: bool) -> Series:
    if name in _ARITHMETIC:
        return Series(_ARITHMETIC[name](one.values, other.values), both)
    flags = _COMPARISON[name](one.values, other.values)
    return Series(flags.astype(np.float64), both) if whether else Series(one.values, both & flags)


def _refuse_twins(
    groups: Mapping[Labels, Sequence[tuple[Labels, Series]]], others: Mapping[Labels, Any]
) -> None:
    """Refuse two series of one signature in the same minute, as Prometheus does."""
    for signature, members in groups.items():
        if signature in others and len(members) > 1:
            number = np.sum([one.present for _, one in members], axis=0)
            if (number > 1).any():
                raise EvaluationError(f"many series match {dict(signature)} on the side of one")


Signature = Callable[[Labels], Labels]


def _there(found: Vector, sign: Signature) -> dict[Labels, Bools]:
    groups = _by_signature(found, sign)
    return {
        key: _any_present([one for _, one in members], len(members[0][1].values))
        for key, members in groups.items()
    }


def _and(left: Vector, right: Vector, sign: Signature) -> Vector:
    there = _there(right, sign)
    return {key: one.only(there[sign(key)]) for key, one in left.items() if sign(key) in there}


def _unless(left: Vector, right: Vector, sign: Signature) -> Vector:
    there = _there(right, sign)
    return {key: one.only(~there[sign(key)]) if sign(key) in there else one for key, one in left.items()}


def _or(left: Vector, right: Vector, sign: Signature) -> Vector:
    rest = _unless(right, left, sign)
    return merged([*left.items(), *rest.items()])


_SETS: Final[Mapping[str, Callable[[Vector, Vector, Signature], Vector]]] = {
    "and": _and,
    "or": _or,
    "unless": _unless,
}
