"""The common style: colours, threshold steps and words for values. Colour never stands alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from alerts.thresholds import Threshold

Json = dict[str, Any]


class Colour(StrEnum):
    """Grafana's colour names, by what they mean here."""

    GOOD = "green"
    CALM = "dark-green"
    WARNING = "orange"
    CRITICAL = "red"
    NEUTRAL = "blue"
    QUIET = "text"
    MUTED = "#8e8e99"
    NONE = "transparent"
    SECOND = "light-blue"
    THIRD = "yellow"
    ACCENT = "purple"
    ORDERED = "super-light-blue"


@dataclass(frozen=True, slots=True)
class Clock:
    """A unit of time for an axis. An axis in seconds has its marks at 1.67 and 8.33 minutes."""

    unit: str
    seconds: float


MINUTES: Final = Clock("m", 60)
HOURS: Final = Clock("h", 3600)

PALETTE: Final = "palette-classic"
"""For series whose names nobody knows before. Grafana has no palette without green and red, and two shades of
one colour cannot be told apart."""
PALETTE_BY_NAME: Final = "palette-classic-by-name"
"""A series keeps its colour on every panel and dashboard, because the colour follows its name."""


IDENTITY: Final = (
    Colour.NEUTRAL,
    Colour.THIRD,
    Colour.ACCENT,
    Colour.SECOND,
    Colour.ORDERED,
    Colour.MUTED,
)
"""Colours that tell series apart. Green, orange and red are states and are not among them."""


def told_apart(*names: str) -> tuple[Json, ...]:
    """Return the overrides that give each of these series a colour of its own that is no state."""
    return tuple(
        override(name, color=fixed(IDENTITY[index % len(IDENTITY)])) for index, name in enumerate(names)
    )


def steps(threshold: Threshold | None, *, base: Colour) -> list[Json]:
    """Return Grafana's threshold steps: ``base`` while all is well, then orange, then red."""
    if threshold is None:
        return [{"color": str(base), "value": None}]
    colours = ((threshold.warning, Colour.WARNING), (threshold.critical, Colour.CRITICAL))
    given = [(limit, colour) for limit, colour in colours if limit is not None]
    if not threshold.low:
        return [_step(base, None), *(_step(colour, limit) for limit, colour in given)]
    worst_first = given[::-1]
    colours_up = [*(colour for _, colour in worst_first), base]
    limits_up = [None, *(limit for limit, _ in worst_first)]
    return [_step(colour, limit) for colour, limit in zip(colours_up, limits_up, strict=True)]


def scaled(threshold: Threshold, divisor: float) -> Threshold:
    """Return the same limits for a value that is divided by ``divisor``."""
    warning, critical = (
        None if limit is None else limit / divisor for limit in (threshold.warning, threshold.critical)
    )
    return replace(threshold, warning=warning, critical=critical)


def _step(colour: Colour, value: float | None) -> Json:
    return {"color": str(colour), "value": value}


def words(values: Mapping[float, tuple[str, Colour]]) -> list[Json]:
    """Return a value mapping: the number is shown as a word in a colour."""
    options = {
        f"{value:g}": {"color": str(colour), "index": index, "text": text}
        for index, (value, (text, colour)) in enumerate(values.items())
    }
    return [{"type": "value", "options": options}]


def verdict(threshold: Threshold, texts: Mapping[Colour, str]) -> list[Json]:
    """Return a value mapping that says in words on which side of its limits a value is, by their colours."""
    marks = steps(threshold, base=Colour.GOOD)
    ends = [*(mark["value"] for mark in marks[1:]), None]
    ranges = [
        _range(mark["value"], end, texts[Colour(mark["color"])], Colour(mark["color"]))
        for mark, end in zip(marks, ends, strict=True)
    ]
    # Both ends belong to a range and the first that fits is taken: a limit counts as passed.
    return ranges[::-1]


def at_most(value: float, text: str, colour: Colour) -> Json:
    """Return the mapping that shows ``text`` for every number up to ``value``."""
    return _range(None, value, text, colour)


def _range(start: float | None, end: float | None, text: str, colour: Colour) -> Json:
    result = {"text": text, "color": str(colour)}
    return {"type": "range", "options": {"from": start, "to": end, "result": result}}


def nothing(text: str, colour: Colour = Colour.MUTED) -> Json:
    """Return the mapping that shows ``text`` for no value and for 0/0."""
    result = {"text": text, "color": str(colour)}
    return {"type": "special", "options": {"match": "null+nan", "result": result}}


def override(name: str, **properties: Any) -> Json:
    """Return a field override for the series or column called ``name``; ``__`` in a key stands for a dot."""
    return _override("byName", name, properties)


def override_like(pattern: str, **properties: Any) -> Json:
    """Return a field override for the series or columns whose name matches the regular expression."""
    return _override("byRegexp", pattern, properties)


def _override(matcher: str, option: str, properties: Mapping[str, Any]) -> Json:
    return {
        "matcher": {"id": matcher, "options": option},
        "properties": [{"id": key.replace("__", "."), "value": value} for key, value in properties.items()],
    }


def fixed(colour: Colour) -> Json:
    """Return the value of the property ``color`` for one fixed colour."""
    return {"mode": "fixed", "fixedColor": str(colour)}


def line(colour: Colour, *, dashed: bool = False, fill: int | None = None) -> Mapping[str, Any]:
    """Return the properties of a series drawn in one colour, for :func:`override`."""
    properties: dict[str, Any] = {"color": fixed(colour)}
    if dashed:
        properties["custom__lineStyle"] = {"fill": "dash", "dash": [8, 6]}
        properties["custom__fillOpacity"] = 0
    if fill is not None:
        properties["custom__fillOpacity"] = fill
    return properties


def word_list(values: Mapping[str, Colour]) -> list[Json]:
    """Return a value mapping that gives words a colour."""
    options = {
        text: {"color": str(colour), "index": index, "text": text}
        for index, (text, colour) in enumerate(values.items())
    }
    return [{"type": "value", "options": options}]
