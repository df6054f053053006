"""Runs collectors: single flight with a shared result, deadlines, refresh intervals, staleness, caps.

One runner serves every scrape of the process. Two scrapes at once share one run
of each collector, each waiting with its own deadline; one that leaves cancels
nothing. A collector that fails, or is late, never fails another nor the answer.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from exporter.core.collector import Collector, ContextFactory
from exporter.core.memory import Memory
from exporter.core.metrics import Sample
from exporter.core.ports import StateStore
from exporter.core.render import EMPTY_PAGE, Page, render
from exporter.errors import ExporterError, SourceTimeout, SourceUnavailable, SpecError

log: Final = logging.getLogger("exporter.runner")

LATE: Final = SourceTimeout.reason
_SOURCE_IS_DOWN: Final = frozenset({SourceUnavailable.reason, LATE})

RETRY_AFTER: Final = 60.0
"""Seconds within which what has failed is not tried again, unless it is due earlier anyway."""

EARLY: Final = 1.0
"""Seconds before its time at which a collector is due: scrapes are never exactly a minute apart."""


class State(StrEnum):
    """What is known of a collector's last attempt."""

    WAITING = "waiting"
    OK = "ok"
    FAILING = "failing"


@dataclass(slots=True)
class Slot:
    """One collector and everything the runner knows about it.

    ``attempted_at`` is when its latest run began; ``judged_at`` when that run began whose outcome is known.
    """

    collector: Collector
    page: Page = EMPTY_PAGE
    state: State = State.WAITING
    reason: str = ""
    attempted_at: float = 0.0
    judged_at: float = 0.0
    succeeded_at: float = 0.0
    duration: float = 0.0
    late: bool = False
    runs: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    flight: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """The collector's name."""
        return self.collector.name

    def in_flight(self) -> bool:
        """Return whether a run is going on."""
        return self.flight is not None and not self.flight.done()

    def due(self, now: float) -> bool:
        """Return whether the refresh interval has passed.

        What found its source gone has cost it nothing and is tried again at the next scrape.
        Any other failure may have come late in a dear run: it waits for its interval, but not
        for longer than a minute.
        """
        interval = self.collector.refresh.interval
        if self.state is State.FAILING:
            interval = 0.0 if self.reason == SourceUnavailable.reason else min(interval, RETRY_AFTER)
        return self.state is State.WAITING or not 0.0 <= now - self.attempted_at < interval - EARLY

    def shown(self, now: float) -> Page:
        """Return the last good page, or nothing once it is older than the collector allows."""
        if self.succeeded_at and abs(now - self.succeeded_at) <= self.max_staleness:
            return self.page
        return EMPTY_PAGE

    @property
    def max_staleness(self) -> float:
        """Age in seconds at which the last good page is dropped."""
        return self.collector.refresh.max_staleness


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one collector.

    Seconds a scrape waits for it, series kept of its result (the rest is dropped), and the least
    seconds between two runs.
    """

    collector_seconds: float = 4.0
    series: int = 5_000
    minimum_interval: float = 2.0


class Runner:
    """Owns the collectors' slots and their runs."""

    def __init__(
        self,
        collectors: Iterable[Collector],
        *,
        context: ContextFactory,
        store: StateStore,
        executors: Mapping[str, Executor],
        limits: Limits | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.slots: dict[str, Slot] = {collector.name: Slot(collector) for collector in collectors}
        self.limits = limits or Limits()
        self._context = context
        self._store = store
        self._executors = executors
        self._clock = clock

    async def scrape(self, names: Sequence[str] | None = None, *, deadline: float) -> list[Slot]:
        """Refresh the named collectors (all if ``None``) and wait for them at most ``deadline`` seconds.

        Returns their slots; what was late keeps its last good page, and what outlived its limit is failing.
        """
        slots = [self.slots[name] for name in (self.slots if names is None else names)]
        now = self._clock()
        for slot in slots:
            if not slot.in_flight() and self._due(slot, now):
                slot.attempted_at, slot.late = now, False
                slot.flight = asyncio.create_task(self._run(slot), name=f"collect {slot.name}")
        awaited = {
            slot.flight
            for slot in slots
            if slot.flight is not None and slot.in_flight() and not slot.collector.refresh.background
        }
        timeout = min(deadline, self.limits.collector_seconds)
        pending = (await asyncio.wait(awaited, timeout=timeout))[1] if awaited else set()
        for slot in slots:
            self._note_if_late(slot, timeout if slot.flight in pending else 0.0)
        return slots

    def _due(self, slot: Slot, now: float) -> bool:
        tried = slot.state is not State.WAITING
        if tried and 0.0 <= now - slot.attempted_at < self.limits.minimum_interval:
            return False
        return slot.due(now)

    def _note_if_late(self, slot: Slot, waited: float) -> None:
        """Mark a run that outlived its limit, once; the run itself goes on and may still succeed.

        ``waited`` is how long the asker has waited for this very run. A deadline of
        the asker that is shorter than the limit is no failure of the collector.
        """
        limit = slot.max_staleness if slot.collector.refresh.background else self.limits.collector_seconds
        overdue = waited >= limit or self._clock() - slot.attempted_at >= limit
        if slot.in_flight() and overdue and not slot.late:
            slot.late = True
            self._fail(slot, LATE, f"no result after {limit:g} s")

    async def _run(self, slot: Slot) -> None:
        started = time.monotonic()
        loop = asyncio.get_running_loop()
        try:
            executor = self._executors[slot.collector.source]
            page = await loop.run_in_executor(executor, self._collect, slot.collector, slot.attempted_at)
        except ExporterError as error:
            self._end_badly(slot, error.reason, str(error))
        except Exception as error:
            log.debug("collector %s", slot.name, exc_info=True)
            self._end_badly(slot, ExporterError.reason, f"{type(error).__name__}: {error}")
        else:
            self._succeed(slot, page)
        slot.duration = time.monotonic() - started
        slot.runs += 1

    def _collect(self, collector: Collector, now: float) -> Page:
        """Run one collector to a rendered page, in a worker thread; keep its memory only on success."""
        memory = Memory(self._store, collector.name, now)
        samples = [_declared(collector, s) for s in collector.collect(self._context(memory, now))]
        page = render(samples, limit=self.limits.series)
        memory.commit()
        return page

    def _succeed(self, slot: Slot, page: Page) -> None:
        if slot.state is State.FAILING:
            log.warning("collector %s works again", slot.name)
        if page.dropped and not slot.page.dropped:
            log.warning("collector %s: %d series over the limit are dropped", slot.name, page.dropped)
        slot.state, slot.reason, slot.page = State.OK, "", page
        slot.judged_at, slot.succeeded_at = slot.attempted_at, self._clock()

    def _end_badly(self, slot: Slot, reason: str, message: str) -> None:
        """Charge a failed run, unless it was charged for being late: one run is one error."""
        if slot.late:
            log.debug("collector %s fails late: %s: %s", slot.name, reason, message)
        else:
            self._fail(slot, reason, message)

    def _fail(self, slot: Slot, reason: str, message: str) -> None:
        changed = slot.state is not State.FAILING or slot.reason != reason
        log.log(
            logging.WARNING if changed else logging.DEBUG,
            "collector %s fails: %s: %s",
            slot.name,
            reason,
            message,
        )
        slot.state, slot.reason, slot.judged_at = State.FAILING, reason, slot.attempted_at
        slot.errors[reason] = slot.errors.get(reason, 0) + 1

    def source_up(self) -> dict[str, bool]:
        """Return, per source that was tried, whether its collectors reached it at their latest attempts.

        One collector's time-out among others that get their answer is that collector's trouble.
        """
        reached: dict[str, float] = {}
        missed: dict[str, float] = {}
        for slot in self.slots.values():
            if slot.state is not State.WAITING:
                verdict = missed if slot.reason in _SOURCE_IS_DOWN else reached
                source = slot.collector.source
                verdict[source] = max(verdict.get(source, -math.inf), slot.judged_at)
        return {
            source: reached.get(source, -math.inf) >= missed.get(source, -math.inf)
            for source in sorted(reached.keys() | missed.keys())
        }

    async def drain(self, seconds: float) -> None:
        """Wait for runs that are under way, at most ``seconds``."""
        flights = {
            slot.flight for slot in self.slots.values() if slot.flight is not None and slot.in_flight()
        }
        if flights:
            await asyncio.wait(flights, timeout=seconds)


def _declared(collector: Collector, sample: Sample) -> Sample:
    """Return the sample if the collector declared its metric, else raise."""
    if sample.metric not in collector.metrics:
        raise SpecError(f"collector {collector.name} yields {sample.metric.name}, which it does not declare")
    return sample
