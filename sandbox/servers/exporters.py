"""The exporters of what a shop stands on: used as they are, not rewritten."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sandbox.paths import DEPLOY
from sandbox.process import LOOPBACK, accepts, free_port
from sandbox.servers.base import Server, program
from sandbox.servers.mariadb import MariaDB
from sandbox.servers.redis import Redis
from sandbox.servers.varnish import Varnish

MODULES = DEPLOY / "blackbox" / "blackbox.yml"
PAGES = (
    ("home", "/", "magento_page"),
    ("category", "/women.html", "magento_page"),
    ("cart", "/customer/section/load/?sections=cart", "magento_cart"),
    ("graphql", "/graphql", "magento_graphql"),
)
"""What is asked for from outside: the page's name, its path, and the module that knows how."""


class Exporter(Server):
    """An exporter on 127.0.0.1; `job` is the name Prometheus knows it by."""

    job: str
    host = LOOPBACK

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.port = free_port()

    @property
    def address(self) -> str:
        """Host and port, as Prometheus writes a target."""
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The page that Prometheus reads."""
        return f"http://{self.address}/metrics"

    def prepare(self) -> None:
        """Nothing: all is said on the command line."""

    def ready(self) -> bool:
        """Tell whether it listens; what it observes may be down."""
        return accepts(self.port)


class MysqldExporter(Exporter):
    """Observes a MariaDB, as root over its socket."""

    name = "mysqld-exporter"
    job = "mysqld"

    def __init__(self, directory: Path, *, mariadb: MariaDB) -> None:
        super().__init__(directory)
        self.mariadb = mariadb

    def environment(self) -> Mapping[str, str]:
        """Return the address of the database in the form of Go's driver."""
        return {"DATA_SOURCE_NAME": f"{self.mariadb.user}@unix({self.mariadb.socket})/"}

    def command(self) -> Sequence[str | Path]:
        """Return the command line."""
        return [program("prometheus-mysqld-exporter"), f"--web.listen-address={self.address}"]


class RedisExporter(Exporter):
    """Observes a Redis."""

    name = "redis-exporter"
    job = "redis"

    def __init__(self, directory: Path, *, redis: Redis) -> None:
        super().__init__(directory)
        self.redis = redis

    def command(self) -> Sequence[str | Path]:
        """Return the command line."""
        return [
            program("prometheus-redis-exporter"),
            f"-redis.addr={self.redis.url}",
            f"-web.listen-address={self.address}",
        ]


class VarnishExporter(Exporter):
    """Observes a Varnish through varnishstat."""

    name = "varnish-exporter"
    job = "varnish"

    def __init__(self, directory: Path, *, varnish: Varnish) -> None:
        super().__init__(directory)
        self.varnish = varnish

    def command(self) -> Sequence[str | Path]:
        """Return the command line."""
        return [
            program("prometheus-varnish-exporter"),
            "-n",
            self.varnish.name_directory,
            f"-web.listen-address={self.address}",
        ]


class BlackboxExporter(Exporter):
    """Asks for pages as a customer does, with the modules of deploy/blackbox."""

    name = "blackbox-exporter"
    job = "probe"

    def command(self) -> Sequence[str | Path]:
        """Return the command line."""
        return [
            program("prometheus-blackbox-exporter"),
            f"--config.file={MODULES}",
            f"--web.listen-address={self.address}",
        ]

    def pages(self, shop: str, storefront: str) -> list[dict[str, Any]]:
        """Return what Prometheus lets it ask for: the pages of the storefront at this address."""
        return [
            {
                "targets": [f"{storefront}{path}"],
                "labels": {"shop": shop, "page": page, "module": module, "prober": self.address},
            }
            for page, path, module in PAGES
        ]


class NodeExporter(Exporter):
    """Observes the machine."""

    name = "node-exporter"
    job = "node"

    def command(self) -> Sequence[str | Path]:
        """Return the command line."""
        return [program("prometheus-node-exporter"), f"--web.listen-address={self.address}"]
