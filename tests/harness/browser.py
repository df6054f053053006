"""Headless Chromium with the screen of a phone, driven through its debugging pipe."""

from __future__ import annotations

import base64
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from sandbox import packages
from tests.harness.limits import LONG

WIDTH, HEIGHT = 390, 844
STOP_SECONDS = 10.0
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)
ON_PIPES = 'exec 3<&"$1" 4>&"$2"; shift 2; exec "$@"'
"""Chromium reads its orders from file descriptor 3 and answers on 4."""


class Browser:
    """One page at a time. ``requested`` and ``complaints``: what it asked for and grumbled since `open`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._number = 0
        self._session = ""
        self._unread = b""
        self._loaded = ""
        self.requested: list[str] = []
        self.complaints: list[str] = []

    def __enter__(self) -> Self:
        packages.install(packages.BROWSER)
        orders, self._write = os.pipe()
        self._read, answers = os.pipe()
        self._process = subprocess.Popen(
            ["bash", "-c", ON_PIPES, "bash", str(orders), str(answers), "chromium", *FLAGS,
             f"--user-data-dir={self._directory}", "about:blank"],
            pass_fds=(orders, answers),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        os.close(orders)
        os.close(answers)
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)
        self.call(
            "Emulation.setDeviceMetricsOverride", width=WIDTH, height=HEIGHT, deviceScaleFactor=2, mobile=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._write)
        os.close(self._read)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)  # it ends with its pipe
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def dark(self, wanted: bool) -> None:
        """Prefer dark colours, or light ones."""
        feature = {"name": "prefers-color-scheme", "value": "dark" if wanted else "light"}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def open(self, url: str) -> None:
        """Load a page and wait until all of it is there."""
        self.requested, self.complaints = [], []
        loader = self.call("Page.navigate", url=url)["loaderId"]
        deadline = time.monotonic() + LONG
        while self._loaded != loader:
            self._take(deadline)

    def run(self, script: str) -> Any:
        """Evaluate an expression in the page, as if somebody had just tapped, and return its value."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, userGesture=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def picture(self, file: Path, *, whole: bool = False, **form: Any) -> None:
        """Write what the screen shows, or the whole page, as PNG or in another form."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=whole, **form)
        file.write_bytes(base64.b64decode(shot["data"]))

    def call(self, method: str, **parameters: Any) -> Mapping[str, Any]:
        """Give one order and return its result."""
        self._number += 1
        order = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            order["sessionId"] = self._session
        os.write(self._write, json.dumps(order).encode() + b"\0")
        deadline = time.monotonic() + LONG
        while True:
            message = self._take(deadline)
            if message.get("id") == self._number:
                assert "error" not in message, (method, message)
                result: Mapping[str, Any] = message["result"]
                return result

    def _take(self, deadline: float) -> Mapping[str, Any]:
        """Return the next message; note what it says if it is an event."""
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._read], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "Chromium does not answer"
            arrived = os.read(self._read, 1 << 20)
            assert arrived, "Chromium has ended"
            self._unread += arrived
        text, _, self._unread = self._unread.partition(b"\0")
        message: Mapping[str, Any] = json.loads(text)
        self._note(str(message.get("method", "")), message.get("params", {}))
        return message

    def _note(self, event: str, details: Mapping[str, Any]) -> None:
        if event == "Page.lifecycleEvent" and details["name"] == "load":
            self._loaded = details["loaderId"]
        elif event == "Network.requestWillBeSent":
            self.requested.append(details["request"]["url"])
        elif event == "Log.entryAdded":
            self.complaints.append(details["entry"]["text"])
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(str(details["exceptionDetails"]))
