"""Conditions on facts, with three answers: holds, does not hold, not known.

A fact that could not be looked at decides nothing. So a hypothesis is only called
supported or against where the facts that it needs are there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

Facts = Mapping[str, float]
"""Names of facts to their values; one that is not known is absent."""


class Condition(Protocol):
    """Something that the facts can say about a hypothesis."""

    @property
    def names(self) -> frozenset[str]:
        """The facts that it looks at."""

    def holds(self, facts: Facts) -> bool | None:
        """Return whether it holds, ``None`` if the facts cannot say."""


@dataclass(frozen=True, slots=True)
class Above:
    """The fact is greater than the limit."""

    name: str
    limit: float = 0.0

    @property
    def names(self) -> frozenset[str]:
        """The facts that it looks at."""
        return frozenset({self.name})

    def holds(self, facts: Facts) -> bool | None:
        """Return whether it holds, ``None`` if the fact is not known."""
        return facts[self.name] > self.limit if self.name in facts else None


@dataclass(frozen=True, slots=True)
class Not:
    """The other condition does not hold."""

    condition: Condition

    @property
    def names(self) -> frozenset[str]:
        """The facts that it looks at."""
        return self.condition.names

    def holds(self, facts: Facts) -> bool | None:
        """Return whether it holds, ``None`` if the facts cannot say."""
        found = self.condition.holds(facts)
        return None if found is None else not found


@dataclass(frozen=True, slots=True)
class Every:
    """All conditions hold. One that does not hold decides, whatever is not known of the others."""

    conditions: tuple[Condition, ...]

    @property
    def names(self) -> frozenset[str]:
        """The facts that it looks at."""
        return frozenset().union(*(condition.names for condition in self.conditions))

    def holds(self, facts: Facts) -> bool | None:
        """Return whether it holds, ``None`` if the facts cannot say."""
        found = [condition.holds(facts) for condition in self.conditions]
        if False in found:
            return False
        return None if None in found else True


@dataclass(frozen=True, slots=True)
class Some:
    """At least one condition holds. One that holds decides, whatever is not known of the others."""

    conditions: tuple[Condition, ...]

    @property
    def names(self) -> frozenset[str]:
        """The facts that it looks at."""
        return frozenset().union(*(condition.names for condition in self.conditions))

    def holds(self, facts: Facts) -> bool | None:
        """Return whether one holds, ``None`` if the facts cannot say."""
        found = [condition.holds(facts) for condition in self.conditions]
        if True in found:
            return True
        return None if None in found else False


@dataclass(frozen=True, slots=True)
class Given:
    """The condition, where another one holds; elsewhere the facts cannot say."""

    gate: Condition
    condition: Condition

    @property
    def names(self) -> frozenset[str]:
        """The facts that it looks at."""
        return self.gate.names | self.condition.names

    def holds(self, facts: Facts) -> bool | None:
        """Return whether it holds, ``None`` if the gate does not."""
        return self.condition.holds(facts) if self.gate.holds(facts) else None


def above(name: str, limit: float = 0.0) -> Condition:
    """Return that the fact is greater than the limit."""
    return Above(name, limit)


def at_most(name: str, limit: float = 0.0) -> Condition:
    """Return that the fact is not greater than the limit."""
    return Not(Above(name, limit))


def both(*conditions: Condition) -> Condition:
    """Return that all of the conditions hold."""
    return Every(conditions)


def either(*conditions: Condition) -> Condition:
    """Return that at least one of the conditions holds."""
    return Some(conditions)


def given(gate: Condition, condition: Condition) -> Condition:
    """Return that the condition holds; nothing is known where the gate does not hold."""
    return Given(gate, condition)
