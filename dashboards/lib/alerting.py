"""Queries about the pack's own alerts."""

from __future__ import annotations

from typing import Final

from alerts.lib.alertmanager import WATCHDOG
from promql.expr import Expr, Selector, count_by, series
from promql.metrics import ALERTS, STORE

_CHOSEN: Final = {label: f"=~${label}|" for label in STORE}
"""The chosen shop and stores, and alerts without such a label: about something absent, about no store."""


def firing(severity: str) -> Selector:
    """Select the alerts of the chosen shop and stores that fire with a severity (a matcher)."""
    return series(ALERTS, alertname="=~Magento.+", alertstate="firing", severity=severity, **_CHOSEN)


def number_firing(severity: str) -> Expr:
    """Return how many alerts fire; nothing at all if no rules are loaded (:data:`WATCHDOG` always fires)."""
    alive = series(ALERTS, alertname=WATCHDOG, alertstate="firing")
    return count_by(firing(severity)).or_else(count_by(alive) * 0)
