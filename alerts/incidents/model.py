"""What an incident is, and what counts as caught."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf
from typing import Any, Final

from alerts.lib.cases import MINUTE
from alerts.lib.model import Alert, Severity, Unit
from exporter.errors import SpecError


class Verdict(StrEnum):
    """Whether the pack notices it."""

    CAUGHT = "caught"
    PARTLY = "partly"
    NOT_SEEN = "not seen"


class Harm(StrEnum):
    """What it costs, which decides who must know by when."""

    STOPS = "nobody can buy"
    COSTS = "it costs sales by the hour"
    WAITS = "it costs sales or trust if it stays"


RANK: Final = (Severity.INFO, Severity.WARNING, Severity.URGENT, Severity.CRITICAL)
NEEDS: Final[Mapping[Harm, tuple[Severity, float]]] = {
    Harm.STOPS: (Severity.CRITICAL, 20),
    Harm.COSTS: (Severity.URGENT, 90),
    Harm.WAITS: (Severity.WARNING, 24 * 60),
}
"""The least severity of an alert that catches the incident, and the minutes that it may take."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The cases of the alert, which promtool plays through the generated rules."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that the game day plays in the sandbox."""

    name: str


@dataclass(frozen=True, slots=True)
class Simulated:
    """A scenario that the simulator plays through the rules, in a shop of a known size."""

    scenario: str


@dataclass(frozen=True, slots=True)
class OwnTest:
    """A test of its own, by file and function; the minutes are the rule's."""

    file: str
    function: str


Proof = Rule | Fault | Simulated | OwnTest
RULE: Final = Rule()


@dataclass(frozen=True, slots=True)
class By:
    """An alert that notices the incident, and what proves it."""

    alert: str
    proof: Proof = RULE


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident."""

    number: int
    what: str
    harm: Harm
    verdict: Verdict
    by: tuple[By, ...] = ()
    because: str = ""
    """Why it is not caught, or what to know about one that is."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was measured: the results of the game day, and the minutes of each alert by scenario."""

    gameday: Mapping[str, Any]
    simulated: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Minutes:
    """The minutes from the fault to firing, and whether they were measured."""

    number: float
    measured: bool

    def __str__(self) -> str:
        return "never" if self.number == inf else f"{self.number:.0f}"


def minutes(by: By, alert: Alert, evidence: Evidence) -> Minutes:
    """Return the minutes that were measured; without them, those of the rule."""
    if isinstance(by.proof, Simulated):
        return Minutes(evidence.simulated[by.proof.scenario].get(by.alert, inf), measured=True)
    if isinstance(by.proof, Fault):
        played = evidence.gameday["faults"].get(by.proof.name, {})
        fired = [at for place, at in played.get("firing_s", {}).items() if _name(place) == by.alert]
        if fired:
            return Minutes(max(fired) * played["scale"] / MINUTE, measured=True)
        if by.alert in map(_name, played.get("expected", ())):
            raise SpecError(f"{by.alert} did not fire when the game day played {by.proof.name}")
    return Minutes(_of_the_rule(alert) / MINUTE, measured=False)


def _name(place: str) -> str:
    return place.partition("{")[0]


def _of_the_rule(alert: Alert) -> float:
    """Return the seconds in which the rule fires: its windows or the age that it waits for, and its ``for``.

    The cases of an alert about an age begin with an age beyond the limit, so the limit is added.
    """
    cases = alert.cases
    about_age = alert.unit is Unit.SECONDS and alert.op == ">" and not cases.reaches_limit_after
    return cases.reaches_limit_after + alert.for_ + (alert.threshold if about_age else 0)


def catches(harm: Harm, alert: Alert, after: Minutes) -> bool:
    """Tell whether the alert reaches the right people in time.

    The watchdog has no severity: its receiver is a dead-man's switch, which calls.
    """
    least, most = NEEDS[harm]
    worst = alert.severities[-1]
    enough = worst is Severity.NONE or RANK.index(worst) >= RANK.index(least)
    return enough and after.number <= most
