"""The collector on a real OpenSearch: an alias, a version change, a drift, a block, and its end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from exporter.collectors.search import SearchCollector
from exporter.errors import SourceUnavailable
from exporter.magento.search import Engine
from exporter.sources.search import SearchEngine, SearchTarget
from sandbox.servers.opensearch import PRODUCTS, VERSION, OpenSearch
from tests.harness.core import STORES, run

pytestmark = pytest.mark.slow  # a Java machine starts, and Maven may have to fetch it first

FIRST, SECOND = STORES.active_ids()


@pytest.fixture(scope="module")
def opensearch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSearch]:
    with OpenSearch(tmp_path_factory.mktemp("opensearch")) as running:
        yield running


def said(opensearch: OpenSearch, store: int = FIRST) -> dict[str, float]:
    """Return what the collector says of a store, without the beginning of the names."""
    engine = Engine(opensearch.url, "magento2")
    source = SearchEngine(SearchTarget(lambda: engine, "", str))
    assert source.version() == ("opensearch", VERSION)
    return {
        sample.metric.name.removeprefix("magento_search_"): sample.value
        for sample in run(SearchCollector(), search=source, stores=STORES)
        if sample.labels in {(), (STORES.code(store),)}
    }


def test_the_life_of_an_index(opensearch: OpenSearch) -> None:
    assert said(opensearch) == {"alias_missing": 1, "indexes_unused": 0}

    opensearch.reindex(FIRST)
    first = said(opensearch)
    assert first.pop("index_bytes") > 0
    assert first == {
        "alias_missing": 0, "index_version": 1, "index_documents": PRODUCTS, "index_status": 0,
        "index_read_only": 0, "indexes_unused": 0,
    }  # fmt: skip
    assert said(opensearch, SECOND)["alias_missing"] == 1

    opensearch.reindex(FIRST, PRODUCTS // 2)
    drifted = said(opensearch)
    assert (drifted["index_version"], drifted["index_documents"]) == (2, PRODUCTS // 2)

    opensearch.set_read_only(on=True)
    assert said(opensearch)["index_read_only"] == 1
    opensearch.set_read_only(on=False)
    assert said(opensearch)["index_read_only"] == 0

    opensearch.lose_alias(FIRST)
    assert said(opensearch) == {"alias_missing": 1, "indexes_unused": 1}

    opensearch.reindex(FIRST)
    mended = said(opensearch)
    assert (mended["alias_missing"], mended["index_version"], mended["indexes_unused"]) == (0, 3, 0)

    opensearch.kill()
    with pytest.raises(SourceUnavailable):
        said(opensearch)
    opensearch.restart()
    assert said(opensearch)["index_version"] == 3
