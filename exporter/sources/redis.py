"""Redis and Valkey: the answer to INFO, and nothing else. No key is ever listed, read or searched for."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.retry import Retry

from exporter.errors import (
    AccessDenied,
    LoginRefused,
    SourceError,
    SourceTimeout,
    SourceUnavailable,
    UnexpectedAnswer,
)
from exporter.sources.handshake import refused_by_us
from exporter.sources.members import Members


@dataclass(frozen=True, slots=True)
class RedisTarget:
    """Where one role of Magento leads. ``password`` is called at every login; empty means none.

    INFO covers the whole server, so no database is selected; ``database`` says
    which line of the keyspace is the role's own. The login needs the right to run
    INFO and nothing more (ACL ``+info``).
    """

    host: str = "localhost"
    port: int = 6379
    database: int = 0
    user: str = ""
    password: Callable[[], str] | None = None
    socket: str | None = None
    tls: ssl.SSLContext | None = None
    sentinel: SentinelTarget | None = None


@dataclass(frozen=True, slots=True)
class SentinelTarget:
    """The Sentinels that know where a server is. The login needs ``+sentinel|get-master-addr-by-name``."""

    servers: Sequence[tuple[str, int]]
    master: str
    user: str = ""
    password: Callable[[], str] | None = None
    tls: ssl.SSLContext | None = None

    def members(self) -> Sequence[RedisTarget]:
        """Return each Sentinel as a server to connect to."""
        return [
            RedisTarget(host, port, user=self.user, password=self.password, tls=self.tls)
            for host, port in self.servers
        ]


@dataclass(frozen=True, slots=True)
class RedisLimits:
    """Seconds to connect to one server, and to wait for its answer."""

    connect: float = 0.5
    read: float = 0.7


class RedisServers:
    """Implements :class:`exporter.core.ports.Redis`. Roles on one server share one request."""

    def __init__(self, roles: Mapping[str, RedisTarget], *, limits: RedisLimits | None = None) -> None:
        """``roles`` maps ``cache``, ``page_cache`` and ``session`` (those in use) to targets."""
        self._roles = dict(roles)
        self._limits = limits or RedisLimits()
        self._members = Members("redis")
        self._clients: dict[str, redis.Redis] = {}

    def info(self) -> Mapping[str, Mapping[str, Any] | None]:
        """Return the fields of INFO by role; see :class:`exporter.core.ports.Redis`."""
        answers: dict[str, Mapping[str, Any] | SourceError] = {}

        def info(target: RedisTarget) -> Mapping[str, Any]:
            place = _server(target)
            if place not in answers:
                answers[place] = self._answer(target)
            answer = answers[place]
            if isinstance(answer, SourceError):
                raise answer
            return {**answer, "database": target.database}

        return self._members.ask({role: partial(info, target) for role, target in self._roles.items()})

    def close(self) -> None:
        """Close every connection."""
        for client in self._clients.values():
            client.connection_pool.disconnect()  # close() leaves a pool open that it was given

    def _answer(self, target: RedisTarget) -> Mapping[str, Any] | SourceError:
        """Ask once; an error is returned, for every role of that server."""
        try:
            return self._info(target if target.sentinel is None else self._primary(target, target.sentinel))
        except SourceError as error:
            return error

    def _primary(self, target: RedisTarget, sentinel: SentinelTarget) -> RedisTarget:
        """Return the server that the first Sentinel to answer names, as Magento's clients do."""
        error: SourceError = SourceUnavailable(f"no Sentinel knows {sentinel.master!r}")
        for member in sentinel.members():
            try:
                host, port = self._address(member, sentinel.master)
            except SourceError as failure:
                error = failure
            else:
                return replace(target, host=host, port=port, sentinel=None)
        raise error

    def _address(self, sentinel: RedisTarget, master: str) -> tuple[str, int]:
        place = _server(sentinel)
        with _driver(f"the Sentinel at {place}", "SENTINEL get-master-addr-by-name"):
            answer = self._client(sentinel).execute_command(  # type: ignore[no-untyped-call]
                "SENTINEL GET-MASTER-ADDR-BY-NAME", master
            )
            if not answer:
                raise UnexpectedAnswer(f"the Sentinel at {place} knows no {master!r}")
            if not isinstance(answer[0], bytes):  # redis-py takes the first letters of a text for the parts
                raise UnexpectedAnswer(f"the Sentinel at {place}: that is no address")
            return answer[0].decode(), int(answer[1])

    def _info(self, target: RedisTarget) -> Mapping[str, Any]:
        place = _server(target)
        with _driver(f"redis at {place}", "INFO"):
            answer = self._client(target).info()
        if not isinstance(answer, dict) or "redis_version" not in answer:
            raise UnexpectedAnswer(f"redis at {place}: that is no answer to INFO")
        if "sentinel" in (answer.get("redis_mode"), answer.get("server_mode")):  # Redis, Valkey
            raise UnexpectedAnswer(f"redis at {place} is a Sentinel: set redis.<role>.sentinel")
        return answer

    def _client(self, target: RedisTarget) -> redis.Redis:
        place = _server(target)
        if place not in self._clients:
            self._clients[place] = _client(target, self._limits)
        return self._clients[place]


@contextmanager
def _driver(server: str, command: str) -> Iterator[None]:
    """Say in our own errors what the driver raises."""
    try:
        yield
    except SourceError:
        raise
    except redis.TimeoutError:
        raise SourceTimeout(f"{server} did not answer in time") from None
    except redis.exceptions.NoPermissionError:
        raise AccessDenied(f"{server}: the login may not run {command}") from None
    except redis.AuthenticationError:
        raise LoginRefused(f"{server} refused the login") from None
    except redis.ConnectionError as error:
        raise _no_connection(server, error) from None
    except redis.ResponseError as error:
        raise _refusal(server, command, error) from None
    except Exception as error:  # noqa: BLE001 - whatever the driver raises is about this server
        raise UnexpectedAnswer(f"{server}: {type(error).__name__}") from None


def _no_connection(server: str, error: redis.ConnectionError) -> SourceError:
    refusal = refused_by_us(error)
    if refusal is not None:
        return type(refusal)(f"{server}: {refusal}")
    if "max number of clients" in str(error):
        return SourceUnavailable(f"{server} has too many clients")
    if isinstance(error, redis.BusyLoadingError):
        return SourceUnavailable(f"{server} is loading its data")
    return SourceUnavailable(f"cannot reach {server}")


def _refusal(server: str, command: str, error: redis.ResponseError) -> SourceError:
    text = str(error).lower()
    if "unknown command" in text:
        return UnexpectedAnswer(f"{server} does not know {command}: it is renamed or forbidden there")
    if "protected mode" in text:
        return LoginRefused(f"{server} lets nobody in from this host (protected mode)")
    return UnexpectedAnswer(f"{server}: {type(error).__name__}")


class _Login(CredentialProvider):
    """Asks for the password at every login, so that a rotated one is followed."""

    def __init__(self, target: RedisTarget) -> None:
        self._target = target

    def get_credentials(self) -> tuple[str, ...]:  # type: ignore[override]  # empty means: do not log in
        password = self._target.password() if self._target.password else ""
        return tuple(part for part in (self._target.user, password) if part)


class _TlsConnection(redis.Connection):
    """A connection encrypted with a context of our own; redis-py would only take file names."""

    def __init__(self, *, tls: ssl.SSLContext, **options: Any) -> None:
        self._tls = tls
        super().__init__(**options)  # type: ignore[no-untyped-call]

    def _connect(self) -> socket.socket:
        plain = super()._connect()  # type: ignore[no-untyped-call]
        return self._tls.wrap_socket(plain, server_hostname=self.host)


def _server(target: RedisTarget) -> str:
    """Name the server, for messages and to tell two roles on one server."""
    if target.sentinel is not None:
        return f"{target.sentinel.master} of {target.sentinel.servers}"
    return target.socket or f"{target.host}:{target.port}"


def _client(target: RedisTarget, limits: RedisLimits) -> redis.Redis:
    options: dict[str, Any] = {
        "socket_timeout": limits.read,
        "socket_connect_timeout": limits.connect,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "max_connections": 1,
        "credential_provider": _Login(target),
    }
    if target.socket:
        pool = redis.ConnectionPool(
            connection_class=redis.UnixDomainSocketConnection, path=target.socket, **options
        )
    elif target.tls:
        pool = redis.ConnectionPool(
            connection_class=_TlsConnection, tls=target.tls, host=target.host, port=target.port, **options
        )
    else:
        pool = redis.ConnectionPool(host=target.host, port=target.port, **options)
    return redis.Redis(connection_pool=pool)
