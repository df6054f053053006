"""Selector of what other exporters say of the shop that the reader has chosen.

``job`` and ``instance`` of the dashboards are those of our exporter; only the shop's name joins the others.
"""

from __future__ import annotations

from typing import Final

from exporter.magento.roles import ROLE
from promql.expr import Selector, series
from promql.metrics import Selectable

SERVER: Final = (ROLE, "instance")
"""The labels by which a panel tells servers apart."""
LEGEND: Final = "{{magento_role}} {{instance}}"


def there(metric: Selectable, /, **matchers: str) -> Selector:
    """Select the series of the chosen shop's servers."""
    return series(metric, shop="=~$shop", **matchers)


def without(exporter: str, flag: str = "") -> str:
    """Return the empty text of a panel: which exporter is missing, and which of its flags."""
    return f"no {exporter}" + (f" with {flag}" if flag else "") + ", or its target has no shop"
