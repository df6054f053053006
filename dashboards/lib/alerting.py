"""Queries about the pack's own alerts."""

from __future__ import annotations

from typing import Final

from alerts.lib.alertmanager import WATCHDOG
from promql.expr import ALERTS, Expr, Series, count_by, series

_CHOSEN: Final = {"job": "=~$job|", "instance": "=~$instance|", "store": "=~$store|"}
"""The chosen shop and stores, and alerts without such a label: about something absent, about no store."""


def firing(severity: str) -> Series:
    """Select the alerts of the chosen shop and stores that fire with a severity (a matcher)."""
    return series(ALERTS, alertname="=~Magento.+", alertstate="firing", severity=severity, **_CHOSEN)


def number_firing(severity: str) -> Expr:
    """Return how many alerts fire; nothing at all if no rules are loaded (:data:`WATCHDOG` always fires)."""
    alive = series(ALERTS, alertname=WATCHDOG, alertstate="firing")
    return count_by(firing(severity).now).or_else(count_by(alive.now) * 0)
