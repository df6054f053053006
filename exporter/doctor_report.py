"""Findings of the doctor as a table for people, or as JSON for a pipeline."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from exporter.doctor import Finding, Status


def as_table(findings: Sequence[Finding]) -> str:
    """Return one line per finding, the fix below it where there is one, and a summary."""
    width = max((len(finding.check) for finding in findings), default=0)
    lines: list[str] = []
    for finding in findings:
        lines.append(f"{finding.status.upper():<8} {finding.check:<{width}}  {finding.seen}")
        if finding.fix:
            lines.append(f"{'':<8} {'':<{width}}  -> {finding.fix}")
    counts = Counter(finding.status for finding in findings)
    lines.append("")
    lines.append(", ".join(f"{counts[status]} {status}" for status in Status))
    return "\n".join(lines)


def as_json(findings: Sequence[Finding]) -> str:
    """Return ``{"findings": [...], "worst": ...}``."""
    order = list(Status)
    worst = max((finding.status for finding in findings), key=order.index, default=Status.OK)
    return json.dumps({"worst": worst, "findings": [asdict(finding) for finding in findings]}, indent=2)
