"""The exporters of what a shop stands on: used as they are, not rewritten."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sandbox.paths import DEPLOY
from sandbox.process import LOOPBACK, accepts, free_port
from sandbox.servers.base import Server, program
from sandbox.servers.mariadb import MariaDB
from sandbox.servers.nginx import Nginx
from sandbox.servers.opensearch import OpenSearch
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
EXPOSED = ("exposed_env", "/app/etc/env.php", "magento_exposed")
"""A file that nobody may read. Its module succeeds if it is served."""


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

    def __init__(self, directory: Path, *, authority: Path | None = None) -> None:
        super().__init__(directory)
        self.authority = authority

    def environment(self) -> Mapping[str, str]:
        """Return the file of the one authority that it trusts, if there is one."""
        return {"SSL_CERT_FILE": str(self.authority)} if self.authority else {}

    def command(self) -> Sequence[str | Path]:
        """Return the command line."""
        return [
            program("prometheus-blackbox-exporter"),
            f"--config.file={MODULES}",
            f"--web.listen-address={self.address}",
        ]

    def pages(self, shop: str, storefront: str, edge: str = "") -> list[dict[str, Any]]:
        """Return what Prometheus lets it ask for: the storefront's pages, the first by https at `edge`."""
        return [
            {
                "targets": [f"{edge if edge and page == PAGES[0][0] else storefront}{path}"],
                "labels": {"shop": shop, "page": page, "module": module, "prober": self.address},
            }
            for page, path, module in (*PAGES, EXPOSED)
        ]


class NginxExporter(Exporter):
    """Observes an nginx by its status page."""

    name = "nginx-exporter"
    job = "nginx"

    def __init__(self, directory: Path, *, nginx: Nginx) -> None:
        super().__init__(directory)
        self.nginx = nginx

    def command(self) -> Sequence[str | Path]:
        """Return the command line."""
        return [
            program("prometheus-nginx-exporter"),
            f"-nginx.scrape-uri=http://{self.nginx.host}:{self.nginx.status_port}/nginx-status",
            f"-web.listen-address={self.address}",
        ]


class SearchExporter(Exporter):
    """Observes an OpenSearch."""

    name = "search-exporter"
    job = "elasticsearch"

    def __init__(self, directory: Path, *, search: OpenSearch) -> None:
        super().__init__(directory)
        self.search = search

    def command(self) -> Sequence[str | Path]:
        """Return the command line."""
        return [
            program("prometheus-elasticsearch-exporter"),
            f"--es.uri={self.search.url}",
            "--es.all",
            "--es.indices",
            "--es.indices_settings",
            f"--web.listen-address={self.address}",
        ]


class NodeExporter(Exporter):
    """Observes the machine."""

    name = "node-exporter"
    job = "node"

    def command(self) -> Sequence[str | Path]:
        """Return the command line.

        `/dev/shm` is looked at, where a database may keep temporary tables, and what others mounted in `/tmp`
        for a test is not.
        """
        others = "" if self.directory.is_relative_to("/tmp") else "tmp|"  # noqa: S108 - not a file of ours
        places = f"{others}proc|sys|run|mnt|media|var/lib/(docker|containers)/.+"
        return [
            program("prometheus-node-exporter"),
            f"--collector.filesystem.mount-points-exclude=^/({places})($|/)",
            f"--web.listen-address={self.address}",
        ]
