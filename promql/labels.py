"""Which labels the result of two expressions has, and what cannot be joined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from exporter.errors import SpecError

Labels = frozenset[str] | None
"""The labels that a result may carry; ``None`` for a scalar."""

SET_OPERATORS: Final = frozenset({"and", "or", "unless"})
COMPARISONS: Final = frozenset({">", "<", ">=", "<=", "==", "!="})
ARITHMETIC: Final = frozenset({"+", "-", "*", "/", "%"})


@dataclass(frozen=True, slots=True)
class Matching:
    """How the series of two sides find each other: the labels that agree, those copied from the right side.

    ``copied`` is ``None`` for one to one, and may be empty for many on the left to one on the right.
    """

    on: tuple[str, ...]
    copied: tuple[str, ...] | None = None


def check(operator: str, left: Labels, right: Labels, matching: Matching | None) -> None:
    """Raise :exc:`SpecError` if a label of the join is not there, or if none is named where one must be."""
    if operator not in SET_OPERATORS | COMPARISONS | ARITHMETIC:
        raise SpecError(f"{operator!r} is no operator")
    if matching is None:
        if left is not None and right is not None and operator not in SET_OPERATORS and left != right:
            raise SpecError(
                f"{operator}: different labels, {_said(left)} and {_said(right)}: say on which to join"
            )
        return
    for label in matching.on:
        for side in (left, right):
            if label not in (side or ()):
                raise SpecError(f"{operator} on ({label}): there is no such label, only {_said(side)}")
    for label in matching.copied or ():
        if label not in (right or ()):
            raise SpecError(f"group_left ({label}): there is no such label, only {_said(right)}")


def joined(operator: str, left: Labels, right: Labels, matching: Matching | None) -> Labels:
    """Return the labels of the result."""
    if left is None or right is None:
        return right if left is None else left
    if operator == "or":
        return left | right
    if matching is None or operator in SET_OPERATORS:
        return left
    if matching.copied is not None:
        return left | set(matching.copied)
    return left if operator in COMPARISONS else frozenset(matching.on)


def _said(labels: Labels) -> str:
    return ", ".join(sorted(labels)) if labels else "none"
