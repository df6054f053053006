"""The facts of one alert from which all its promtool tests are generated.

An input is a series at one of three levels: *bad* (just past the threshold), *good*, or *edge* (exactly at
the threshold). At the edge the alert must stay silent.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from exporter.errors import SpecError
from promql.metrics import SHOP, Selectable

MINUTE: Final = 60
HOUR: Final = 3600
DAY: Final = 86_400


class Level(ABC):
    """How a series behaves during a phase of a test."""

    @abstractmethod
    def value(self, now: float, last: float | None, step: float, /) -> float | None:
        """Return the sample at ``now``; ``last`` is the one ``step`` seconds before. None is a gap."""


@dataclass(frozen=True, slots=True)
class At(Level):
    """A gauge with a constant value."""

    number: float

    def value(self, _now: float, _last: float | None, _step: float, /) -> float:
        """Return the number."""
        return self.number


@dataclass(frozen=True, slots=True)
class Ago(Level):
    """A timestamp that is always this many seconds ago."""

    seconds: float

    def value(self, now: float, _last: float | None, _step: float, /) -> float:
        """Return the instant."""
        return now - self.seconds


@dataclass(frozen=True, slots=True)
class Hourly(Level):
    """A counter that grows by ``events`` per hour, or a gauge with that slope."""

    events: float

    def value(self, _now: float, last: float | None, step: float, /) -> float:
        """Return the last sample plus the growth since then."""
        return 0.0 if last is None else last + self.events * step / HOUR


@dataclass(frozen=True, slots=True)
class Line(Level):
    """A gauge that starts at a number and changes by a constant amount per hour."""

    start: float
    hourly: float

    def value(self, now: float, _last: float | None, _step: float, /) -> float:
        """Return the point on the line."""
        return self.start + self.hourly * now / HOUR


@dataclass(frozen=True, slots=True)
class Late(Level):
    """A series that begins ``start`` seconds after the test does."""

    start: float
    then: Level

    def value(self, now: float, last: float | None, step: float, /) -> float | None:
        """Return no sample until it begins."""
        return None if now < self.start else self.then.value(now, last, step)


@dataclass(frozen=True, slots=True)
class Until(Level):
    """One level for the first ``end`` seconds of the test, then another."""

    end: float
    first: Level
    then: Level

    def value(self, now: float, last: float | None, step: float, /) -> float | None:
        """Return the sample of the level that holds at the time."""
        return (self.first if now < self.end else self.then).value(now, last, step)


@dataclass(frozen=True, slots=True)
class Gone(Level):
    """A series that is not there.

    It is seen for five minutes more, unless it goes ``at_once``, as when a scrape does not have it.
    """

    at_once: bool = False

    def value(self, _now: float, _last: float | None, _step: float, /) -> None:
        """Return no sample."""


@dataclass(frozen=True, slots=True)
class Input:
    """One series that the alert reads. It has an ``edge`` only if the threshold concerns it."""

    series: Selectable
    bad: Level
    good: Level
    edge: Level | None = None
    suffix: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    needed: bool = True
    """Whether the alert must be silent when this series is missing."""
    shared: bool = False
    """Whether it carries only the labels of the target, so that all places share it."""

    def level(self, state: str) -> Level:
        """Return the level of the state ``bad``, ``good``, ``edge`` or ``gone``."""
        if state == "gone":
            return Gone()
        if state == "edge":
            return self.edge or self.bad
        return self.bad if state == "bad" else self.good


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """The inputs of one alert, what they do, and when.

    A test has a good phase of ``warm_up`` seconds, then a bad one. Times are in seconds.
    """

    inputs: Mapping[str, Input]
    """The series by a name that ``silent`` and ``fires`` use."""
    expected_description: str
    """The description as a person reads it while the inputs are bad."""
    entity: Mapping[str, str] = field(default_factory=dict)
    """The labels of the place that the alert names, beside those of the target."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Further labels that the alert carries because its series do."""
    target_labels: tuple[str, ...] = SHOP
    """The labels of the scrape target that the alert keeps."""
    covers_all_places: bool = False
    """Whether one alert is about all places together."""
    needs_all_inputs: bool = True
    """Whether it fires only if all inputs are bad in the same place."""
    step: int = MINUTE
    """The distance between samples, and between evaluations; the times below are multiples of it."""

    warm_up: int = 10 * MINUTE
    """The length of the good phase at the start."""
    reaches_limit_after: int = 0
    """How long after the bad phase began the expression becomes true."""
    windows_full_after: int | None = None
    """How long after firing every range holds bad samples only; as ``reaches_limit_after`` if not given."""
    bad_after_firing: int = 0
    """How long the inputs stay bad once it fires, in the test of recovery."""
    clears_after: int = 0
    """How long after the inputs are good again the expression becomes false."""

    silent: Mapping[str, Mapping[str, Level]] = field(default_factory=dict)
    """Further situations, in words, in which it must not fire after the warm-up.

    The inputs named behave like this from the start; the others turn bad as usual.
    """
    fires: Mapping[str, Mapping[str, Level]] = field(default_factory=dict)
    """Further situations, in words, in which it must fire once every range is full."""

    def __post_init__(self) -> None:
        for situation, levels in {**self.silent, **self.fires}.items():
            unknown = sorted(set(levels) - set(self.inputs))
            if unknown:
                raise SpecError(f"cases {situation!r}: no input is named {', '.join(unknown)}")
        for name in (
            "warm_up",
            "reaches_limit_after",
            "windows_full_after",
            "bad_after_firing",
            "clears_after",
        ):
            if (getattr(self, name) or 0) % self.step:
                raise SpecError(f"cases: {name} is no multiple of step ({self.step} seconds)")
