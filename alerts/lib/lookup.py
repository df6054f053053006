"""Small words for the catalogue's files."""

from __future__ import annotations

from alerts.thresholds import Threshold
from exporter.errors import SpecError


def warning(threshold: Threshold) -> float:
    """Return where the value is worth a look: where panels turn orange."""
    return _given(threshold.warning, threshold)


def critical(threshold: Threshold) -> float:
    """Return where the value is bad: where panels turn red."""
    return _given(threshold.critical, threshold)


def _given(limit: float | None, threshold: Threshold) -> float:
    if limit is None:
        raise SpecError(f"the threshold has no such limit: {threshold.reason}")
    return limit
