"""What an alert's evidence is: facts to look at, and the hypotheses of its runbook that they decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from exporter.core.metrics import Metric
from exporter.errors import SpecError
from exporter.evidence.conditions import Condition, Facts


class Unit(StrEnum):
    """How a value is shown."""

    NUMBER = "number"
    SECONDS = "seconds"
    SHARE = "share"
    YES_NO = "yes or no"


class Pick(StrEnum):
    """How several series become one value."""

    LARGEST = "largest"
    SMALLEST = "smallest"
    SUM = "sum"
    COUNT = "count"
    POSITIVE = "count of those above 0"
    SEVERAL = "count of those above 2"


@dataclass(frozen=True, slots=True)
class Fact:
    """Something to look at. ``title`` is shown to a person."""

    name: str
    title: str
    unit: Unit = Unit.NUMBER


@dataclass(frozen=True, slots=True)
class OwnSeries(Fact):
    """The exporter's own series, those with the alert's labels and the given ones.

    ``absent`` is the value where the collector succeeded and no series matches. ``age`` turns
    a Unix time into the seconds since then. ``ignore`` names labels of the alert that do not select.
    """

    metric: Metric = field(kw_only=True)
    pick: Pick = Pick.LARGEST
    labels: Mapping[str, str] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    absent: float | None = None
    age: bool = False


@dataclass(frozen=True, slots=True)
class SourceFails(Fact):
    """Whether a collector of the source fails now, for any or for the one reason.

    Without ``source`` it is the one that the alert's label of that name gives.
    """

    source: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CollectorFails(Fact):
    """Whether the collector that the alert's label names fails now."""


@dataclass(frozen=True, slots=True)
class LabelIs(Fact):
    """Whether a label of the alert matches a pattern as a whole."""

    label: str = field(kw_only=True)
    pattern: str = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class Setting(Fact):
    """A setting of env.php, read as a number; ``absent`` where env.php does not name it.

    With ``equals`` the value is whether the setting is that text.
    """

    path: str = field(kw_only=True)
    absent: float | None = None
    equals: str = ""


@dataclass(frozen=True, slots=True)
class PromQL(Fact):
    """A query for Prometheus with one result. ``%s`` stands for the matchers of the alert's labels.

    ``anywhere`` asks for series of the shop's other exporters too: only the shop selects, and ``labels``.
    """

    query: str = field(kw_only=True)
    labels: tuple[str, ...] = ()
    anywhere: bool = False


class Verdict(StrEnum):
    """What the facts say of a hypothesis, in the order in which they are shown."""

    SUPPORTED = "supported"
    UNKNOWN = "unknown"
    AGAINST = "against"


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A row of the runbook's diagnosis table: its first cell, and what decides it. The page has the fix."""

    title: str
    when: Condition


@dataclass(frozen=True, slots=True)
class Evidence:
    """What to look at for one alert."""

    alert: str
    facts: tuple[Fact, ...]
    hypotheses: tuple[Hypothesis, ...]

    def __post_init__(self) -> None:
        names = [fact.name for fact in self.facts]
        used = frozenset[str]().union(*(hypothesis.when.names for hypothesis in self.hypotheses))
        if len(set(names)) != len(names) or not used <= set(names):
            raise SpecError(f"evidence of {self.alert}: facts {names}, used {sorted(used)}")


@dataclass(frozen=True, slots=True)
class Finding:
    """What was seen of one fact. Without a value, ``why`` says what stood in the way, in words."""

    name: str
    value: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """A hypothesis and what the facts say of it."""

    hypothesis: Hypothesis
    verdict: Verdict


_VERDICTS: Final = {True: Verdict.SUPPORTED, None: Verdict.UNKNOWN, False: Verdict.AGAINST}


def known(findings: Mapping[str, Finding]) -> Facts:
    """Return the facts that have a value."""
    return {name: found.value for name, found in findings.items() if found.value is not None}


def ranked(evidence: Evidence, findings: Mapping[str, Finding]) -> list[Judged]:
    """Return the hypotheses, the supported ones first, otherwise in the order of the runbook."""
    facts = known(findings)
    judged = [Judged(one, _VERDICTS[one.when.holds(facts)]) for one in evidence.hypotheses]
    order = list(Verdict)
    return sorted(judged, key=lambda one: order.index(one.verdict))
