"""The faults that can be switched on while the sandbox runs: one registry for those who act on them.

A fault is on while the file `faults/<name>` exists in the sandbox's state directory, so that any
program, a shell included, can switch it. `SERVERS` are acted on by the demo, `SHOP` by the simulation.
"""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from sandbox.errors import SandboxError


class Actor(Enum):
    """Who makes a fault real."""

    SERVERS = "servers"
    SHOP = "shop"


@dataclass(frozen=True)
class Fault:
    """One thing that can go wrong, and what an observer then sees."""

    name: str
    description: str
    actor: Actor
    symptoms: str


# Sorted by subject, then by name. Names start with their subject.
FAULTS: tuple[Fault, ...] = (
    Fault(
        "database-down",
        "MariaDB is frozen: connections are accepted and never answered",
        Actor.SERVERS,
        'magento_source_up{source="database"} is 0; series read from it go stale; queries pile up',
    ),
    Fault(
        "database-killed",
        "MariaDB is dead: connections are refused",
        Actor.SERVERS,
        'magento_source_up{source="database"} is 0; mysql_up is 0',
    ),
    Fault(
        "exporter-down",
        "the Magento exporter is dead",
        Actor.SERVERS,
        'up{job="magento"} is 0; every magento_ series ends',
    ),
    Fault(
        "rabbitmq-down",
        "RabbitMQ is dead",
        Actor.SERVERS,
        'magento_source_up{source="rabbitmq"} is 0; queue series with broker "amqp" end',
    ),
    Fault(
        "redis-down",
        "Redis is dead: cache, page cache and sessions are lost and out of reach",
        Actor.SERVERS,
        'magento_source_up{source="redis"} is 0; redis_up is 0',
    ),
    Fault(
        "varnish-down",
        "Varnish is dead: the storefront refuses connections",
        Actor.SERVERS,
        'magento_source_up{source="varnish"} is 0; nobody can shop',
    ),
)


def find(name: str) -> Fault:
    """Return the fault called `name`, or raise with the names there are."""
    for fault in FAULTS:
        if fault.name == name:
            return fault
    raise SandboxError(f"no fault is called {name!r}; there are {', '.join(fault.name for fault in FAULTS)}")


def switch_on(state: Path, name: str) -> None:
    """Switch the fault on in the sandbox whose state directory is given."""
    switch = _switch(state, name)
    switch.parent.mkdir(parents=True, exist_ok=True)
    switch.touch()


def switch_off(state: Path, name: str) -> None:
    """Switch the fault off; harmless when it is not on."""
    _switch(state, name).unlink(missing_ok=True)


def switched_on(state: Path, actor: Actor | None = None) -> frozenset[str]:
    """Return the names of the faults that are on, of one actor or of all."""
    return frozenset(
        fault.name for fault in FAULTS if actor in (None, fault.actor) and _switch(state, fault.name).exists()
    )


def _switch(state: Path, name: str) -> Path:
    return state / "faults" / find(name).name
