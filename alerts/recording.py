"""Recording rules: what several panels and alerts share, or what is too expensive to ask for in a panel.

All results keep the labels of the shop, so that two shops never mix. A panel over 30 days reads one recorded
sample a step for any number of stores. A sum over a long range is a subquery over the increases of short
windows, one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from alerts.lib.recording import Recording
from alerts.thresholds import FRESHNESS_SECONDS
from exporter.collectors import checkout, indexers, orders, page_cache, placements
from promql.durations import Duration
from promql.expr import Expr, age, increase, max_by, now, over_time, seconds, series, sum_by
from promql.metrics import SHOP, STORE, Selectable
from promql.wilson import least_share

STAGES: Final = Recording(
    "magento:checkout_stage_reached:increase5m",
    sum_by(increase(series(checkout.STAGE_REACHED)["5m"]), *SHOP, "store", "stage"),
    group="selling",
    help="Carts that reached each checkout stage in the last five minutes, by store.",
)
REVENUE: Final = Recording(
    "magento:orders_revenue_base:increase5m",
    sum_by(increase(series(orders.REVENUE)["5m"]), *SHOP, "store", "currency"),
    group="selling",
    help="Value of the orders of the last five minutes in base currency, by store.",
)

SLO_WINDOWS: Final[Mapping[str, str]] = {
    "5m": "",
    "10m": "",
    "30m": "",
    "1h": "",
    "2h": "",
    "6h": "5m",
    "1d": "30m",
    "3d": "30m",
    "30d": "30m",
}
"""The windows of the objectives. The longer ones add up the increases of the shorter window named."""

SLO_PERIOD: Final = "30d"
"""The window whose steps would keep half an hour of failures from the budget."""


def _since_last_step(step: str) -> Expr:
    """Return the part of a step that has passed since the last one, on which a subquery with it ends."""
    return now() % seconds(step) / seconds(step)


def _windows(subject: str, counter: Selectable, about: str) -> dict[str, Recording]:
    """Return the recordings of a counter's increase by store, for every window of the objectives."""
    made: dict[str, Recording] = {}
    for window, part in SLO_WINDOWS.items():
        if part:
            expr = sum_by(over_time("sum", series(made[part])[window:part]), *SHOP, "store")
            if window == SLO_PERIOD:
                expr = expr + series(made[part]) * _since_last_step(part)
        else:
            expr = sum_by(increase(series(counter)[window]), *SHOP, "store")
        name = f"magento:{subject}:increase{window}"
        made[window] = Recording(
            name=name, expr=expr, group="slo", help=f"{about} in the last {window}, by store."
        )
    return made


ATTEMPTS: Final[Mapping[str, Recording]] = _windows(
    "placement_attempts", placements.ATTEMPTS, "Attempts to place an order"
)
FAILED: Final[Mapping[str, Recording]] = _windows(
    "placements_failed", placements.FAILED, "Attempts to place an order that failed"
)


def failed_ratio(window: str) -> Expr:
    """Return the failed share of the attempts in one of the windows, by shop and store."""
    return series(FAILED[window]) / (series(ATTEMPTS[window]) > 0)


BUDGET: Final = Recording(
    "magento:slo_budget:ratio",
    1 - max_by(series(placements.OBJECTIVE), *STORE),
    group="slo",
    help="Share of the attempts to place an order that may fail, by store: 1 less magento_slo_objective.",
)


def _least_ratio(window: str) -> Recording:
    return Recording(
        name=f"magento:placements_failed:least_ratio{window}",
        expr=least_share(series(FAILED[window]), series(ATTEMPTS[window])),
        group="slo",
        help=f"The failed share of the attempts of the last {window} that chance cannot explain.",
    )


LEAST: Final = {window: _least_ratio(window) for window in ("10m", "30m", "1h", "2h", "3d")}

BURN: Final[Mapping[str, Recording]] = {
    window: Recording(
        f"magento:placements_failed:burnrate{window}",
        failed_ratio(window) / series(BUDGET),
        group="slo",
        help=f"How many times faster than allowed the checkout's budget was spent in the last {window}.",
    )
    for window in ("1h", "6h")
}

_STALE_FOR: Final = Duration(FRESHNESS_SECONDS.warning or 0)

INDEXER_STALE: Final = Recording(
    "magento:indexer_stale:bool",
    over_time("min", series(indexers.BACKLOG)[_STALE_FOR]).truth(">", 0)
    * age(series(indexers.VIEW_UPDATED)).truth(">", seconds(_STALE_FOR)),
    group="indexers",
    help="1 while changes wait for an indexer that has not run for FRESHNESS_SECONDS.warning, else 0.",
)
STOREFRONT_STALE: Final = Recording(
    "magento:storefront_stale:bool",
    max_by(series(INDEXER_STALE), *SHOP),
    group="indexers",
    help="1 while any indexer keeps the storefront from showing what the catalogue says, else 0.",
)

LOOKED_UP: Final = "=~hit|miss|uncacheable"
"""Results of page requests that the cache was asked for. A page that a change made uncacheable counts like a
miss. Requests that are never looked up (carts, checkout, POST) prove nothing about the cache."""

PAGES_LOOKED_UP: Final = Recording(
    "magento:page_cache_looked_up:increase5m",
    sum_by(increase(series(page_cache.REQUESTS, result=LOOKED_UP)["5m"]), *SHOP, "layer"),
    group="page_cache",
    help="Page requests of the last five minutes that the cache was asked for, by layer.",
)
HIT_RATIO: Final = Recording(
    "magento:page_cache_hit:ratio5m",
    sum_by(increase(series(page_cache.REQUESTS, result="hit")["5m"]), *SHOP, "layer")
    / (series(PAGES_LOOKED_UP) > 0),
    group="page_cache",
    help="Share of the page requests looked up in the last five minutes that the cache answered, by layer.",
)

RECORDINGS: Final[tuple[Recording, ...]] = (
    STAGES,
    REVENUE,
    *ATTEMPTS.values(),
    *FAILED.values(),
    BUDGET,
    *LEAST.values(),
    *BURN.values(),
    INDEXER_STALE,
    STOREFRONT_STALE,
    PAGES_LOOKED_UP,
    HIT_RATIO,
)
