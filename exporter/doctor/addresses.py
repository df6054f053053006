"""Where each source is looked for: what a report that says "does not answer" must name."""

from __future__ import annotations

from exporter.settings import Database, DatabaseServer, RedisServer, Settings


def of_source(settings: Settings, source: str) -> str:
    """Return every address of a source that is tried, for one line; empty if the section is not set."""
    if source == "database" and settings.database is not None:
        return _databases(settings.database)
    if source in ("rabbitmq", "fastly"):
        section = getattr(settings, source)
        return section.url if section is not None else ""
    if source == "search" and settings.search is not None:
        return settings.search.url or "the address in the shop's system configuration"
    if source == "varnish" and settings.varnish is not None:
        return f"{settings.varnish.program}, {', '.join(map(of_varnish, settings.varnish.instances))}"
    if source == "redis" and settings.redis is not None:
        roles = {role: getattr(settings.redis, role) for role in ("cache", "page_cache", "session")}
        return ", ".join(f"{role} {of_redis(server)}" for role, server in roles.items() if server is not None)
    return ""


def of_redis(server: RedisServer) -> str:
    """Return the address of one role."""
    if server.sentinel is not None:
        return f"by Sentinels {', '.join(server.sentinel.servers)} ({server.sentinel.master})"
    return str(server.socket) if server.socket else f"{server.host}:{server.port}"


def of_varnish(instance: str) -> str:
    """Return the name of an instance as the settings have it."""
    return f"instance {instance}" if instance else "the default instance"


def _databases(database: Database) -> str:
    named = {str(connection): _database(server) for connection, server in database.servers().items()}
    default = named.pop("default")
    return ", ".join((default, *(f"{connection} {address}" for connection, address in named.items())))


def _database(server: DatabaseServer) -> str:
    if server.socket:
        return str(server.socket)
    if server.socket_of_localhost and server.host.lower() == "localhost":
        return "localhost by its Unix socket"
    return f"{server.host}:{server.port}"
