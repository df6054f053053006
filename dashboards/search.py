"""The search engine: each store's product index, and the servers behind it."""

from __future__ import annotations

from typing import Final

from alerts import thresholds
from alerts.platform import search as rules
from dashboards.lib.annotations import CALLED, DEPLOYED, FIRING, MAINTENANCE
from dashboards.lib.graphs import graph
from dashboards.lib.here import here
from dashboards.lib.links import Link
from dashboards.lib.page import Dashboard
from dashboards.lib.panels import Ask, Panel, Row, Stat, Timeline, Worst
from dashboards.lib.style import Colour, words
from dashboards.lib.there import SERVER, there, without
from dashboards.lib.uids import HOST, INDEXERS, OVERVIEW, PAGE_CACHE, SEARCH
from exporter.collectors import search
from promql import platform as of
from promql.expr import Expr, increase, max_by, min_by, rate, sum_by

UID: Final = SEARCH
_OFF: Final = "no `search` in the exporter's settings"
_ABSENT: Final = without("elasticsearch_exporter", "--es.all")
_RATE: Final = "$__rate_interval"

_HEADER: Final[tuple[Panel, ...]] = (
    Stat(
        key="missing_now",
        title="Stores without an index",
        meaning="Active stores for which no alias leads to a product index.",
        good="None.",
        then="Their categories are empty: reindex catalogsearch_fulltext.",
        asks=(Ask(expr=sum_by(here(search.ALIAS_MISSING))),),
        unit="locale",
        decimals=0,
        empty=_OFF,
        threshold=thresholds.ANY_DOWN,
        width=6,
        link=Link("Which, since when?", UID, "alias"),
    ),
    Stat(
        key="share_now",
        title="Documents, of a day's most",
        meaning="The store whose index has lost the largest share of its documents in a day.",
        good="Near 100 %.",
        then="A reindex left products out, or many were disabled.",
        asks=(Ask(expr=min_by(here(rules.SHARE))),),
        unit="percentunit",
        decimals=0,
        empty=_OFF,
        threshold=thresholds.SEARCH_DOCUMENTS_RATIO,
        width=6,
        link=Link("Which, since when?", UID, "documents"),
    ),
    Stat(
        key="read_only_now",
        title="Read-only indexes",
        meaning="Indexes that accept no changes.",
        good="None.",
        then="The engine's disk is or was too full.",
        asks=(Ask(expr=max_by(there(rules.READ_ONLY))),),
        unit="locale",
        decimals=0,
        empty="neither `search` in the exporter's settings nor --es.indices_settings",
        threshold=thresholds.ANY_DOWN,
        width=6,
        link=Link("Since when?", UID, "read_only"),
    ),
    Stat(
        key="unused_now",
        title="Indexes nobody uses",
        meaning="Product indexes to which no alias leads.",
        good="None, or one while a reindex runs.",
        then="Reindexes that broke off leave them. They take disk and memory.",
        asks=(Ask(expr=max_by(here(search.UNUSED))),),
        unit="locale",
        decimals=0,
        empty=_OFF,
        base=Colour.NEUTRAL,
        width=6,
        link=Link("How large are indexes?", UID, "size"),
    ),
)


def _worst(
    key: str,
    title: str,
    asks: Expr,
    unit: str,
    *,
    above: float,
    rest: str,
    texts: tuple[str, str, str],
    link: Link,
) -> Panel:
    """Return a graph of the stores beyond a value: a shop may have hundreds of stores."""
    meaning, good, then = texts
    return Worst(
        key=key,
        title=title,
        meaning=meaning,
        good=good,
        then=then,
        asks=(Ask(expr=asks, legend="{{store}}"),),
        unit=unit,
        empty=_OFF,
        width=8,
        height=7,
        link=link,
        by="store",
        above=above,
        rest=rest,
    )


_STORES: Final[tuple[Panel, ...]] = (
    _worst(
        "alias",
        "Which stores have no index?",
        max_by(here(search.ALIAS_MISSING), "store"),
        "none",
        above=0,
        rest="every store has one",
        texts=(
            "1 for each store to whose product index no alias leads.",
            "None.",
            "Every category that no cache holds is empty. Reindex catalogsearch_fulltext.",
        ),
        link=Link("Is the indexer healthy?", INDEXERS, "backlog"),
    ),
    _worst(
        "lost",
        "Which stores have lost products?",
        1 - max_by(here(rules.SHARE), "store"),
        "percentunit",
        above=0.05,
        rest="none more than 5 %",
        texts=(
            "Share of the documents that each index has lost within a day, where it is more than 5 %.",
            "None.",
            "A step with a new version of the index: a reindex left products out.",
        ),
        link=Link("Was there a reindex?", UID, "version"),
    ),
    graph(
        "documents",
        "How complete is the worst index?",
        min_by(here(rules.SHARE)),
        "percentunit",
        texts=(
            "Documents of the index that lost most, as a share of the most that it had in the last day.",
            "Near 100 %.",
            "A step down: see which store, and whether there was a reindex.",
            _OFF,
        ),
        link=Link("Which store?", UID, "lost"),
        legend="the worst store",
        threshold=thresholds.SEARCH_DOCUMENTS_RATIO,
        width=8,
    ),
)

_INDEXES: Final[tuple[Panel, ...]] = (
    _worst(
        "status",
        "Which indexes are red?",
        max_by(here(search.STATUS), "store"),
        "none",
        above=search.RED - 0.5,
        rest="none",
        texts=(
            "2 for each index in use of which a part is lost. One without a replica does not count.",
            "None.",
            "See the engine's log and disk.",
        ),
        link=Link("Does the engine answer?", UID, "down"),
    ),
    graph(
        "read_only",
        "Read-only",
        sum_by(here(search.READ_ONLY)),
        "locale",
        texts=("Indexes in use that are read-only.", "None.", "The engine's disk is too full.", _OFF),
        link=Link("Is the disk full?", HOST, "disk_free"),
        legend="read-only",
        width=4,
    ),
    graph(
        "version",
        "Reindexed",
        sum_by(here(search.VERSION)),
        "locale",
        texts=(
            "The versions of all indexes together: each full reindex of a store adds one.",
            "A step at each full reindex.",
            "Many steps: somebody reindexes again and again.",
            _OFF,
        ),
        link=Link("Which jobs ran?", INDEXERS, "state"),
        legend="all stores",
        width=4,
    ),
    graph(
        "count",
        "Products",
        sum_by(here(search.DOCUMENTS)),
        "locale",
        texts=("Documents of all indexes in use.", "Level.", "A step: a reindex, or an import.", _OFF),
        link=Link("Was there a reindex?", UID, "version"),
        legend="all stores",
        width=4,
    ),
    graph(
        "size",
        "Size",
        sum_by(here(search.BYTES)),
        "bytes",
        texts=("Size of all indexes in use.", "Level.", "Growth: compare with the disk.", _OFF),
        link=Link("Is the disk full?", HOST, "disk_free"),
        legend="all stores",
        width=4,
    ),
)

_ENGINE: Final[tuple[Panel, ...]] = (
    Timeline(
        key="down",
        title="Does the engine answer?",
        meaning="Whether the engine is red or gives its exporter no state.",
        good="Up throughout.",
        then="Down: categories are empty or errors. See its process, disk and memory.",
        asks=(Ask(expr=max_by(there(rules.DOWN), *SERVER), legend="{{magento_role}} {{instance}}"),),
        unit="none",
        empty=_ABSENT,
        mappings=words({0.0: ("up", Colour.GOOD), 1.0: ("down", Colour.CRITICAL)}),
        width=6,
        height=6,
        link=Link("Are we selling?", OVERVIEW, "selling"),
    ),
    graph(
        "queries",
        "How much is searched?",
        sum_by(rate(there(of.SEARCH_QUERIES)[_RATE]), *SERVER),
        "reqps",
        texts=("Queries per second.", "Follows uncached categories.", "A rise alone: crawlers.", _ABSENT),
        link=Link("Does the cache keep its pages?", PAGE_CACHE, "hit_ratio"),
    ),
    graph(
        "seconds",
        "How long does a query take?",
        sum_by(rate(there(of.SEARCH_TIME)[_RATE]), *SERVER)
        / (sum_by(rate(there(of.SEARCH_QUERIES)[_RATE]), *SERVER) > 0),
        "s",
        texts=(
            "Mean time of a query.",
            "Some milliseconds.",
            "Too little memory, or a full disk.",
            f"nobody searches, or {_ABSENT}",
        ),
        link=Link("Is the machine busy?", HOST, "cpu"),
        soft_most=0.1,
        may_be_empty=True,
    ),
    graph(
        "rejected",
        "Does it reject? (5 min)",
        sum_by(increase(there(of.SEARCH_REJECTED, type="=~search|write")["5m"]), *SERVER),
        "locale",
        texts=("Rejected over five minutes, at each moment.", "None.", "It is overloaded.", _ABSENT),
        link=Link("Is the machine busy?", HOST, "cpu"),
    ),
)

DASHBOARD: Final = Dashboard(
    uid=UID,
    title="Magento / Search",
    description="Each store's product index in OpenSearch or Elasticsearch, and the engine behind it.",
    annotations=(CALLED, FIRING, MAINTENANCE, DEPLOYED),
    rows=(
        Row(panels=_HEADER),
        Row(title="Does every store find its products?", panels=_STORES),
        Row(title="Are the indexes healthy?", panels=_INDEXES),
        Row(title="Is the engine well?", panels=_ENGINE),
    ),
)
