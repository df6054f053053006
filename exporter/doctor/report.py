"""Findings of the doctor as a table for people, or as JSON for a pipeline."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Final

from exporter.doctor.examination import Finding, Status

_COLOURS: Final = {
    Status.OK: "32",
    Status.OFF: "2",
    Status.NOTE: "36",
    Status.WARNING: "1;33",
    Status.ERROR: "1;31",
}
_WIDTH: Final = 9


def as_table(findings: Sequence[Finding], *, coloured: bool = False) -> str:
    """Return the findings by section, the fix below each that has one, and a summary."""
    width = max((len(finding.check) for finding in findings), default=0)
    lines: list[str] = []
    for section, members in groupby(findings, key=lambda finding: finding.section):
        lines.append(_painted(section, "1") if coloured else section)
        for finding in members:
            lines += _lines(finding, width, coloured=coloured)
        lines.append("")
    return "\n".join((*lines, _summary(findings)))


def as_json(findings: Sequence[Finding]) -> str:
    """Return ``{"worst": ..., "findings": [...]}``."""
    order = list(Status)
    worst = max((finding.status for finding in findings), key=order.index, default=Status.OK)
    return json.dumps({"worst": worst, "findings": [asdict(finding) for finding in findings]}, indent=2)


def _lines(finding: Finding, width: int, *, coloured: bool) -> Iterator[str]:
    loud = finding.status in (Status.WARNING, Status.ERROR)
    word = f"{finding.status.upper() if loud else finding.status:<{_WIDTH}}"
    if coloured:
        word = _painted(word, _COLOURS[finding.status])
    yield f"  {word}{finding.check:<{width}}  {finding.seen}"
    if finding.fix:
        yield f"  {'':<{_WIDTH}}{'':<{width}}  -> {finding.fix}"


def _painted(text: str, colour: str) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m"


def _summary(findings: Sequence[Finding]) -> str:
    counts = Counter(finding.status for finding in findings)
    verdict = "All is well"
    if counts[Status.ERROR]:
        verdict = "Something does not work: see what is marked ERROR"
    elif counts[Status.WARNING]:
        verdict = "It works; look at what is marked WARNING"
    return f"{verdict} ({', '.join(f'{counts[status]} {status}' for status in Status if counts[status])})."
