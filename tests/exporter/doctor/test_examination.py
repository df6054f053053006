"""The doctor goes on where the exporter would: what fails is a finding and no traceback."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from exporter.app import Exporter
from exporter.backends import Backends
from exporter.collectors.queues_rabbitmq import RabbitMQQueuesCollector
from exporter.core.collector import Collector, Context
from exporter.core.memory import Memory, VolatileStore
from exporter.core.metrics import Sample
from exporter.core.runner import Runner
from exporter.doctor import addresses, collecting, connections, operation
from exporter.doctor.examination import Examination, Finding, Status
from exporter.errors import AccessDenied, ExporterError, SourceUnavailable, SpecError
from exporter.evidence.events import Events
from exporter.settings import Settings, validate
from exporter.sources.rabbitmq import RabbitMQ
from exporter.sources.redis import RedisServers
from exporter.sources.varnish import Varnishstat
from tests.harness.core import context
from tests.harness.evidence import no_evidence


class Failing(Collector):
    """Raises whatever it is given."""

    name = "failing"
    help = "For tests."
    source = "files"
    metrics = ()

    def __init__(self, error: Exception) -> None:
        self._error = error

    def collect(self, _: Context) -> Iterable[Sample]:
        raise self._error


class Redis:
    """A server whose INFO says too little."""

    def __init__(self, role: str = "cache") -> None:
        self._role = role

    def info(self) -> Mapping[str, Mapping[str, Any]]:
        info = {"redis_version": "7.2", "database": 0, "used_memory": 1, "connected_clients": 1}
        return {self._role: info}


class Broker:
    """Gives one answer after the other; an error is raised."""

    raised: frozenset[str] | None = frozenset()

    def __init__(self, *answers: Sequence[Mapping[str, Any]] | Exception) -> None:
        self._answers: Iterator[Sequence[Mapping[str, Any]] | Exception] = iter(answers)

    def queues(self) -> Sequence[Mapping[str, Any]]:
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def alarms(self) -> frozenset[str] | None:
        return self.raised


def examination(
    *collectors: Collector,
    backends: Backends | None = None,
    settings: Settings | None = None,
    **sources: Any,
) -> Examination:
    def given(memory: Memory, now: float) -> Context:
        return context(memory, now, **sources)

    store = VolatileStore()
    runner = Runner(collectors, context=given, store=store, executors={})
    exporter = Exporter(
        settings or Settings(),
        backends or Backends(),
        runner,
        {},
        {},
        store,
        no_evidence(runner, store),
        Events(store, runner),
    )
    return Examination(exporter, given, consumer_start_seconds=0.01)


def seen(findings: Iterable[Finding]) -> list[tuple[Status, str, str]]:
    return [(finding.status, finding.check, finding.seen) for finding in findings]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (SourceUnavailable("gone"), "unavailable: gone"),
        (AccessDenied("no right"), "no right"),
        (SpecError("asked for another source"), "spec: asked for another source"),
        (ExporterError("broken"), "internal: broken"),
        (ZeroDivisionError("division by zero"), "internal: ZeroDivisionError: division by zero"),
        (KeyError("evicted_keys"), "internal: KeyError: 'evicted_keys'"),
    ],
)
def test_one_collector_fails_alone(error: Exception, text: str) -> None:
    broker = Broker([])
    found = list(collecting.check(examination(Failing(error), RabbitMQQueuesCollector(), broker=broker)))
    assert seen(found[:1]) == [(Status.ERROR, "failing", text)]
    assert found[1].status is Status.OK


@pytest.mark.parametrize(
    ("queue", "status"),
    [
        ({"name": "export", "messages_ready": 3, "messages_unacknowledged": 0}, Status.WARNING),
        ({"name": "export", "messages_ready": 3, "consumers": 0}, Status.OK),
    ],
)
def test_a_broker_that_counts_nothing_is_told_of(queue: Mapping[str, Any], status: Status) -> None:
    backends = Backends(rabbitmq=cast(RabbitMQ, Broker([queue])))
    subject = examination(backends=backends)
    (found,) = connections.check(subject)
    assert (found.status, found.check) == (status, "rabbitmq")


@pytest.mark.parametrize("later", [SourceUnavailable("gone"), None])
def test_a_queue_without_consumer_is_told_of_although_the_broker_went_away(later: Exception | None) -> None:
    forsaken = [{"name": "export", "messages_ready": 3, "messages_unacknowledged": 0, "consumers": 0}]
    subject = examination(RabbitMQQueuesCollector(), broker=Broker(forsaken, later or forsaken))
    assert [finding.status for finding in collecting.check(subject)] == [Status.OK]
    found = [finding for finding in operation.check(subject) if finding.check == "queue export"]
    assert seen(found) == [
        (Status.WARNING, "queue export", "3 messages wait and no consumer is there"),
    ]


@pytest.mark.parametrize(("port", "warned"), [(6379, True), (6380, False)])
def test_sessions_beside_a_cache_are_told_of(port: int, *, warned: bool) -> None:
    redis = {"cache": {"host": "r1"}, "session": {"host": "r1", "port": port}}
    settings = validate({"redis": redis})
    subject = examination(backends=Backends(redis=cast(RedisServers, Redis("session"))))
    subject.exporter = replace(subject.exporter, settings=settings)
    found = [finding for finding in connections.check(subject) if finding.status is Status.WARNING]
    expected = [(Status.WARNING, "redis session", "shares its server with the cache (policy unknown)")]
    assert seen(found) == (expected if warned else [])


# --- addresses -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "values", "expected"),
    [
        ("database", {"host": "db", "port": 3307}, "db:3307"),
        ("database", {"socket": "/run/db.sock"}, "/run/db.sock"),
        ("database", {"host": "localhost", "socket_of_localhost": True}, "localhost by its Unix socket"),
        ("database", {"host": "a", "checkout": {"host": "b"}, "sales": {"host": "c", "port": 1}},
         "a:3306, checkout b:3306, sales c:1"),
        ("rabbitmq", {"url": "https://mq:15671/api"}, "https://mq:15671/api"),
        ("varnish", {}, "varnishstat, the default instance"),
        ("varnish", {"instances": ["edge", ""]}, "varnishstat, instance edge, the default instance"),
        ("redis", {"cache": {"host": "r", "port": 1}, "session": {"socket": "/run/r.sock"}},
         "cache r:1, session /run/r.sock"),
        ("redis", {"page_cache": {"sentinel": {"servers": ["s1:1", "s2:2"], "master": "shop"}}},
         "page_cache by Sentinels s1:1, s2:2 (shop)"),
    ],
)  # fmt: skip
def test_the_settings_become_addresses(section: str, values: dict[str, Any], expected: str) -> None:
    assert addresses.of_source(validate({section: values}), section) == expected
    assert addresses.of_source(validate({}), section) == ""


class Down:
    """A Varnish of which one instance answers."""

    def counters(self) -> dict[str, dict[str, int] | None]:
        return {"default": {"MAIN.uptime": 5}, "edge": None}


def test_a_source_that_does_not_answer_is_named_with_where_it_was_looked_for() -> None:
    broker = Broker(SourceUnavailable("cannot connect"))
    backends = Backends(rabbitmq=cast(RabbitMQ, broker), varnish=cast(Varnishstat, Down()))
    settings = validate({"rabbitmq": {"url": "http://mq:15672"}, "varnish": {"instances": ["", "edge"]}})
    found = list(connections.check(examination(backends=backends, settings=settings)))
    errors = {finding.check: finding.seen for finding in found if finding.status is Status.ERROR}
    assert errors == {
        "rabbitmq": "http://mq:15672: cannot connect",
        "varnish edge": "varnishstat, the default instance, instance edge: does not answer",
    }
