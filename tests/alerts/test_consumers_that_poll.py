"""Consumers as cron starts them poll RabbitMQ: alive while they do, and dead in time when they are killed."""

import subprocess
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pika
import pytest
import yaml

from alerts.catalogue import Catalogue
from alerts.lib import promtool
from exporter.collectors.queues_rabbitmq import RabbitMQQueuesCollector
from exporter.core.memory import VolatileStore
from exporter.sources.rabbitmq import RabbitMQ, RabbitMQTarget
from sandbox.process import wait_until
from sandbox.servers.rabbitmq import RabbitMQ as Broker
from tests.harness.core import NOON, run, values
from tests.harness.limits import LONG

pytestmark = pytest.mark.slow

QUEUE: Final = "polled"
KILLED, END, EVERY = 16, 32, 2
"""Minutes: when the consumer is killed, when the series end, and how often a message comes."""
PROMISED: Final = 10
"""Minutes after which the alert fires: nothing was done in five, and that for five more."""
LABELS: Final = {
    "magento_queue_messages": ("queue", "broker", "state"),
    "magento_queue_messages_completed_total": ("queue", "broker"),
    "magento_queue_consumers": ("queue", "broker"),
}


@pytest.fixture(scope="module")
def series(rabbitmq: Broker) -> Mapping[str, list[float]]:
    """What the collector shows: a message comes every two minutes, and the first one of all always waits."""
    rabbitmq.declare_queues([QUEUE])
    login = pika.PlainCredentials(rabbitmq.user, rabbitmq.password)
    address = pika.ConnectionParameters(rabbitmq.host, rabbitmq.port, rabbitmq.vhost, login)
    target = RabbitMQTarget(
        rabbitmq.management_url, rabbitmq.user, lambda: rabbitmq.password, vhost=rabbitmq.vhost
    )
    shown, store, done = dict[str, list[float]](), VolatileStore(), 0
    with closing(RabbitMQ(target)) as source, closing(pika.BlockingConnection(address)) as connection:
        channel = connection.channel()
        channel.basic_publish("", QUEUE, b"first")
        for minute in range(0, END, EVERY):
            channel.basic_publish("", QUEUE, b"more")
            if minute < KILLED:
                channel.basic_ack(channel.basic_get(QUEUE)[0].delivery_tag)
                done += 1
            page = after(minute, done, source, store)
            for (name, *labels), value in page.items():
                if name in LABELS and labels[0] == QUEUE:
                    pairs = ", ".join(
                        f'{key}="{label}"' for key, label in zip(LABELS[name], labels, strict=True)
                    )
                    key = f'{name}{{job="magento", instance="shop:9816", {pairs}}}'
                    shown.setdefault(key, []).append(value)
    return shown


def after(minute: int, done: int, source: RabbitMQ, store: VolatileStore) -> dict[tuple[str, ...], float]:
    """Return the page of a minute, once the broker's statistics have caught up."""
    page: dict[tuple[str, ...], float] = {}

    def caught_up() -> bool:
        page.clear()
        page.update(values(run(RabbitMQQueuesCollector(), store, NOON + 60 * minute, broker=source)))
        ready = page.get(("magento_queue_messages", QUEUE, "rabbitmq", "new"))
        completed = page.get(("magento_queue_messages_completed_total", QUEUE, "rabbitmq"))
        return (ready, completed) == (minute // EVERY + 2 - done, done)

    wait_until(caught_up, seconds=LONG, what=f"the statistics of minute {minute}")
    return page


@pytest.mark.parametrize("minute", [KILLED, KILLED + PROMISED + 1])
def test_a_consumer_that_polls_lives_and_a_killed_one_is_dead_in_time(
    found: Catalogue,
    rules: Mapping[str, str],
    series: Mapping[str, list[float]],
    tmp_path: Path,
    minute: int,
) -> None:
    consumers = next(values for name, values in series.items() if name.startswith("magento_queue_consumers"))
    assert set(consumers) == {0}, "a consumer that polls is none of the broker's consumers"
    alert = next(alert for alert in found.all if alert.name == "MagentoConsumerDead")
    groups: list[Any] = []
    for text in rules.values():
        groups += [group for group in promtool.only(text, alert, found.owners)["groups"] if group["rules"]]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": groups}, sort_keys=False))
    asked = {
        "expr": f'count(ALERTS{{alertname="{alert.name}", alertstate="firing", queue="{QUEUE}"}})',
        "eval_time": f"{minute}m",
        "exp_samples": [{"labels": "{}", "value": 1}] if minute > KILLED else [],
    }
    each = [
        {"series": name, "values": " ".join(f"{v}x1" for v in numbers)} for name, numbers in series.items()
    ]
    test = {"interval": "1m", "input_series": each, "promql_expr_test": [asked]}
    document = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [test]}
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(document, width=1000))
    arguments = ["promtool", "test", "rules", str(tmp_path / "tests.yml")]
    outcome = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=LONG)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
