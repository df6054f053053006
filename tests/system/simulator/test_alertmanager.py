"""The model of Alertmanager routes and inhibits as the real one does, and keeps its rules of notification."""

import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from typing import Final

import httpx
import pytest
import yaml

from sandbox.servers.alertmanager import Alertmanager as Server
from tests.harness.limits import LONG
from tests.system.simulator.__main__ import ROUTES, RULES
from tests.system.simulator.alertmanager import Alertmanager, Notification
from tests.system.simulator.rules import Firing, Rule, load
from tests.system.simulator.series import labels_of

MODEL: Final = Alertmanager.load(ROUTES)
OWN: Final = {"store": ("de", "us"), "source": ("database", "redis", "rabbitmq", "files", "varnish")}
SNAPSHOTS: Final = 60
ALERTS: Final = [rule for rule in load(sorted(RULES.glob("*.yml"))) if rule.alerts]


def severities(rule: Rule) -> list[str]:
    """Return the severities that a rule can have: a template chooses between two by a label or the value."""
    return re.findall(r"\}\}(\w+)\{\{", rule.severity) or [rule.severity]


def snapshot(random: Random, number: int) -> list[dict[str, str]]:
    """Return some alerts of the pack that fire at the same time; job and shop keep snapshots apart."""
    found: list[dict[str, str]] = []
    # MagentoExporterMissing is about no shop: it inhibits in every snapshot.
    of_a_shop = [rule for rule in ALERTS if rule.name != "MagentoExporterMissing"]
    for rule in random.sample(of_a_shop, random.randint(2, 14)):
        own = {
            name: random.choice(values)
            for name, values in OWN.items()
            if name not in rule.labels and random.random() < 0.6
        }
        stage = {"stage": random.choice(("order", "payment_method"))} if "Stage" in rule.name else {}
        shop = {"job": f"magento-{number}", "shop": f"shop-{number}"}
        severity = {"severity": random.choice(severities(rule))}
        instance = {"instance": random.choice(("a", "a", "b"))}
        found.append({"alertname": rule.name, **rule.labels, **severity, **own, **stage, **instance, **shop})
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("alertmanager"), configuration=ROUTES) as running:
        yield running


def test_what_is_inhibited_and_where_it_goes(server: Server) -> None:
    random = Random(5)  # noqa: S311 - a sample, to be repeated exactly
    snapshots = [snapshot(random, number) for number in range(SNAPSHOTS)]
    now = datetime.now(UTC).isoformat()
    body = [{"labels": labels, "startsAt": now} for firing in snapshots for labels in firing]
    httpx.post(f"{server.url}/api/v2/alerts", json=body, trust_env=False).raise_for_status()
    real = {labels_of(one["labels"]): one for one in server.alerts()}
    wrong, inhibited = [], 0
    for firing in snapshots:
        for labels in firing:
            there = real[labels_of(labels)]
            ours = MODEL.inhibited(labels, firing)
            inhibited += ours
            receivers = [one["name"] for one in there["receivers"]]
            if ours != bool(there["status"]["inhibitedBy"]) or MODEL.receivers(labels) != receivers:
                wrong.append((labels, there["status"], receivers))
    assert not wrong
    assert 50 < inhibited < len(body) - 50, "a sample of one kind shows nothing"


@pytest.mark.parametrize("rule", ALERTS[::5], ids=lambda rule: rule.name)
def test_amtool_agrees_on_the_route(rule: Rule) -> None:
    labels = {"alertname": rule.name, **rule.labels, "severity": severities(rule)[0]}
    pairs = [f"{name}={value}" for name, value in labels.items()]
    command = ["amtool", "config", "routes", "test", f"--config.file={ROUTES}", *pairs]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=LONG).stdout.split()
    assert said == MODEL.receivers(labels)


CONFIGURATION: Final = """
route:
  receiver: page
  group_by: [alertname]
  group_wait: 30s
  group_interval: 5m
  repeat_interval: 1h
  routes:
    - {receiver: ticket, matchers: ['severity = "warning"'], mute_time_intervals: [night]}
time_intervals:
  - name: night
    time_intervals: [{times: [{start_time: '00:00', end_time: '08:00'}]}]
inhibit_rules:
  - {source_matchers: ['alertname = "Cause"'], target_matchers: ['alertname != "Cause"'], equal: [shop]}
"""
SMALL: Final = Alertmanager.of(yaml.safe_load(CONFIGURATION))
HOURS: Final = 24


def firing(name: str, first: int, end: int, **labels: str) -> Firing:
    return Firing(labels_of({"alertname": name, **labels}), first, end)


def sent(*firings: Firing) -> list[Notification]:
    return SMALL.notifications(firings, 0, HOURS * 60)


def test_a_group_waits_and_repeats_after_its_time() -> None:
    assert [(one.second, one.repeated) for one in sent(firing("A", 10, 80))] == [(630, False), (4230, True)]


def test_a_second_alert_of_a_group_waits_for_its_interval() -> None:
    found = sent(firing("A", 10, 60, store="de"), firing("A", 11, 60, store="us"))
    assert [(one.second, len(one.new)) for one in found] == [(630, 1), (930, 1)]


def test_an_inhibited_alert_is_sent_when_its_cause_is_over() -> None:
    found = sent(firing("Cause", 10, 20), firing("A", 10, 40), firing("A", 10, 40, shop="other"))
    when = sorted((one.minute, *one.alerts) for one in found)
    assert when == [(11, "A"), (11, "Cause"), (21, "A")]


def test_a_muted_alert_is_sent_in_the_morning_if_it_still_fires() -> None:
    found = sent(
        firing("A", 10, 600, severity="warning"),
        firing("B", 10, 400, severity="warning"),
        firing("C", 500, 501, severity="warning"),
    )
    assert [(one.minute, one.receiver, sorted(one.alerts)) for one in found if not one.repeated] == [
        (481, "ticket", ["A"]),
        (501, "ticket", ["C"]),
    ]


def test_an_alert_that_ended_and_fires_again_is_new() -> None:
    found = sent(firing("A", 10, 12), firing("A", 100, 110))
    assert [(one.minute, one.repeated) for one in found] == [(11, False), (101, False)]
