"""The interface of a collector, and the context it gets.

A collector declares what it reads and what it yields, and turns rows into samples.
Timing, deadlines, errors, caching and limits are the runner's. A collector raises;
the runner decides.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

from exporter.core.memory import Memory
from exporter.core.metrics import Metric, Sample
from exporter.core.ports import (
    Artemis,
    Broker,
    Database,
    Fastly,
    Files,
    Locked,
    Php,
    Redis,
    Search,
    Stores,
    Varnish,
    nothing_locked,
)
from exporter.core.query import Query


@dataclass(frozen=True, slots=True)
class Refresh:
    """How often a collector may run and how long its last result may stand in for a new one.

    ``interval`` is the least number of seconds between two runs. At the age
    ``max_staleness`` the series of the last good run are dropped. A scrape does not
    wait for a ``background`` collector: it takes the last result.
    """

    interval: float = 0.0
    max_staleness: float = 60.0
    background: bool = False


EVERY_SCRAPE: Final = Refresh()
EVERY_HALF_MINUTE: Final = Refresh(interval=30.0, max_staleness=180.0)
EVERY_MINUTE: Final = Refresh(interval=60.0, max_staleness=300.0)
EVERY_TEN_MINUTES: Final = Refresh(interval=600.0, max_staleness=3600.0, background=True)


SETTLE_SECONDS: Final = 120.0
"""The settle time unless it is configured: how long a row may appear late."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """The few things a user may change in what collectors compute. Numbers are in seconds unless said."""

    settle_seconds: float = SETTLE_SECONDS
    abandoned_after_seconds: float = 3600.0
    unpaid_late_after_seconds: float = 86_400.0
    held_late_after_seconds: float = 2 * 86_400.0
    backlog_scan_limit: int = 10_000
    holidays: bool = True
    holiday_regions: Mapping[str, str] = field(default_factory=dict)
    own_holidays: Sequence[str] = ()
    no_holidays: Sequence[str] = ()
    checkout_objective: float | None = None
    """Share of the attempts to place an order that should succeed; None: learned from the store's month."""


def nothing_known() -> tuple[str, str]:
    """Return neither edition nor version."""
    return "", ""


@dataclass(frozen=True, slots=True)
class Context:
    """What one run of a collector may use. Using a source that is not configured is a SpecError."""

    database: Database
    stores: Stores
    broker: Broker
    artemis: Artemis
    varnish: Varnish
    fastly: Fastly
    redis: Redis
    search: Search
    php: Php
    files: Files
    memory: Memory
    now: float
    tuning: Tuning = field(default_factory=Tuning)
    locked: Locked = nothing_locked
    product: Callable[[], tuple[str, str]] = nothing_known
    """Return Magento's edition and version; empty texts where the shop's files do not say."""


ContextFactory = Callable[[Memory, float], Context]
"""From the collector's memory and the Unix time of the run to its context."""


class Collector(ABC):
    """One subject in one file, or in one package if it is long.

    ``help`` says in a line what it is about; ``notes``, in Markdown, what a user of its numbers should know
    besides: what is exact, what is a lower bound, what is late. Both stand in ``docs/metrics.md``.

    ``source`` names the backend whose failure is this collector's failure; a
    collector whose source is not configured is off. An instance lives as long
    as the process, but what must survive belongs in ``context.memory``.

    ``also_reads`` names sources that it needs besides. While one of them is down, a run that fails
    says nothing about ``source``.
    """

    name: ClassVar[str]
    help: ClassVar[str]
    notes: ClassVar[str] = ""
    source: ClassVar[str]
    also_reads: ClassVar[tuple[str, ...]] = ()
    metrics: ClassVar[tuple[Metric, ...]]
    queries: ClassVar[tuple[Query, ...]] = ()
    refresh: ClassVar[Refresh] = EVERY_SCRAPE

    @abstractmethod
    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield the current samples of ``metrics``. May raise any :exc:`~exporter.errors.SourceError`."""
