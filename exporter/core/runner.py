"""Runs collectors: single flight with a shared result, deadlines, refresh intervals, staleness, caps.

One runner serves every scrape of the process. Two scrapes at once share one run
of each collector, and each waits until its own deadline. A scrape that ends early
cancels nothing. A collector that fails or is late fails neither another one nor the answer.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from exporter.core.collector import Collector, ContextFactory
from exporter.core.memory import Memory
from exporter.core.metrics import Sample
from exporter.core.ports import StateStore
from exporter.core.render import EMPTY_EXPOSITION, Exposition, render
from exporter.errors import (
    AccessDenied,
    ExporterError,
    SourceLimited,
    SourceTimeout,
    SourceUnavailable,
    SpecError,
    StateUnavailable,
)

log: Final = logging.getLogger("exporter.runner")

LATE: Final = SourceTimeout.reason
_SOURCE_IS_DOWN: Final = frozenset({SourceUnavailable.reason, LATE})
_CHEAP: Final = frozenset({SourceUnavailable.reason, SourceLimited.reason})
"""A run that ended like this asked for nothing, so it may be tried again at the next scrape."""

RETRY_AFTER: Final = 60.0
"""Seconds until a failed collector is tried again, unless it is due earlier."""

DENIED_ALONE: Final = 2
"""Collectors of a source that each have a line of their own when a right is missing."""

EARLY: Final = 1.0
"""Seconds before its time at which a collector is due: scrapes are never exactly a minute apart."""


class Outcome(StrEnum):
    """How a collector's last attempt ended."""

    WAITING = "waiting"
    OK = "ok"
    FAILING = "failing"


@dataclass(slots=True)
class CollectorState:
    """What the runner knows of one collector.

    ``attempted_at`` is when its latest run began, ``judged_at`` when the latest one that has ended did.
    ``trouble`` says with whom, if it is not the collector's own: with its source, or with the state file.
    """

    collector: Collector
    exposition: Exposition = EMPTY_EXPOSITION
    outcome: Outcome = Outcome.WAITING
    reason: str = ""
    trouble: str = ""
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

        If there was no connection to the source the run was cheap: it is tried again at the next scrape.
        After any other failure it waits for the interval, at most a minute.
        """
        interval = self.collector.refresh.interval
        if self.outcome is Outcome.FAILING:
            interval = 0.0 if self.reason in _CHEAP else min(interval, RETRY_AFTER)
        return self.outcome is Outcome.WAITING or not 0.0 <= now - self.attempted_at < interval - EARLY

    def shown(self, now: float) -> Exposition:
        """Return the last good exposition, or nothing once it is older than the collector allows."""
        if self.succeeded_at and abs(now - self.succeeded_at) <= self.max_staleness:
            return self.exposition
        return EMPTY_EXPOSITION

    @property
    def max_staleness(self) -> float:
        """Age in seconds at which the last good exposition is dropped."""
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
    """Owns the states of the collectors, and their runs."""

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
        self.states: dict[str, CollectorState] = {
            collector.name: CollectorState(collector) for collector in collectors
        }
        self.limits = limits or Limits()
        self._context = context
        self._store = store
        self._executors = executors
        self._clock = clock

    async def scrape(self, names: Sequence[str] | None = None, *, deadline: float) -> list[CollectorState]:
        """Refresh the named collectors (all if ``None``) and wait for them at most ``deadline`` seconds.

        Returns their states. A late one keeps its last good exposition; one beyond its limit is failing.
        """
        states = [self.states[name] for name in (self.states if names is None else names)]
        now = self._clock()
        for state in states:
            if not state.in_flight() and self._due(state, now):
                state.attempted_at, state.late = now, False
                state.flight = asyncio.create_task(self._run(state), name=f"collect {state.name}")
        awaited = {
            state.flight
            for state in states
            if state.flight is not None and state.in_flight() and not state.collector.refresh.background
        }
        timeout = min(deadline, self.limits.collector_seconds)
        pending = (await asyncio.wait(awaited, timeout=timeout))[1] if awaited else set()
        silent = _sources_of_none(states, awaited - pending)
        for state in states:
            needed = (*state.collector.also_reads, state.collector.source)
            trouble = next((f"source {source}" for source in needed if source in silent), "")
            self._note_if_late(state, timeout if state.flight in pending else 0.0, trouble)
        return states

    def _due(self, state: CollectorState, now: float) -> bool:
        tried = state.outcome is not Outcome.WAITING
        if tried and 0.0 <= now - state.attempted_at < self.limits.minimum_interval:
            return False
        return state.due(now)

    def _note_if_late(self, state: CollectorState, waited: float, trouble: str = "") -> None:
        """Mark a run that outlived its limit, once; the run itself goes on and may still succeed.

        ``waited`` is how long this scrape has waited for the run. If the scrape's deadline is
        shorter than the limit, the collector has not failed.
        """
        limit = state.max_staleness if state.collector.refresh.background else self.limits.collector_seconds
        overdue = waited >= limit or self._clock() - state.attempted_at >= limit
        if state.in_flight() and overdue and not state.late:
            state.late = True
            self._fail(state, LATE, f"no result after {limit:g} s", trouble)

    async def _run(self, state: CollectorState) -> None:
        started = time.monotonic()
        loop = asyncio.get_running_loop()
        try:
            executor = self._executors[state.collector.source]
            exposition = await loop.run_in_executor(
                executor, self._collect, state.collector, state.attempted_at
            )
        except ExporterError as error:
            self._end_badly(state, error.reason, str(error), self._trouble(state, error))
        except Exception as error:
            log.debug("collector %s", state.name, exc_info=True)
            self._end_badly(state, ExporterError.reason, f"{type(error).__name__}: {error}")
        else:
            self._succeed(state, exposition)
        state.duration = time.monotonic() - started
        state.runs += 1

    def _collect(self, collector: Collector, now: float) -> Exposition:
        """Run one collector to an exposition, in a worker thread; keep its memory only on success."""
        memory = Memory(self._store, collector.name, now)
        samples = [_declared(collector, s) for s in collector.collect(self._context(memory, now))]
        exposition = render(samples, limit=self.limits.series)
        memory.commit()
        return exposition

    def _succeed(self, state: CollectorState, exposition: Exposition) -> None:
        if exposition.dropped and not state.exposition.dropped:
            log.warning("collector %s: %d series over the limit are dropped", state.name, exposition.dropped)
        was_failing, trouble = state.outcome is Outcome.FAILING, state.trouble
        state.outcome, state.reason, state.trouble, state.exposition = Outcome.OK, "", "", exposition
        state.judged_at, state.succeeded_at = state.attempted_at, self._clock()
        if was_failing and not trouble:
            log.warning("collector %s works again", state.name)
        elif was_failing:
            self._note_end_of(trouble)

    def _trouble(self, state: CollectorState, error: ExporterError) -> str:
        """Return with whom the collector has trouble that others have as well; empty if it is its own.

        Revoked rights fail each collector on its own: beyond the first few they share one line.
        """
        source = state.collector.source
        if error.reason in _SOURCE_IS_DOWN and (lost := self._lost(state)):
            return f"source {lost}"
        if error.common:
            return "state file" if isinstance(error, StateUnavailable) else f"source {source}"
        if not isinstance(error, AccessDenied):
            return ""
        joined = f"source {source} in other collectors"
        others = [s for s in self.states.values() if s is not state and s.collector.source == source]
        alone = sum(s.reason == AccessDenied.reason and not s.trouble for s in others)
        first = state.reason == AccessDenied.reason and not state.trouble
        if not first and (alone >= DENIED_ALONE or any(s.trouble == joined for s in others)):
            return joined
        return ""

    def _note_end_of(self, trouble: str) -> None:
        """Log once that what several collectors met is over: when the last of them works again."""
        if not any(other.trouble == trouble for other in self.states.values()):
            log.warning("%s works again", trouble)

    def _end_badly(self, state: CollectorState, reason: str, message: str, trouble: str = "") -> None:
        """Count a failed run as one error, unless it was counted for being late."""
        if state.late:
            log.debug("collector %s fails late: %s: %s", state.name, reason, message)
        else:
            self._fail(state, reason, message, trouble)

    def _fail(self, state: CollectorState, reason: str, message: str, trouble: str = "") -> None:
        """Note a failure. What every collector of a source meets is one line, of the first that met it."""
        if trouble:
            known = any((s.trouble, s.reason) == (trouble, reason) for s in self.states.values())
        else:
            known = not state.trouble and state.reason == reason
        log.log(
            logging.DEBUG if known else logging.WARNING,
            "%s fails: %s: %s",
            trouble or f"collector {state.name}",
            reason,
            message,
        )
        before = state.trouble
        state.outcome, state.reason, state.judged_at = Outcome.FAILING, reason, state.attempted_at
        state.trouble = trouble
        state.errors[reason] = state.errors.get(reason, 0) + 1
        if before and before != trouble:
            self._note_end_of(before)

    def source_up(self) -> dict[str, bool]:
        """Return, per source that was tried, whether its collectors reached it at their latest attempts.

        One collector's time-out among others that get their answer is that collector's trouble.
        A source is absent while only collectors try it that need another one which is down.
        """
        states = self.states.values()
        up = _reached(state for state in states if not state.collector.also_reads)
        return up | _reached(
            state
            for state in states
            if state.collector.also_reads and all(up.get(s, True) for s in state.collector.also_reads)
        )

    def _lost(self, state: CollectorState) -> str:
        """Return the source that the collector reads besides its own and that is down; empty if none is."""
        up = self.source_up()
        return next((source for source in state.collector.also_reads if not up.get(source, True)), "")

    async def drain(self, seconds: float) -> None:
        """Wait for runs that are under way, at most ``seconds``."""
        flights = {
            state.flight for state in self.states.values() if state.flight is not None and state.in_flight()
        }
        if flights:
            await asyncio.wait(flights, timeout=seconds)


def _declared(collector: Collector, sample: Sample) -> Sample:
    """Return the sample if the collector declared its metric, else raise."""
    if sample.metric not in collector.metrics:
        raise SpecError(f"collector {collector.name} yields {sample.metric.name}, which it does not declare")
    return sample


def _reached(states: Iterable[CollectorState]) -> dict[str, bool]:
    """Return, per source that these tried, whether they reached it at their latest attempts."""
    reached: dict[str, float] = {}
    missed: dict[str, float] = {}
    for state in states:
        if state.outcome is not Outcome.WAITING:
            verdict = missed if state.reason in _SOURCE_IS_DOWN else reached
            source = state.collector.source
            verdict[source] = max(verdict.get(source, -math.inf), state.judged_at)
    return {
        source: reached.get(source, -math.inf) >= missed.get(source, -math.inf)
        for source in sorted(reached.keys() | missed.keys())
    }


def _sources_of_none(
    states: Sequence[CollectorState], ended: Collection[asyncio.Task[None] | None]
) -> frozenset[str]:
    """Return the sources of several collectors of which none has ended: then the source is late."""
    sources = [state.collector.source for state in states if state.in_flight()]
    answered = {state.collector.source for state in states if state.flight in ended}
    return frozenset(source for source in sources if sources.count(source) > 1 and source not in answered)
