"""The search engine: by elasticsearch_exporter 1.5 to 1.10, and each store's product index by our own."""

from __future__ import annotations

from functools import partial
from typing import Final

from alerts import thresholds as limits
from alerts.lib.cases import HOUR, MINUTE, At, Cases, Gone, Input, Until
from alerts.lib.condition import only_where
from alerts.lib.model import Alert, Category, NoData, Panel, Severity, Team, Unit
from alerts.platform.common import SERVER, first_ours, ours, platform, recorded
from alerts.thresholds import warning
from exporter.collectors import search
from exporter.magento.roles import ROLE, Role
from promql import platform as of
from promql.expr import max_by, over_time, series, sum_by, union
from promql.metrics import SHOP, STORE
from promql.platform import EXPORTER_UP, of_shop

_PAGE: Final = "magento-golden-path"
_SEARCH: Final = {ROLE: "search"}
_RED: Final = max_by(of_shop(of.SEARCH_STATUS, color="red"), *SERVER)


DOWN: Final = recorded(
    "magento:search_down:bool",
    union(
        ours(series(search.STATUS, shop="!=").truth("==", search.RED), Role.SEARCH),
        _RED.or_else(max_by(of_shop(EXPORTER_UP, Role.SEARCH), *SERVER).equals(1)),
    ),
    "1 while the search engine is red, or gives its exporter no state; else 0. Yellow is no fault.",
)
READ_ONLY: Final = recorded(
    "magento:search_read_only:count",
    first_ours(
        sum_by(series(search.READ_ONLY, shop="!="), *SHOP),
        Role.SEARCH,
        max_by(of_shop(of.SEARCH_READ_ONLY), *SERVER),
    ),
    "Indexes that accept no changes: the shop's own where they are known, else those of the whole engine.",
)

_MOST: Final = over_time("max", series(search.DOCUMENTS)["1d"])
SHARE: Final = recorded(
    "magento:search_documents:ratio1d",
    max_by(series(search.DOCUMENTS) / (_MOST > 0), *STORE),
    "Documents of each store's product index, as a share of the most that it had in the last day.",
)

RECORDINGS: Final = (DOWN, READ_ONLY, SHARE)

_index: Final = partial(
    Alert,
    severity=Severity.WARNING,
    team=Team.PLATFORM,
    service="search",
    category=Category.PLATFORM,
    no_data=NoData.OPTIONAL,
)
"""An alert about a store's own index, by the Magento exporter."""

ALERTS: Final = (
    platform(
        name="MagentoSearchDown",
        service="search",
        severity=Severity.CRITICAL,
        value=series(DOWN),
        op="==",
        threshold=1,
        for_=2 * MINUTE,
        keep_firing_for=15 * MINUTE,
        summary="The search engine is down, or has lost an index.",
        description="The search engine is red, or does not answer its exporter on {{ $labels.instance }}.",
        impact="Searches fail, and every category that no cache holds is empty or an error.",
        first_action="Ask for its health; without an answer, see whether it was killed or its disk is full.",
        why="Red means that a primary shard is missing. An exporter without an answer gives no state at all, "
        "so an alert about the state alone would be silent. Yellow does not count: one node is always "
        "yellow.",
        panel=Panel(_PAGE, "search_down"),
        cases=Cases(
            entity=_SEARCH,
            inputs={
                "red": Input(
                    of.SEARCH_STATUS,
                    labels={"cluster": "shop", "color": "red"},
                    bad=At(1),
                    good=At(0),
                    needed=False,
                ),
                "exporter": Input(EXPORTER_UP, bad=At(1), good=At(1), needed=False),
                "ours": Input(
                    search.STATUS, labels={"store": "default"}, bad=Gone(), good=Gone(), needed=False
                ),
            },
            fires={"it does not answer its exporter": {"red": Gone()}},
            silent={"the exporter is gone as well": {"red": Gone(), "exporter": At(0)}},
            needs_all_inputs=False,
            expected_description="The search engine is red, or does not answer its exporter on shop:9816.",
        ),
    ),
    platform(
        name="MagentoSearchReadOnly",
        service="search",
        severity=Severity.URGENT,
        value=series(READ_ONLY),
        threshold=0,
        for_=2 * MINUTE,
        keep_firing_for=5 * MINUTE,
        summary="The search engine accepts no changes.",
        description="{{ $value }} indexes on {{ $labels.instance }} are read-only.",
        impact="Prices, stock and new products do not reach search and categories; a reindex fails.",
        first_action="See whether its disk is full: make room. If not, somebody set the block: take it back.",
        why="The engine sets it at 95 % of its disk and takes it back below 90 %. Nobody sets it by hand for "
        "long.",
        panel=Panel(_PAGE, "search_read_only"),
        cases=Cases(
            entity=_SEARCH,
            inputs={
                "indexes": Input(of.SEARCH_READ_ONLY, bad=At(2), good=At(0), edge=At(0)),
                "ours": Input(
                    search.READ_ONLY, labels={"store": "default"}, bad=Gone(), good=Gone(), needed=False
                ),
            },
            silent={"another shop's index on the same engine": {"ours": At(0)}},
            needs_all_inputs=False,
            expected_description="2 indexes on shop:9816 are read-only.",
        ),
    ),
    _index(
        name="MagentoSearchAliasMissing",
        severity=Severity.CRITICAL,
        value=series(search.ALIAS_MISSING),
        op="==",
        threshold=1,
        for_=5 * MINUTE,
        keep_firing_for=5 * MINUTE,
        summary="A store has no product index: its categories are empty.",
        description="No alias of the search engine leads to a product index of {{ $labels.store }}.",
        impact="Every category and search of the store that no cache holds is empty.",
        first_action="See which indexes there are, then reindex catalogsearch_fulltext.",
        why="A reindex moves the alias in one step, so it is never missing. Five minutes outlast "
        "a new store view that is being indexed.",
        panel=Panel("magento-search", "alias"),
        cases=Cases(
            entity={"store": "default"},
            inputs={"missing": Input(search.ALIAS_MISSING, bad=At(1), good=At(0))},
            expected_description="No alias of the search engine leads to a product index of default.",
        ),
    ),
    _index(
        name="MagentoSearchDrift",
        value=series(SHARE),
        op="<",
        threshold=warning(limits.SEARCH_DOCUMENTS_RATIO),
        unit=Unit.RATIO,
        guard=(only_where(_MOST > limits.SEARCH_DOCUMENTS, on=STORE),),
        for_=30 * MINUTE,
        keep_firing_for=10 * MINUTE,
        summary="A store's search index has lost products.",
        description="The product index of {{ $labels.store }} has {{ $value | humanizePercentage }} of the "
        "documents that it had in the last day (limit %limit%).",
        impact="Products that are for sale are in no category and no search.",
        first_action="See whether products were disabled. If not, reindex catalogsearch_fulltext.",
        why="The most of the last day is compared, so a reindex that leaves products out is seen at once. A "
        "tenth is more than what sells out in a day.",
        panel=Panel("magento-search", "documents"),
        cases=Cases(
            entity={"store": "default"},
            inputs={
                "documents": Input(
                    search.DOCUMENTS,
                    bad=Until(2 * HOUR, At(2_000), At(1_500)),
                    good=At(2_000),
                    edge=Until(2 * HOUR, At(2_000), At(1_800)),
                )
            },
            silent={"a handful of products": {"documents": Until(2 * HOUR, At(20), At(15))}},
            warm_up=2 * HOUR,
            expected_description="The product index of default has 75% of the documents that it had in the "
            "last day (limit 90 %).",
        ),
    ),
)
