"""Redis and Valkey: the answer to INFO, and nothing else. No key is ever listed, read or searched for."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.retry import Retry

from exporter.errors import AccessDenied, SourceError, SourceTimeout, SourceUnavailable, UnexpectedAnswer
from exporter.sources.members import Members

_DENIED: Final = (redis.AuthenticationError, redis.exceptions.NoPermissionError)


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
        asked: dict[str, Mapping[str, Any] | SourceError] = {}

        def ask(target: RedisTarget) -> Mapping[str, Any]:
            server = _server(target)
            if server not in asked:
                asked[server] = self._info(server, target)
            answer = asked[server]
            if isinstance(answer, SourceError):
                raise answer
            return {**answer, "database": target.database}

        return self._members.ask({role: partial(ask, target) for role, target in self._roles.items()})

    def close(self) -> None:
        """Close every connection."""
        for client in self._clients.values():
            client.close()

    def _info(self, server: str, target: RedisTarget) -> Mapping[str, Any] | SourceError:
        """Ask once; an error is returned, for every role of that server."""
        try:
            if server not in self._clients:
                self._clients[server] = _client(target, self._limits)
            answer = self._clients[server].info()
        except redis.TimeoutError:
            return SourceTimeout(f"redis at {server} did not answer in time")
        except _DENIED:
            return AccessDenied(f"redis at {server} refused the login or the command INFO")
        except redis.ConnectionError:
            return SourceUnavailable(f"cannot reach redis at {server}")
        except redis.RedisError as error:
            return UnexpectedAnswer(f"redis at {server}: {type(error).__name__}")
        if not isinstance(answer, dict) or "redis_version" not in answer:
            return UnexpectedAnswer(f"redis at {server}: that is no answer to INFO")
        return answer


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
