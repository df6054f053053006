"""The text of a tree: the only place that knows how PromQL is written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from exporter.errors import SpecError
from promql.durations import Span
from promql.labels import COMPARISONS, SET_OPERATORS, Matching
from promql.nodes import (
    Aggregation,
    Binary,
    Call,
    Expr,
    Matcher,
    Number,
    Range,
    Seconds,
    Selector,
    Subquery,
    Text,
)

_BINDS: Final = {
    "or": 1,
    "and": 2,
    "unless": 2,
    **dict.fromkeys(COMPARISONS, 3),
    "+": 4,
    "-": 4,
    "*": 5,
    "/": 5,
    "%": 5,
}
_COMPARISON: Final = 3
_NEGATIVE: Final = 6
_ATOM: Final = 100
_EXACT: Final = 1e15
_WIDTH: Final = 110
_INDENT: Final = 2


def render(expr: Expr) -> str:
    """Return the text of an expression, on one line."""
    match expr:
        case Binary(left=left):
            return f"{_flat(left, expr)} {following(expr)}"
        case Aggregation(inner=inner, parameter=parameter):
            first = f"{render(parameter)}, " if parameter else ""
            return f"{_opened(expr)}{first}{render(inner)})"
        case Call(function, arguments):
            return f"{function}({', '.join(render(argument) for argument in arguments)})"
        case Subquery(inner, span, step, offset, ends):
            text = render(inner) if _binds(inner) == _ATOM else f"({render(inner)})"
            return f"{text}[{span}:{step}]{_offset(offset)}{_end(at_end=ends)}"
    return _leaf(expr)


def _leaf(expr: Expr) -> str:
    match expr:
        case Number(value):
            return number(value)
        case Seconds(duration):
            return number(duration.seconds)
        case Text(value):
            return json.dumps(value)
        case Selector(metric, _, _, matchers, offset):
            return f"{metric}{_matchers(matchers)}{_offset(offset)}"
        case Range(Selector(metric, _, _, matchers, offset), span, ends):
            return f"{metric}{_matchers(matchers)}[{span}]{_offset(offset)}{_end(at_end=ends)}"
    raise SpecError(f"{type(expr).__name__}: no expression")


def _flat(side: Expr, within: Binary) -> str:
    return f"({render(side)})" if _bracketed(side, within) else render(side)


def following(expr: Binary) -> str:
    """Return the text of the operator and of what follows it."""
    return f"{_operator(expr)} {_flat(expr.right, expr)}"


def layout(expr: Expr, width: int = _WIDTH) -> str:
    """Return the text of an expression over as many lines as its parts need to fit into ``width``."""
    return "\n".join(_lines(expr, width))


def number(value: float) -> str:
    """Return the shortest exact text of a number."""
    whole = float(value).is_integer() and abs(value) < _EXACT
    return str(int(value)) if whole else repr(float(value))


def _lines(expr: Expr, width: int) -> list[str]:
    text = render(expr)
    if len(text) <= width:
        return [text]
    match expr:
        case Binary():
            return _around(expr, width)
        case Aggregation(inner=inner, parameter=None):
            return _framed(_opened(expr), _lines(inner, width - _INDENT))
        case Call(function, (Binary() | Aggregation() | Call() as first, *others)):
            lines = _lines(first, width - _INDENT)
            rest = ", ".join(render(other) for other in others)
            return _framed(f"{function}(", [*lines[:-1], f"{lines[-1]},", rest] if rest else lines)
    return [text]


def _around(expr: Binary, width: int) -> list[str]:
    """Return both sides, the right one from its operator on."""
    left = _side(expr.left, expr, width)
    right = _side(expr.right, expr, width)
    first = f"{_operator(expr)} {right[0]}"
    if left[-1] == ")" and expr.operator not in SET_OPERATORS:
        return [*left[:-1], f") {first}", *right[1:]]
    return [*left, first, *right[1:]]


def _side(side: Expr, within: Binary, width: int) -> list[str]:
    """Return the lines of a side, in brackets where they are needed or save a reader from counting."""
    lines = _lines(side, width)
    several = len(lines) > 1 and side is within.right and isinstance(side, Binary)
    if not several and not _bracketed(side, within):
        return lines
    text = f"({render(side)})"
    return [text] if len(text) <= width else _framed("(", _lines(side, width - _INDENT))


def _framed(begin: str, lines: Sequence[str]) -> list[str]:
    return [begin, *(f"{' ' * _INDENT}{line}" for line in lines), ")"]


def _binds(expr: Expr) -> int:
    """Return how tightly the outermost operator binds."""
    match expr:
        case Binary(operator=operator):
            return _BINDS[operator]
        case Number(value) if value < 0:
            return _NEGATIVE
    return _ATOM


def _bracketed(side: Expr, within: Binary) -> bool:
    """Tell whether a side gets brackets: unless it certainly binds tighter, and everybody knows that."""
    inner, outer = _binds(side), _binds(within)
    if outer == _BINDS["or"] and inner == _BINDS["and"]:
        return True
    may_follow = side is within.left and outer != _COMPARISON
    return inner < outer or (inner == outer and not may_follow)


def _operator(expr: Binary) -> str:
    words = [expr.operator, *(["bool"] if expr.returns_bool else []), *_matching(expr.matching)]
    return " ".join(words)


def _matching(matching: Matching | None) -> list[str]:
    if matching is None:
        return []
    words = [f"on ({', '.join(matching.on)})"]
    if matching.copied is not None:
        words.append(f"group_left ({', '.join(matching.copied)})")
    return words


def _opened(expr: Aggregation) -> str:
    return f"{expr.operator} by ({', '.join(expr.by)}) (" if expr.by else f"{expr.operator}("


def _matchers(matchers: Sequence[Matcher]) -> str:
    inside = ", ".join(f"{m.label}{m.operator}{json.dumps(m.value)}" for m in matchers)
    return f"{{{inside}}}" if inside else ""


def _offset(offset: Span | None) -> str:
    return f" offset {offset}" if offset else ""


def _end(*, at_end: bool) -> str:
    return " @ end()" if at_end else ""
