"""Looks at the facts of one alert, within a time limit: what cannot be seen says why."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final, Protocol

from prometheus_client.parser import text_string_to_metric_families

from exporter.core.metrics import Metric
from exporter.core.runner import CollectorState, Outcome, Runner
from exporter.errors import ExporterError, UsageError
from exporter.evidence.model import (
    CollectorFails,
    Evidence,
    Fact,
    Finding,
    LabelIs,
    OwnSeries,
    Pick,
    PromQL,
    Setting,
    SourceFails,
)

SECONDS: Final = 10.0
"""Longest time for one alert's facts."""

_SELECTING: Final = ("job", "instance", "shop")
"""Labels of the exporter's own target: every series that Prometheus has from it carries them."""

_ABOVE: Final = {Pick.POSITIVE: 0, Pick.SEVERAL: 2}
_ALL_STORES: Final = ("store", "all-stores")
"""An alert about all stores of a shop together: its facts are those of all of them."""

NO_TIME: Final = "no time was left to look"

Labels = Mapping[str, str]


class Asked(Protocol):
    """The Prometheus server."""

    def value(self, query: str, at: float) -> float | None:
        """Return the one value of a query at a moment. May raise :exc:`~exporter.errors.SourceError`."""


class Series(Protocol):
    """One series of an answer."""

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels."""

    @property
    def value(self) -> float:
        """Its value at the moment of the question."""


class AskedForAll(Asked, Protocol):
    """The Prometheus server, asked for more than one value."""

    def series(self, query: str, at: float) -> Sequence[Series]:
        """Return the vector of a query at a moment. May raise :exc:`~exporter.errors.SourceError`."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What evidence is taken from. ``setting`` raises :exc:`~exporter.errors.UsageError`."""

    runner: Runner
    pool: Executor
    prometheus: AskedForAll | None = None
    setting: Callable[[str], str | None] | None = None


async def capture(
    evidence: Evidence, labels: Labels, sources: Sources, *, at: float = 0.0, seconds: float = SECONDS
) -> dict[str, Finding]:
    """Return a finding for each fact, by its name. Raises nothing for what cannot be seen.

    Prometheus remembers: with ``at`` it is asked about that Unix time.
    """
    ends = time.monotonic() + seconds
    if any(isinstance(fact, OwnSeries | SourceFails | CollectorFails) for fact in evidence.facts):
        await sources.runner.scrape(deadline=seconds / 2)  # collectors that have just run do not run again
    found: dict[str, Finding] = {}
    for fact in evidence.facts:
        left = ends - time.monotonic()
        found[fact.name] = (
            await _look(fact, labels, sources, left, at) if left > 0 else Finding(fact.name, None, NO_TIME)
        )
    return found


async def _look(fact: Fact, labels: Labels, sources: Sources, left: float, at: float) -> Finding:
    if isinstance(fact, OwnSeries):
        return _own(fact, labels, sources)
    if isinstance(fact, SourceFails):
        return _source(fact, labels, sources)
    if isinstance(fact, CollectorFails):
        return _collector(fact, labels, sources)
    if isinstance(fact, LabelIs):
        return Finding(fact.name, float(re.fullmatch(fact.pattern, labels.get(fact.label, "")) is not None))
    work = asyncio.get_running_loop().run_in_executor(sources.pool, _ask, fact, labels, sources, at)
    try:
        return await asyncio.wait_for(asyncio.shield(work), left)
    except TimeoutError:
        return Finding(fact.name, None, NO_TIME)


def _ask(fact: Fact, labels: Labels, sources: Sources, at: float) -> Finding:
    """Look at what takes a file or a server, in a worker thread."""
    try:
        if isinstance(fact, Setting):
            return _setting(fact, sources)
        assert isinstance(fact, PromQL)  # noqa: S101 - the only other kind
        return _promql(fact, labels, sources, at or time.time())
    except ExporterError as error:
        return Finding(fact.name, None, str(error))


def _setting(fact: Setting, sources: Sources) -> Finding:
    if sources.setting is None:
        return Finding(fact.name, None, "magento_root or env_php is not configured")
    text = sources.setting(fact.path)
    if text is None:
        return Finding(fact.name, fact.absent, "" if fact.absent is not None else "env.php does not say")
    if fact.equals:
        return Finding(fact.name, float(text == fact.equals))
    try:
        return Finding(fact.name, float({"true": 1, "false": 0, "": 0}.get(text.lower(), text)))
    except ValueError:
        raise UsageError(f"env.php: {fact.path} is not a number") from None


def _promql(fact: PromQL, labels: Labels, sources: Sources, at: float) -> Finding:
    if sources.prometheus is None:
        return Finding(fact.name, None, "prometheus.url is not configured")
    selecting = matchers(labels, fact.labels, anywhere=fact.anywhere)
    value = sources.prometheus.value(fact.query.replace("%s", selecting), at)
    if value is None:
        return Finding(fact.name, None, "Prometheus has no such series")
    return Finding(fact.name, value)


def matchers(labels: Labels, more: tuple[str, ...] = (), *, anywhere: bool = False) -> str:
    """Return the matchers of the alert's target and of some labels. Values are plain by their origin."""
    target = ("shop",) if anywhere else _SELECTING
    return ",".join(
        f'{name}="{labels[name]}"'
        for name in (*target, *more)
        if name in labels and (name, labels[name]) != _ALL_STORES
    )


def _source(fact: SourceFails, labels: Labels, sources: Sources) -> Finding:
    source = fact.source or labels.get("source", "")
    states = [state for state in sources.runner.states.values() if state.collector.source == source]
    if not states:
        return Finding(fact.name, None, f"no collector reads {source or 'this source'}")
    failing = [state for state in states if state.outcome is Outcome.FAILING]
    return Finding(fact.name, float(any(fact.reason in ("", state.reason) for state in failing)))


def _collector(fact: CollectorFails, labels: Labels, sources: Sources) -> Finding:
    state = sources.runner.states.get(labels.get("collector", ""))
    if state is None:
        return Finding(fact.name, None, "no such collector runs here")
    return Finding(fact.name, float(state.outcome is Outcome.FAILING))


def _own(fact: OwnSeries, labels: Labels, sources: Sources) -> Finding:
    # Queues of the database, of RabbitMQ and of Artemis are the same metric of three collectors.
    states = [one for one in sources.runner.states.values() if fact.metric in one.collector.metrics]
    if not states:
        return Finding(fact.name, None, "the collector is off")
    now = time.time()
    troubles = [(one, _trouble(one, now)) for one in states]
    wanted = {
        name: labels[name]
        for name in fact.metric.labels
        if name in labels and name not in fact.ignore and (name, labels[name]) != _ALL_STORES
    }
    values = [
        value
        for one, trouble in troubles
        if not trouble
        for value in _values(one, fact.metric, wanted | dict(fact.labels), now)
    ]
    if not values:
        if trouble := next((text for _, text in troubles if text), ""):
            return Finding(fact.name, None, trouble)
        return Finding(fact.name, fact.absent, "" if fact.absent is not None else "there is no such series")
    value = _picked(fact.pick, values)
    return Finding(fact.name, now - value if fact.age else value)


def _trouble(state: CollectorState, now: float) -> str:
    """Return why the collector's series say nothing now; empty if they do."""
    if state.outcome is not Outcome.OK:
        return f"collector {state.name} is failing: {state.reason or state.outcome}"
    if abs(now - state.succeeded_at) > state.max_staleness:
        return f"the last result of collector {state.name} is too old"
    return ""


def _values(state: CollectorState, metric: Metric, wanted: Labels, now: float) -> Iterator[float]:
    body = state.shown(now).bodies.get(metric.name, b"").decode("utf-8", "replace")
    for family in text_string_to_metric_families(body):
        for sample in family.samples:
            if wanted.items() <= sample.labels.items():
                yield sample.value


def _picked(pick: Pick, values: list[float]) -> float:
    if pick is Pick.LARGEST:
        return max(values)
    if pick is Pick.SMALLEST:
        return min(values)
    if pick is Pick.SUM:
        return sum(values)
    return float(len(values) if pick is Pick.COUNT else sum(value > _ABOVE[pick] for value in values))
