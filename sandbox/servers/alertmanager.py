"""Alertmanager, a single one without a cluster."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from sandbox.paths import DEPLOY
from sandbox.process import LOOPBACK, free_port
from sandbox.servers.base import Server, program

CONFIGURATION = DEPLOY / "alertmanager" / "alertmanager.yml"
EVIDENCE_ROUTE = {
    "receiver": "evidence",
    "matchers": ['alertname =~ "Magento.+"', 'severity != "none"'],
    "group_wait": "0s",
    "group_interval": "5s",
    "continue": True,
}
"""As docs/evidence.md has it, but that a demo's alerts are soon over: it sends the end soon."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where every alert is sent besides, and the file with the token for it."""

    url: str
    token_file: Path


class Alertmanager(Server):
    """Alertmanager on 127.0.0.1 with the configuration file given; its relative paths start there.

    With `evidence` set before the start, every alert of the pack is sent there as well.
    """

    name = "alertmanager"
    host = LOOPBACK

    def __init__(
        self, directory: Path, *, configuration: Path = CONFIGURATION, arguments: Sequence[str] = ()
    ) -> None:
        super().__init__(directory)
        self.configuration = configuration.resolve()
        self.arguments = tuple(arguments)
        self.port = free_port()
        self.evidence: Webhook | None = None

    @property
    def url(self) -> str:
        """The web interface; the API is below /api/v2."""
        return f"http://{self.host}:{self.port}"

    def prepare(self) -> None:
        """Write the configuration with the webhook; without one it is used where it is."""
        if self.evidence is None:
            return
        settings = yaml.safe_load(self.configuration.read_text())
        settings["templates"] = [
            str(self.configuration.parent / file) for file in settings.get("templates", ())
        ]
        settings["route"]["routes"].insert(0, EVIDENCE_ROUTE)
        settings["receivers"].append(_receiver(self.evidence))
        self._with_evidence.write_text(yaml.safe_dump(settings, sort_keys=False))

    @property
    def _with_evidence(self) -> Path:
        return self.directory / "alertmanager.yml"

    def command(self) -> Sequence[str | Path]:
        """Return Alertmanager's command line; the empty cluster address keeps it from looking for peers."""
        return [
            program("prometheus-alertmanager", "alertmanager"),
            f"--config.file={self._with_evidence if self.evidence else self.configuration}",
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


def _receiver(webhook: Webhook) -> dict[str, Any]:
    authorization = {"credentials_file": str(webhook.token_file)}
    hook = {"url": webhook.url, "max_alerts": 50, "http_config": {"authorization": authorization}}
    return {"name": EVIDENCE_ROUTE["receiver"], "webhook_configs": [hook]}
