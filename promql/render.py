"""The text of a tree: the only place that knows how PromQL is written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from exporter.errors import SpecError
from promql.durations import Span
from promql.labels import COMPARISONS, Matching
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
}
_COMPARISON: Final = 3
_NEGATIVE: Final = 6
_ATOM: Final = 100
_EXACT: Final = 1e15
_WIDTH: Final = 110


def render(expr: Expr) -> str:
    """Return the text of an expression, on one line."""
    match expr:
        case Binary(left=left, right=right):
            return f"{_flat(left, expr)} {_operator(expr)} {_flat(right, expr)}"
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
            return f"{number(duration.seconds)}s"
        case Text(value):
            return json.dumps(value)
        case Selector(metric, _, _, matchers, offset):
            return f"{metric}{_matchers(matchers)}{_offset(offset)}"
        case Range(Selector(metric, _, _, matchers, offset), span, ends):
            return f"{metric}{_matchers(matchers)}[{span}]{_offset(offset)}{_end(at_end=ends)}"
    raise SpecError(f"{type(expr).__name__}: no expression")


def _flat(side: Expr, within: Binary) -> str:
    return f"({render(side)})" if _bracketed(side, within) else render(side)


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
        case Binary(left=left, right=right):
            return _around(_side(left, expr, width), _operator(expr), _side(right, expr, width))
        case Aggregation(inner=inner, parameter=None):
            return [_opened(expr), *_indented([_lines(inner, width - 2)]), ")"]
        case Call(function, arguments):
            return [f"{function}(", *_indented([_lines(a, width - 2) for a in arguments]), ")"]
    return [text]


def _around(left: list[str], operator: str, right: list[str]) -> list[str]:
    """Return both sides, the right one from its operator on; a bracket's end shares its line with it."""
    first = f"{operator} {right[0]}"
    if left[-1] == ")":
        return [*left[:-1], f") {first}", *right[1:]]
    return [*left, first, *right[1:]]


def _side(side: Expr, within: Binary, width: int) -> list[str]:
    if not _bracketed(side, within):
        return _lines(side, width)
    text = f"({render(side)})"
    return [text] if len(text) <= width else ["(", *_indented([_lines(side, width - 2)]), ")"]


def _indented(arguments: Sequence[list[str]]) -> list[str]:
    """Return the lines of a function's arguments, with the commas between them."""
    last = arguments[-1]
    parts = [[*lines[:-1], lines[-1] if lines is last else f"{lines[-1]},"] for lines in arguments]
    return [f"  {line}" for lines in parts for line in lines]


def _binds(expr: Expr) -> int:
    """Return how tightly the outermost operator binds."""
    match expr:
        case Binary(operator=operator):
            return _BINDS[operator]
        case Number(value) if value < 0:
            return _NEGATIVE
    return _ATOM


def _bracketed(side: Expr, within: Binary) -> bool:
    """Tell whether a side needs brackets: unless it certainly binds tighter."""
    inner, outer = _binds(side), _binds(within)
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
