"""Redis or Valkey in its roles: default cache, full-page cache, sessions. From INFO alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from typing import Any, Final

from exporter.core.collector import Collector, Context
from exporter.core.metrics import Sample, counter, gauge
from exporter.magento.support import RUNS, redis_of, runs

SESSION = "session"
KEEPS_ALL = "noeviction"

UP = gauge("magento_redis_up", "Whether the role's server answered INFO (1) or not (0).", "role")
KEYS = gauge("magento_redis_keys", "Keys in the role's database.", "role")
KEYS_WITHOUT_EXPIRY = gauge(
    "magento_redis_keys_without_expiry",
    "Keys in the role's database that never expire; the caches' tag sets are among them.",
    "role",
)
SESSIONS = gauge(
    "magento_sessions",
    "Live sessions, bots included: keys of the session database. Absent if it holds something else as well,"
    " or nothing has ever been in it.",
)
MEMORY_USED = gauge(
    "magento_redis_memory_used_bytes", "Memory used by the role's server (used_memory).", "role"
)
MEMORY_MAX = gauge(
    "magento_redis_memory_max_bytes",
    "Limit of the server's memory (maxmemory). Absent if it has none.",
    "role",
)
EVICTS = gauge(
    "magento_redis_evicts",
    "1 if the server evicts keys when it is full (maxmemory, maxmemory_policy), 0 if it does not.",
    "role",
)
CLIENTS = gauge(
    "magento_redis_connected_clients",
    "Connections to the role's server, the exporter's own included.",
    "role",
)
EVICTED = counter(
    "magento_redis_evicted_keys_total", "Keys that the server evicted because it was full.", "role"
)
REFUSED_WRITES = counter(
    "magento_redis_refused_writes_total",
    "Commands that the server refused because it was full (errorstat_OOM, Redis 6.2 and later).",
    "role",
)
SHARES_SERVER = gauge(
    "magento_redis_role_shares_server",
    "1 if both roles are on one server (the same run_id in INFO), which has one memory and one policy; else"
    " 0.",
    "role",
    "other",
)

_STRAIGHT: Final = ((MEMORY_USED, "used_memory"), (CLIENTS, "connected_clients"), (EVICTED, "evicted_keys"))


class RedisCollector(Collector):
    """Keys, memory and evictions by role."""

    name = "redis"
    help = "Redis by role: keys, sessions, memory, evictions, from INFO."
    notes = """
    A role is a database of a server. Only keys are known per role. Memory, policy, evictions and refused
    writes belong to the server, so roles that share a server show the same values. For everything else
    about a server use redis_exporter. A hosted server may leave fields out of INFO: they are absent here.
    """
    source = "redis"
    metrics = (
        UP,
        KEYS,
        KEYS_WITHOUT_EXPIRY,
        SESSIONS,
        MEMORY_USED,
        MEMORY_MAX,
        EVICTS,
        CLIENTS,
        EVICTED,
        REFUSED_WRITES,
        SHARES_SERVER,
        RUNS,
    )

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield the samples of every role whose server answers."""
        answers = context.redis.info()
        for role, info in answers.items():
            yield UP.sample(float(info is not None), role=role)
            if info is not None:
                yield from _keys(role, info)
                yield from _server(role, info)
        yield from _sharing(answers)
        yield from _versions(context, answers)
        session = answers.get(SESSION)
        if session is not None and not _shared(session, answers):
            yield from _sessions(context, _database(session).get("keys", 0))


def _sessions(context: Context, keys: int) -> Iterator[Sample]:
    """Yield the sessions, and 0 only where there were some: some settings keep them elsewhere."""
    table = context.memory.table("sessions")
    if keys and not table.get("seen"):
        table.put("seen", True)
    if keys or table.get("seen"):
        yield SESSIONS.sample(keys)


def _database(info: Mapping[str, Any]) -> Mapping[str, int]:
    """Return the line of the keyspace for the role's database; an empty database has none."""
    line: Mapping[str, int] = info.get(f"db{info['database']}", {})
    return line


def _keys(role: str, info: Mapping[str, Any]) -> Iterator[Sample]:
    database = _database(info)
    keys = database.get("keys", 0)
    yield KEYS.sample(keys, role=role)
    yield KEYS_WITHOUT_EXPIRY.sample(keys - database.get("expires", 0), role=role)


def _server(role: str, info: Mapping[str, Any]) -> Iterator[Sample]:
    for metric, field in _STRAIGHT:
        if field in info:
            yield metric.sample(info[field], role=role)
    limit = int(info.get("maxmemory", 0))
    if limit:
        yield MEMORY_MAX.sample(limit, role=role)
    if "maxmemory_policy" in info:
        yield EVICTS.sample(float(limit > 0 and info["maxmemory_policy"] != KEEPS_ALL), role=role)
    if "total_error_replies" in info:
        refused = info.get("errorstat_OOM", {})
        yield REFUSED_WRITES.sample(refused.get("count", 0), role=role)


def _versions(context: Context, answers: Mapping[str, Mapping[str, Any] | None]) -> Iterator[Sample]:
    """Yield each version once."""
    product = context.product()
    for service, version in sorted({redis_of(info) for info in answers.values() if info is not None}):
        yield runs(product, service, version)


def _sharing(answers: Mapping[str, Mapping[str, Any] | None]) -> Iterator[Sample]:
    """Yield each pair of roles once, the session first: of servers that give no id nothing is known."""
    ids = {role: info["run_id"] for role, info in answers.items() if info is not None and "run_id" in info}
    for role, other in combinations(sorted(ids, reverse=True), 2):
        yield SHARES_SERVER.sample(float(ids[role] == ids[other]), role=role, other=other)


def _shared(session: Mapping[str, Any], answers: Mapping[str, Mapping[str, Any] | None]) -> bool:
    """Return whether another role uses the same database of the same server."""
    place = (session.get("run_id"), session["database"])
    others = (info for role, info in answers.items() if role != SESSION and info is not None)
    return any((info.get("run_id"), info["database"]) == place for info in others)
