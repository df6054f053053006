"""The search engine, by elasticsearch_exporter 1.5 to 1.10, on OpenSearch and Elasticsearch."""

from __future__ import annotations

from typing import Final

from alerts.lib.cases import MINUTE, At, Cases, Gone, Input
from alerts.lib.model import Panel, Severity
from alerts.platform.common import SERVER, platform, recorded
from exporter.magento.roles import ROLE, Role
from promql import platform as of
from promql.expr import max_by, series
from promql.platform import EXPORTER_UP, of_shop

_PAGE: Final = "magento-golden-path"
_SEARCH: Final = {ROLE: "search"}
_RED: Final = max_by(of_shop(of.SEARCH_STATUS, color="red"), *SERVER)

DOWN: Final = recorded(
    "magento:search_down:bool",
    _RED.or_else(max_by(of_shop(EXPORTER_UP, Role.SEARCH), *SERVER).equals(1)),
    "1 while the search engine is red, or gives its exporter no state; else 0. Yellow is no fault.",
)

RECORDINGS: Final = (DOWN,)

ALERTS: Final = (
    platform(
        name="MagentoSearchDown",
        service="search",
        severity=Severity.CRITICAL,
        value=series(DOWN),
        op="==",
        threshold=1,
        for_=2 * MINUTE,
        keep_firing_for=5 * MINUTE,
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
        value=max_by(of_shop(of.SEARCH_READ_ONLY), *SERVER),
        threshold=0,
        for_=2 * MINUTE,
        keep_firing_for=5 * MINUTE,
        summary="The search engine accepts no changes: its disk is too full.",
        description="{{ $value }} indexes on {{ $labels.instance }} are read-only.",
        impact="Prices, stock and new products do not reach search and categories; a reindex fails.",
        first_action="Make room on its disk; see which index or log is the largest.",
        why="The engine sets it at 95 % of its disk and takes it back below 90 %. Nobody sets it by hand for "
        "long.",
        panel=Panel(_PAGE, "search_read_only"),
        cases=Cases(
            entity=_SEARCH,
            inputs={"indexes": Input(of.SEARCH_READ_ONLY, bad=At(2), good=At(0), edge=At(0))},
            expected_description="2 indexes on shop:9816 are read-only.",
        ),
    ),
)
