"""All servers of a shop, started together and stopped in reverse."""

import fcntl
import json
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Protocol, Self

from sandbox.crowds import Crowd, Hoarder, Reporters, as_the_shop
from sandbox.errors import SandboxError
from sandbox.scratch import SmallDisk
from sandbox.servers.alertmanager import CONFIGURATION, Alertmanager
from sandbox.servers.base import Server
from sandbox.servers.edge import Edge
from sandbox.servers.exporters import (
    BlackboxExporter,
    Exporter,
    MysqldExporter,
    NginxExporter,
    NodeExporter,
    RedisExporter,
    SearchExporter,
    VarnishExporter,
)
from sandbox.servers.mariadb import COPIES, MariaDB, Replica
from sandbox.servers.opensearch import OpenSearch
from sandbox.servers.prometheus import SHOP, Prometheus, labelled
from sandbox.servers.rabbitmq import RabbitMQ
from sandbox.servers.redis import DATABASES, Redis, Sentinel
from sandbox.servers.storefront import Storefront

DATABASE = "magento"
DATABASE_USER = "magento"
DATABASE_PASSWORD = "magento"
DISK: Final = "disk"
REPLICA: Final = "replica"
SEARCH: Final = "search"
SENTINEL: Final = "sentinel"
BESIDE: Final = (DISK, REPLICA, SENTINEL, SEARCH)
"""What a shop may have beside the rest: a small disk, a replica, two Sentinels, a search engine."""

MASTER: Final = "shop"
"""The name under which the Sentinels know the Redis."""

ENDPOINTS = "endpoints.json"
URLS = "urls.json"


class Part(Protocol):
    """What a stack is made of."""

    def launch(self) -> None:
        """Start without waiting."""

    def wait_ready(self) -> None:
        """Wait until it answers."""

    def stop(self) -> None:
        """Stop and wait until it is gone."""


class Stack:
    """A shop's servers in `state`/servers, each on free ports of 127.0.0.1.

    `www` is the shop's document root, `rules` a directory of Prometheus rules, `prefix` the table prefix,
    `beside` some of `BESIDE`. PHP scripts find `state` in the environment variable SANDBOX_STATE.
    """

    def __init__(
        self,
        state: Path,
        *,
        www: Path | None = None,
        rules: Path | None = None,
        scrape_seconds: float = 5,
        prefix: str = "",
        alertmanager: Path = CONFIGURATION,
        beside: Collection[str] = (),
    ) -> None:
        self.state = state.resolve()
        self.prefix = prefix
        self.beside = frozenset(beside)
        home = self.state / "servers"
        self.rabbitmq = RabbitMQ(home / "rabbitmq")
        self.disk = SmallDisk(home / "disk")
        arguments = COPIES if REPLICA in beside else ()
        if DISK in beside:  # where its temporary tables are
            arguments = (*arguments, f"--tmpdir={self.disk.directory}")
        self.mariadb = MariaDB(home / "mariadb", performance_schema=True, arguments=arguments)
        self.redis = Redis(home / "redis")
        self.storefront = Storefront(
            home / "storefront", www=www, variables={"SANDBOX_STATE": str(self.state)}
        )
        self.varnish = self.storefront.varnish
        self.alertmanager = Alertmanager(home / "alertmanager", configuration=alertmanager)
        self.exporters: tuple[Exporter, ...] = (
            MysqldExporter(home / "mysqld-exporter", mariadb=self.mariadb),
            RedisExporter(home / "redis-exporter", redis=self.redis),
            VarnishExporter(home / "varnish-exporter", varnish=self.varnish),
            NginxExporter(home / "nginx-exporter", nginx=self.storefront.nginx),
            NodeExporter(home / "node-exporter"),
        )
        self.edge = Edge(home / "edge", upstream=self.varnish.url)
        self.blackbox = BlackboxExporter(home / "blackbox-exporter", authority=self.edge.authority)
        self._make_what_is_beside(home)
        self.prometheus = Prometheus(
            home / "prometheus",
            scrape_seconds=scrape_seconds,
            rules=rules,
            targets={
                **{exporter.job: [exporter.address] for exporter in self.exporters},
                "alertmanager": [f"{self.alertmanager.host}:{self.alertmanager.port}"],
                "rabbitmq": [f"{self.rabbitmq.host}:{self.rabbitmq.prometheus_port}"],
            },
        )

    def _make_what_is_beside(self, home: Path) -> None:
        shop = as_the_shop(self.mariadb, user=DATABASE_USER, password=DATABASE_PASSWORD, database=DATABASE)
        self.crowd, self.hoarder, self.reporters = Crowd(shop), Hoarder(shop), Reporters(shop)
        self.replica = Replica(home / "mariadb-replica")
        self.replica_exporter = MysqldExporter(home / "replica-exporter", mariadb=self.replica)
        self.sentinels = (Sentinel(home / "sentinel-1"), Sentinel(home / "sentinel-2"))
        self.sentinel_exporter = RedisExporter(home / "sentinel-exporter", redis=self.sentinels[0])
        self.search = OpenSearch(home / "opensearch")
        self.search_exporter = SearchExporter(home / "search-exporter", search=self.search)

    @property
    def servers_beside(self) -> tuple[Server, ...]:
        """The processes of what there is beside the rest, each before its exporter."""
        by_name: dict[str, tuple[Server, ...]] = {
            SEARCH: (self.search, self.search_exporter),
            REPLICA: (self.replica, self.replica_exporter),
            SENTINEL: (*self.sentinels, self.sentinel_exporter),
        }
        return tuple(server for name, servers in by_name.items() if name in self.beside for server in servers)

    @property
    def shop_directory(self) -> Path:
        """Where the shop's own files are."""
        return self.state / "servers" / "magento"

    @property
    def parts(self) -> tuple[Part, ...]:
        """All servers in the order of their start: the slowest first, observers after the observed."""
        shop = (self.rabbitmq, self.mariadb, self.redis, self.storefront)
        disk = (self.disk,) if DISK in self.beside else ()
        observers = (self.alertmanager, *self.exporters, self.blackbox, self.prometheus)
        return (*disk, *self.servers_beside, *shop, self.edge, *observers)

    @property
    def servers(self) -> tuple[Server, ...]:
        """Every process of its own that the stack keeps running."""
        single = (self.rabbitmq, self.mariadb, self.redis, self.alertmanager, self.prometheus)
        shop = (*self.storefront.servers, self.edge)
        return (*single, *shop, *self.exporters, self.blackbox, *self.servers_beside)

    def launch(self) -> None:
        """Start everything and wait for the database alone, which then has the shop's empty schema."""
        for part in self.parts:
            part.launch()
        self.mariadb.wait_ready()
        if REPLICA in self.beside:
            self.replica.wait_ready()
            self.replica.follow(self.mariadb)
        self._create_database()
        self._write(ENDPOINTS, self.endpoints())

    def wait_ready(self) -> None:
        """Wait until every server answers; write urls.json."""
        for part in self.parts:
            part.wait_ready()
        for sentinel in self.sentinels if SENTINEL in self.beside else ():
            sentinel.watch(self.redis, master=MASTER, quorum=2)
        pages = self.blackbox.pages(SHOP, self.varnish.url, self.edge.url)
        self.prometheus.set_groups(self.blackbox.job, pages)
        self._add_targets_beside()
        self._write(URLS, self.urls())

    def _add_targets_beside(self) -> None:
        """Add the exporters of what there is beside the rest to the targets of their jobs."""
        found = {
            REPLICA: (self.replica_exporter, "database_replica"),
            SENTINEL: (self.sentinel_exporter, "session"),
            SEARCH: (self.search_exporter, "search"),
        }
        for exporter, roles in (made for name, made in found.items() if name in self.beside):
            self.prometheus.add_target(exporter.job, exporter.address, labelled(roles))

    def fill_search(self) -> None:
        """Make the product index of every store."""
        stores = self.mariadb.execute(
            f"SELECT store_id FROM {self.prefix}store WHERE store_id > 0", database=DATABASE
        )
        for (store,) in stores:
            self.search.reindex(store)

    def name_search(self) -> None:
        """Put the search engine into the system configuration of the shop."""
        said = {"hostname": self.search.host, "port": str(self.search.port)}
        for name, value in said.items():
            self.mariadb.execute(
                f"UPDATE {self.prefix}core_config_data SET value = %s WHERE path = %s",
                [value, f"catalog/search/opensearch_server_{name}"],
                database=DATABASE,
            )

    def stop(self) -> None:
        """Stop everything that runs; all of it is tried even when a part resists."""
        for name in (URLS, ENDPOINTS):
            (self.state / name).unlink(missing_ok=True)
        for clients in (self.crowd, self.hoarder, self.reporters):
            clients.stop()
        failures = []
        for part in reversed(self.parts):
            try:
                part.stop()
            except SandboxError as error:
                failures.append(str(error))
        if failures:
            raise SandboxError("\n".join(failures))

    def endpoints(self) -> dict[str, Any]:
        """Return how the simulated shop reaches its servers."""
        return {
            "database": {
                "host": self.mariadb.host,
                "port": self.mariadb.port,
                "socket": str(self.mariadb.socket),
                "user": DATABASE_USER,
                "password": DATABASE_PASSWORD,
                "name": DATABASE,
                "prefix": self.prefix,
            },
            "redis": {"host": self.redis.host, "port": self.redis.port, "databases": dict(DATABASES)},
            "rabbitmq": {
                "host": self.rabbitmq.host,
                "amqp_port": self.rabbitmq.port,
                "management_url": self.rabbitmq.management_url,
                "user": self.rabbitmq.user,
                "password": self.rabbitmq.password,
                "vhost": self.rabbitmq.vhost,
            },
            "directory": str(self.shop_directory),
            "storefront": self.varnish.url,
            "origin": self.storefront.nginx.url,
            "varnish_purge": self.varnish.url,
        }

    def urls(self) -> dict[str, str]:
        """Return the addresses a person or a script may want, by name."""
        login = f"{DATABASE_USER}:{DATABASE_PASSWORD}"
        return {
            "shop": self.varnish.url,
            "edge": self.edge.url,
            "origin": self.storefront.nginx.url,
            "php_fpm_status": self.storefront.nginx.php_fpm_status_url,
            "prometheus": self.prometheus.url,
            "alertmanager": self.alertmanager.url,
            "rabbitmq": self.rabbitmq.management_url,
            "rabbitmq_amqp": self.rabbitmq.url,
            "redis": self.redis.url,
            "database": f"mysql://{login}@{self.mariadb.host}:{self.mariadb.port}/{DATABASE}",
        }

    def add_url(self, name: str, url: str) -> None:
        """Add an address to urls.json, which readers see whole at all times."""
        file = self.state / URLS
        known = json.loads(file.read_text()) if file.exists() else {}
        self._write(URLS, {name: url, **known})

    def _create_database(self) -> None:
        self.mariadb.execute(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
        self.mariadb.execute(
            f"CREATE USER IF NOT EXISTS '{DATABASE_USER}'@'%%' IDENTIFIED BY %s", [DATABASE_PASSWORD]
        )
        self.mariadb.execute(f"GRANT ALL ON {DATABASE}.* TO '{DATABASE_USER}'@'%'")

    def _write(self, name: str, content: dict[str, Any]) -> None:
        half = self.state / f".{name}.incomplete"
        half.write_text(json.dumps(content, indent=2) + "\n")
        half.replace(self.state / name)

    def __enter__(self) -> Self:
        try:
            self.launch()
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@contextmanager
def exclusive(state: Path) -> Iterator[None]:
    """Own a state directory for the length of a block; an error names the process that owns it already."""
    state.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(state / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SandboxError(
                f"process {_text(descriptor)} runs a demo in {state}; stop it, or give yours --directory"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def owner(state: Path) -> int | None:
    """Return the id of the process that runs a demo in the state directory, or None."""
    with suppress(FileNotFoundError), (state / "lock").open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(_text(lock.fileno()) or 0)
    return None


def _text(descriptor: int) -> str:
    return os.pread(descriptor, 20, 0).decode()
