"""What happened to the shop beside its alerts: deploys, maintenance, flushes and full reindexes.

Read from the exporter's own results as they change, so that a timeline needs no Prometheus. Reads no source.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from prometheus_client.parser import text_string_to_metric_families

from exporter.collectors import deployment, indexers, page_cache, redis
from exporter.core.ports import StateStore
from exporter.core.runner import Runner
from exporter.errors import StateUnavailable

log: Final = logging.getLogger("exporter.evidence")

NAMESPACE: Final = "evidence/events"
MOST: Final = 500
KEPT_SECONDS: Final = 30 * 86_400.0
LOOK_SECONDS: Final = 5.0
"""Seconds between two looks at the results."""

LONG_REINDEX: Final = 60.0
"""Seconds for which an indexer must be working before it counts: smaller ones are everyday."""

_FLUSHED: Final = 0.2
"""A cache that keeps less than this share from one look to the next was flushed."""

_WORTH: Final = 200.0
"""Keys or objects that a cache must have had."""

_END: Final = "\U0010ffff"
_WATCHED: Final = (
    deployment.DEPLOYED.name,
    deployment.DEPLOY_STARTED.name,
    deployment.DEPLOY_ENDED.name,
    deployment.MAINTENANCE.name,
    redis.KEYS.name,
    page_cache.OBJECTS.name,
    indexers.STATE.name,
)
_CACHES: Final = (redis.KEYS.name, page_cache.OBJECTS.name)
_OFF: Final = "off"
Values = Mapping[tuple[str, tuple[tuple[str, str], ...]], float]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. ``ended_at`` is 0 while it goes on, and for what has no length."""

    kind: str
    what: str
    at: float
    ended_at: float = 0.0

    @property
    def key(self) -> str:
        """Sorts by time."""
        return f"{int(self.at):010d}-{self.kind}-{self.what}"


@dataclass(slots=True)
class Observer:
    """Compares the exporter's results from look to look. Times are Unix times."""

    before: Values = field(default_factory=dict)
    working: dict[str, float] = field(default_factory=dict)

    def look(self, values: Values, now: float) -> Iterator[Event]:
        """Yield what happened since the last look, and anew what ended."""
        before, self.before = self.before, values
        for (name, labels), value in values.items():
            old = before.get((name, labels))
            yield from self._changed(name, dict(labels), old, value, now)

    def _changed(
        self, name: str, labels: Mapping[str, str], old: float | None, new: float, now: float
    ) -> Iterator[Event]:
        if name == indexers.STATE.name and labels["state"] == "working":
            yield from self._reindexed(labels["indexer"], new, now)
        elif name == deployment.MAINTENANCE.name and new != old:
            yield Event("maintenance", "on" if new else _OFF, now)
        elif name == deployment.DEPLOYED.name and old not in (None, new):
            yield Event("deploy", "static files", new)
        elif name == deployment.DEPLOY_STARTED.name and old != new and now - new < KEPT_SECONDS:
            yield Event("deploy", labels["release"], new)
        elif name == deployment.DEPLOY_ENDED.name and old != new:
            yield Event("deploy", labels["release"], 0.0, new)
        elif name in _CACHES and old is not None and old >= _WORTH and new < _FLUSHED * old:
            yield Event("flush", labels.get("role", labels.get("varnish", "")), now)

    def _reindexed(self, indexer: str, new: float, now: float) -> Iterator[Event]:
        began = self.working.setdefault(indexer, now)
        if now - began >= LONG_REINDEX:
            yield Event("reindex", indexer, began, 0.0 if new else now)
        if not new:
            del self.working[indexer]


class Events:
    """The events of this exporter, in memory and in the state store."""

    def __init__(self, store: StateStore, runner: Runner, *, clock: Callable[[], float] = time.time) -> None:
        self._store, self._runner, self._clock = store, runner, clock
        self._observer = Observer()
        self._known: dict[str, Event] = {}
        try:
            stored = list(store.scan(NAMESPACE, "", _END))
        except StateUnavailable:
            stored = []  # the bundles say that nothing is kept
        for key, text in stored:
            values: dict[str, Any] = json.loads(text)
            self._known[key] = Event(**values)

    def all(self) -> list[Event]:
        """Return the events, the newest first."""
        return [event for _, event in sorted(self._known.items(), reverse=True)]

    async def work(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                self.look()
            except Exception:
                log.exception("events")

    def look(self) -> None:
        """Note what happened since the last look."""
        now = self._clock()
        found = (self._known_as(event) for event in self._observer.look(_values(self._runner, now), now))
        changed = [event for event in found if event is not None and self._known.get(event.key) != event]
        if changed:
            self._keep(changed, now)

    def _known_as(self, event: Event) -> Event | None:
        """Return the event; the end of a known one is that one, and an end of nothing is none."""
        ends = event.what == _OFF or not event.at
        if event.kind not in ("maintenance", "deploy") or (event.kind == "deploy" and not ends):
            return event
        same = [one for one in self._known.values() if one.kind == event.kind and not one.ended_at]
        if event.kind == "deploy":
            same = [one for one in same if one.what == event.what and one.at <= event.ended_at]
        if ends:
            return replace(same[-1], ended_at=event.ended_at or event.at) if same else None
        return None if same else event

    def _keep(self, changed: list[Event], now: float) -> None:
        self._known.update({event.key: event for event in changed})
        newest = sorted(self._known, reverse=True)
        gone = [key for key in newest[:MOST] if self._known[key].at < now - KEPT_SECONDS] + newest[MOST:]
        for key in gone:
            del self._known[key]
        written = [
            (NAMESPACE, event.key, json.dumps(asdict(event))) for event in changed if event.key not in gone
        ]
        try:
            self._store.commit([*written, *((NAMESPACE, key, None) for key in gone)])
        except StateUnavailable as error:
            log.debug("events are not kept over a restart: %s", error)


def _values(runner: Runner, now: float) -> Values:
    return {
        (name, tuple(sorted(labels.items()))): value
        for name in _WATCHED
        for labels, value in _series(runner, name, now)
    }


def _series(runner: Runner, name: str, now: float) -> Iterator[tuple[Mapping[str, str], float]]:
    for state in runner.states.values():
        body = state.shown(now).bodies.get(name, b"").decode("utf-8", "replace")
        for family in text_string_to_metric_families(body):
            for sample in family.samples:
                yield sample.labels, sample.value
