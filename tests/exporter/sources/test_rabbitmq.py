"""What the management API may answer, and what becomes of it."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from exporter.errors import (
    AccessDenied,
    LoginRefused,
    SettingsError,
    SourceError,
    SourceTimeout,
    SourceUnavailable,
    UnexpectedAnswer,
)
from exporter.sources.rabbitmq import PAGE, PAGES, RabbitMQ, RabbitMQTarget

Handler = Callable[[httpx.Request], httpx.Response]


def source(handler: Handler, *, vhost: str = "/", password: Callable[[], str] = lambda: "secret") -> RabbitMQ:
    broker = RabbitMQ(RabbitMQTarget("http://broker:15672/", "reader", password, vhost))
    broker._client = httpx.Client(base_url="http://broker:15672", transport=httpx.MockTransport(handler))
    return broker


def answers(status: int, body: object) -> Handler:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda _request: httpx.Response(status, content=content)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, {"error": "not_authorised"}, AccessDenied),
        (403, {}, AccessDenied),
        (404, {"error": "Object Not Found"}, AccessDenied),
        (404, b"<html>", UnexpectedAnswer),
        (500, {}, SourceUnavailable),
        (503, b"", SourceUnavailable),
        (302, b"", UnexpectedAnswer),
        (200, b"<html>", UnexpectedAnswer),
        (200, [], UnexpectedAnswer),
        (200, {"error": "x"}, UnexpectedAnswer),
        (200, {"items": None}, UnexpectedAnswer),
    ],
)
def test_what_is_no_list_of_queues(status: int, body: object, expected: type[SourceError]) -> None:
    with pytest.raises(expected) as caught:
        source(answers(status, body)).queues()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {"status": "ok"}, set()),
        (503, {"status": "failed", "alarms": [{"node": "a", "resource": "memory"}]}, {"memory"}),
        (
            503,
            {"alarms": [{"node": "a", "resource": "disk"}, {"node": "b", "resource": "memory"}, "odd"]},
            {"disk", "memory"},
        ),
        (503, {"status": "failed", "alarms": [{"node": "a", "resource": "disk space"}]}, {"disk"}),
        (404, {"error": "Object Not Found"}, None),
        (403, {}, None),
    ],
)
def test_alarms(status: int, body: object, expected: set[str] | None) -> None:
    asked: list[str] = []

    def check(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return answers(status, body)(request)

    assert source(check).alarms() == expected
    assert asked == ["/api/health/checks/alarms"]


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (500, {}, SourceUnavailable),
        (503, b"<html>no server is available</html>", SourceUnavailable),
        (503, {"reason": "starting"}, SourceUnavailable),
        (302, b"", UnexpectedAnswer),
        (200, b"<html>", UnexpectedAnswer),
        (200, [], UnexpectedAnswer),
        (200, {"alarms": []}, UnexpectedAnswer),
    ],
)
def test_what_says_nothing_about_alarms(status: int, body: object, expected: type[SourceError]) -> None:
    """A balancer's own 503 is no alarm, and nobody is called for it as if it were one."""
    with pytest.raises(expected):
        source(answers(status, body)).alarms()


def test_time_limit_and_connection() -> None:
    def slow(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("too slow", request=request)

    def closed(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(SourceTimeout):
        source(slow).queues()
    with pytest.raises(SourceUnavailable):
        source(closed).queues()


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (ssl.SSLCertVerificationError(1, "certificate has expired"), LoginRefused),
        (ssl.SSLError(1, "WRONG_VERSION_NUMBER"), UnexpectedAnswer),
        (ssl.SSLEOFError(8, "EOF"), SourceUnavailable),
    ],
)
def test_a_handshake_that_we_end_does_not_mean_that_rabbitmq_is_down(
    cause: ssl.SSLError, expected: type[SourceError]
) -> None:
    def handshake(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("handshake", request=request) from cause

    with pytest.raises(expected) as caught:
        source(handshake).queues()
    assert type(caught.value) is expected


def test_every_page_is_read_up_to_a_bound() -> None:
    asked: list[dict[str, str]] = []

    def page(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        body: dict[str, Any] = {"items": [{"name": f"q{len(asked)}"}, "odd"], "page_count": 99}
        return httpx.Response(200, json=body)

    assert [queue["name"] for queue in source(page).queues()] == [f"q{n}" for n in range(1, PAGES + 1)]
    assert [query["page"] for query in asked] == [str(n) for n in range(1, PAGES + 1)]
    assert {query["page_size"] for query in asked} == {str(PAGE)}


@pytest.mark.parametrize("odd", [None, "", "3", [], {}, True, 1.5])
def test_what_is_no_number_is_left_out_and_the_rest_counts(odd: object) -> None:
    sick = {"name": "sick", "messages_ready": odd, "consumers": 1, "message_stats": odd}
    body = {"items": [sick, {"name": "well", "message_stats": {"ack": odd, "publish": 2}}], "page_count": odd}
    assert source(answers(200, body)).queues() == [
        {"name": "sick", "consumers": 1},
        {"name": "well", "message_stats": {"publish": 2}},
    ]


def test_the_virtual_host_is_one_part_of_the_path_and_the_password_is_asked_for_each_time() -> None:
    seen: list[tuple[bytes, str]] = []
    passwords = iter(("old", "new"))

    def note(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.raw_path.split(b"?")[0], request.headers["authorization"]))
        return httpx.Response(200, json={"items": [], "page_count": 1})

    broker = source(note, vhost="shop/live", password=lambda: next(passwords))
    broker.queues()
    broker.queues()
    assert [path for path, _ in seen] == [b"/api/queues/shop%2Flive"] * 2
    assert len({login for _, login in seen}) == 2


@pytest.mark.parametrize("url", ["http://rabbit.example:5671:15672", "http://[::1:15672", "http://h:port"])
def test_a_url_that_is_none_is_one_line_at_the_start(url: str) -> None:
    with pytest.raises(SettingsError, match=r"rabbitmq\.url") as refusal:
        RabbitMQ(RabbitMQTarget(url, "user", lambda: "secret")).queues()
    assert "\n" not in str(refusal.value)
