"""What all parts of the simulation share: endpoints, faults, pace, and the loop that keeps a part going."""

import json
import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from random import Random
from typing import Any, Self

import httpx
import pymysql

from sandbox.errors import SandboxError
from sandbox.shop.builders.shop import Shop
from sandbox.shop.database import ShopDatabase

LOG = logging.getLogger("sandbox.shop")
RETRY_SECONDS = 1.0
DATABASE_SECONDS = 10
"""Longest wait for the database; a frozen one must not keep the simulation from ending."""

STOP_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the servers are, as the sandbox wrote it to endpoints.json; what it lacks is not simulated."""

    database: dict[str, Any]
    redis: dict[str, Any] | None = None
    rabbitmq: dict[str, Any] | None = None
    storefront: str | None = None
    varnish_purge: str | None = None
    directory: Path | None = None
    """The shop's own files."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the file; SandboxError when it is missing or says too little."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                content["database"],
                content.get("redis"),
                content.get("rabbitmq"),
                content.get("storefront"),
                content.get("varnish_purge"),
                Path(content["directory"]) if "directory" in content else None,
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SandboxError(f"{path}: cannot be read as endpoints: {error!r}") from error


class Faults:
    """The switches: a fault is on while a file of its name is in the directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def on(self, name: str) -> bool:
        """Tell whether the fault is switched on now."""
        return (self.directory / name).exists()

    def words(self, name: str) -> Sequence[str]:
        """Return what the switch's file says, e.g. which payment methods; mostly nothing."""
        try:
            return (self.directory / name).read_text(encoding="utf-8").split()
        except OSError:
            return ()


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast Magento's minutes pass; timestamps are real all the same."""

    speed: float = 1.0

    @property
    def minute(self) -> float:
        """Real seconds that one of Magento's minutes takes."""
        return 60.0 / self.speed

    def seconds(self, magento_seconds: float) -> float:
        """Return the real seconds that Magento's take."""
        return magento_seconds / self.speed


@dataclass(frozen=True, slots=True)
class World:
    """Everything a part of the simulation may want to know."""

    endpoints: Endpoints
    faults: Faults
    pace: Pace = Pace()
    orders_per_minute: float = 4.0
    seed: int = 1
    stopping: threading.Event = field(default_factory=threading.Event)
    outbox: SimpleQueue[tuple[str, str]] = field(default_factory=SimpleQueue)
    """(queue, body) of messages on their way to RabbitMQ."""

    def random(self, name: str) -> Random:
        """Return the part's own source of choices: the same seed makes the same choices."""
        return Random(f"{self.seed}:{name}")

    def wait(self, magento_seconds: float) -> None:
        """Let time pass at the world's pace; returns early when the simulation ends."""
        self.stopping.wait(self.pace.seconds(magento_seconds))

    def connect(self, random: Random) -> Shop:
        """Open a connection of one's own to the shop's database."""
        where = self.endpoints.database
        address = (
            {"unix_socket": where["socket"]}
            if where.get("socket")
            else {"host": where["host"], "port": where["port"]}
        )
        connection = pymysql.connect(
            **address,
            user=where["user"],
            password=where.get("password", ""),
            database=where["name"],
            autocommit=True,
            connect_timeout=DATABASE_SECONDS,
            read_timeout=DATABASE_SECONDS,
            write_timeout=DATABASE_SECONDS,
        )
        return Shop(ShopDatabase(connection, prefix=where.get("prefix", "")), random=random)


class Component(ABC):
    """One part of the simulation, in a thread of its own."""

    name: str

    def __init__(self, world: World) -> None:
        self.world = world
        self.random = world.random(self.name)
        self._shop: Shop | None = None
        self._http: httpx.Client | None = None

    @property
    def shop(self) -> Shop:
        """The shop over this part's own connection, opened when first needed."""
        if self._shop is None:
            self._shop = self.world.connect(self.random)
        return self._shop

    @property
    def database(self) -> ShopDatabase:
        """The connection below `shop`."""
        return self.shop.database

    @property
    def http(self) -> httpx.Client:
        """A client that talks to loopback whatever the environment says about proxies."""
        if self._http is None:
            self._http = httpx.Client(timeout=5, trust_env=False)
        return self._http

    def fault(self, name: str) -> bool:
        """Tell whether a fault is on."""
        return self.world.faults.on(name)

    def chance(self, share: float) -> bool:
        """Draw once: true in this share of draws."""
        return self.random.random() < share

    @abstractmethod
    def step(self) -> float:
        """Do what is due and return the real seconds until there may be more."""

    def reset(self) -> None:
        """Drop connections after an error or at the end; the next step opens new ones."""
        if self._http is not None:
            self._http.close()
            self._http = None
        if self._shop is not None:
            connection, self._shop = self._shop.database.connection, None
            with suppress(pymysql.MySQLError):  # it may be closed already
                connection.close()

    def run(self) -> None:
        """Step until the simulation ends; a failing server is logged once and tried again."""
        failing = ""
        while not self.world.stopping.is_set():
            try:
                delay = self.step()
                if failing:
                    LOG.info("%s: goes on", self.name)
                failing = ""
            except Exception as error:  # noqa: BLE001 - servers are killed on purpose while this runs
                if type(error).__name__ != failing:
                    LOG.warning("%s: %s: %s", self.name, type(error).__name__, error)
                failing, delay = type(error).__name__, RETRY_SECONDS
                self.reset()
            self.world.stopping.wait(max(delay, 0.001))
        self.reset()


def run_all(world: World, components: Sequence[Component]) -> None:
    """Run the parts until `world.stopping` is set, then wait for them within a bound."""
    threads = [threading.Thread(target=part.run, name=part.name, daemon=True) for part in components]
    for thread in threads:
        thread.start()
    world.stopping.wait()
    deadline = time.monotonic() + STOP_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))


def utc_now() -> datetime:
    """Return now as the naive UTC time that the tables hold."""
    return datetime.now(UTC).replace(tzinfo=None)
