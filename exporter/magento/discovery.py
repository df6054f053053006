"""What env.php says about each part of a shop, in words to compare with what one knows, without passwords."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from exporter.magento.env_php import EnvPhpSettings

OFF: Final = ("0", "")
"""How a switch reads that is off: PHP's 0 and false."""

_ENGINE: Final = "catalog/search/engine"
_SEARCH_PORT: Final = "9200"
_INDEX_PREFIX: Final = "magento2"
_NOT_KNOWN: Final = "not known"
_MAX_MESSAGES: Final = "10000"


def parts(env_php: EnvPhpSettings) -> Iterator[tuple[str, str]]:
    """Yield each part's name and what is said about it."""
    found = env_php.settings()
    redis = found.get("redis", {})
    yield "mode", env_php.mode() or _NOT_KNOWN
    yield "database", _database(env_php, found.get("database"))
    yield "default cache", _cache(env_php, "default", redis.get("cache"))
    yield "page cache", _cache(env_php, env_php.page_cache_frontend(), redis.get("page_cache"))
    yield "sessions", _server(redis["session"]) if "session" in redis else _kind(env_php, "session/save")
    yield "queues", _queues(env_php)
    yield "varnish", _varnish(env_php)
    yield "consumers", _consumers(env_php)


def cron_enabled(env_php: EnvPhpSettings) -> bool:
    """Return whether ``cron:run`` does anything."""
    return env_php.get("cron/enabled") is None or env_php.text("cron/enabled") not in OFF


def consumers_by_cron(env_php: EnvPhpSettings) -> bool:
    """Return whether cron starts the queue consumers."""
    path = "cron_consumers_runner/cron_run"
    return env_php.get(path) is None or env_php.text(path) not in OFF


def search_engine(setting: Callable[[str], str | None]) -> str:
    """Return which search engine is used and where it is; ``setting`` gives system configuration by path."""
    engine = setting(_ENGINE)
    if not engine:
        return ""
    host = setting(f"catalog/search/{engine}_server_hostname")
    if not host:
        return engine
    port = setting(f"catalog/search/{engine}_server_port") or _SEARCH_PORT
    index = setting(f"catalog/search/{engine}_index_prefix") or _INDEX_PREFIX
    return f"{engine} at {host}:{port}, index prefix {index}"


def _server(server: Mapping[str, Any]) -> str:
    place = server.get("socket") or f"{server.get('host')}:{server.get('port', 6379)}"
    if sentinel := server.get("sentinel"):
        place = f"{sentinel['master']} by Sentinel at {', '.join(sentinel['servers'])}"
    return f"redis at {place}, database {server['database']}"


def _database(env_php: EnvPhpSettings, found: Mapping[str, Any] | None) -> str:
    if not found:
        return "not named" if env_php.is_known("db/connection/default/host") else _NOT_KNOWN
    said = [_schema(found)]
    if found["prefix"]:
        said.append(f"prefix {found['prefix']}")
    if env_php.text("db/slave_connection/default/host"):
        said.append("its read replica")
    said += [f"{name}: {_schema(found[name])}" for name in ("checkout", "sales") if name in found]
    return ", ".join(said)


def _schema(server: Mapping[str, Any]) -> str:
    place = server.get("socket") or f"{server.get('host')}:{server.get('port', 3306)}"
    return f"{server['name']} at {place}"


def _cache(env_php: EnvPhpSettings, frontend: str, server: Mapping[str, Any] | None) -> str:
    return _server(server) if server else _kind(env_php, f"cache/frontend/{frontend}/backend")


def _kind(env_php: EnvPhpSettings, path: str) -> str:
    """Return the name of a store that is not Redis; Magento's own default is files."""
    return (env_php.text(path).rsplit("\\", 1)[-1] or "files") if env_php.is_known(path) else _NOT_KNOWN


def _queues(env_php: EnvPhpSettings) -> str:
    default = env_php.queue_connection()
    said = ["default connection db: in the database" if default == "db" else f"default connection {default}"]
    if host := env_php.text("queue/amqp/host"):
        vhost = env_php.text("queue/amqp/virtualhost") or "/"
        idle = " (not observed beside STOMP)" if default == "stomp" else ""
        port = env_php.text("queue/amqp/port") or 5672
        said.append(f"RabbitMQ at {host}:{port}, virtual host {vhost}{idle}")
    if host := env_php.text("queue/stomp/host"):
        port = env_php.text("queue/stomp/port") or 61613
        said.append(f"Artemis by STOMP at {host}:{port} (observed by artemis.url only)")
    more = env_php.get("queue/connections")
    if isinstance(more, dict) and more:
        said.append(f"further connections {', '.join(map(str, more))} (not observed)")
    return "; ".join(said)


def _varnish(env_php: EnvPhpSettings) -> str:
    hosts = [f"{host}:{port}" for host, port in env_php.cache_hosts()]
    return ", ".join(hosts) or "no http_cache_hosts"


def _consumers(env_php: EnvPhpSettings) -> str:
    if not consumers_by_cron(env_php):
        return "not started by cron (cron_run is off): they need a supervisor of their own"
    section = "cron_consumers_runner"
    chosen = env_php.get(f"{section}/consumers")
    which = ", ".join(map(str, chosen.values())) if isinstance(chosen, dict) and chosen else "all"
    quota = env_php.text(f"{section}/max_messages") or _MAX_MESSAGES
    return f"started by cron: {which}, at most {quota} messages each"
