"""All servers of a shop, started together and stopped in reverse."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, Self

from sandbox.errors import SandboxError
from sandbox.servers.alertmanager import CONFIGURATION, Alertmanager
from sandbox.servers.base import Server
from sandbox.servers.exporters import (
    BlackboxExporter,
    Exporter,
    MysqldExporter,
    NodeExporter,
    RedisExporter,
    VarnishExporter,
)
from sandbox.servers.mariadb import MariaDB
from sandbox.servers.prometheus import Prometheus
from sandbox.servers.rabbitmq import RabbitMQ
from sandbox.servers.redis import DATABASES, Redis
from sandbox.servers.storefront import Storefront

DATABASE = "magento"
DATABASE_USER = "magento"
DATABASE_PASSWORD = "magento"
SHOP = "demo"
"""The shop's name, as Prometheus' targets carry it."""

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

    `www` is the shop's document root, `rules` a directory of Prometheus rules, `prefix` the table prefix.
    PHP scripts find `state` in the environment variable SANDBOX_STATE.
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
    ) -> None:
        self.state = state.resolve()
        self.prefix = prefix
        home = self.state / "servers"
        self.rabbitmq = RabbitMQ(home / "rabbitmq")
        self.mariadb = MariaDB(home / "mariadb", performance_schema=True)
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
            NodeExporter(home / "node-exporter"),
        )
        self.blackbox = BlackboxExporter(home / "blackbox-exporter")
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

    @property
    def shop_directory(self) -> Path:
        """Where the shop's own files are."""
        return self.state / "servers" / "magento"

    @property
    def parts(self) -> tuple[Part, ...]:
        """All servers in the order of their start: the slowest first, observers after the observed."""
        shop = (self.rabbitmq, self.mariadb, self.redis, self.storefront)
        return (*shop, self.alertmanager, *self.exporters, self.blackbox, self.prometheus)

    @property
    def servers(self) -> tuple[Server, ...]:
        """Every process of its own that the stack keeps running."""
        single = (self.rabbitmq, self.mariadb, self.redis, self.alertmanager, self.prometheus)
        return (*single, *self.storefront.servers, *self.exporters, self.blackbox)

    def launch(self) -> None:
        """Start everything and wait for the database alone, which then has the shop's empty schema."""
        for part in self.parts:
            part.launch()
        self.mariadb.wait_ready()
        self._create_database()
        self._write(ENDPOINTS, self.endpoints())

    def wait_ready(self) -> None:
        """Wait until every server answers; write urls.json."""
        for part in self.parts:
            part.wait_ready()
        self.prometheus.set_groups(self.blackbox.job, self.blackbox.pages(SHOP, self.varnish.url))
        self._write(URLS, self.urls())

    def stop(self) -> None:
        """Stop everything that runs; all of it is tried even when a part resists."""
        for name in (URLS, ENDPOINTS):
            (self.state / name).unlink(missing_ok=True)
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
