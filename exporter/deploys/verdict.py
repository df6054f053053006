"""What a gate finds: go, hold, or that it cannot know; and how the findings come together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum


class Verdict(IntEnum):
    """The exit code of the gate."""

    GO = 0
    HOLD = 1
    UNKNOWN = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``verdict`` ``None`` is a remark that decides nothing."""

    verdict: Verdict | None
    text: str


def worst(findings: Sequence[Finding]) -> Verdict:
    """Return hold if anything says so, else that it cannot be known if anything does not, else go."""
    said = {finding.verdict for finding in findings}
    return next((verdict for verdict in (Verdict.HOLD, Verdict.UNKNOWN) if verdict in said), Verdict.GO)


def report(findings: Sequence[Finding]) -> str:
    """Return a line for each finding, and the verdict."""
    words = {Verdict.GO: "go", Verdict.HOLD: "HOLD", Verdict.UNKNOWN: "unknown", None: ""}
    lines = [f"{words[finding.verdict]:8} {finding.text}" for finding in findings]
    conclusion = {
        Verdict.GO: "go",
        Verdict.HOLD: "hold",
        Verdict.UNKNOWN: "cannot know",
    }[worst(findings)]
    return "\n".join((*lines, f"verdict: {conclusion}"))
