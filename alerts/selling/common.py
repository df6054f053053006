"""What the alerts of this subject share."""

from __future__ import annotations

from functools import partial
from typing import Final

from alerts.lib.model import Alert, Category, Severity, Team
from alerts.lib.recording import Recording
from promql.selector import select

STORE: Final = "on (job, instance, store)"
DE: Final = {"store": "de"}


def rule(name: str, expression: str, labels: tuple[str, ...], about: str) -> Recording:
    """Return a recording rule of this subject."""
    return Recording(name=name, expression=expression, labels=labels, group="selling", help=about)


def week(hourly: Recording, before: str = "") -> str:
    """Return a week as the sum of its hours, which tile it: a sample an hour instead of every scrape."""
    offset = f" offset {before}" if before else ""
    return f"sum_over_time({select(hourly)}[1w:1h]{offset})"


selling: Final = partial(
    Alert, severity=Severity.WARNING, team=Team.COMMERCE, service="selling", category=Category.BUSINESS
)
