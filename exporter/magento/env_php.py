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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from exporter.core.query import Connection
from exporter.errors import EnvPhpError
from exporter.magento.addresses import database_address, pdo_tls, redis_address, sentinel, text_of
from exporter.magento.caches import is_redis, is_two_levels
from exporter.magento.php_literal import parse
from exporter.magento.php_variables import Unknown, Value

Tree = dict[str | int, Value]

OWN_VARIABLES: Final = "MAGENTO_EXPORTER_"
"""The exporter's own settings and secrets in the environment: no file of the shop gets at them."""

_VARIABLE: Final = "MAGENTO_DC_"
_OVERRIDE: Final = "MAGENTO_DC__OVERRIDE"
_REFERENCE: Final = re.compile(r'#env\(\s*(?P<name>\w+)\s*(?:,\s*"(?P<default>[^"]+)")?\)', re.ASCII)
_MANAGEMENT_PORT: Final = 15672
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_PASSWORDS: Final = ("password", "password_file", "password_key")

_UNUSUAL: Final = re.compile(r"[^A-Za-z0-9_./-]")


@dataclass(slots=True)
class Section:
    """What is concluded for one section of the settings, and what of it is known not to be known."""

    values: dict[str, Any] = field(default_factory=dict)
    missing: list[tuple[str, ...]] = field(default_factory=list)
    """Settings of which a person must give one, because env.php has no plain data for it."""

    def complete(self, given: Mapping[str, Any]) -> bool:
        """Return whether all that is missing is given by hand."""
        return all(any(name in given for name in names) for names in self.missing)


class EnvPhpSettings:
    """The shop's deployment configuration, with the environment's overrides applied."""

    def __init__(self, source: str, environment: Mapping[str, str], *, directory: str = "") -> None:
        """Parse env.php's text; raises :exc:`EnvPhpError` if it is no plain data.

        ``directory`` is the file's own, for ``__DIR__``.
        """
        environment = {
            name: value for name, value in environment.items() if not name.startswith(OWN_VARIABLES)
        }
        self.problem = ""
        self._arrays: set[str] = set()
        self._environment = environment
        tree = {**parse(source, environment, directory=directory), **_override(environment)}
        self._tree: Tree = _resolved(tree, environment)
        for name, value in environment.items():
            if name.startswith(_VARIABLE) and name != _OVERRIDE:
                _put(self._tree, name.removeprefix(_VARIABLE).lower().split("__"), value)

    @classmethod
    def without(cls, problem: str, environment: Mapping[str, str]) -> Self:
        """Return what the environment says where env.php itself is no plain data."""
        settings = cls("<?php return [];", environment)
        settings.problem = problem
        return settings

    def get(self, path: str, default: Value = None) -> Value:
        """Return the value at a slash-separated path; one that is no plain data is absent."""
        value = self._raw(path)
        return default if value is None or isinstance(value, Unknown) else value

    def _raw(self, path: str) -> Value:
        value: Value = self._tree
        for part in path.split("/"):
            if not isinstance(value, dict) or part not in value:
                return value if isinstance(value, Unknown) else None
            value = value[part]
        return value

    def unknown(self) -> Iterator[tuple[str, str]]:
        """Yield path and reason of every value that is no plain data, or of which no text can be had."""
        yield from _unknown(self._tree, "")
        self.settings()  # reads all that should be a text
        for path in sorted(self._arrays):
            yield _shown(path), "an array is no text"

    def is_known(self, path: str) -> bool:
        """Return whether the file itself is read, and the value at the path is data or absent."""
        return not self.problem and not isinstance(self._raw(path), Unknown)

    def mode(self) -> str:
        """Return ``MAGE_MODE``; empty if it is not known."""
        return (self.text("MAGE_MODE") or "default") if self.is_known("MAGE_MODE") else ""

    def text(self, path: str) -> str:
        """Return the value at a path as text, empty if absent or an array."""
        value = self.get(path)
        if isinstance(value, dict):
            self._arrays.add(path)
        return text_of(value)

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

    def settings(self, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return what can be concluded, shaped like :class:`exporter.settings.Settings`.

        A server of which env.php has something that is no plain data is left out,
        unless ``given``, the settings by hand, has it.
        """
        given = given or {}
        found: dict[str, Any] = {}
        database = self._database()
        if database.complete(_section(given, "database")):
            found["database"] = database.values
        for name, broker in (("rabbitmq", self._rabbitmq()), ("artemis", self._artemis())):
            if broker.complete(_section(given, name)):
                found[name] = broker.values
        found["varnish"] = self._varnish()
        by_hand = _section(given, "redis")
        found["redis"] = {
            role: server.values
            for role, server in self._redis().items()
            if server.values and server.complete(_section(by_hand, role))
        }
        return {name: section for name, section in found.items() if section}

    def _database(self) -> Section:
        default = self._server("default")
        if not default.values:
            return default
        default.values["prefix"] = self._known(default, "db/table_prefix", "prefix")
        for connection in (Connection.CHECKOUT, Connection.SALES):
            named = self.text(f"resource/{connection}_setup/connection") or connection.value
            server = self._server(named) if named != "default" else Section()
            if server.values and (server.missing or _place(server.values) != _place(default.values)):
                default.values[connection.value] = server.values
                default.missing += [(connection.value,)] if server.missing else []
        return default

    def _server(self, name: str) -> Section:
        """Return a connection's server: its read replica if there is one."""
        paths = (f"db/slave_connection/{name}", f"db/connection/{name}")
        path = next((p for p in paths if self._raw(f"{p}/host")), None)
        section = Section()
        if path is None:
            return section
        host = self._known(section, f"{path}/host", "host", "socket")
        section.values = {
            **(self._address(section, path, host) if host else {}),
            "name": self._known(section, f"{path}/dbname", "name"),
            "user": self._known(section, f"{path}/username", "user"),
            **self._password(section, f"{path}/password"),
        }
        options = self.get(f"{path}/driver_options")
        tls = pdo_tls(options) if isinstance(options, dict) else {}
        if tls:
            section.values["tls"] = tls
        return section

    def _address(self, section: Section, path: str, host: str) -> dict[str, Any]:
        """Return where a database is: PDO takes ``unix_socket`` for ``localhost``, and for nothing else."""
        address = database_address(host)
        own = (
            self._known(section, f"{path}/unix_socket", "socket") if "socket_of_localhost" in address else ""
        )
        return {"socket": own} if own else address

    def _known(self, section: Section, path: str, *names: str) -> str:
        """Return a text; note in the section that one of these settings is missing if it is no data."""
        if isinstance(self._raw(path), (Unknown, dict)):
            section.missing.append(names)
        return self.text(path)

    def _password(self, section: Section, path: str) -> dict[str, str]:
        """Return where the password stands, not what it is: it may be changed at any time."""
        return {"password_key": path} if self._known(section, path, *_PASSWORDS) else {}

    def _rabbitmq(self) -> Section:
        section = Section()
        host = self._known(section, "queue/amqp/host", "url")
        if not host and not section.missing:
            return section
        name = database_address(host).get("host", host)
        shown = f"[{name}]" if ":" in name else name
        if self.queue_connection() == "stomp":
            section.missing.append(("url",))  # Magento uses Artemis: this one may be gone
        section.values = {
            **({"url": f"http://{shown}:{_MANAGEMENT_PORT}"} if host else {}),
            "user": self._known(section, "queue/amqp/user", "user"),
            **self._password(section, "queue/amqp/password"),
            "vhost": self._known(section, "queue/amqp/virtualhost", "vhost") or "/",
        }
        return section

    def _artemis(self) -> Section:
        """Return the login of STOMP, which Magento takes for the console too. The console is not named."""
        section = Section(missing=[("url",)])
        if self.get("queue/stomp"):
            section.values = {
                "user": self._known(section, "queue/stomp/user", "user"),
                **self._password(section, "queue/stomp/password"),
            }
        return section

    def _varnish(self) -> dict[str, Any]:
        """Varnish can be read only where it runs, so only a local one counts as found."""
        return {"instances": ("",)} if any(host in _LOOPBACK for host, _ in self.cache_hosts()) else {}

    def cache_hosts(self) -> Iterator[tuple[str, str]]:
        """Yield host and port of every Varnish that Magento purges."""
        hosts = self.get("http_cache_hosts")
        for entry in hosts.values() if isinstance(hosts, dict) else ():
            if isinstance(entry, dict) and (host := text_of(entry.get("host"))):
                yield host, text_of(entry.get("port")) or "80"

    def page_cache_frontend(self) -> str:
        """Return which cache frontend keeps the pages: with L2 often one of its own for stale entries."""
        return self.text("cache/type/full_page/frontend") or "page_cache"

    def cache_backends(self) -> Iterator[tuple[str, str]]:
        """Yield name and backend of every cache frontend that names one, remote ones included."""
        frontends = self.get("cache/frontend")
        for name in map(str, frontends if isinstance(frontends, dict) else ()):
            path = f"cache/frontend/{name}"
            for key in ("backend", "backend_options/remote_backend"):
                if backend := self.text(f"{path}/{key}"):
                    yield name, backend

    def queue_connection(self) -> str:
        """Return the name of the connection that queues have unless their declaration names one.

        As the framework's ``MessageQueue/DefaultValueProvider`` finds it, from 2.4.5 on. The step with STOMP
        came with its module.
        """
        if named := self.text("queue/default_connection"):
            return named
        return next((name for name in ("stomp", "amqp") if self.get(f"queue/{name}")), "db")

    def _redis(self) -> dict[str, Section]:
        return {
            "cache": self._cache("cache/frontend/default"),
            "page_cache": self._cache(f"cache/frontend/{self.page_cache_frontend()}"),
            "session": self._session(),
        }

    def _cache(self, path: str) -> Section:
        backend, options = self.text(f"{path}/backend"), f"{path}/backend_options"
        if is_two_levels(backend):
            # Without a name, Symfony's two levels take Redis for the remote one.
            backend = self.text(f"{options}/remote_backend") or "redis"
            options = f"{options}/remote_backend_options"
        if not is_redis(backend):
            return Section()
        section = Section()
        server = self._known(section, f"{options}/server", "host", "socket", "sentinel")
        if not server and not section.missing:
            return section  # Magento refuses such a backend, and takes files
        master = self._known(section, f"{options}/sentinel_master", "sentinel", "host", "socket")
        return self._redis_server(
            section, lambda key: f"{options}/{key}", server, server if master else "", master, acl=True
        )

    def _session(self) -> Section:
        kind = self.text("session/save")
        if kind not in ("redis", "valkey"):
            return Section()
        section = Section()

        def at(key: str) -> str:
            """Return the path of an option: Magento's handler for Valkey takes Redis' where it has none."""
            own = f"session/{kind}/{key}"
            return own if self._raw(own) is not None else f"session/redis/{key}"

        master = self._known(section, at("sentinel_master"), "sentinel", "host", "socket")
        sentinels = self._known(section, at("sentinel_servers"), "sentinel", "host", "socket")
        host = self._known(section, at("host"), "host", "socket", "sentinel") or "127.0.0.1"
        return self._redis_server(section, at, host, sentinels if master else "", master)

    def _redis_server(
        self,
        section: Section,
        at: Callable[[str], str],
        server: str,
        sentinels: str,
        master: str,
        *,
        acl: bool = False,
    ) -> Section:
        """Complete the section of one role; the defaults are those of the libraries at run time."""
        password = self._password(section, at("password"))
        user = self._known(section, at("username"), "user") if acl else ""
        port = self._known(section, at("port"), "port")
        section.values = {
            **(sentinel(sentinels, master) if sentinels else redis_address(server, port)),
            "database": self._known(section, at("database"), "database") or 0,
            **({"user": user} if user and password else {}),
            **password,
        }
        if sentinels:
            own = at("sentinel/password")
            login = {"password_key": own} if self.text(own) else password
            section.values["sentinel"] |= login
        return section


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


def _section(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = given.get(name)
    return section if isinstance(section, Mapping) else {}


def _shown(path: str) -> str:
    return _UNUSUAL.sub("?", path)[:100]


def _unknown(value: Value, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Unknown):
        yield _shown(path), f"line {value.line}: {value.why}"
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _unknown(inner, f"{path}/{key}" if path else str(key))


def _place(server: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what tells two databases apart, whoever logs in."""
    return tuple(server.get(name) for name in ("host", "port", "socket", "name"))
