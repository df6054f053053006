r"""What ``app/etc/env.php`` and the ``MAGENTO_DC_`` variables say about the shop's servers.

Keys and meaning: ``Magento\Framework\\Config\\ConfigOptionsListConstants`` and
the ``ConfigOptionsList`` of the modules; overriding by environment:
``Magento\Framework\\App\\DeploymentConfig`` (Magento 2.4.4+). A variable that
names a leaf is applied wherever it stands, as its author meant it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from exporter.core.query import Connection
from exporter.errors import EnvPhpError
from exporter.magento.php_literal import Value, parse

Tree = dict[str | int, Value]

_VARIABLE: Final = "MAGENTO_DC_"
_OVERRIDE: Final = "MAGENTO_DC__OVERRIDE"
_REFERENCE: Final = re.compile(r'#env\(\s*(?P<name>\w+)\s*(?:,\s*"(?P<default>[^"]+)")?\)', re.ASCII)
_MANAGEMENT_PORT: Final = 15672
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_TRUE: Final = (True, 1, "1", "true")


class Deployment:
    """The shop's deployment configuration, with the environment's overrides applied."""

    def __init__(self, source: str, environment: Mapping[str, str]) -> None:
        """Parse env.php's text; raises :exc:`EnvPhpError` if it is no plain data."""
        tree = {**parse(source), **_override(environment)}
        self._tree: Tree = _resolved(tree, environment)
        for name, value in environment.items():
            if name.startswith(_VARIABLE) and name != _OVERRIDE:
                _put(self._tree, name.removeprefix(_VARIABLE).lower().split("__"), value)

    def get(self, path: str, default: Value = None) -> Value:
        """Return the value at a slash-separated path."""
        value: Value = self._tree
        for part in path.split("/"):
            if not isinstance(value, dict) or part not in value:
                return default
            value = value[part]
        return value

    def settings(self) -> dict[str, Any]:
        """Return what can be concluded, shaped like :class:`exporter.settings.Settings`."""
        found = {
            "database": self._database(),
            "rabbitmq": self._rabbitmq(),
            "varnish": self._varnish(),
            "redis": self._redis(),
        }
        return {name: section for name, section in found.items() if section}

    def _database(self) -> dict[str, Any]:
        default = self._server("default")
        if not default:
            return {}
        split = {}
        for connection in (Connection.CHECKOUT, Connection.SALES):
            named = self.get(f"resource/{connection}_setup/connection", connection.value)
            server = self._server(str(named)) if named != "default" else {}
            if server and server != default:
                split[connection.value] = server
        return {**default, "prefix": str(self.get("db/table_prefix") or ""), **split}

    def _server(self, name: str) -> dict[str, Any]:
        """Return a connection's server: its read replica if there is one."""
        path = next(
            (p for p in (f"db/slave_connection/{name}", f"db/connection/{name}") if self.get(f"{p}/host")),
            None,
        )
        if path is None:
            return {}
        server: dict[str, Any] = {
            **_address(str(self.get(f"{path}/host"))),
            "name": str(self.get(f"{path}/dbname") or ""),
            "user": str(self.get(f"{path}/username") or ""),
            "password": str(self.get(f"{path}/password") or ""),
        }
        options = self.get(f"{path}/driver_options")
        tls = _tls(options) if isinstance(options, dict) else {}
        return {**server, "tls": tls} if tls else server

    def _rabbitmq(self) -> dict[str, Any]:
        host = self.get("queue/amqp/host")
        if not host:
            return {}
        return {
            "url": f"http://{host}:{_MANAGEMENT_PORT}",
            "user": str(self.get("queue/amqp/user") or ""),
            "password": str(self.get("queue/amqp/password") or ""),
            "vhost": str(self.get("queue/amqp/virtualhost") or "/"),
        }

    def _varnish(self) -> dict[str, Any]:
        """Varnish can be read only where it runs, so only a local one counts as found."""
        hosts = self.get("http_cache_hosts")
        entries: Iterable[Value] = hosts.values() if isinstance(hosts, dict) else ()
        local = any(isinstance(entry, dict) and entry.get("host") in _LOOPBACK for entry in entries)
        return {"instances": ("",)} if local else {}

    def _redis(self) -> dict[str, Any]:
        roles = {
            "cache": self._cache("cache/frontend/default"),
            "page_cache": self._cache("cache/frontend/page_cache"),
            "session": self._session(),
        }
        return {role: server for role, server in roles.items() if server}

    def _cache(self, path: str) -> dict[str, Any]:
        backend = str(self.get(f"{path}/backend") or "")
        options = f"{path}/backend_options"
        if backend.endswith("RemoteSynchronizedCache"):
            backend = str(self.get(f"{options}/remote_backend") or "")
            options = f"{options}/remote_backend_options"
        if backend.rsplit("\\", 1)[-1].lower().rsplit("_", 1)[-1] not in ("redis", "valkey"):
            return {}
        return self._redis_server(options, "server", 0)

    def _session(self) -> dict[str, Any]:
        kind = str(self.get("session/save") or "")
        return self._redis_server(f"session/{kind}", "host", 2) if kind in ("redis", "valkey") else {}

    def _redis_server(self, path: str, host: str, database: int) -> dict[str, Any]:
        address = str(self.get(f"{path}/{host}") or "")
        if not address:
            return {}
        server: dict[str, Any] = {
            **_redis_address(address, self.get(f"{path}/port")),
            "database": self.get(f"{path}/database", database) or database,
            "password": str(self.get(f"{path}/password") or ""),
        }
        return {**server, "tls": {}} if address.startswith(("tls://", "ssl://")) else server


def _override(environment: Mapping[str, str]) -> Tree:
    text = environment.get(_OVERRIDE, "")
    if not text:
        return {}
    try:
        value = json.loads(text)
    except ValueError:
        raise EnvPhpError(f"{_OVERRIDE}: not JSON") from None
    if not isinstance(value, dict):
        raise EnvPhpError(f"{_OVERRIDE}: not a JSON object")
    return value


def _resolved(value: Tree, environment: Mapping[str, str]) -> Tree:
    """Replace ``#env(NAME, "default")`` texts."""
    return {key: _resolved_value(inner, environment) for key, inner in value.items()}


def _resolved_value(value: Value, environment: Mapping[str, str]) -> Value:
    if isinstance(value, dict):
        return _resolved(value, environment)
    match = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    return (environment.get(match["name"]) or match["default"]) if match else value


def _put(tree: Tree, path: list[str], value: str) -> None:
    for part in path[:-1]:
        inner = tree.get(part)
        if not isinstance(inner, dict):
            inner = tree[part] = {}
        tree = inner
    tree[path[-1]] = value


def _address(host: str) -> dict[str, Any]:
    """Split ``host``, ``host:port``, ``[v6]:port`` or a socket path, as Magento's PDO adapter does."""
    if host.startswith("/"):
        return {"socket": host}
    name, colon, port = host.rpartition(":")
    if colon and port.isdecimal() and (":" not in name or name.startswith("[")):
        return {"host": name.strip("[]"), "port": int(port)}
    return {"host": host.strip("[]")}


def _redis_address(address: str, port: Value) -> dict[str, Any]:
    bare = re.sub(r"^(tcp|tls|ssl|unix)://", "", address)
    if bare.startswith("/"):
        return {"socket": bare}
    server = _address(bare)
    return server if "port" in server or not port else {**server, "port": port}


def _tls(options: Tree) -> dict[str, Any]:
    """Return the TLS settings in PDO's driver options (numbers of the mysqlnd driver)."""
    files = dict(_tls_files(options))
    if not files:
        return {}
    verify = options.get(1014, True) in _TRUE
    return {**files, "verify_host": verify}


def _tls_files(options: Tree) -> Iterator[tuple[str, str]]:
    for number, name in ((1007, "key_file"), (1008, "cert_file"), (1009, "ca_file")):
        if options.get(number):
            yield name, str(options[number])
