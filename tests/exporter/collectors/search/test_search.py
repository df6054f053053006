"""From the indexes of a search engine to samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from exporter.collectors.search import SearchCollector
from tests.exporter.collectors.search.life import index
from tests.harness.core import STORES, run

FIRST = STORES.active_ids()[0]
CODE = STORES.code(FIRST)


class Engine:
    def __init__(self, *indexes: Mapping[str, Any]) -> None:
        self._indexes = indexes

    def product_indexes(self) -> Sequence[Mapping[str, Any]]:
        return self._indexes

    def version(self) -> tuple[str, str]:
        return "", ""


def about_the_first(*indexes: Mapping[str, Any]) -> dict[str, float]:
    """Return what is said of the first store, without the beginning of the names."""
    samples = run(SearchCollector(), search=Engine(*indexes), stores=STORES)
    return {
        sample.metric.name.removeprefix("magento_search_"): sample.value
        for sample in samples
        if sample.labels in {(), (CODE,)}
    }


HEALTHY = {
    "alias_missing": 0, "index_version": 3, "index_documents": 2_000, "index_bytes": 3_100_000,
    "index_status": 0, "index_read_only": 0, "indexes_unused": 0,
}  # fmt: skip
MISSING = {"alias_missing": 1, "indexes_unused": 0}


@pytest.mark.parametrize(
    ("indexes", "said"),
    [
        ([index(FIRST, 3)], HEALTHY),
        ([index(FIRST, 3), index(FIRST, 2, in_use=False)], {**HEALTHY, "indexes_unused": 1}),
        ([index(FIRST, 3, health="yellow")], {**HEALTHY, "index_status": 1}),
        ([index(FIRST, 3, health="red")], {**HEALTHY, "index_status": 2}),
        ([index(FIRST, 3, health="of a later version")], {**HEALTHY, "index_status": 2}),
        ([index(FIRST, 3, read_only=True)], {**HEALTHY, "index_read_only": 1}),
        ([index(FIRST, 3, documents=0)], {**HEALTHY, "index_documents": 0}),
        ([], MISSING),
        ([index(FIRST, 3, in_use=False)], {**MISSING, "indexes_unused": 1}),
        # The engine made an index of the alias' name when something was written to it.
        ([index(FIRST, None, in_use=False)], {**MISSING, "indexes_unused": 1}),
        ([index(FIRST, 3), index(FIRST, 4)], {**HEALTHY, "index_version": 4, "index_documents": 4_000,
                                              "index_bytes": 6_200_000}),
        ([index(99, 1)], MISSING),
    ],
)  # fmt: skip
def test_each_state_of_a_stores_index(indexes: list[Mapping[str, Any]], said: Mapping[str, float]) -> None:
    assert about_the_first(*indexes) == said
