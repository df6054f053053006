"""Recording rules: what several panels and alerts share, or what a panel could not afford to ask for itself.

Everything keeps ``job`` and ``instance``, so that two shops never mix. A panel
over 30 days reads one recorded sample a step, whatever the number of stores;
a sum over a long range is a subquery over hourly increases, which tile it exactly.
"""

from __future__ import annotations

from typing import Final

from alerts.lib.recording import Recording
from alerts.thresholds import FRESHNESS_SECONDS
from dashboards.lib.promql import TARGET
from dashboards.lib.query import Expr, age, increase, max_by, over_time, series, sum_by
from exporter.collectors import checkout, indexers, orders


def _record(name: str, expr: Expr, *, group: str, about: str) -> Recording:
    """Return the recording of ``expr``; its labels are those that the expression is left with."""
    labels = tuple(sorted((expr.labels or frozenset()) - set(TARGET)))
    return Recording(name=name, expression=expr.text, labels=labels, group=group, help=about)


ORDERS_HOUR: Final = _record(
    "magento:orders_placed:increase1h",
    sum_by(increase(series(orders.PLACED)["1h"]), *TARGET, "store"),
    group="selling",
    about="Orders placed in the last hour, by store.",
)
REVENUE_HOUR: Final = _record(
    "magento:orders_revenue_base:increase1h",
    sum_by(increase(series(orders.REVENUE)["1h"]), *TARGET, "store", "currency"),
    group="selling",
    about="Value of the orders of the last hour in base currency, by store.",
)
STAGES_HOUR: Final = _record(
    "magento:checkout_stage_reached:increase1h",
    sum_by(increase(series(checkout.STAGE_REACHED)["1h"]), *TARGET, "store", "stage"),
    group="selling",
    about="Carts that reached each checkout stage in the last hour, by store.",
)

_STALE_FOR: Final = f"{int(FRESHNESS_SECONDS.warning or 0)}s"
"""A range, and as a bare duration the number of seconds that a game day's clock can shrink."""

INDEXER_STALE: Final = _record(
    "magento:indexer_stale:bool",
    over_time("min", series(indexers.BACKLOG)[_STALE_FOR]).truth(">", 0)
    * age(series(indexers.VIEW_UPDATED)).truth(">", Expr(_STALE_FOR, None)),
    group="indexers",
    about="1 while changes wait for an indexer that has not run for FRESHNESS_SECONDS.warning, else 0.",
)
STOREFRONT_STALE: Final = _record(
    "magento:storefront_stale:bool",
    max_by(series(INDEXER_STALE).now, *TARGET),
    group="indexers",
    about="1 while any indexer keeps the storefront from showing what the catalogue says, else 0.",
)

RECORDINGS: Final[tuple[Recording, ...]] = (
    ORDERS_HOUR,
    REVENUE_HOUR,
    STAGES_HOUR,
    INDEXER_STALE,
    STOREFRONT_STALE,
)
