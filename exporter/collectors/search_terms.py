"""Searches that find nothing, without reading what was searched for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from exporter.core.collector import EVERY_MINUTE, Collector, Context
from exporter.core.metrics import Sample, counter
from exporter.magento.stores import of_known_stores
from exporter.reading.delayed import Delayed
from exporter.reading.per_subject import PerSubject

FINAL_AFTER: Final = 300.0
"""Seconds after which a new term is read: by then Magento has written its number of results."""

NEW_TERMS: Final = Delayed(
    "search_terms",
    "search_query",
    key="query_id",
    columns=("store_id", "num_results"),
    age=FINAL_AFTER,
    state="terms",
)

_TOP: Final = 20
"""Terms of each store that are looked at; the help of the metric says so."""

MOST_USED: Final = PerSubject(
    "search_terms_most_used_without_result",
    f"""
    SELECT query_id AS id, store_id, popularity
    FROM {{search_query}} {{index search_query}}
    WHERE store_id = %(store_#)s AND num_results = 0
    ORDER BY popularity DESC
    LIMIT {_TOP}
    """,
    reads={"search_query": ("query_id", "store_id", "num_results", "popularity")},
    nobody={"store": -1},
    index={"search_query": ("store_id", "num_results", "popularity")},
)

NEW = counter(
    "magento_search_terms_new_total",
    "Search terms never used before in the store, by whether their last search found anything (found, none).",
    "store",
    "result",
)
USES = counter(
    "magento_search_zero_result_uses_total",
    "Uses of the store's 20 most used search terms without result: a lower bound of the searches that find"
    " nothing.",
    "store",
)

USES_INTERVAL: Final = 600.0
"""Seconds between two looks at the most used terms."""


class SearchTermsCollector(Collector):
    """New search terms, and uses of terms that find nothing."""

    name = "search_terms"
    help = "Search terms that find nothing; from search_query, without the text."
    notes = """
    Magento keeps one row of `search_query` for each term and store, with the number of results at the last
    search and an all-time number of uses. Two facts are known from it:

    - New terms: a term that was never searched before is a new row. It is read five minutes after it
      appeared, because Magento writes the number of results after the row. A term that is searched again is
      no new row.
    - Uses of the terms that most often find nothing: the rise of `popularity` of the 20 most used terms of
      each store whose last search found nothing. A lower bound of the searches without result; Magento
      2.4.7 and later have the index.
    """
    source = "database"
    metrics = (NEW, USES)
    queries = (*NEW_TERMS.queries, MOST_USED.query)
    refresh = EVERY_MINUTE

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield the samples of one run."""
        _count_new_terms(context)
        if context.database.has_index("search_query", "store_id", "num_results", "popularity"):
            _count_uses(context)
        for metric in self.metrics:
            yield from of_known_stores(context.memory.counters(metric).samples(), context.stores)


def _count_new_terms(context: Context) -> None:
    counters = context.memory.counters(NEW)
    for store in context.stores.codes():
        for result in ("found", "none"):
            counters.initialise(store=store, result=result)
    for row in NEW_TERMS.read(context):
        store = context.stores.code(row["store_id"])
        counters.add(store=store, result="found" if row["num_results"] else "none")


def _count_uses(context: Context) -> None:
    """Add what the most used terms have gained since they were last looked at."""
    memory, counters = context.memory.table("uses"), context.memory.counters(USES)
    for store in context.stores.codes():
        counters.initialise(store=store)
    before: dict[str, Any] = memory.get("popularity", {"at": 0.0, "terms": {}})
    if context.now - before["at"] < USES_INTERVAL:
        return
    terms: dict[str, int] = {}
    for term, store_id, popularity in _most_used(context):
        gained = popularity - before["terms"].get(term, popularity)
        if gained > 0:
            counters.add(gained, store=context.stores.code(store_id))
        terms[term] = popularity
    memory.put("popularity", {"at": context.now, "terms": terms})


def _most_used(context: Context) -> Iterator[tuple[str, int, int]]:
    subjects = [{"store": store_id} for store_id in context.stores.view_ids()]
    for row in MOST_USED.rows(context.database, subjects):
        yield str(row["id"]), int(row["store_id"]), int(row["popularity"])
