"""Every kind of fact, and every way in which one cannot be seen."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from exporter.core.collector import Collector, Context
from exporter.core.memory import VolatileStore
from exporter.core.metrics import Sample, gauge
from exporter.core.runner import Runner
from exporter.errors import EnvPhpError, SourceError, SourceTimeout, SourceUnavailable
from exporter.evidence.capture import NO_TIME, Sources, capture
from exporter.evidence.conditions import above, at_most
from exporter.evidence.model import (
    Evidence,
    Fact,
    Finding,
    Hypothesis,
    OwnSeries,
    Pick,
    PromQL,
    Setting,
    SourceFails,
    Verdict,
    ranked,
)

THINGS = gauge("magento_test_things", "Things.", "store", "state")
SHARED = gauge("magento_test_shared", "Of two collectors.", "store")
OTHERS = gauge("magento_test_others", "Others.", "store")


class Things(Collector):
    name, help, source, metrics = "things", "Has things.", "database", (THINGS, SHARED)

    def collect(self, _context: Context) -> Iterable[Sample]:
        yield THINGS.sample(3, store="de", state="new")
        yield THINGS.sample(5, store="de", state="old")
        yield THINGS.sample(70, store="fr", state="new")
        yield SHARED.sample(6, store="de")


class More(Things):
    """Declares the same metric for other stores, as each kind of queue does."""

    name = "more"

    def collect(self, _context: Context) -> Iterable[Sample]:
        yield THINGS.sample(4, store="it", state="new")


class Gone(Collector):
    name, help, source, metrics = "gone", "Fails.", "redis", (OTHERS, SHARED)

    def collect(self, _context: Context) -> Iterable[Sample]:
        raise SourceTimeout("no answer")


class Server:
    """A Prometheus of one answer."""

    def __init__(self, answer: float | SourceError | None) -> None:
        self.answer, self.asked = answer, [""]

    def value(self, query: str, _at: float) -> float | None:
        self.asked.append(query)
        if isinstance(self.answer, SourceError):
            raise self.answer
        return self.answer


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


Look = Callable[..., Finding]


@pytest.fixture
def look(pool: ThreadPoolExecutor) -> Look:
    async def run(fact: Fact, labels: dict[str, str], seconds: float, **sources: object) -> Finding:
        runner = Runner(
            [Things(), More(), Gone()],
            context=lambda *_: None,  # type: ignore[arg-type]
            store=VolatileStore(),
            executors={"database": pool, "redis": pool},
        )
        evidence = Evidence("MagentoAny", (fact,), ())
        found = await capture(evidence, labels, Sources(runner, pool, **sources), seconds=seconds)  # type: ignore[arg-type]
        return found[fact.name]

    def looked(
        fact: Fact, seconds: float = 60, /, labels: dict[str, str] | None = None, **sources: object
    ) -> Finding:
        return asyncio.run(run(fact, labels or {}, seconds, **sources))

    return looked


@pytest.mark.parametrize(
    ("pick", "labels", "value"),
    [
        (Pick.LARGEST, {"store": "de"}, 5),
        (Pick.SUM, {"store": "de"}, 8),
        (Pick.COUNT, {"store": "de"}, 2),
        (Pick.POSITIVE, {"store": "de"}, 2),
        (Pick.SEVERAL, {"store": "de"}, 2),
        (Pick.LARGEST, {"store": "it"}, 4),
        (Pick.SMALLEST, {}, 3),
        (Pick.SUM, {"store": "de", "state": "new", "queue": "not its label"}, 3),
        (Pick.SUM, {}, 82),
    ],
)
def test_own_series_are_those_with_the_alerts_labels(
    look: Look, pick: Pick, labels: dict[str, str], value: float
) -> None:
    assert look(OwnSeries("f", "t", metric=THINGS, pick=pick), labels=labels) == Finding("f", value)


def test_no_series_is_not_zero_unless_it_is_said_so(look: Look) -> None:
    labels = {"store": "es"}
    assert look(OwnSeries("f", "t", metric=THINGS), labels=labels) == Finding(
        "f", None, "there is no such series"
    )
    assert look(OwnSeries("f", "t", metric=THINGS, absent=0.0), labels=labels) == Finding("f", 0.0)


def test_a_collector_that_fails_shows_nothing_and_absent_does_not_apply(look: Look) -> None:
    found = look(OwnSeries("f", "t", metric=OTHERS, absent=0.0))
    assert found == Finding("f", None, "collector gone is failing: timeout")


def test_of_collectors_that_share_a_metric_one_that_works_suffices(look: Look) -> None:
    fact = OwnSeries("f", "t", metric=SHARED, absent=0.0)
    assert look(fact, labels={"store": "de"}).value == 6
    # The store could be one of the collector that fails: not known is not 0.
    assert look(fact, labels={"store": "es"}) == Finding("f", None, "collector gone is failing: timeout")


def test_a_collector_that_is_off(look: Look) -> None:
    other = gauge("magento_test_off", "Off.")
    assert look(OwnSeries("f", "t", metric=other)).why == "the collector is off"


def test_how_a_source_fails(look: Look) -> None:
    assert look(SourceFails("f", "t", source="redis")).value == 1
    assert look(SourceFails("f", "t", reason=SourceTimeout.reason), labels={"source": "redis"}).value == 1
    assert look(SourceFails("f", "t", reason=SourceUnavailable.reason), labels={"source": "redis"}).value == 0
    assert look(SourceFails("f", "t", source="database")).value == 0
    assert look(SourceFails("f", "t", source="rabbitmq")).why == "no collector reads rabbitmq"


@pytest.mark.parametrize(
    ("text", "absent", "value"),
    [("1", None, 1), ("False", None, 0), ("", None, 0), (None, 1.0, 1), (None, None, None)],
)
def test_a_setting(look: Look, text: str | None, absent: float | None, value: float | None) -> None:
    found = look(Setting("f", "t", path="cron/enabled", absent=absent), setting=lambda _: text)
    assert found.value == value


def test_a_setting_that_cannot_be_read(look: Look) -> None:
    def refused(_path: str) -> str:
        raise EnvPhpError("env.php: may not be read")

    fact = Setting("f", "t", path="cron/enabled", absent=1.0)
    assert look(fact, setting=refused) == Finding("f", None, "env.php: may not be read")
    assert look(fact, setting=lambda _: "maybe").why == "env.php: cron/enabled is not a number"
    assert look(fact).why == "magento_root or env_php is not configured"


def test_promql_is_asked_about_the_alerts_target(look: Look) -> None:
    server = Server(0.4)
    fact = PromQL("f", "t", query="sum(x{%s})", labels=("store",))
    labels = {"job": "magento", "shop": "main", "store": "de", "severity": "critical"}
    assert look(fact, labels=labels, prometheus=server) == Finding("f", 0.4)
    assert server.asked[-1] == 'sum(x{job="magento",shop="main",store="de"})'


def test_promql_without_an_answer(look: Look) -> None:
    fact = PromQL("f", "t", query="x")
    assert look(fact).why == "prometheus.url is not configured"
    assert look(fact, prometheus=Server(None)).why == "Prometheus has no such series"
    assert (
        look(fact, prometheus=Server(SourceUnavailable("cannot reach Prometheus"))).why
        == "cannot reach Prometheus"
    )


def test_what_hangs_takes_the_time_that_is_left_and_no_more(pool: ThreadPoolExecutor, look: Look) -> None:
    hangs = threading.Event()
    fact = Setting("f", "t", path="cron/enabled")
    try:
        pool.submit(hangs.wait, 60)
        assert look(fact, 0.05, setting=lambda _: "1") == Finding("f", None, NO_TIME)
    finally:
        hangs.set()


def test_supported_ones_come_first_and_unknown_before_against() -> None:
    facts = tuple(Fact(name, name) for name in "ab")
    against, unknown, supported = (
        Hypothesis("against", at_most("a")),
        Hypothesis("unknown", above("b")),
        Hypothesis("supported", above("a")),
    )
    evidence = Evidence("MagentoAny", facts, (against, unknown, supported))
    judged = ranked(evidence, {"a": Finding("a", 1.0), "b": Finding("b", None, "why")})
    assert [(one.hypothesis.title, one.verdict) for one in judged] == [
        ("supported", Verdict.SUPPORTED),
        ("unknown", Verdict.UNKNOWN),
        ("against", Verdict.AGAINST),
    ]
