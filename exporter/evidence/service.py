"""Captures evidence in the background: one bundle for each alert that fires, whatever is sent how often."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, TypeVar

from exporter.evidence.bundles import Bundle, Bundles, bundle_id
from exporter.evidence.capture import SECONDS, Labels, Sources, capture
from exporter.evidence.model import Evidence, Finding
from exporter.evidence.money import Cost, cost
from exporter.evidence.questions import Answers, Asking, answers

log: Final = logging.getLogger("exporter.evidence")

WAITING: Final = 100
"""Alerts that may wait to be looked at; Alertmanager sends those beyond again."""

SHARED_SECONDS: Final = 15.0
"""Seconds for which several readers of a page share what was seen."""

LATE_SECONDS: Final = 60.0
"""If an alert is older when it is sent, as after an outage, Prometheus is asked about then."""

READER_SECONDS: Final = 4.0
"""Longest wait of a page for what is seen now."""


NOTHING: Final = Asking()
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Notice:
    """One alert of a notification. Times are Unix times; ``ended_at`` 0 while it fires."""

    alert: str
    labels: Mapping[str, str]
    fingerprint: str
    started_at: float
    ended_at: float = 0.0

    @property
    def id(self) -> str:
        """The id of its bundle."""
        return bundle_id(self.started_at, self.fingerprint)


@dataclass(slots=True)
class Seen:
    """What is seen now, and when it was looked at; the answers to a page's queries, and the cost so far."""

    at: float
    findings: Mapping[str, Finding] = field(default_factory=dict)
    answers: Answers = field(default_factory=lambda: Answers({}, {}))
    cost: Cost = field(default_factory=Cost)


class EvidenceService:
    """Owns the bundles and the one task that captures them."""

    def __init__(
        self,
        declared: Mapping[str, Evidence],
        sources: Sources,
        bundles: Bundles,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.declared = declared
        self.bundles = bundles
        self._sources = sources
        self._clock = clock
        self._waiting: dict[str, Notice] = {}
        self._news = asyncio.Event()
        self._now: dict[tuple[str, tuple[tuple[str, str], ...], float], asyncio.Task[Seen]] = {}

    def take(self, notices: Sequence[Notice]) -> bool:
        """Note what was sent; return ``False`` if too much waits already and it should be sent again."""
        new = {one.id: one for one in notices if self._is_new(one)}
        if len(self._waiting.keys() | new.keys()) > WAITING:
            return False
        self._waiting.update(new)
        if new:
            self._news.set()
        return True

    def _is_new(self, notice: Notice) -> bool:
        known = self.bundles.find(notice.id)
        if known is None:
            return True
        return bool(notice.ended_at) and not known.ended_at

    async def work(self) -> None:
        """Capture what waits, one alert after the other, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                notice = self._waiting.pop(next(iter(self._waiting)))
                try:
                    await self._handle(notice)
                except Exception:
                    log.exception("evidence of %s", notice.alert)

    async def _handle(self, notice: Notice) -> None:
        bundle = self.bundles.find(notice.id)
        if bundle is None:
            late = self._clock() - notice.started_at > LATE_SECONDS
            at = notice.started_at if late else 0.0
            findings = await self._look(notice.alert, notice.labels, at)
            bundle = Bundle(
                alert=notice.alert,
                labels=dict(notice.labels),
                fingerprint=notice.fingerprint,
                started_at=notice.started_at,
                captured_at=self._clock(),
                findings=findings,
                ended_at=notice.ended_at,
            )
        elif notice.ended_at and not bundle.ended_at:
            bundle = replace(bundle, ended_at=notice.ended_at)
        else:
            return
        bundle = replace(bundle, cost=await self._cost(bundle.labels, bundle.started_at, bundle.ended_at))
        changes = self.bundles.keep(bundle, self._clock())
        # The disk may be slow, and scrapes go on.
        await self._in_thread(partial(self.bundles.write, changes))

    async def now(self, alert: str, labels: Labels, asking: Asking = NOTHING) -> Seen | None:
        """Return what is seen now, ``None`` if that takes too long. Readers at once share one look."""
        key = (alert, tuple(sorted(labels.items())), asking.started_at)
        task = self._now.get(key)
        if task is None or (task.done() and not self._fresh(task)):
            self._now = {
                one: known for one, known in self._now.items() if not known.done() or self._fresh(known)
            }
            if len(self._now) >= WAITING:
                return None
            task = self._now[key] = asyncio.create_task(self._seen(alert, labels, asking))
        try:
            return await asyncio.wait_for(asyncio.shield(task), READER_SECONDS)
        except TimeoutError:
            return None

    def _fresh(self, task: asyncio.Task[Seen]) -> bool:
        return 0 <= self._clock() - task.result().at < SHARED_SECONDS

    async def _seen(self, alert: str, labels: Labels, asking: Asking) -> Seen:
        at = self._clock()
        ends = time.monotonic() + 0.9 * READER_SECONDS
        findings = await self._look(alert, labels, seconds=0.7 * READER_SECONDS)
        server = self._sources.prometheus
        answered = await self._in_thread(partial(answers, server, asking, labels, ends=ends))
        return Seen(
            at, findings, answered, await self._cost(labels, asking.started_at or at, asking.ended_at)
        )

    async def _cost(self, labels: Labels, started_at: float, ended_at: float) -> Cost:
        return await self._in_thread(partial(cost, self._sources.prometheus, labels, started_at, ended_at))

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._sources.pool, work)

    async def _look(
        self, alert: str, labels: Labels, at: float = 0.0, seconds: float = SECONDS
    ) -> dict[str, Finding]:
        evidence = self.declared.get(alert)
        return await capture(evidence, labels, self._sources, at=at, seconds=seconds) if evidence else {}
