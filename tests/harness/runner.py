"""One collector on the exporter's real runner, and what a scrape would show of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from exporter.core.collector import Collector, Context
from exporter.core.memory import Memory, VolatileStore
from exporter.core.ports import Database, StateStore
from exporter.core.render import Format, join
from exporter.core.runner import CollectorState, Limits, Runner
from exporter.magento.stores import StoreDirectory
from tests.harness.core import Nothing

_LINE = re.compile(r"([a-z0-9_]+(?:\{.*\})?) (\S+)")


class OneCollector:
    """One collector on the real runner with a memory of its own; the exporter restarts before each scrape."""

    def __init__(
        self,
        collector: type[Collector],
        *,
        store: StateStore | None = None,
        sources: Mapping[str, Any] | None = None,
        on_context: Callable[[Context], None] = lambda _: None,
    ) -> None:
        self.collector = collector()
        self.store = store or VolatileStore()
        names = ("broker", "artemis", "varnish", "fastly", "redis", "search", "php", "files")
        self._sources = {name: Nothing() for name in names} | dict(sources or {})
        self._on_context = on_context

    def scrape(self, now: datetime, database: Database | None = None) -> CollectorState:
        """Run the collector once."""
        return asyncio.run(self._scrape(now, database))

    async def _scrape(self, now: datetime, database: Database | None) -> CollectorState:
        def context(memory: Memory, at: float) -> Context:
            source: Any = database or Nothing()
            stores: Any = StoreDirectory(database) if database else Nothing()
            sources = {"stores": stores, **self._sources}
            made = Context(database=source, memory=memory, now=at, **sources)
            self._on_context(made)
            return made

        with ThreadPoolExecutor(1) as thread:
            runner = Runner(
                [self.collector],
                context=context,
                store=self.store,
                executors={self.collector.source: thread},
                limits=Limits(collector_seconds=60),
                clock=now.timestamp,
            )
            (state,) = await runner.scrape(deadline=60)
            await runner.drain(60)
            return state


def text_of(state: CollectorState) -> str:
    """Return what a scrape would show of the collector."""
    return join([state.exposition], Format.TEXT).decode()


def series_of(state: CollectorState) -> dict[str, float]:
    """Return series to value."""
    lines = [line for line in text_of(state).splitlines() if not line.startswith("#")]
    found = [_LINE.fullmatch(line) for line in lines]
    return {match[1]: float(match[2]) for match in found if match}


def outcome_of(state: CollectorState) -> str:
    """Return outcome and reason, for a test's message."""
    return f"{state.name}: {state.outcome} {state.reason}".strip()
