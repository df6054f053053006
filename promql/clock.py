"""How fast time runs for an expression."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from promql.durations import Duration, Span
from promql.nodes import Expr, Range, Seconds, Selector, Subquery

SHORTEST_RANGE: Final = 5
"""Seconds that a range keeps under any clock: at least four scrapes at one a second."""


@dataclass(frozen=True, slots=True)
class Clock:
    """How fast time runs: on a game day 60 seconds of a rule pass in one."""

    scale: float = 1.0

    def duration(self, seconds: float, *, least: float = 0.0) -> Duration:
        """Return a length of time as this clock counts it, in whole seconds and not less than ``least``."""
        if self.scale == 1.0:
            return Duration(seconds)
        return Duration(max(least, math.ceil(seconds / self.scale)))

    def scaled(self, expr: Expr) -> Expr:
        """Return the expression with its ranges, offsets and bare durations under this clock."""
        return expr if self.scale == 1.0 else expr.map(self._scaled)

    def _scaled(self, node: Expr) -> Expr:
        match node:
            case Selector(offset=Duration() as offset):
                return replace(node, offset=self._span(offset))
            case Range():
                return replace(node, span=self._span(node.span))
            case Subquery():
                moved = node.offset and self._span(node.offset)
                return replace(node, span=self._span(node.span), step=self._span(node.step), offset=moved)
            case Seconds():
                return Seconds(Duration(node.duration.seconds / self.scale))
        return node

    def _span(self, span: Span) -> Span:
        return self.duration(span.seconds, least=SHORTEST_RANGE) if isinstance(span, Duration) else span


REAL: Final = Clock()
