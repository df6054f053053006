"""Fakes for the core: a clock that is set, a database of canned answers, contexts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from exporter.core.collector import Collector, Context, Tuning
from exporter.core.memory import NEW_SERIES_SECONDS, Memory, VolatileStore
from exporter.core.metrics import Sample
from exporter.core.ports import Database, Locked, StateStore, Stores, nothing_locked
from exporter.core.query import Connection, Query
from exporter.magento.stores import Store, StoreMap

Rows = Sequence[Mapping[str, Any]]
NOON = 1_790_000_000.0
_RUNS = count()


@dataclass(slots=True)
class Clock:
    """A clock that stands still until the test moves it."""

    now: float = NOON

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += seconds


@dataclass(slots=True)
class FakeDatabase:
    """Answers a query by its name: rows, or a function of the parameters, or an error to raise."""

    answers: dict[str, Rows | Callable[..., Rows] | Exception] = field(default_factory=dict)
    tables: Mapping[str, Sequence[str]] | None = None
    indexes: Mapping[str, Sequence[tuple[str, ...]]] = field(default_factory=dict)
    estimates: Mapping[str, int] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    def rows(self, query: Query, /, **parameters: object) -> Rows:
        self.asked.append((query.name, parameters))
        answer = self.answers[query.name]
        if isinstance(answer, Exception):
            raise answer
        return answer(**parameters) if callable(answer) else answer

    def has_table(self, table: str, /, connection: Connection = Connection.DEFAULT) -> bool:  # noqa: ARG002
        return self.tables is None or table in self.tables

    def has_column(self, table: str, column: str, /, connection: Connection = Connection.DEFAULT) -> bool:  # noqa: ARG002
        return self.tables is None or column in self.tables.get(table, ())

    def has_index(self, table: str, /, *columns: str, connection: Connection = Connection.DEFAULT) -> bool:  # noqa: ARG002
        return any(index[: len(columns)] == columns for index in self.indexes.get(table, ()))

    def estimated_rows(self, table: str, /, connection: Connection = Connection.DEFAULT) -> int | None:  # noqa: ARG002
        return self.estimates.get(table)


class Nothing:
    """A source that must not be asked."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"asked for {name}")


def stores(off: Collection[str] = ()) -> StoreMap:
    """Return the stores of a small shop; the views ``off`` are switched off."""
    found = (
        (0, "admin", 0, "admin", "USD", ZoneInfo("UTC")),
        (1, "default", 1, "base", "USD", ZoneInfo("America/Los_Angeles")),
        (2, "german", 2, "europe", "EUR", ZoneInfo("Europe/Berlin")),
    )
    countries = {"german": "DE"}
    return StoreMap(
        [Store(*store, active=store[1] not in off, country=countries.get(store[1], "US")) for store in found]
    )


STORES = stores()


def context(
    memory: Memory,
    now: float = NOON,
    *,
    database: Database | None = None,
    stores: Stores = STORES,
    tuning: Tuning | None = None,
    locked: Locked = nothing_locked,
    product: tuple[str, str] = ("", ""),
    **others: Any,
) -> Context:
    """Return a context in which every source that is not given must not be asked."""
    names = ("broker", "artemis", "varnish", "fastly", "redis", "search", "php", "files")
    sources = {name: others.get(name, Nothing()) for name in names}
    return Context(
        database=database if database is not None else Nothing(),
        stores=stores,
        memory=memory,
        now=now,
        tuning=tuning or Tuning(),
        locked=locked,
        product=lambda: product,
        **sources,
    )


def run(
    collector: Collector, store: StateStore | None = None, now: float = NOON, **sources: Any
) -> list[Sample]:
    """Run a collector once, as the runner would, and keep its memory.

    To its memory every run is a minute later, so that a new series is shown as 0 in one run only.
    """
    store = store if store is not None else VolatileStore()
    memory = Memory(store, collector.name, next(_RUNS) * NEW_SERIES_SECONDS)
    samples = list(collector.collect(context(memory, now, **sources)))
    memory.commit()
    return samples


def values(samples: Iterable[Sample]) -> dict[tuple[str, ...], float]:
    """Return samples as (name with suffix, label values...) to value."""
    return {(s.metric.name + s.suffix, *s.labels): s.value for s in samples}
