"""A deployment announced to a real Alertmanager, and ended; and answers that are none."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from exporter.cli import main
from exporter.deploys import silence
from exporter.errors import UnexpectedAnswer
from exporter.magento.deploy import MARK, understood
from exporter.sources.monitoring import Alertmanager as Api
from exporter.sources.monitoring import Prometheus as PrometheusApi
from exporter.sources.monitoring import Server
from sandbox.process import free_port
from sandbox.servers.alertmanager import Alertmanager

CONFIGURATION = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("alertmanager")
    configuration = folder / "alertmanager.yml"
    configuration.write_text(CONFIGURATION)
    with Alertmanager(folder / "data", configuration=configuration) as server:
        yield server.url


def a_shop(place: Path) -> Path:
    """Make what is in every shop's directory, but its var/."""
    (place / "app/etc").mkdir(parents=True)
    (place / "app/etc/env.php").write_text("<?php return [];")
    return place


def silences(url: str, release: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(f"{url}/api/v2/silences").json()
    return [one for one in found if release in one["comment"]]


def deploy(url: str, what: str, release: str, *more: str) -> int:
    return main(["deploy", what, "--release", release, "--alertmanager", url, *more])


def test_a_deployment_silences_what_it_causes_and_nothing_after_its_end(
    alertmanager: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert deploy(alertmanager, "start", "v1.2", "--longest", "20", "--shop", "shop.example") == 0
    (made,) = silences(alertmanager, "v1.2")
    assert made["status"]["state"] == "active"
    assert made["createdBy"] == "magento-exporter deploy"
    assert made["comment"] == "deployment of v1.2 to shop.example"
    began, ends = (silence._moment(made[name]) for name in ("startsAt", "endsAt"))
    assert ends - began == pytest.approx(20 * 60, abs=1)
    assert {one["name"]: one["value"] for one in made["matchers"]} == {
        "alertname": "Magento.+", "severity": "urgent|warning", "shop": "shop.example",
    }  # fmt: skip
    capsys.readouterr()

    assert deploy(alertmanager, "start", "v1.2", "--shop", "shop.example") == 2
    assert "has begun already" in capsys.readouterr().err
    assert deploy(alertmanager, "end", "v1.2") == 2  # of another shop
    assert deploy(alertmanager, "end", "v1.2", "--shop", "shop.example") == 0
    assert [one["status"]["state"] for one in silences(alertmanager, "v1.2")] == ["expired"]
    capsys.readouterr()
    assert deploy(alertmanager, "end", "v1.2", "--shop", "shop.example") == 2
    assert "no deployment of v1.2 is going on" in capsys.readouterr().err


def test_a_deployment_whose_silence_is_over_is_still_marked_as_ended(
    alertmanager: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (a_shop(tmp_path) / "var").mkdir()
    root = ("--magento-root", str(tmp_path))
    assert deploy(alertmanager, "start", "v1.3", *root) == 0
    assert deploy(alertmanager, "end", "v1.3") == 0
    capsys.readouterr()
    assert deploy(alertmanager, "end", "v1.3", *root) == 2
    assert "no deployment of v1.3 is going on" in capsys.readouterr().err
    mark = tmp_path / MARK
    assert mark.stat().st_mode & 0o777 == 0o644
    marked = understood(mark.read_bytes())
    assert marked.ended is not None
    assert 0 <= marked.ended - marked.started < 60
    assert list(mark.parent.iterdir()) == [mark]


def test_a_mark_alone_needs_no_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alone = ["deploy", "start", "--release", "v1"]
    assert main(alone) == 2
    assert main([*alone, "--magento-root", str(a_shop(tmp_path))]) == 2  # no var/
    assert "No such file" in capsys.readouterr().err
    (tmp_path / "var").mkdir()
    assert main([*alone, "--magento-root", str(tmp_path)]) == 0
    assert main(["deploy", "end", "--release", "v2", "--magento-root", str(tmp_path)]) == 2
    assert "does not say that a deployment of v2 began" in capsys.readouterr().err


def test_a_critical_alert_is_never_silenced(alertmanager: str) -> None:
    assert deploy(alertmanager, "start", "v2") == 0
    (made,) = silences(alertmanager, "v2")
    (severity,) = (one for one in made["matchers"] if one["name"] == "severity")
    assert not re.fullmatch(severity["value"], "critical")
    assert deploy(alertmanager, "end", "v2") == 0


def test_the_gate_takes_the_times_of_the_deployment_from_alertmanager(
    alertmanager: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    ask = ["gate", "--after", "--release", "v3", "--alertmanager", alertmanager, "--prometheus", away]
    assert main(ask) == 2
    assert "remembers no deployment of v3" in capsys.readouterr().err
    assert deploy(alertmanager, "start", "v3") == 0
    assert deploy(alertmanager, "end", "v3") == 0
    assert main(ask) == 2
    assert "is not 5 minutes old" in capsys.readouterr().err
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    assert main([*ask, "--wait"]) == 2
    assert "cannot reach Prometheus" in capsys.readouterr().out
    assert slept[0] == pytest.approx(15 * 60, abs=30)


def test_without_alertmanager_a_pipeline_learns_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert deploy(f"http://127.0.0.1:{free_port()}", "start", "v4") == 1
    assert capsys.readouterr().err == "magento-exporter: cannot reach Alertmanager: ConnectError\n"


@pytest.mark.parametrize("release", ["", "a b", "-x", "x" * 101, 'x"'])
def test_a_release_has_a_plain_name(release: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deploy", "start", f"--release={release}", "--alertmanager", "http://am.invalid"]) == 2
    assert "--release" in capsys.readouterr().err


ANSWERS = {
    "/refused": (401, "{}"),
    "/error": (500, "{}"),
    "/html": (200, "<html>"),
    "/list": (200, "[]"),
    "/object": (200, "{}"),
    "/number": (200, "7"),
    "/scalar": (200, json.dumps({"status": "success", "data": {"resultType": "scalar", "result": [1, "1"]}})),
    "/torn": (200, json.dumps({"status": "success", "data": {"resultType": "vector", "result": [{}]}})),
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, text = ANSWERS["/" + self.path.split("/")[1]]
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    do_POST = do_GET  # noqa: N815 - its name

    def log_message(self, *_arguments: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def strange() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_that_is_none_is_not_known(
    answer: str, strange: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["gate", "--before", "--prometheus", strange + answer]) == 2
    assert "verdict: cannot know" in capsys.readouterr().out
    assert deploy(strange + answer, "start", "v1") in {1, 2}
    assert "Traceback" not in capsys.readouterr().err


def test_a_time_that_is_none_is_no_time(strange: str) -> None:
    with pytest.raises(UnexpectedAnswer):
        silence._moment("yesterday")
    with pytest.raises(UnexpectedAnswer):
        PrometheusApi(Server(strange + "/torn")).series("up", 0)
    with pytest.raises(UnexpectedAnswer):
        Api(Server(strange + "/object")).silences()


def test_the_token_goes_with_every_request(tmp_path: Path) -> None:
    seen: list[str | None] = []

    class Listening(Handler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("authorization"))
            self.path = "/list/x"
            super().do_GET()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Listening)
    Thread(target=server.serve_forever, daemon=True).start()
    token = tmp_path / "token"
    token.write_text("planted\n")
    deploy(f"http://127.0.0.1:{server.server_port}", "end", "v1", "--token-file", str(token))
    server.shutdown()
    server.server_close()
    assert seen == ["Bearer planted"]
