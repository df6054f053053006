"""Makes the clients of Redis that the settings name."""

from __future__ import annotations

from exporter import settings as sections
from exporter.passwords import password_of
from exporter.settings import RedisSentinel, RedisServer
from exporter.sources.env_php import EnvPhp
from exporter.sources.redis import RedisServers, RedisTarget, SentinelTarget


def open_redis(wanted: sections.Redis, env_php: EnvPhp | None) -> RedisServers:
    """Return the clients of the roles that are configured. Connects to nothing."""
    roles = {"cache": wanted.cache, "page_cache": wanted.page_cache, "session": wanted.session}
    return RedisServers({role: _redis_target(server, env_php) for role, server in roles.items() if server})


def _redis_target(server: RedisServer, env_php: EnvPhp | None) -> RedisTarget:
    return RedisTarget(
        host=server.host,
        port=server.port,
        database=server.database,
        user=server.user,
        password=password_of(server, env_php),
        socket=str(server.socket) if server.socket else None,
        tls=server.tls.context() if server.tls else None,
        sentinel=_sentinel(server.sentinel, env_php) if server.sentinel else None,
    )


def _sentinel(sentinel: RedisSentinel, env_php: EnvPhp | None) -> SentinelTarget:
    addresses = (server.rpartition(":") for server in sentinel.servers)
    return SentinelTarget(
        servers=tuple((host.strip("[]"), int(port)) for host, _, port in addresses),
        master=sentinel.master,
        user=sentinel.user,
        password=password_of(sentinel, env_php),
        tls=sentinel.tls.context() if sentinel.tls else None,
    )
