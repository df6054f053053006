"""Which server has which role in a shop: the roles that the targets of other exporters are labelled with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from exporter.magento.addresses import database_address, redis_address
from exporter.magento.env_php import EnvPhpSettings

ROLE: Final = "magento_role"
"""The label of a target that says what the server is to Magento."""

TOGETHER: Final = "+"
"""Joins the roles of one server: ``cache+session``."""

_LOOPBACK: Final = ("", "localhost", "127.0.0.1", "::1")


class Role(StrEnum):
    """What a server is to Magento."""

    DATABASE = "database"
    DATABASE_REPLICA = "database_replica"
    CHECKOUT = "checkout"
    SALES = "sales"
    SESSION = "session"
    CACHE = "cache"
    PAGE_CACHE = "page_cache"
    SEARCH = "search"
    AMQP = "amqp"
    PHP = "php"
    WEB = "web"
    VARNISH = "varnish"
    NODE = "node"


@dataclass(frozen=True, slots=True)
class Server:
    """One server in one role. An empty host is the machine of the shop's files; ``socket`` is on it."""

    role: Role
    host: str
    port: int
    socket: str = ""

    @property
    def place(self) -> tuple[str, int, str]:
        """What tells two servers apart."""
        return (self.host, 0, self.socket) if self.socket else (self.host, self.port, "")

    @property
    def address(self) -> str:
        """The server as a person reads it."""
        host = f"[{self.host}]" if ":" in self.host else self.host or "localhost"
        return self.socket or f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class BehindSentinel:
    """A role whose server is known to Sentinels only."""

    role: Role
    master: str
    sentinels: Sequence[str]


def servers(env_php: EnvPhpSettings | None, settings: Mapping[str, Any]) -> Iterator[Server]:
    """Yield the servers that env.php names, and those of the settings that it does not."""
    yield from _databases(env_php, settings)
    for name, server in (settings.get("redis") or {}).items():
        if server and not server.get("sentinel"):
            socket = str(server.get("socket") or "")
            yield _server(Role(name), server, 6379, socket=socket)
    if rabbitmq := settings.get("rabbitmq"):
        host = str(rabbitmq["url"]).partition("://")[2].split("/")[0]
        address = redis_address(host, "")
        yield Server(Role.AMQP, _host(address), 5672)
    if env_php is not None:
        for host, port in env_php.cache_hosts():
            yield Server(Role.VARNISH, _host({"host": host}), int(port) if port.isdecimal() else 80)
    yield Server(Role.WEB, "", 80)
    yield Server(Role.PHP, "", 9000)


def behind_sentinel(settings: Mapping[str, Any]) -> Iterator[BehindSentinel]:
    """Yield the roles for which Magento asks Sentinels."""
    for name, server in (settings.get("redis") or {}).items():
        if server and (sentinel := server.get("sentinel")):
            yield BehindSentinel(Role(name), sentinel["master"], tuple(sentinel["servers"]))


def shared(found: Iterable[Server], other: Role, role: Role = Role.SESSION) -> Server | None:
    """Return the server that has both roles, or None."""
    known = tuple(found)
    places = {server.place for server in known if server.role is other}
    return next((server for server in known if server.role is role and server.place in places), None)


def search_server(setting: Mapping[str, str]) -> Server | None:
    """Return the search engine of the system configuration; ``setting`` is its values by path."""
    engine = setting.get("catalog/search/engine", "")
    host = setting.get(f"catalog/search/{engine}_server_hostname", "").partition("://")[2]
    host = host or setting.get(f"catalog/search/{engine}_server_hostname", "")
    if not engine or not host:
        return None
    port = setting.get(f"catalog/search/{engine}_server_port", "")
    return Server(Role.SEARCH, _host({"host": host.strip("/")}), int(port) if port.isdecimal() else 9200)


def _databases(env_php: EnvPhpSettings | None, settings: Mapping[str, Any]) -> Iterator[Server]:
    """Yield the databases; the settings name the replica where there is one, so env.php is asked first."""
    if env_php is not None and env_php.text("db/connection/default/host"):
        yield _database(env_php, Role.DATABASE, "db/connection/default")
        for role in (Role.CHECKOUT, Role.SALES):
            name = env_php.text(f"resource/{role}_setup/connection") or role.value
            if name != "default" and env_php.text(f"db/connection/{name}/host"):
                yield _database(env_php, role, f"db/connection/{name}")
        if env_php.text("db/slave_connection/default/host"):
            yield _database(env_php, Role.DATABASE_REPLICA, "db/slave_connection/default")
        return
    if database := settings.get("database"):
        yield _server(Role.DATABASE, database, 3306, socket=str(database.get("socket") or ""))
        for role in (Role.CHECKOUT, Role.SALES):
            if server := database.get(role.value):
                yield _server(role, server, 3306, socket=str(server.get("socket") or ""))


def _database(env_php: EnvPhpSettings, role: Role, path: str) -> Server:
    address = database_address(env_php.text(f"{path}/host"))
    return _server(role, address, 3306, socket=str(address.get("socket") or ""))


def _server(role: Role, address: Mapping[str, Any], port: int, *, socket: str = "") -> Server:
    if socket:
        return Server(role, "", 0, socket)
    return Server(role, _host(address), int(address.get("port") or port))


def _host(address: Mapping[str, Any]) -> str:
    """Return the host; empty for this machine, however it is written."""
    host = str(address.get("host") or "")
    return "" if host.lower() in _LOOPBACK else host
