"""What an incident costs: the orders that were expected and did not come, and their money, by Prometheus."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from exporter.errors import SourceError
from exporter.evidence.capture import AskedForAll, Labels, matchers

_LEAST_SECONDS: Final = 120.0
_ORDERS: Final = 'sum(max_over_time(magento:orders_missing:count{store!="(all)",%s}[%d]))'
_MONEY: Final = "sum by (currency) (max_over_time(magento:revenue_missing:sum{%s}[%d]))"
_WATCHED: Final = "count(magento:selling:state{%s})"

NOT_CONFIGURED: Final = "prometheus.url is not configured"
NOT_MEASURED: Final = "Prometheus has no expectation of orders for this shop"


@dataclass(frozen=True, slots=True)
class Cost:
    """Missing orders, and their money by currency; ``why`` says why it is not known. 0 was measured."""

    orders: float | None = None
    money: Mapping[str, float] = field(default_factory=dict)
    why: str = ""


def cost(prometheus: AskedForAll | None, labels: Labels, started_at: float, ended_at: float) -> Cost:
    """Return what was lost from the start until the end, or until now. Raises nothing."""
    if prometheus is None:
        return Cost(why=NOT_CONFIGURED)
    end = ended_at or time.time()
    wanted = matchers(labels, ("store",), anywhere=True)
    window = f"{max(_LEAST_SECONDS, end - started_at):.0f}s"

    def filled(query: str) -> str:
        return query.replace("%s", wanted).replace("%d", window)

    try:
        if not prometheus.value(filled(_WATCHED), end):
            return Cost(why=NOT_MEASURED)
        orders = prometheus.value(filled(_ORDERS), end) or 0.0
        found = prometheus.series(filled(_MONEY), end)
    except SourceError as error:
        return Cost(why=str(error))
    return Cost(orders, {one.labels.get("currency", ""): one.value for one in found})
