"""What env.php says about each part of a shop, in words to compare with what one knows, without passwords."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from exporter.magento.deployment import Deployment

OFF: Final = ("0", "")
"""How a switch reads that is off: PHP's 0 and false."""

_ENGINE: Final = "catalog/search/engine"
_SEARCH_PORT: Final = "9200"
_INDEX_PREFIX: Final = "magento2"
_MAX_MESSAGES: Final = "10000"


def parts(deployment: Deployment) -> Iterator[tuple[str, str]]:
    """Yield each part's name and what is said about it."""
    found = deployment.settings()
    redis = found.get("redis", {})
    yield "mode", deployment.text("MAGE_MODE") or "default"
    yield "database", _database(deployment, found.get("database"))
    yield "default cache", _cache(deployment, "default", redis.get("cache"))
    yield "page cache", _cache(deployment, "page_cache", redis.get("page_cache"))
    yield "sessions", _server(redis["session"]) if "session" in redis else _kind(deployment, "session/save")
    yield "queues", _queues(deployment)
    yield "varnish", _varnish(deployment)
    yield "consumers", _consumers(deployment)


def cron_enabled(deployment: Deployment) -> bool:
    """Return whether ``cron:run`` does anything."""
    return deployment.get("cron/enabled") is None or deployment.text("cron/enabled") not in OFF


def consumers_by_cron(deployment: Deployment) -> bool:
    """Return whether cron starts the queue consumers."""
    path = "cron_consumers_runner/cron_run"
    return deployment.get(path) is None or deployment.text(path) not in OFF


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
    return f"redis at {place}, database {server['database']}"


def _database(deployment: Deployment, found: Mapping[str, Any] | None) -> str:
    if not found:
        return "not named"
    said = [_schema(found)]
    if found["prefix"]:
        said.append(f"prefix {found['prefix']}")
    if deployment.text("db/slave_connection/default/host"):
        said.append("its read replica")
    said += [f"{name}: {_schema(found[name])}" for name in ("checkout", "sales") if name in found]
    return ", ".join(said)


def _schema(server: Mapping[str, Any]) -> str:
    place = server.get("socket") or f"{server.get('host')}:{server.get('port', 3306)}"
    return f"{server['name']} at {place}"


def _cache(deployment: Deployment, frontend: str, server: Mapping[str, Any] | None) -> str:
    return _server(server) if server else _kind(deployment, f"cache/frontend/{frontend}/backend")


def _kind(deployment: Deployment, path: str) -> str:
    """Return the name of a store that is not Redis; Magento's own default is files."""
    return deployment.text(path).rsplit("\\", 1)[-1] or "files"


def _queues(deployment: Deployment) -> str:
    said = []
    if host := deployment.text("queue/amqp/host"):
        vhost = deployment.text("queue/amqp/virtualhost") or "/"
        said.append(f"RabbitMQ at {host}:{deployment.text('queue/amqp/port') or 5672}, virtual host {vhost}")
    if host := deployment.text("queue/stomp/host"):
        said.append(f"STOMP at {host}:{deployment.text('queue/stomp/port') or 61613} (not observed)")
    more = deployment.get("queue/connections")
    if isinstance(more, dict) and more:
        said.append(f"further connections {', '.join(map(str, more))} (not observed)")
    return "; ".join(said) or "in the database"


def _varnish(deployment: Deployment) -> str:
    hosts = [f"{host}:{port}" for host, port in deployment.cache_hosts()]
    return ", ".join(hosts) or "no http_cache_hosts"


def _consumers(deployment: Deployment) -> str:
    if not consumers_by_cron(deployment):
        return "not started by cron (cron_run is off): they need a supervisor of their own"
    section = "cron_consumers_runner"
    chosen = deployment.get(f"{section}/consumers")
    which = ", ".join(map(str, chosen.values())) if isinstance(chosen, dict) and chosen else "all"
    quota = deployment.text(f"{section}/max_messages") or _MAX_MESSAGES
    return f"started by cron: {which}, at most {quota} messages each"
