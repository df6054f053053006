"""Fastly's statistics: a server in its place answers in the form that Fastly documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.backends import open_backends
from exporter.collectors.fastly import FastlyCollector
from exporter.core.memory import VolatileStore
from exporter.core.ports import Fastly
from exporter.errors import AccessDenied, SourceError, SourceTimeout, SourceUnavailable, UnexpectedAnswer
from exporter.settings import Fastly as Section
from exporter.settings import Limits, Settings
from exporter.sources.fastly import LARGEST
from sandbox.process import LOOPBACK, free_port
from tests.harness.answering import Answering, answering
from tests.harness.core import NOON, run, values

START = int(NOON)
TOKEN = "planted-token"
REQUESTS = "magento_page_cache_requests_total"
MISSED = "magento_page_cache_fastly_missed_seconds_total"


def entry(second: int, **numbers: int) -> dict[str, Any]:
    """Return a second as Fastly has it: what is 0 is left out, and each place has numbers of its own."""
    return {"recorded": second, "aggregated": numbers, "datacenter": {"AMS": numbers}}


def answer(following: int, *seconds: dict[str, Any]) -> dict[str, Any]:
    return {"Timestamp": following, "AggregateDelay": 5, "Data": list(seconds)}


class Answers(Answering):
    """Gives the next answer to whoever has the token."""

    answers: list[tuple[int, dict[str, str], bytes]]
    asked: list[str]

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        self.asked.append(self.path)
        status, headers, body = self.answers.pop(0)
        if self.headers.get("Fastly-Key") != TOKEN:
            status, body = 403, b'{"msg": "Provided credentials are missing or invalid"}'
        return status, headers, body


class Service:
    """The server, and the exporter's view of it."""

    def __init__(self, handler: type[Answers], url: str, file: Path) -> None:
        self.handler, self.file = handler, file
        file.write_text(f"{TOKEN}\n")
        self.settings = Section(service="SU1Z0isxPaozGVKXdv0eY", token_file=file, url=url)
        self.store = VolatileStore()

    def source(self, read: float = 3.0) -> Fastly:
        limits = Limits(statement_seconds=read / 2, lock_wait_seconds=read / 4, read_seconds=read)
        fastly = open_backends(Settings(fastly=self.settings, limits=limits)).fastly
        assert fastly is not None
        return fastly

    def replies(self, status: int, body: bytes, **headers: str) -> None:
        self.handler.answers.append((status, headers, body))

    def says(self, said: dict[str, Any]) -> None:
        self.replies(200, json.dumps(said).encode())

    def collected(self, now: float) -> dict[str, float]:
        """Return what a run at a moment yields, by result; the lost seconds as `missed`."""
        found = values(run(FastlyCollector(), self.store, now, fastly=self.source()))
        return {"missed" if name[0] == MISSED else name[-1]: value for name, value in found.items()}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    handler = type("Own", (Answers,), {"answers": [], "asked": []})
    with answering(handler) as url:
        yield Service(handler, url, tmp_path / "token")


def test_each_second_is_counted_once(service: Service) -> None:
    """Also where an answer repeats one, says them in another order, or has none."""
    service.says(answer(START, entry(START - 1, hits=5, miss=1)))
    service.says(
        answer(START + 30, entry(START + 29, hits=7), entry(START - 1, hits=5), entry(START, miss=2))
    )
    service.says({"Timestamp": 0, "Data": [], "error": "No data available, please retry"})
    service.says(answer(START + 90, entry(START + 31, hits=1, **{"pass": 4})))
    service.collected(START)
    assert service.collected(START + 30) == {"hit": 12, "miss": 3, "pass": 0, "missed": 0}
    assert service.collected(START + 60) == {"hit": 12, "miss": 3, "pass": 0, "missed": 0}
    assert service.collected(START + 90) == {"hit": 13, "miss": 3, "pass": 4, "missed": 0}
    asked = [path.removeprefix("/v1/channel/SU1Z0isxPaozGVKXdv0eY/ts/") for path in service.handler.asked]
    assert asked == ["0", str(START), str(START + 30), str(START + 30)]


def test_what_fastly_has_forgotten_is_said(service: Service) -> None:
    service.says(answer(START, entry(START - 1, hits=5)))
    service.says(answer(START + 600, entry(START + 599, hits=7)))
    service.collected(START)
    assert service.collected(START + 600) == {"hit": 12, "miss": 0, "pass": 0, "missed": 599}
    assert [path.rpartition("/")[2] for path in service.handler.asked] == ["0", "0"]


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        ((401, b"{}", {}), AccessDenied, "refused the login"),
        ((302, b"", {"Location": "http://elsewhere.invalid/"}), UnexpectedAnswer, "elsewhere .status 302"),
        ((200, b"<!doctype html><title>Login</title>", {}), UnexpectedAnswer, "not JSON"),
        ((200, b" " * (10 * 1024 * 1024), {}), UnexpectedAnswer, f"more than {LARGEST} bytes"),
        ((404, b"{}", {}), UnexpectedAnswer, "status 404"),
        ((200, b"[]", {}), UnexpectedAnswer, "not its own"),
        ((200, b"", {}), UnexpectedAnswer, "not its own"),
        ((200, b'{"Timestamp": 7, "Data": [{"recorded": 6}]}', {}), UnexpectedAnswer, "not its own"),
        ((200, json.dumps(answer(7, entry(6, hits=-1))).encode(), {}), UnexpectedAnswer, "not its own"),
    ],
)
def test_what_is_no_answer_is_one_clear_line(
    service: Service, reply: tuple[int, bytes, dict[str, str]], error: type[SourceError], words: str
) -> None:
    status, body, headers = reply
    service.replies(status, body, **headers)
    with pytest.raises(error, match=words) as caught:
        service.source().report(0)
    assert TOKEN not in str(caught.value)
    assert len(service.handler.asked) == 1


@pytest.mark.parametrize(
    ("token", "words"),
    [("another", "refused the login"), ("", "holds no token"), ("two words", "holds no token")],
)
def test_the_token_is_read_at_every_request(service: Service, token: str, words: str) -> None:
    source = service.source()
    service.says(answer(START))
    assert source.report(0) == (START, [])
    service.file.write_text(token)
    service.says(answer(START))
    with pytest.raises(AccessDenied, match=words):
        source.report(START)
    service.file.unlink()
    with pytest.raises(AccessDenied, match="No such file"):
        source.report(START)


def test_nobody_is_waited_for(service: Service) -> None:
    service.replies(200, b"{")
    service.handler.slowly = True
    with pytest.raises(SourceTimeout, match="did not finish its answer in time"):
        service.source(0.3).report(0)
    service.settings = service.settings.model_copy(update={"url": f"http://{LOOPBACK}:{free_port()}"})
    with pytest.raises(SourceUnavailable, match="cannot reach Fastly"):
        service.source().report(0)
