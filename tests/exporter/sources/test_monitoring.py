"""How Prometheus is asked: who asks, and what an answer may be."""

from __future__ import annotations

import http.server
import json
import threading
from base64 import b64encode
from collections.abc import Iterator

import pytest

from exporter.errors import AccessDenied, SettingsError, SourceUnavailable, UnexpectedAnswer
from exporter.sources import monitoring
from exporter.sources.monitoring import Prometheus, Server
from sandbox.process import LOOPBACK, free_port


class Answers(http.server.BaseHTTPRequestHandler):
    """Gives one answer to everybody and remembers who asked."""

    status = 200
    body = b""
    asked: str | None = None

    def do_POST(self) -> None:
        type(self).asked = self.headers.get("Authorization")
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[tuple[type[Answers], str]]:
    handler = type("Own", (Answers,), {})
    with http.server.ThreadingHTTPServer((LOOPBACK, 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield handler, f"http://{LOOPBACK}:{server.server_port}"
        server.shutdown()


def vector(*values: str) -> bytes:
    result = [{"metric": {}, "value": [0, value]} for value in values]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()


@pytest.mark.parametrize(
    ("user", "secret", "sent"),
    [
        ("", "", None),
        ("", "token", "Bearer token"),
        ("reader", "word", "Basic " + b64encode(b"reader:word").decode()),
    ],
)
def test_who_asks(server: tuple[type[Answers], str], user: str, secret: str, sent: str | None) -> None:
    handler, url = server
    handler.body = vector("1.5")
    prometheus = Prometheus(Server(url, lambda: secret, user))
    assert prometheus.value("x", 0.0) == 1.5
    assert handler.asked == sent


@pytest.mark.parametrize(("values", "value"), [((), None), (("NaN",), None), (("0",), 0.0)])
def test_nothing_is_not_zero(
    server: tuple[type[Answers], str], values: tuple[str, ...], value: float | None
) -> None:
    handler, url = server
    handler.body = vector(*values)
    assert Prometheus(Server(url)).value("x", 0.0) == value


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, b"", "refused the login"),
        (503, b"", "status 503"),
        (302, b"", "status 302"),
        (200, b"<html>", "not JSON"),
        (200, b"[]", "not its own"),
        (200, b" " * 200, "more than 100 bytes"),
    ],
)
def test_an_answer_that_is_none(
    server: tuple[type[Answers], str],
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    body: bytes,
    words: str,
) -> None:
    monkeypatch.setattr(monitoring, "LARGEST", 100)
    handler, url = server
    handler.status, handler.body = status, body
    with pytest.raises((AccessDenied, UnexpectedAnswer), match=words):
        Prometheus(Server(url)).value("x", 0.0)


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(SourceUnavailable, match="cannot reach Prometheus"):
        Prometheus(Server(f"http://{LOOPBACK}:{free_port()}")).value("x", 0.0)


def test_an_address_that_is_none() -> None:
    with pytest.raises(SettingsError, match="Prometheus"):
        Prometheus(Server("http://[::1"))
