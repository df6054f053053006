"""The shop's product indexes in its search engine, by store: what categories and searches are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from exporter.core.collector import EVERY_HALF_MINUTE, Collector, Context
from exporter.core.metrics import Sample, gauge
from exporter.magento.support import RUNS, runs

ALIAS_MISSING = gauge(
    "magento_search_alias_missing",
    "1 if no alias leads to a product index of this active store: its categories and searches are empty.",
    "store",
)
VERSION = gauge(
    "magento_search_index_version",
    "Number of the product index in use (..._v<number>); each full reindex makes the next one.",
    "store",
)
DOCUMENTS = gauge("magento_search_index_documents", "Documents in the product index in use.", "store")
BYTES = gauge("magento_search_index_bytes", "Size of the product index in use, with replicas.", "store")
STATUS = gauge(
    "magento_search_index_status",
    "Health of the product index in use: 0 green, 1 yellow (no replica: normal with one node), 2 red.",
    "store",
)
READ_ONLY = gauge(
    "magento_search_index_read_only",
    "1 if the product index in use accepts no changes (index.blocks), as after a full disk.",
    "store",
)
UNUSED = gauge(
    "magento_search_indexes_unused",
    "Product indexes to which no alias leads: of reindexes that did not end, or of stores that are gone.",
)

RED: Final = 2.0
_STATUS: Final[Mapping[str, float]] = {"green": 0.0, "yellow": 1.0, "red": RED}


class SearchCollector(Collector):
    """Alias, version, documents, health and blocks of each store's product index."""

    name = "search"
    help = "Search engine by store: alias, index version, documents, health, read-only blocks."
    notes = """
    Off unless `search` is in the settings. An empty section (`search: {}`) is enough where the engine needs
    no login: address, index prefix and user are those of the shop's system configuration. Magento keeps the
    password encrypted in its database, so with a login give `search.password_file`. Elasticsearch 7 and 8
    and OpenSearch 1 to 3 give the same answers to the four requests of a run. No document is read.

    A right to monitor is enough: in Elasticsearch the cluster privilege `monitor`, and `monitor` with
    `view_index_metadata` on `<prefix>_product_*`. In OpenSearch the same are `cluster_monitor`,
    `indices_monitor` and `indices:admin/aliases/get`.

    Documents are those of Lucene. Products that Magento hides (disabled, not visible, out of stock unless
    those are shown) have none. Only active stores are looked at.
    """
    source = "search"
    also_reads = ("database",)
    metrics = (ALIAS_MISSING, VERSION, DOCUMENTS, BYTES, STATUS, READ_ONLY, UNUSED, RUNS)
    refresh = EVERY_HALF_MINUTE

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield the samples of every active store."""
        stores = context.stores.active_ids()
        found = context.search.product_indexes()
        service, version = context.search.version()
        if service:
            yield runs(context.product(), service, version)
        used: dict[int, list[Mapping[str, Any]]] = {}
        for index in found:
            if index["in_use"]:
                used.setdefault(index["store"], []).append(index)
        yield UNUSED.sample(len(found) - sum(map(len, used.values())))
        for store_id in stores:
            store, indexes = context.stores.code(store_id), used.get(store_id, [])
            yield ALIAS_MISSING.sample(float(not indexes), store=store)
            if indexes:
                yield DOCUMENTS.sample(sum(index["documents"] for index in indexes), store=store)
                yield BYTES.sample(sum(index["bytes"] for index in indexes), store=store)
                yield STATUS.sample(max(_STATUS.get(index["health"], RED) for index in indexes), store=store)
                yield READ_ONLY.sample(float(any(index["read_only"] for index in indexes)), store=store)
                versions = [index["version"] for index in indexes if index["version"] is not None]
                if versions:
                    yield VERSION.sample(max(versions), store=store)
