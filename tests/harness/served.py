"""``magento-exporter serve`` as a process, for tests that need the whole of it."""

from __future__ import annotations

import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from sandbox.process import free_port
from tests.harness.limits import LONG


@dataclass(frozen=True)
class Served:
    process: subprocess.Popen[bytes]
    port: int
    log: Path
    scheme: str

    @property
    def address(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def get(self, path: str) -> str:
        """Return the text of a page; only over plain HTTP."""
        answer = httpx.get(self.address + path, timeout=LONG, trust_env=False)
        return answer.raise_for_status().text


@contextmanager
def serving(
    directory: Path, settings: Mapping[str, Any], *, tls: ssl.SSLContext | None = None
) -> Iterator[Served]:
    """Serve with these settings until the block ends; it must end with exit code 0."""
    port, log, file = free_port(), directory / "log", directory / "exporter.yml"
    web = {**settings.get("web", {}), "listen": f"127.0.0.1:{port}"}
    file.write_text(yaml.safe_dump({**settings, "web": web}))
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "exporter", "serve", "--config", file], stdout=output, stderr=output
        )
        served = Served(process, port, log, "https" if tls else "http")
        try:
            wait_healthy(served, tls)
            yield served
        finally:
            process.terminate()
            code = process.wait(LONG)
    assert code == 0, log.read_text()


def wait_healthy(served: Served, tls: ssl.SSLContext | None) -> None:
    end = time.monotonic() + LONG
    with httpx.Client(verify=tls or True, timeout=LONG, trust_env=False) as client:
        while served.process.poll() is None and time.monotonic() < end:
            try:
                if client.get(f"{served.address}/-/healthy").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
    raise AssertionError(f"does not serve: {served.log.read_text()}")
