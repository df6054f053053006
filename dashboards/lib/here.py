"""Selector of the shop and the stores that the reader has chosen."""

from __future__ import annotations

from typing import Final

from promql.expr import Selector, series
from promql.metrics import SHOP, Selectable

CHOSEN_SHOP: Final = {label: f"=~${label}" for label in SHOP}


def here(metric: Selectable, /, *, part: str = "", **matchers: str) -> Selector:
    """Select the metric of the chosen shop, and of the chosen stores if it has stores."""
    store = {"store": "=~$store"} if "store" in metric.labels and "store" not in matchers else {}
    return series(metric, part=part, **CHOSEN_SHOP, **store, **matchers)
