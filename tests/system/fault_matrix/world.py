"""The servers of a shop, each behind a proxy, and the exporter in this process, where it can be counted."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
import redis

from exporter.app import Exporter, build
from exporter.collectors import all_collectors
from exporter.core.render import Format, join
from exporter.core.runner import CollectorState, Outcome
from exporter.rights.statements import queries_of
from exporter.settings import validate
from sandbox.process import LOOPBACK
from sandbox.servers.mariadb import MariaDB
from sandbox.servers.rabbitmq import RabbitMQ
from sandbox.servers.redis import Redis
from sandbox.servers.storefront import Storefront
from tests.exporter.sources.test_redis_sentinel import MASTER, Sentinel
from tests.harness.limits import LONG
from tests.harness.shop import PASSWORD, ShopInMariaDB, shop_in_mariadb
from tests.system.fault_matrix.proxy import FaultProxy, Mode, Proxies

DEADLINE: Final = 10.0
SECRET: Final = "Correct-Horse-1"
SOURCES: Final = ("database", "rabbitmq", "varnish", "redis", "files")
QUEUE: Final = "export"
COUNTER: Final = "magento_orders_placed_total"
ATTEMPTS: Final = "magento_checkout_placement_attempts_total"
"""Shows minutes after the order, so perhaps in another cell."""


class Lines(logging.Handler):
    """What an operator sees at the default level, changes of state included."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the text."""
        self.said.append(record.getMessage())


@dataclass(frozen=True)
class Footprint:
    """What a process holds."""

    threads: int
    descriptors: int

    @classmethod
    def now(cls) -> Footprint:
        """Count."""
        return cls(threading.active_count(), sum(1 for _ in Path("/proc/self/fd").iterdir()))

    def most(self, world: World) -> Footprint:
        """Return what may be held when all threads of the database have work at once, as on a busy machine.

        Each has one connection; the proxy, in this process as well, has another one and the other end.
        """
        pool: Any = world.exporter.executors["database"]
        missing = pool._most - pool._threads
        return Footprint(self.threads + missing, self.descriptors + 3 * pool._most)

    def within(self, other: Footprint) -> bool:
        """Whether nothing was added."""
        return self.threads <= other.threads and self.descriptors <= other.descriptors


def _kind(descriptor: Path) -> str:
    """Return what a descriptor is: a path, or the word for what has none."""
    try:
        return str(descriptor.readlink()).partition("[")[0]
    except OSError:
        return "closed meanwhile"


@dataclass
class World:
    """Everything that a cell may break. `names` is what the resolver says."""

    home: Path
    loop: asyncio.AbstractEventLoop
    proxies: dict[str, FaultProxy]
    shop: ShopInMariaDB
    user: str
    database: MariaDB
    rabbitmq: RabbitMQ
    storefront: Storefront
    redis: Mapping[str, Redis]
    sentinel: Sentinel
    names: dict[str, str]
    state: Path
    lines: Lines
    everything: Proxies
    exporter: Exporter = field(init=False)
    placed: int = 0

    # --- looking ------------------------------------------------------------------------------------

    def scrape(self) -> dict[str, CollectorState]:
        """Let every collector run now, and wait as a scrape does."""
        for state in self.exporter.runner.states.values():
            state.attempted_at = 0.0  # else one that runs every ten minutes would be looked at once
        self.loop.run_until_complete(self.exporter.runner.scrape(deadline=DEADLINE))
        return self.exporter.runner.states

    def settled(self) -> None:
        """Wait for runs that outlived their scrape."""
        self.loop.run_until_complete(self.exporter.runner.drain(LONG))

    def states_of(self, source: str) -> list[CollectorState]:
        """Return the collectors of a source."""
        states = self.exporter.runner.states.values()
        return [state for state in states if state.collector.source == source]

    def up(self) -> dict[str, bool]:
        """Return magento_source_up."""
        return self.exporter.runner.source_up()

    def reasons(self, source: str) -> set[str]:
        """Return the reasons for which collectors of a source fail; an empty text for one that does not."""
        return {state.reason for state in self.states_of(source)}

    def page(self) -> dict[str, float]:
        """Return the series that a scrape would show now."""
        now = time.time()
        shown = [state.shown(now) for state in self.exporter.runner.states.values()]
        lines = join(shown, Format.TEXT).decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {series: float(value) for series, value in pairs}

    def role_up(self, role: str) -> bool | None:
        """Return magento_redis_up of a role; ``None`` if the page has it not."""
        value = self.page().get(f'magento_redis_up{{role="{role}"}}')
        return None if value is None else bool(value)

    def healthy(self) -> bool:
        """Whether all is well."""
        states = self.scrape()
        well = all(state.outcome is Outcome.OK for state in states.values())
        roles = all(self.role_up(role) for role in self.redis)
        return well and roles and self.page().get('magento_page_cache_up{varnish="work"}') == 1

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Scrape until it is so."""
        deadline = time.monotonic() + 120
        while not condition():
            assert time.monotonic() < deadline, f"{what}: {self.described()}"
            time.sleep(0.2)

    def described(self) -> str:
        """Return what fails and what was logged, for a test's message."""
        failing = [f"{s.name}: {s.reason}" for s in self.exporter.runner.states.values() if s.reason]
        held = Counter(_kind(descriptor) for descriptor in Path("/proc/self/fd").iterdir())
        return "; ".join([*failing, *self.lines.said, str(Footprint.now()), str(held)])

    # --- the shop goes on ---------------------------------------------------------------------------

    def place_an_order(self) -> None:
        """Let a customer buy; the exporter's network has no part in it."""
        self.shop.shop.orders.place()
        self.placed += 1

    def selling(self) -> dict[str, float]:
        """Return the counters of carts, attempts and orders, as the alerts on selling read them."""
        wanted = ("magento_orders", "magento_checkout", "magento_placement", "magento_order")
        return {
            series: value
            for series, value in self.page().items()
            if series.startswith(wanted)
            and series.partition("{")[0].endswith("_total")
            and not series.startswith(ATTEMPTS)
        }

    def attempts(self) -> float:
        """Return what the page says of attempts to place an order: never more than orders were placed."""
        return sum(value for series, value in self.page().items() if series.startswith(ATTEMPTS))

    def orders(self) -> float | None:
        """Return what the page says of orders placed since the exporter began, all stores and methods."""
        values = [value for series, value in self.page().items() if series.startswith(COUNTER)]
        return sum(values) if values else None

    # --- breaking -----------------------------------------------------------------------------------

    def proxy(self, source: str, mode: Mode) -> None:
        """Put a proxy into a mode."""
        self.proxies[source].set(mode)

    def cut(self, proxy: str) -> None:
        """End the connections through a proxy; new ones are served."""
        self.proxies[proxy].cut()

    def set_clock(self, clock: Callable[[], float]) -> None:
        """Give the exporter another clock."""
        self.exporter.runner._clock = clock

    def reconnect(self) -> None:
        """Let the shop go on after its database was restarted."""
        database = self.shop.database
        database.connection._force_close()  # type: ignore[attr-defined]
        database.connection.connect()
        database.execute("SET time_zone = '+00:00', sql_mode = ''")

    def empty_the_journal(self) -> None:
        """Let the state file's next change need room on its disk."""
        store: Any = self.exporter.store
        store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def replica_of_the_database(self) -> Iterator[int]:
        """Run a server that has everything at another port, while the first one is not there."""
        home = self.home / "taken-over"
        self.database.stop()
        home.mkdir()
        shutil.copytree(self.database.data, home / "data")
        try:
            with MariaDB(home) as replica:
                yield replica.port
        finally:
            shutil.rmtree(home)
            self.database.start()
            self.reconnect()

    def kill_logins(self) -> None:
        """End the sessions of the exporter's user."""
        listing = "SELECT id FROM information_schema.processlist WHERE user = %s"
        for (number,) in self.database.execute(listing, (self.user,)):
            self.database.execute(f"KILL {number}")


def settings_of(world: World, state: Path) -> dict[str, Any]:
    """Return the settings of an exporter that watches all of it."""

    def redis_role(role: str) -> dict[str, Any]:
        return {"host": f"{role}.shop.test", "port": world.proxies[role].port, "password": SECRET}

    return {
        "magento_root": str(world.home / "root"),
        "database": {
            "host": "database.shop.test",
            "port": world.proxies["database"].port,
            "user": world.user,
            "password": PASSWORD,
            "name": world.shop.name,
        },
        "rabbitmq": {
            "url": f"http://rabbitmq.shop.test:{world.proxies['rabbitmq'].port}",
            "user": "watcher",
            "password": SECRET,
            "vhost": "/",
        },
        "redis": {
            "cache": redis_role("cache"),
            "page_cache": redis_role("page_cache"),
            "session": {
                "password": SECRET,
                "sentinel": {
                    "servers": [f"sentinel.shop.test:{world.proxies['sentinel'].port}"],
                    "master": MASTER,
                },
            },
        },
        "varnish": {"instances": [str(world.storefront.varnish.name_directory)]},
        "state_file": str(state),
        "limits": {"minimum_refresh_seconds": 0},
    }


@contextmanager
def resolving(names: Mapping[str, str]) -> Iterator[None]:
    """Let names end in .shop.test resolve as the mapping says, whenever it is asked."""
    real = socket.getaddrinfo

    def resolve(host: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if isinstance(name, str) and name.endswith(".shop.test"):
            if name not in names:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            host = names[name]
        return real(host, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", resolve)
        yield


@contextmanager
def small_disk(place: Path) -> Iterator[None]:
    """Mount a file system of a few MiB."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def _make_root(root: Path) -> None:
    for folder in ("app/etc", "var", "pub/static"):
        (root / folder).mkdir(parents=True)
    (root / "app/etc/env.php").write_text("<?php\nreturn ['MAGE_MODE' => 'production'];\n")
    product = {"name": "magento/product-community-edition", "version": "2.4.8"}
    (root / "composer.lock").write_text(json.dumps({"packages": [product]}))
    (root / "pub/static/deployed_version.txt").write_text("1")


@contextmanager
def world_in(home: Path) -> Iterator[World]:
    """Start all of it."""
    for name in ("db", "mq", "sf", "cache", "page_cache", "session", "replica", "sentinel"):
        (home / name).mkdir()
    with ExitStack() as undo:
        loop = asyncio.new_event_loop()
        undo.callback(loop.close)
        database = undo.enter_context(MariaDB(home / "db"))
        rabbitmq = undo.enter_context(RabbitMQ(home / "mq"))
        rabbitmq.declare_user("watcher", SECRET, tags="monitoring", vhost="/")
        rabbitmq.declare_queues([QUEUE])
        storefront = undo.enter_context(Storefront(home / "sf"))
        locked = ("--requirepass", SECRET, "--masterauth", SECRET)
        servers = {role: Locked(home / role, arguments=locked) for role in ("cache", "page_cache", "session")}
        for server in servers.values():
            undo.enter_context(server)
        follow = (*locked, "--replicaof", LOOPBACK, str(servers["session"].port))
        undo.enter_context(Locked(home / "replica", arguments=follow))
        shop = undo.enter_context(shop_in_mariadb(database, now=None))
        collectors = [kind for kind in all_collectors() if kind.source == "database"]
        user = shop.login(queries_of(collectors))
        _make_root(home / "root")
        undo.enter_context(small_disk(home / "small"))
        everything = Proxies()
        undo.callback(everything.close)
        ports = {"database": database.port, "rabbitmq": rabbitmq.management_port}
        ports |= {role: server.port for role, server in servers.items()}
        proxies = {name: everything.before(port) for name, port in ports.items()}
        sentinel = WithPassword(home / "sentinel", proxies["session"])  # names the proxy as the primary
        undo.enter_context(sentinel)
        proxies["sentinel"] = everything.before(sentinel.port)
        names = {f"{name}.shop.test": LOOPBACK for name in proxies}
        undo.enter_context(resolving(names))
        lines = Lines()
        logging.getLogger("exporter").addHandler(lines)
        undo.callback(logging.getLogger("exporter").removeHandler, lines)
        world = World(home, loop, proxies, shop, user, database, rabbitmq, storefront, servers, sentinel,
                      names, home / "small" / "state", lines, everything)  # fmt: skip
        world.exporter = build(validate(settings_of(world, world.state)))
        undo.callback(lambda: loop.run_until_complete(world.exporter.close()))
        world.wait_for(world.healthy, "a healthy shop")
        world.place_an_order()  # the counters are there from now on
        world.wait_for(lambda: world.scrape() is not None and world.orders() == 1, "the first order")
        yield world


class Locked(Redis):
    """A Redis with a password."""

    def client(self, role: str = "cache") -> redis.Redis:
        """Return a client that has logged in."""
        del role
        return redis.Redis(
            host=self.host, port=self.port, password=SECRET, socket_timeout=5, decode_responses=True
        )


class WithPassword(Sentinel):
    """A Sentinel of servers that want a password."""

    def prepare(self) -> None:
        """Add the password to what it writes."""
        super().prepare()
        with (self.directory / "sentinel.conf").open("a") as file:
            file.write(f"sentinel auth-pass {MASTER} {SECRET}\n")
            # No fail-over of its own while a cell lasts.
            file.write(f"sentinel down-after-milliseconds {MASTER} 3600000\n")
