"""Indexers: whether the storefront shows what the catalogue says."""

from __future__ import annotations

from functools import partial
from typing import Final

from alerts import thresholds as limits
from alerts.lib.cases import HOUR, MINUTE, Ago, At, Cases, Input, Line
from alerts.lib.condition import only_where, unless
from alerts.lib.model import Alert, Category, NoData, Panel, Severity, Team, Unit, Urgently
from alerts.thresholds import critical, warning
from exporter.collectors import indexers, prices
from exporter.magento.indexers import SCHEDULE
from promql.expr import age, over_time, series, slope
from promql.metrics import SHOP

_index: Final = partial(
    Alert, severity=Severity.WARNING, team=Team.PLATFORM, service="indexers", category=Category.INDEX
)
_PRICE: Final = {"indexer": "catalog_product_price"}
_SELLS_WRONG: Final = Urgently(
    'match "^(catalog_product_price|cataloginventory_stock|inventory)$" $labels.indexer',
    "for price and stock",
)
_SAME: Final = (*SHOP, "indexer")

_SCHEDULED: Final = series(indexers.MODE, mode=SCHEDULE)

ALERTS: Final = (
    _index(
        name="MagentoIndexerInvalid",
        urgently=_SELLS_WRONG,
        value=over_time("max", series(indexers.STATE, state="invalid")["1h"]),
        threshold=0,
        guard=(unless(over_time("max", series(indexers.STATE, state="valid")["1h"]) > 0, on=_SAME),),
        for_=10 * MINUTE,
        keep_firing_for=10 * MINUTE,
        summary="An indexer stays invalid.",
        description="{{ $labels.indexer }} is invalid and was not valid once in the last hour.",
        impact="The storefront shows old prices, stock, categories or search results of this index.",
        first_action="See whether indexer_reindex_all_invalid runs, and what var/log/cron.log says of it.",
        why="Cron reindexes every minute what is invalid. If an index is never valid within an "
        "hour, that run fails or does not happen. The time of the last change proves nothing, "
        "because each failed run changes it.",
        panel=Panel("magento-indexers", "state"),
        cases=Cases(
            entity=_PRICE,
            inputs={
                "invalid": Input(
                    indexers.STATE, labels={"state": "invalid"}, bad=At(1), good=At(0), edge=At(0)
                ),
                "valid": Input(
                    indexers.STATE, labels={"state": "valid"}, bad=At(0), good=At(1), needed=False
                ),
            },
            labels={"state": "invalid", "severity": "urgent"},
            warm_up=2 * HOUR,
            reaches_limit_after=HOUR,
            expected_description="catalog_product_price is invalid and was not valid once in the last hour.",
        ),
    ),
    _index(
        name="MagentoIndexerStuck",
        urgently=_SELLS_WRONG,
        value=age(series(indexers.UPDATED)),
        threshold=warning(limits.INDEXER_WORKING_SECONDS),
        unit=Unit.SECONDS,
        guard=(only_where(series(indexers.STATE, state="working").equals(1), on=_SAME),),
        scope="indexer",
        for_=5 * MINUTE,
        keep_firing_for=5 * MINUTE,
        summary="A full reindex does not end.",
        description="{{ $labels.indexer }} has been working for {{ $value | humanizeDuration }} (limit "
        "%limit%).",
        impact="Nothing else can reindex it; its part of the storefront stays old.",
        first_action="Check whether a reindex process is alive before anything is reset.",
        why="A killed reindex leaves the state `working` behind, and every later run skips it.",
        panel=Panel("magento-indexers", "state"),
        cases=Cases(
            entity=_PRICE,
            labels={"severity": "urgent"},
            inputs={
                "updated": Input(indexers.UPDATED, bad=Ago(7260), good=Ago(60), edge=Ago(7200)),
                "working": Input(indexers.STATE, labels={"state": "working"}, bad=At(1), good=At(0)),
            },
            expected_description="catalog_product_price has been working for 2h 1m 0s (limit 2h).",
        ),
    ),
    _index(
        name="MagentoIndexerViewStuck",
        urgently=_SELLS_WRONG,
        value=age(series(indexers.VIEW_UPDATED)),
        threshold=warning(limits.VIEW_WORKING_SECONDS),
        unit=Unit.SECONDS,
        guard=(only_where(series(indexers.VIEW_STATE, state="=~working|suspended").equals(1), on=_SAME),),
        scope="indexer",
        for_=5 * MINUTE,
        keep_firing_for=5 * MINUTE,
        summary="An indexer's scheduled updates are stuck.",
        description="The view of {{ $labels.indexer }} has not been idle for {{ $value | humanizeDuration }} "
        "(limit %limit%).",
        impact="Changes of the catalogue pile up in its changelog and never reach the storefront.",
        first_action="Check whether a process works on it; if none does, set the view back to idle.",
        why="Cron skips a view that is not idle. So one killed process stops the view for ever, without an "
        "error.",
        panel=Panel("magento-indexers", "view_state"),
        cases=Cases(
            entity=_PRICE,
            labels={"severity": "urgent"},
            inputs={
                "updated": Input(indexers.VIEW_UPDATED, bad=Ago(3660), good=Ago(60), edge=Ago(3600)),
                "working": Input(indexers.VIEW_STATE, labels={"state": "working"}, bad=At(1), good=At(0)),
            },
            expected_description="The view of catalog_product_price has not been idle for 1h 1m 0s (limit "
            "1h).",
        ),
    ),
    _index(
        name="MagentoIndexerBacklogGrowing",
        value=series(indexers.BACKLOG),
        threshold=warning(limits.INDEXER_BACKLOG_ROWS),
        guard=(only_where(slope(series(indexers.BACKLOG)["10m"]) > 0, on=_SAME),),
        scope="indexer",
        for_=15 * MINUTE,
        keep_firing_for=15 * MINUTE,
        summary="An indexer falls behind.",
        description='{{ $value | printf "%.0f" }} changes wait for {{ $labels.indexer }} (limit %limit%), '
        "and the number is growing.",
        impact="Prices, stock or search results lag behind the catalogue, further every minute.",
        first_action="Find what writes so much (an import?) and whether the view is processed at all.",
        why="A large backlog that shrinks is normal. If it grows, changes come faster than they are indexed.",
        panel=Panel("magento-indexers", "backlog"),
        cases=Cases(
            entity=_PRICE,
            inputs={
                "backlog": Input(indexers.BACKLOG, bad=Line(10_100, 8), good=At(50), edge=Line(9_900, 8))
            },
            warm_up=HOUR,
            silent={"large, but shrinking": {"backlog": Line(60_000, -8_000)}},
            expected_description="10110 changes wait for catalog_product_price (limit 10000), and the "
            "number is growing.",
        ),
    ),
    _index(
        name="MagentoIndexerVersionAhead",
        value=series(indexers.VERSION_AHEAD),
        threshold=0,
        urgently=_SELLS_WRONG,
        for_=10 * MINUTE,
        keep_firing_for=5 * MINUTE,
        no_data=NoData.OPTIONAL,
        summary="An indexer silently skips changes.",
        description='{{ $labels.indexer }} is {{ $value | printf "%.0f" }} versions ahead of its changelog: '
        "it will skip as many changes.",
        impact="Changes are never indexed, although everything looks idle and nothing seems to wait.",
        first_action="Reindex it fully, then set the view's version back to the changelog's newest.",
        why="The changelog was emptied or created again, so its numbers begin below the view's version.",
        panel=Panel("magento-indexers", "version_ahead"),
        cases=Cases(
            entity=_PRICE,
            labels={"severity": "urgent"},
            inputs={"version_ahead": Input(indexers.VERSION_AHEAD, bad=At(4000), good=At(0), edge=At(0))},
            expected_description="catalog_product_price is 4000 versions ahead of its changelog: it will "
            "skip as many changes.",
        ),
    ),
    _index(
        name="MagentoIndexerChangelogMissing",
        value=series(indexers.CHANGELOG_MISSING),
        op="==",
        threshold=1,
        urgently=_SELLS_WRONG,
        for_=10 * MINUTE,
        keep_firing_for=5 * MINUTE,
        no_data=NoData.OPTIONAL,
        summary="An indexer on schedule has no changelog.",
        description="The changelog of {{ $labels.indexer }} is missing, or the exporter may not read it.",
        impact="If it is missing, no change reaches this index until the next full reindex.",
        first_action="Look for the table named after the view, ending in _cl. If it is there, grant the "
        "exporter's user SELECT on it.",
        why="The mode `schedule` needs this table. A restored dump, or somebody who drops the "
        "table, does not change the mode.",
        panel=Panel("magento-indexers", "changelog_missing"),
        cases=Cases(
            entity=_PRICE,
            labels={"severity": "urgent"},
            inputs={"changelog_missing": Input(indexers.CHANGELOG_MISSING, bad=At(1), good=At(0))},
            expected_description="The changelog of catalog_product_price is missing, or the exporter may "
            "not read it.",
        ),
    ),
    _index(
        name="MagentoIndexerModeChanged",
        value=over_time("max", _SCHEDULED["4d"]) - _SCHEDULED,
        threshold=0,
        for_=10 * MINUTE,
        no_data=NoData.OPTIONAL,
        summary="An indexer was taken off its schedule.",
        description="{{ $labels.indexer }} updates on save; within the last four days it was on schedule.",
        impact="Every save in the admin waits for the index, and locks orders out under load.",
        first_action="Ask who changed it; set it back with bin/magento indexer:set-mode schedule.",
        why="The mode changes rarely, always by a person, and often stays changed after a repair. Four days "
        "outlast a weekend, in which warnings wait.",
        panel=Panel("magento-indexers", "mode"),
        cases=Cases(
            entity=_PRICE,
            inputs={
                "mode": Input(indexers.MODE, labels={"mode": SCHEDULE}, bad=At(0), good=At(1), edge=At(1))
            },
            labels={"mode": SCHEDULE},
            warm_up=HOUR,
            expected_description="catalog_product_price updates on save; within the last four days it was "
            "on schedule.",
        ),
    ),
    _index(
        name="MagentoPricesMissing",
        severity=Severity.CRITICAL,
        value=series(prices.PRODUCTS) / (over_time("max", series(prices.PRODUCTS)["1d"]) > 0),
        threshold=critical(limits.PRICES_LEFT),
        op="<",
        unit=Unit.RATIO,
        scope=None,
        for_=5 * MINUTE,
        keep_firing_for=10 * MINUTE,
        summary="Products have no price: they cannot be bought, or cost nothing.",
        description="Of the products of {{ $labels.website }} that had a price within a day, "
        "{{ $value | humanizePercentage }} have one now (limit %limit%).",
        impact="Categories are empty, or customers buy for nothing.",
        first_action="Look at the price of a product in the shop, then rebuild the price index.",
        why="A rebuild writes beside the index in use and exchanges the two. Nine of ten prices do not go in "
        "a day without a fault.",
        panel=Panel("magento-indexers", "prices"),
        cases=Cases(
            entity={"website": "base"},
            inputs={"products": Input(prices.PRODUCTS, bad=At(10), good=At(200), edge=At(20))},
            warm_up=10 * MINUTE,
            expected_description="Of the products of base that had a price within a day, 5% have one now "
            "(limit 10 %).",
        ),
    ),
)
