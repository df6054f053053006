"""Redis as Magento's installer sets it up: one instance with a database for each of three roles."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from sandbox.process import LOOPBACK, free_port
from sandbox.servers.base import Server, program

DATABASES: Mapping[str, int] = MappingProxyType({"cache": 0, "page_cache": 1, "session": 2})
"""Magento's role for each database number (fact sheet, 4.1)."""


ROOMY: Mapping[str, str] = MappingProxyType({"maxmemory": "64mb", "maxmemory-policy": "noeviction"})
FULL: Mapping[str, str] = MappingProxyType({"maxmemory": "100kb", "maxmemory-policy": "noeviction"})
"""Less than an empty server takes, and nothing may be thrown out."""


class Redis(Server):
    """Redis on 127.0.0.1. `arguments` are options as on its command line, e.g. `["--maxmemory", "8mb"]`."""

    name = "redis"
    host = LOOPBACK

    def __init__(self, directory: Path, *, arguments: Sequence[str] = ()) -> None:
        super().__init__(directory)
        self.arguments = tuple(arguments)
        self.port = free_port()
        self._limits = ROOMY

    @property
    def url(self) -> str:
        """The server's address, without a database."""
        return f"redis://{self.host}:{self.port}"

    def prepare(self) -> None:
        """Nothing: all is said on the command line."""

    def command(self) -> Sequence[str | Path]:
        """Return redis-server's command line."""
        options = {
            "--bind": self.host,
            "--port": str(self.port),
            "--dir": str(self.directory),
            "--databases": "16",
            "--save": "",
            "--appendonly": "no",
            "--daemonize": "no",
            **{f"--{name}": value for name, value in self._limits.items()},
        }
        return [
            program("redis-server"),
            *(word for pair in options.items() for word in pair),
            *self.arguments,
        ]

    def ready(self) -> bool:
        """Tell whether it answers PING."""
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def refuse_writes(self) -> None:
        """Be full: from now on, and after a restart, answer OOM to whatever needs memory."""
        self._limit(FULL)

    def accept_writes(self) -> None:
        """Have room again."""
        self._limit(ROOMY)

    def _limit(self, limits: Mapping[str, str]) -> None:
        self._limits = limits
        if self.running:
            with self.client() as client:
                for name, value in limits.items():
                    client.config_set(name, value)

    def client(self, role: str = "cache") -> "redis.Redis":
        """Return a client of the database that plays `role`: cache, page_cache or session."""
        return redis.Redis(
            host=self.host,
            port=self.port,
            db=DATABASES[role],
            socket_timeout=5,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )


class Sentinel(Redis):
    """A Sentinel; it keeps what it learns in a file of its own."""

    name = "sentinel"

    def prepare(self) -> None:
        """Write the file, unless it has one."""
        file = self.directory / "sentinel.conf"
        if not file.exists():
            file.write_text(f"port {self.port}\nbind {self.host}\ndir {self.directory}\n")

    def command(self) -> Sequence[str | Path]:
        """Return redis-server's command line for a Sentinel."""
        return [program("redis-server"), self.directory / "sentinel.conf", "--sentinel"]

    def watch(self, server: Redis, *, master: str, quorum: int) -> None:
        """Watch a server under a name; a Sentinel that is silent for a second counts as down."""
        with self.client() as client:
            client.execute_command("SENTINEL", "MONITOR", master, server.host, server.port, quorum)
            client.execute_command("SENTINEL", "SET", master, "down-after-milliseconds", 1000)
