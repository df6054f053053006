"""Queries about the pack's own alerts."""

from __future__ import annotations

from typing import Final

from promql.expr import ALERTS, Expr, Series, count_by, series

WATCHDOG: Final = "MagentoWatchdog"
"""The alert that always fires: without it no rules are loaded, and silence means nothing."""

_CHOSEN: Final = {"job": "=~$job|", "instance": "=~$instance|"}
"""The chosen jobs and instances, and alerts about something absent, which have no such label."""


def firing(severity: str) -> Series:
    """Select the alerts of the chosen shop that fire with a severity (a matcher)."""
    return series(ALERTS, alertname="=~Magento.+", alertstate="firing", severity=severity, **_CHOSEN)


def number_firing(severity: str) -> Expr:
    """Return how many alerts fire; nothing at all if no rules are loaded."""
    alive = series(ALERTS, alertname=WATCHDOG, alertstate="firing")
    return count_by(firing(severity).now).or_else(count_by(alive.now) * 0)
