"""What an alert is tested with: the few facts from which every kind of test case is generated.

An alert's inputs are series at one of three levels: *bad* (just over the limit),
*good*, and *edge* (exactly at the limit, where it must stay silent).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from promql.selector import Selectable

MINUTE: Final = 60
HOUR: Final = 3600
DAY: Final = 86_400


class Level(ABC):
    """How a series behaves during a phase of a test."""

    @abstractmethod
    def value(self, now: float, before: float | None, step: float, /) -> float | None:
        """Return the sample at ``now`` (``before``: the last sample, ``step`` seconds ago); None is a gap."""


@dataclass(frozen=True, slots=True)
class At(Level):
    """A gauge that stands at a number."""

    number: float

    def value(self, _now: float, _before: float | None, _step: float, /) -> float:
        """Return the number."""
        return self.number


@dataclass(frozen=True, slots=True)
class Ago(Level):
    """A timestamp that is always this many seconds ago."""

    seconds: float

    def value(self, now: float, _before: float | None, _step: float, /) -> float:
        """Return the instant."""
        return now - self.seconds


@dataclass(frozen=True, slots=True)
class Hourly(Level):
    """A counter that grows by so much an hour, or a gauge with that slope."""

    events: float

    def value(self, _now: float, before: float | None, step: float, /) -> float:
        """Return the last sample and what came since."""
        return 0.0 if before is None else before + self.events * step / HOUR


@dataclass(frozen=True, slots=True)
class Line(Level):
    """A gauge on a straight line: a number at the start of the test, and so much more each hour."""

    start: float
    hourly: float

    def value(self, now: float, _before: float | None, _step: float, /) -> float:
        """Return the point on the line."""
        return self.start + self.hourly * now / HOUR


@dataclass(frozen=True, slots=True)
class Late(Level):
    """A series that begins so many seconds after the test does."""

    start: float
    then: Level

    def value(self, now: float, before: float | None, step: float, /) -> float | None:
        """Return no sample until it begins."""
        return None if now < self.start else self.then.value(now, before, step)


@dataclass(frozen=True, slots=True)
class Until(Level):
    """Behaves one way for so many seconds from the start of the test, then another."""

    end: float
    first: Level
    then: Level

    def value(self, now: float, before: float | None, step: float, /) -> float | None:
        """Return the sample of whichever holds at the time."""
        return (self.first if now < self.end else self.then).value(now, before, step)


@dataclass(frozen=True, slots=True)
class Gone(Level):
    """A series that is not there."""

    def value(self, _now: float, _before: float | None, _step: float, /) -> None:
        """Return no sample."""


@dataclass(frozen=True, slots=True)
class Input:
    """One series that the alert looks at. ``edge`` is left out where the limit does not concern it."""

    series: Selectable
    bad: Level
    good: Level
    edge: Level | None = None
    suffix: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    needed: bool = True
    """Whether the alert must be silent when this series is missing."""
    shared: bool = False
    """Whether all places share it: it carries the labels of the target only."""

    def level(self, state: str) -> Level:
        """Return the level of the state ``bad``, ``good``, ``edge`` or ``gone``."""
        if state == "gone":
            return Gone()
        if state == "edge":
            return self.edge or self.bad
        return self.bad if state == "bad" else self.good


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """The facts of one alert's tests.

    ``says`` is the description as a person reads it when the inputs are bad. ``entity`` are the labels
    that tell one place from another, beside job and instance. After ``before`` seconds of good, the
    condition becomes true ``after`` seconds into the bad phase, and false ``clear`` seconds into the
    next good one; ``settle`` seconds later every window is full (as many as ``after`` if not said).
    Before it recovers it fires for ``stays`` seconds more. ``step`` is the distance of samples and
    evaluations. ``silent`` are further situations, by a name in words, in which it must not fire once the
    good ``before`` is over: what the inputs (by their index) do instead, from the start. ``fires`` are
    further ones in which it must fire when every window is full. ``mixes`` is false where one bad input
    alone is enough to fire; ``target`` are the labels of the scrape that the alert keeps; ``alone`` says
    that it looks at all places together.
    """

    inputs: tuple[Input, ...]
    says: str
    entity: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    before: int = 10 * MINUTE
    after: int = 0
    clear: int = 0
    settle: int | None = None
    stays: int = 0
    step: int = MINUTE
    silent: Mapping[str, Mapping[int, Level]] = field(default_factory=dict)
    fires: Mapping[str, Mapping[int, Level]] = field(default_factory=dict)
    mixes: bool = True
    target: tuple[str, ...] = ("job", "instance")
    alone: bool = False
