"""Prometheus with the configuration of deploy/prometheus, its addresses and its clock filled in."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import yaml

from sandbox.errors import ServerError
from sandbox.paths import DEPLOY
from sandbox.process import LOOPBACK, free_port
from sandbox.servers.base import Server, program

CONFIGURATION = DEPLOY / "prometheus" / "prometheus.yml"
ROLES = {
    "mysqld": "database",
    "redis": "session+cache+page_cache",
    "rabbitmq": "amqp",
    "elasticsearch": "search",
    "php_fpm": "php",
    "nginx": "web",
    "varnish": "varnish",
    "node": "node+database+session+cache+page_cache+amqp+php+web+varnish",
}
SHOP = "demo"
"""The shop's name, as Prometheus' targets carry it."""


def labelled(roles: str) -> dict[str, str]:
    """Return the labels of a target with these roles, as `magento-exporter targets` writes them."""
    return {"shop": SHOP, "magento_role": roles}


LABELS = {
    "magento": {"shop": SHOP},
    **{job: labelled(roles) for job, roles in ROLES.items()},
}
"""The labels of a job's targets for a shop on one machine."""


class Prometheus(Server):
    """Prometheus on 127.0.0.1. `scrape_seconds` is also how often rules are evaluated.

    `rules` is a directory whose *.yml are loaded; `targets` are addresses by job name, see `set_targets`.
    """

    name = "prometheus"
    host = LOOPBACK

    def __init__(
        self,
        directory: Path,
        *,
        scrape_seconds: float = 5,
        rules: Path | None = None,
        targets: Mapping[str, Iterable[str]] | None = None,
        configuration: Path = CONFIGURATION,
        arguments: Sequence[str] = (),
    ) -> None:
        super().__init__(directory)
        self.scrape_seconds = scrape_seconds
        self.rules = rules
        self.targets = {job: list(addresses) for job, addresses in (targets or {}).items()}
        self.configuration = configuration
        self.arguments = tuple(arguments)
        self.port = free_port()

    @property
    def url(self) -> str:
        """The web interface; the API is below /api/v1."""
        return f"http://{self.host}:{self.port}"

    def prepare(self) -> None:
        """Write the configuration with our clock and rules, and the targets known so far."""
        settings = yaml.safe_load(self.configuration.read_text())
        settings["global"] = {
            **settings.get("global", {}),
            "scrape_interval": f"{round(self.scrape_seconds * 1000)}ms",
            "evaluation_interval": f"{round(self.scrape_seconds * 1000)}ms",
        }
        for job in settings["scrape_configs"]:
            job.pop("scrape_interval", None)
            limit = min(10.0, self.scrape_seconds)  # a scrape may not last longer than the time to the next
            job["scrape_timeout"] = f"{round(limit * 1000)}ms"
        settings["rule_files"] = [] if self.rules is None else [f"{self.rules.resolve()}/*.yml"]
        (self.directory / "prometheus.yml").write_text(yaml.safe_dump(settings, sort_keys=False))
        self.set_targets({**self.targets, "prometheus": [f"{self.host}:{self.port}"]})

    def set_targets(self, targets: Mapping[str, Iterable[str]]) -> None:
        """Set the addresses (host:port) of the jobs named; a running Prometheus reads them automatically."""
        directory = self.directory / "targets"
        directory.mkdir(parents=True, exist_ok=True)
        for job, addresses in targets.items():
            self.targets[job] = list(addresses)
            half = directory / f".{job}.incomplete"
            half.write_text(yaml.safe_dump([{"targets": self.targets[job], "labels": LABELS.get(job, {})}]))
            half.replace(directory / f"{job}.yml")

    def set_groups(self, job: str, groups: Sequence[Mapping[str, Any]]) -> None:
        """Set the targets of a job with labels, in the form of a targets file."""
        directory = self.directory / "targets"
        directory.mkdir(parents=True, exist_ok=True)
        half = directory / f".{job}.incomplete"
        half.write_text(yaml.safe_dump([dict(group) for group in groups]))
        half.replace(directory / f"{job}.yml")

    def add_target(self, job: str, address: str, labels: Mapping[str, str]) -> None:
        """Add a target with labels of its own to those of a job."""
        usual = {"targets": self.targets.get(job, []), "labels": LABELS.get(job, {})}
        self.set_groups(job, [*filter(lambda group: group["targets"], [usual]),
                              {"targets": [address], "labels": dict(labels)}])  # fmt: skip

    def command(self) -> Sequence[str | Path]:
        """Return Prometheus' command line."""
        return [
            program("prometheus"),
            f"--config.file={self.directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.directory / 'data'}",
            "--storage.tsdb.retention.time=2d",
            f"--web.listen-address={self.host}:{self.port}",
            "--web.enable-lifecycle",
            "--rules.alert.resend-delay=5s",  # a first alert may come before Alertmanager is discovered
            "--log.level=warn",
            *self.arguments,
        ]

    def ready(self) -> bool:
        """Tell whether it can be queried."""
        try:
            return httpx.get(f"{self.url}/-/ready", timeout=5, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the result of an instant query: a list of {metric, value} or {metric, values}."""
        answer = httpx.get(
            f"{self.url}/api/v1/query", params={"query": expression}, timeout=30, trust_env=False
        )
        return list(_data(answer)["result"])

    def target_health(self) -> dict[str, str]:
        """Return each job's health: up, down or unknown (not scraped yet); the worst of its targets."""
        health: dict[str, str] = {}
        for target in self._active_targets():
            job = target["labels"]["job"]
            health[job] = min(health.get(job, "up"), target["health"])  # down < unknown < up
        return health

    def alerts(self) -> list[dict[str, Any]]:
        """Return pending and firing alerts as the API gives them."""
        answer = httpx.get(f"{self.url}/api/v1/alerts", timeout=30, trust_env=False)
        return list(_data(answer)["alerts"])

    def _active_targets(self) -> list[dict[str, Any]]:
        parameters = {"state": "active"}
        answer = httpx.get(f"{self.url}/api/v1/targets", params=parameters, timeout=30, trust_env=False)
        return list(_data(answer)["activeTargets"])


def _data(answer: httpx.Response) -> Any:
    body = answer.json()
    if body["status"] != "success":
        raise ServerError(f"prometheus: {body['error']}")
    return body["data"]
