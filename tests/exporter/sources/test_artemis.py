"""What the Jolokia of Artemis may answer, and what becomes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from exporter.errors import AccessDenied, SettingsError, SourceError, SourceUnavailable, UnexpectedAnswer
from exporter.sources.artemis import Artemis, ArtemisTarget
from tests.harness.artemis import PASSWORD, USER, RecordedArtemis, bean, queue, recorded


@pytest.fixture
def broker() -> Iterator[RecordedArtemis]:
    with recorded(RecordedArtemis([queue("export", 2, 9, 7), queue("DLQ", 0, 0, 0)])) as server:
        yield server


def source(broker: RecordedArtemis, password: str = PASSWORD) -> Artemis:
    return Artemis(ArtemisTarget(broker.url, USER, lambda: password))


def test_the_queues_of_any_broker_are_asked_for_at_once(broker: RecordedArtemis) -> None:
    assert source(broker).queues() == [queue("export", 2, 9, 7), queue("DLQ", 0, 0, 0)]
    (asked,) = broker.requests
    assert asked["type"] == "read"
    assert asked["mbean"].startswith("org.apache.activemq.artemis:broker=*,")
    assert 'routing-type="anycast"' in asked["mbean"]
    assert "MessageCount" in asked["attribute"]


def test_the_names_of_jmx_are_unquoted(broker: RecordedArtemis) -> None:
    broker.body = json.dumps(
        {"status": 200, "value": {bean(r"a\"b\*", r"a\"b\*"): {}, bean("x,queue=y", "x,queue=y"): {}}}
    ).encode()
    found = source(broker).queues()
    assert [(each["name"], each["address"]) for each in found] == [('a"b*', 'a"b*'), ("x,queue=y",) * 2]


@pytest.mark.parametrize("strict", [False, True])
def test_an_origin_is_given_where_one_is_demanded(broker: RecordedArtemis, strict: bool) -> None:
    broker.origin = broker.url.removesuffix("/console/jolokia") if strict else None
    reader = source(broker)
    assert len(reader.queues()) == 2
    assert len(reader.queues()) == 2
    assert len(broker.requests) == (3 if strict else 2)  # refused once only


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, b'{"status": 403, "error": "Origin null is not allowed"}', AccessDenied),
        (401, b"", AccessDenied),
        (200, b'{"status": 404, "error_type": "InstanceNotFoundException"}', UnexpectedAnswer),
        (404, b"<html>", UnexpectedAnswer),
        (200, b'{"status": 500, "error": "x"}', UnexpectedAnswer),
        (200, b'{"status": 200, "value": 7}', UnexpectedAnswer),
        (200, b'{"status": "200", "value": {}}', UnexpectedAnswer),
        (200, b"[]", UnexpectedAnswer),
        (200, b"AMQ", UnexpectedAnswer),
        (503, b"", SourceUnavailable),
    ],
)
def test_what_are_no_queues(
    broker: RecordedArtemis, status: int, body: bytes, expected: type[SourceError]
) -> None:
    broker.status, broker.body = status, body
    with pytest.raises(expected) as caught:
        source(broker).queues()
    assert PASSWORD not in str(caught.value)


def test_a_wrong_password(broker: RecordedArtemis) -> None:
    with pytest.raises(AccessDenied):
        source(broker, "wrong").queues()


def test_nobody_answers() -> None:
    reader = Artemis(ArtemisTarget("http://127.0.0.1:9/console/jolokia", USER, lambda: PASSWORD))
    with pytest.raises(SourceUnavailable, match="cannot reach the Jolokia of Artemis: ConnectError"):
        reader.queues()


def test_a_url_that_is_none() -> None:
    with pytest.raises(SettingsError, match=r"artemis\.url"):
        Artemis(ArtemisTarget("http://h:x", USER, lambda: PASSWORD))
