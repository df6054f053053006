"""Faults of servers: what the exporter, the probe and Prometheus say of them, from the moment on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from tests.system.simulator.promql import MINUTE
from tests.system.simulator.scenarios import BEFORE, LASTS, NIGHT
from tests.system.simulator.series import Store

GROUPS: Final = ("magento_exporter", "magento_probe", "magento_queues")
EXPORTER: Final = {"job": "magento", "instance": "exporter:9816", "shop": "acme"}
READ_AFTER: Final = 1
"""Minutes until the exporter has read a source again; Prometheus asks the rest at once."""
NONE: Final = float("nan")

Key = tuple[str, tuple[tuple[str, str], ...]]


def _of(name: str, **labels: str) -> Key:
    return name, tuple({**EXPORTER, **labels}.items())


UP: Final = _of("up")
INFO: Final = _of("magento_info", version="2.4.8")
AMQP: Final = _of("magento_queue_default_connection", connection="amqp")
RABBITMQ: Final = _of("magento_source_up", source="rabbitmq")
DATABASE: Final = _of("magento_source_up", source="database")
ALARM: Final = _of("magento_queue_broker_alarm", resource="memory")
PAGES: Final = tuple(
    ("probe_success", (("job", "probe"), ("instance", page), ("shop", "acme"), ("page", page)))
    for page in ("home", "category", "cart", "graphql")
)
WELL: Final[Mapping[Key, float]] = {UP: 1, INFO: 1, AMQP: 1, RABBITMQ: 1, DATABASE: 1, ALARM: 0}
"""What is scraped from a shop in which nothing is wrong."""
PROBED: Final[Mapping[Key, float]] = dict.fromkeys(PAGES, 1)
_READ: Final = (INFO, AMQP, RABBITMQ, DATABASE, ALARM)
_DEAD: Final = {UP: 0.0, **dict.fromkeys(_READ, NONE)}


@dataclass(frozen=True, slots=True)
class Broken:
    """A fault of servers: what is scraped before, and what of it changes."""

    name: str
    goal: int | None
    changed: Mapping[Key, float]
    before: Mapping[Key, float]
    after: int = 0

    def play(self, _seed: int) -> Broken:
        """Return itself: nothing in it is left to chance."""
        return self

    def store(self) -> Store:
        """Return the series."""
        begin = int(NIGHT.timestamp()) - BEFORE * MINUTE
        store = Store(begin, BEFORE + LASTS)
        for key, value in self.before.items():
            values = np.full(store.length, float(value))
            values[BEFORE + self.after :] = self.changed.get(key, value)
            name, labels = key
            store.add(name, values, **dict(labels))
        return store


def servers() -> tuple[Broken, ...]:
    """Return every fault of servers that is played, all at night."""
    both = {**WELL, **PROBED}
    return (
        Broken("host of shop and exporter dead at night", 20, {**_DEAD, **dict.fromkeys(PAGES, 0.0)}, both),
        Broken("host of shop and exporter dead at night, no probe", 20, _DEAD, WELL),
        Broken("exporter dead at night, the probe sees the shop", None, _DEAD, both),
        Broken("RabbitMQ dead, AMQP configured", 5, {RABBITMQ: 0.0}, both, READ_AFTER),
        Broken("RabbitMQ blocks publishers", 5, {ALARM: 1.0}, both, READ_AFTER),
        Broken("database dead", 5, {DATABASE: 0.0}, both, READ_AFTER),
    )
