"""A real Alertmanager sends an alert, and the exporter has looked at the shop before anybody opens a page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from exporter.evidence.declared import declared
from sandbox.process import wait_until
from sandbox.servers.alertmanager import Alertmanager, Webhook
from sandbox.servers.magento_exporter import MagentoExporter
from tests.harness.limits import LONG

TOKEN = "a-token"
FIRES = '<i class="fires">'
LABELS = {"alertname": "MagentoCronStopped", "job": "magento", "instance": "shop:9816", "shop": "main"}


class Pair:
    """An exporter beside a shop's directory in which cron is switched off, and an Alertmanager."""

    def __init__(self, directory: Path) -> None:
        root = directory / "shop"
        (root / "app/etc").mkdir(parents=True)
        (root / "app/etc/env.php").write_text("<?php return ['cron' => ['enabled' => 0]];")
        token = directory / "token"
        token.write_text(TOKEN)
        self.settings = {
            "magento_root": str(root),
            "state_file": str(directory / "state"),
            "evidence": {"token_file": str(token)},
        }
        self.exporter = MagentoExporter(directory / "exporter", settings=self.settings)
        self.alertmanager = Alertmanager(directory / "alertmanager")
        self.alertmanager.evidence = Webhook(f"{self.url}/api/alerts", token)

    @property
    def url(self) -> str:
        return f"http://{self.exporter.address}"

    def page(self, path: str) -> str:
        answer = httpx.get(self.url + path, timeout=LONG, trust_env=False)
        answer.raise_for_status()
        return answer.text

    def send(self, ends_in: timedelta, **more: str) -> None:
        now = datetime.now(UTC)
        alert = {
            "labels": {**LABELS, **more},
            "startsAt": (now - timedelta(minutes=17)).isoformat(),
            "endsAt": (now + ends_in).isoformat(),
        }
        url = f"{self.alertmanager.url}/api/v2/alerts"
        httpx.post(url, json=[alert], timeout=LONG, trust_env=False).raise_for_status()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with ExitStack() as stack:
        pair = Pair(tmp_path_factory.mktemp("evidence"))
        stack.enter_context(pair.exporter)
        stack.enter_context(pair.alertmanager)
        yield pair


def test_what_alertmanager_sends_is_on_the_page(pair: Pair) -> None:
    pair.send(timedelta(hours=1))
    wait_until(
        lambda: "MagentoCronStopped" in pair.page("/incidents"), seconds=LONG, what="the alert is listed"
    )
    page = pair.page("/runbooks/MagentoCronStopped?shop=main&instance=shop:9816")
    assert '<li class="supported first" data-hypothesis="cron was switched off for a deploy' in page
    assert 'cron is enabled in env.php</td><td data-title="then">no</td>' in page


def test_it_outlives_a_kill_and_hears_of_the_end(pair: Pair) -> None:
    pair.exporter.kill()
    pair.exporter.start()
    assert FIRES in pair.page("/incidents")
    pair.send(timedelta(seconds=-1))
    wait_until(lambda: FIRES not in pair.page("/incidents"), seconds=LONG, what="the end is noted")


def test_a_storm_of_webhooks_costs_one_bundle_an_alert_and_delays_no_scrape(pair: Pair) -> None:
    """A thousand notifications, twenty alerts, two Alertmanagers: each alert is looked at once."""
    began, names = datetime.now(UTC), [name for name in declared() if name != "MagentoCronStopped"][:20]

    def alert(name: str) -> dict[str, Any]:
        return {
            "status": "firing",
            "labels": {"alertname": name, "job": "magento"},
            "startsAt": began.isoformat(),
            "endsAt": "0001-01-01T00:00:00Z",
            "fingerprint": f"{names.index(name):016x}",
        }

    def send(number: int) -> int:
        body = {"version": "4", "alerts": [alert(names[number % len(names)])]}
        headers = {"authorization": f"Bearer {TOKEN}"}
        return client.post("/api/alerts", json=body, headers=headers).status_code

    with (
        httpx.Client(base_url=pair.url, timeout=LONG, trust_env=False) as client,
        ThreadPoolExecutor(8) as senders,
    ):
        sent = senders.map(send, range(1_000))
        scrapes = [pair.page("/metrics") for _ in range(20)]
    assert set(sent) == {200}
    wait_until(
        lambda: all(f">{name}</a>" in pair.page("/incidents") for name in names),
        seconds=LONG,
        what="every alert is listed",
    )
    listed = pair.page("/incidents")
    assert [listed.count(f">{name}</a>") for name in names] == [1] * len(names)
    assert all('magento_collector_success{collector="deployment"} 1' in page for page in scrapes)
    late = re.findall(r'magento_collector_errors_total\{.*reason="timeout".*\} (\S+)', pair.page("/metrics"))
    assert {float(number) for number in late} <= {0.0}
