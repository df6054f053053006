"""Lengths of time as values: how long a range is, how far an offset goes back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from exporter.errors import SpecError

_UNITS: Final = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
_MILLISECOND: Final = 1000


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time. Its text is in the largest unit that divides it: ``90s``, ``2m``."""

    seconds: float

    def __str__(self) -> str:
        whole, milliseconds = divmod(round(self.seconds * _MILLISECOND), _MILLISECOND)
        if milliseconds:
            return f"{_in_parts(whole)}{milliseconds}ms"
        unit = next(unit for unit, size in _UNITS.items() if whole % size == 0) if whole else "s"
        return f"{whole // _UNITS[unit]}{unit}"


def _in_parts(whole: int) -> str:
    parts = []
    for unit in ("h", "m", "s"):
        count, whole = divmod(whole, _UNITS[unit])
        parts.append(f"{count}{unit}" if count else "")
    return "".join(parts)


class Macro(StrEnum):
    """A length of time that Grafana fills in."""

    RATE_INTERVAL = "$__rate_interval"
    RANGE = "$__range"
    INTERVAL = "$__interval"


Span = Duration | Macro


def span(given: str | Span) -> Span:
    """Return a span that was written as a number and its unit (``5m``), or as Grafana's macro."""
    if isinstance(given, Duration | Macro):
        return given
    if given in list(Macro):
        return Macro(given)
    number, unit = given[:-1], given[-1:]
    if unit not in _UNITS or not (number.isascii() and number.isdecimal()):
        raise SpecError(f"{given!r} is no duration")
    return Duration(int(number) * _UNITS[unit])
