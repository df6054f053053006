"""Alertmanager, a single one without a cluster."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from sandbox.paths import DEPLOY
from sandbox.process import LOOPBACK, free_port
from sandbox.servers.base import Server, program

CONFIGURATION = DEPLOY / "alertmanager" / "alertmanager.yml"


class Alertmanager(Server):
    """Alertmanager on 127.0.0.1 with the configuration file given; its relative paths start there."""

    name = "alertmanager"
    host = LOOPBACK

    def __init__(
        self, directory: Path, *, configuration: Path = CONFIGURATION, arguments: Sequence[str] = ()
    ) -> None:
        super().__init__(directory)
        self.configuration = configuration.resolve()
        self.arguments = tuple(arguments)
        self.port = free_port()

    @property
    def url(self) -> str:
        """The web interface; the API is below /api/v2."""
        return f"http://{self.host}:{self.port}"

    def prepare(self) -> None:
        """Nothing: the configuration is used where it is."""

    def command(self) -> Sequence[str | Path]:
        """Return Alertmanager's command line; the empty cluster address keeps it from looking for peers."""
        return [
            program("prometheus-alertmanager", "alertmanager"),
            f"--config.file={self.configuration}",
            f"--storage.path={self.directory / 'data'}",
            f"--web.listen-address={self.host}:{self.port}",
            "--cluster.listen-address=",
            "--log.level=warn",
            *self.arguments,
        ]

    def ready(self) -> bool:
        """Tell whether it takes alerts."""
        try:
            return httpx.get(f"{self.url}/-/ready", timeout=5, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts it holds, as its API gives them."""
        return list(httpx.get(f"{self.url}/api/v2/alerts", timeout=30, trust_env=False).json())
