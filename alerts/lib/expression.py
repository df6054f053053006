"""The PromQL of an alert: comparison, a threshold of the place's own, guard, and silence in maintenance."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from alerts.lib.model import Alert, Unit
from exporter.collectors.deployment import MAINTENANCE
from exporter.core.metrics import Kind
from promql.selector import Foreign, select

THRESHOLD: Final = Foreign(
    "magento_alert_threshold", Kind.GAUGE, "the user's rule file of thresholds", ("alert",)
)

_SECONDS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_PART: Final = re.compile(r"(\d+)(ms|[smhdw])")
_SPAN: Final = r"(?:\d+(?:ms|[smhdw]))+"
_TOKEN: Final = re.compile(
    rf"""(?P<text>"(?:\\.|[^"\\])*")
      | (?P<range>\[[^\]]*\])
      | (?P<offset>\boffset\s+-?)(?P<by>{_SPAN})
      | (?<![\w.:])(?P<number>{_SPAN})\b
    """,
    re.VERBOSE,
)
_LOOSE: Final = re.compile(r"\b(and|or|unless)\b|[<>=]")

SHORTEST_RANGE: Final = 5
"""Seconds that a range keeps under any clock: at least four scrapes at one a second."""


@dataclass(frozen=True, slots=True)
class Clock:
    """How fast time runs: on a game day 60 seconds of a rule pass in one."""

    scale: float = 1.0

    def duration(self, seconds: float, *, least: float = 0.0) -> str:
        """Return a Prometheus duration."""
        scaled = seconds if self.scale == 1.0 else max(least, math.ceil(seconds / self.scale))
        return duration(scaled)

    def seconds(self, seconds: float) -> float:
        """Return a threshold in seconds as this clock counts it."""
        return seconds / self.scale

    def render(self, expression: str) -> str:
        """Return PromQL with ranges and offsets under this clock and bare durations as numbers."""
        return _TOKEN.sub(self._token, expression)

    def _token(self, found: re.Match[str]) -> str:
        if found["text"]:
            return found["text"]
        if found["range"]:
            least = SHORTEST_RANGE
            return re.sub(_SPAN, lambda part: self.duration(parse(part[0]), least=least), found["range"])
        if found["by"]:
            return found["offset"] + self.duration(parse(found["by"]), least=SHORTEST_RANGE)
        return number(self.seconds(parse(found["number"])))


REAL: Final = Clock()


def expression(alert: Alert, clock: Clock = REAL) -> str:
    """Return the whole expression of the alert, over several lines where it has several parts."""
    lines = list(_comparison(alert, clock))
    if alert.guard:
        lines += alert.guard.splitlines()
    if alert.maintenance:
        lines.append(f"unless on (job, instance) ({select(MAINTENANCE)} == 1)")
    return clock.render("\n".join(lines))


def _comparison(alert: Alert, clock: Clock) -> Iterator[str]:
    value = bracketed(alert.value)
    limit = clock.seconds(alert.threshold) if alert.unit is Unit.SECONDS else alert.threshold
    if alert.scope is None:
        yield f"{value} {alert.op} {number(limit)}"
        return
    labels = "job, " + alert.scope if alert.scope else "job"
    own = select(THRESHOLD, alert=alert.name)
    yield "("
    yield f"  {value} {alert.op} on ({labels}) group_left () max by ({labels}) ({own})"
    yield "or"
    yield f"  ({value} {alert.op} {number(limit)} unless on ({labels}) {own})"
    yield ")"


def bracketed(value: str) -> str:
    """Return ``value``, in brackets if an operator looser than arithmetic stands outside brackets."""
    depth, outside, quoted = 0, [], False
    for character in value:
        quoted ^= character == '"'
        if not quoted and character in "([{":
            depth += 1
        if not depth:
            outside.append(character)
        if not quoted and character in ")]}":
            depth -= 1
    return f"({value})" if _LOOSE.search("".join(outside)) else value


def duration(seconds: float) -> str:
    """Return a duration in the largest unit that divides it."""
    if seconds == 0:
        return "0s"
    whole = round(seconds)
    for unit in ("w", "d", "h", "m", "s"):
        if whole == seconds and whole % int(_SECONDS[unit]) == 0:
            return f"{whole // int(_SECONDS[unit])}{unit}"
    return f"{round(seconds * 1000)}ms"


def parse(text: str) -> float:
    """Return the seconds of a Prometheus duration."""
    return sum(int(count) * _SECONDS[unit] for count, unit in _PART.findall(text))


def number(value: float) -> str:
    """Return the shortest exact text of a number."""
    return str(int(value)) if value == int(value) else repr(value)
