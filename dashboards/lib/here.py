"""Selector of the shop and the stores that the reader has chosen."""

from __future__ import annotations

from promql.expr import Selector, series
from promql.metrics import Selectable


def here(metric: Selectable, /, *, part: str = "", **matchers: str) -> Selector:
    """Select the metric for the chosen job and instance, and for the chosen stores if it has stores."""
    store = {"store": "=~$store"} if "store" in metric.labels and "store" not in matchers else {}
    return series(metric, part=part, job="=~$job", instance="=~$instance", **store, **matchers)
