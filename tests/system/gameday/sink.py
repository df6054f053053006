"""Takes the notifications that Alertmanager sends, as Slack and PagerDuty would, and remembers them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Self

import yaml

from alerts.lib.alertmanager import NOBODY
from promql.durations import Duration, span
from sandbox.servers.alertmanager import CONFIGURATION

_TIMES: Final = ("group_wait", "group_interval", "repeat_interval")


@dataclass(frozen=True, slots=True)
class Notification:
    """One alert in one message: when it came (monotonic), to whom, and whether it fires or is over."""

    at: float
    receiver: str
    status: str
    labels: Mapping[str, str]


class Sink:
    """A web hook on loopback for every receiver. As a context manager it listens inside the block."""

    def __init__(self) -> None:
        self.received: list[Notification] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        received = self.received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                now = time.monotonic()
                received.extend(
                    Notification(now, message["receiver"], alert["status"], alert["labels"])
                    for alert in message["alerts"]
                )
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler

    def configuration(self, file: Path, scale: float) -> Path:
        """Write the pack's Alertmanager configuration with every receiver leading here that leads anywhere.

        Its times are divided by ``scale``; tickets do not wait for the morning. Routes and inhibition
        are as shipped.
        """
        settings = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))
        del settings["global"]["slack_api_url_file"]
        settings["templates"] = []
        hook = {"url": f"http://127.0.0.1:{self._server.server_port}/", "send_resolved": True}
        settings["receivers"] = [
            receiver if receiver["name"] == NOBODY else {"name": receiver["name"], "webhook_configs": [hook]}
            for receiver in settings["receivers"]
        ]
        for route in (settings["route"], *settings["route"]["routes"]):
            route.pop("mute_time_intervals", None)
            route.update({name: _sooner(route[name], scale) for name in _TIMES if name in route})
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
        return file

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _sooner(text: str, scale: float) -> str:
    known = span(text)
    assert isinstance(known, Duration), text
    return str(Duration(round(known.seconds / scale, 3)))
