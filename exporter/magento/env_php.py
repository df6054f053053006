r"""What ``app/etc/env.php`` and the environment say about the shop's servers.

Keys and meaning: ``Magento\Framework\Config\ConfigOptionsListConstants`` and
the ``ConfigOptionsList`` of the modules; overriding by ``MAGENTO_DC_`` variables:
``Magento\Framework\App\DeploymentConfig`` (Magento 2.4.4+). A variable that
names a leaf is applied wherever it stands, as its author meant it. System
configuration is locked by ``CONFIG__`` variables and by env.php's ``system``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
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


class EnvPhpSettings:
    """The shop's deployment configuration, with the environment's overrides applied."""

    def __init__(self, source: str, environment: Mapping[str, str]) -> None:
        """Parse env.php's text; raises :exc:`EnvPhpError` if it is no plain data."""
        self._environment = environment
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

    def text(self, path: str) -> str:
        """Return the value at a path as text, empty if absent; raises :exc:`EnvPhpError` for an array."""
        return _text(self.get(path), path)

    def locked(self, scope: str, code: str, path: str) -> str | None:
        """Return the system configuration that overrides the database, ``None`` if nothing does.

        It is text as PHP would print it: empty for ``false``, which is not the same as nothing.
        ``code`` is a website's or store's, empty in scope ``default``. config.php is not looked at.
        """
        where = [scope, *([code] if code else []), *path.split("/")]
        variable = self._environment.get("__".join(("CONFIG", *where)).upper())
        if variable is not None:
            return variable
        place = "/".join(("system", *where))
        return None if self.get(place) is None else self.text(place)

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
            named = self.text(f"resource/{connection}_setup/connection") or connection.value
            server = self._server(named) if named != "default" else {}
            if server and _place(server) != _place(default):
                split[connection.value] = server
        return {**default, "prefix": self.text("db/table_prefix"), **split}

    def _server(self, name: str) -> dict[str, Any]:
        """Return a connection's server: its read replica if there is one."""
        path = next(
            (p for p in (f"db/slave_connection/{name}", f"db/connection/{name}") if self.get(f"{p}/host")),
            None,
        )
        if path is None:
            return {}
        server: dict[str, Any] = {
            **_address(self.text(f"{path}/host")),
            "name": self.text(f"{path}/dbname"),
            "user": self.text(f"{path}/username"),
            **self._password(f"{path}/password"),
        }
        options = self.get(f"{path}/driver_options")
        tls = _tls(options) if isinstance(options, dict) else {}
        return {**server, "tls": tls} if tls else server

    def _password(self, path: str) -> dict[str, str]:
        """Return where the password stands, not what it is: it may be changed at any time."""
        return {"password_key": path} if self.text(path) else {}

    def _rabbitmq(self) -> dict[str, Any]:
        host = self.text("queue/amqp/host")
        if not host:
            return {}
        return {
            "url": f"http://{host}:{_MANAGEMENT_PORT}",
            "user": self.text("queue/amqp/user"),
            **self._password("queue/amqp/password"),
            "vhost": self.text("queue/amqp/virtualhost") or "/",
        }

    def _varnish(self) -> dict[str, Any]:
        """Varnish can be read only where it runs, so only a local one counts as found."""
        return {"instances": ("",)} if any(host in _LOOPBACK for host, _ in self.cache_hosts()) else {}

    def cache_hosts(self) -> Iterator[tuple[str, str]]:
        """Yield host and port of every Varnish that Magento purges."""
        hosts = self.get("http_cache_hosts")
        for entry in hosts.values() if isinstance(hosts, dict) else ():
            if isinstance(entry, dict) and (host := _text(entry.get("host"), "http_cache_hosts")):
                yield host, _text(entry.get("port"), "http_cache_hosts") or "80"

    def _redis(self) -> dict[str, Any]:
        roles = {
            "cache": self._cache("cache/frontend/default"),
            "page_cache": self._cache("cache/frontend/page_cache"),
            "session": self._session(),
        }
        return {role: server for role, server in roles.items() if server}

    def _cache(self, path: str) -> dict[str, Any]:
        backend = self.text(f"{path}/backend")
        options = f"{path}/backend_options"
        if backend.endswith("RemoteSynchronizedCache"):
            backend = self.text(f"{options}/remote_backend")
            options = f"{options}/remote_backend_options"
        if backend.rsplit("\\", 1)[-1].lower().rsplit("_", 1)[-1] not in ("redis", "valkey"):
            return {}
        return self._redis_server(options, "server", 0)

    def _session(self) -> dict[str, Any]:
        kind = self.text("session/save")
        return self._redis_server(f"session/{kind}", "host", 2) if kind in ("redis", "valkey") else {}

    def _redis_server(self, path: str, host: str, database: int) -> dict[str, Any]:
        address = self.text(f"{path}/{host}")
        if not address:
            return {}
        server: dict[str, Any] = {
            **_redis_address(address, self.text(f"{path}/port")),
            "database": self.text(f"{path}/database") or database,
            **self._password(f"{path}/password"),
        }
        return {**server, "tls": {}} if address.startswith(("tls://", "ssl://")) else server


def _text(value: Value, path: str) -> str:
    """Return a value as PHP would print it."""
    if isinstance(value, dict):
        raise EnvPhpError(f"{path}: a text was expected, not an array")
    if value is None or value is False:
        return ""
    return "1" if value is True else str(value)


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


def _redis_address(address: str, port: str) -> dict[str, Any]:
    bare = re.sub(r"^(tcp|tls|ssl|unix)://", "", address)
    if bare.startswith("/"):
        return {"socket": bare}
    server = _address(bare)
    return server if "port" in server or not port else {**server, "port": port}


def _place(server: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what tells two databases apart, whoever logs in."""
    return tuple(server.get(name) for name in ("host", "port", "socket", "name"))


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
