"""Whether every server answers, and which version it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from exporter.core.query import Query
from exporter.doctor.addresses import of_redis, of_source
from exporter.doctor.examination import Examination, Finding, Status
from exporter.errors import AccessDenied, SourceError, SourceLimited
from exporter.magento.discovery import search_engine
from exporter.magento.queues import has_statistics
from exporter.magento.roles import Role, servers, shared
from exporter.magento.support import NO, is_supported, numbers, product_of, redis_of

SERVER = Query(
    "doctor_server",
    "SELECT VERSION() AS version, @@global.time_zone AS zone, @@system_time_zone AS system_zone,"
    " CURRENT_USER() AS account, (SELECT COUNT(*) FROM information_schema.USER_PRIVILEGES"
    " WHERE PRIVILEGE_TYPE = 'PROCESS') AS may_see_others",
    reads={},
)
PREFIXES = Query(
    "doctor_prefixes",
    """
    SELECT TABLE_NAME AS name
    FROM information_schema.TABLES
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME LIKE '%%core\\_config\\_data'
    """,
    reads={},
)
SEARCH = Query(
    "doctor_search",
    """
    SELECT path, value
    FROM {core_config_data}
    WHERE scope = 'default' AND scope_id = 0
      AND (path = 'catalog/search/engine' OR path LIKE 'catalog/search/%%\\_server\\_hostname'
           OR path LIKE 'catalog/search/%%\\_server\\_port' OR path LIKE 'catalog/search/%%\\_index\\_prefix')
    """,
    reads={"core_config_data": ("scope", "scope_id", "path", "value")},
)

_LIMITED: Final = (
    "give the exporter a login that nothing else uses, or raise its MAX_USER_CONNECTIONS as in"
    " magento-exporter grants; connections that were cut off end after some minutes"
)
_UTC: Final = ("UTC", "+00:00", "GMT", "Etc/UTC")


def check(subject: Examination) -> Iterator[Finding]:
    """Yield one finding per server, and more where something is wrong with it."""
    for source, look in (
        ("database", _database),
        ("redis", _redis),
        ("rabbitmq", _rabbitmq),
        ("artemis", _artemis),
        ("varnish", _varnish),
        ("fastly", _fastly),
        ("search", _engine),
    ):
        if getattr(subject.backends, source) is None:
            continue
        try:
            yield from look(subject)
        except SourceError as error:
            subject.unreachable.add(source)
            yield Finding(Status.ERROR, source, f"{_address(subject, source)}: {error}", _fix(source, error))
        except Exception as error:  # noqa: BLE001 - a driver's failure is a finding, not the doctor's end
            subject.unreachable.add(source)
            yield Finding(Status.ERROR, source, f"failed with {type(error).__name__}", "please report this")
    yield from _search(subject)


def _address(subject: Examination, source: str) -> str:
    return of_source(subject.exporter.settings, source) or source


def _fix(source: str, error: SourceError) -> str:
    """Return what to look at: the login, or the way to the server."""
    if isinstance(error, SourceLimited):
        return _LIMITED
    denied = isinstance(error, AccessDenied)
    fixes: Mapping[str, tuple[str, str]] = {
        "database": (
            "check database.host, database.port (or database.socket) and the way between",
            "check database.user, its password and database.name; magento-exporter grants creates the user",
        ),
        "redis": (
            "check redis.<role>.host and port, and the server",
            "check redis.<role>.password; magento-exporter grants shows the rights",
        ),
        "rabbitmq": (
            "set rabbitmq.url to the management API (port 15672, not 5672) and enable its plugin",
            "check rabbitmq.user, its password and vhost; magento-exporter grants shows the rights",
        ),
        "artemis": (
            "set artemis.url to the console's Jolokia (port 8161 by default), not to the port of STOMP",
            "check artemis.user and its password, and etc/jolokia-access.xml of the broker",
        ),
        "varnish": (
            "run it where Varnish runs, as a user of the group that owns Varnish's working directory",
            "let the exporter's user run varnishstat",
        ),
        "fastly": (
            "check fastly.service, and the way to Fastly: no proxy is used",
            "check the token in fastly.token_file: scope global:read, for this service",
        ),
        "search": (
            "set search.url to where this machine reaches the engine; without it the shop's address counts",
            "check search.user and search.password_file, and its right to monitor <prefix>_product_*",
        ),
    }
    return fixes[source][denied]


def _database(subject: Examination) -> Iterator[Finding]:
    database = subject.backends.database
    assert database is not None  # noqa: S101 - the caller has looked
    server = database.rows(SERVER)[0]
    subject.account = str(server["account"])
    where = _address(subject, "database")
    yield Finding(Status.OK, "database", f"{server['version']} at {where}, as {subject.account}")
    service = "mariadb" if "mariadb" in str(server["version"]).lower() else "mysql"
    yield from _unsupported(subject, service, str(server["version"]))
    if not server["may_see_others"]:
        yield Finding(
            Status.NOTE, "transactions", "the age of the oldest is not read: that needs PROCESS, by which"
            " one may read every statement that runs",
        )  # fmt: skip
    zone = server["system_zone"] if server["zone"] == "SYSTEM" else server["zone"]
    if zone not in _UTC:
        yield Finding(
            Status.WARNING, "server time zone", f"{zone}: NOW() of other tools is not Magento's UTC",
            "the exporter sets +00:00 for itself; for other tools set default_time_zone = '+00:00'",
        )  # fmt: skip
    if not database.has_table("store"):
        subject.unreachable.add("database")
        yield _without_tables(database.prefix, [str(row["name"]) for row in database.rows(PREFIXES)])


def _unsupported(subject: Examination, service: str, version: str) -> Iterator[Finding]:
    """Say if Adobe does not support this version with the shop's line."""
    product = product_of(subject.backends.files)
    if is_supported(product, service, numbers(version)) == NO:
        yield Finding(
            Status.NOTE,
            f"{service} version",
            f"{numbers(version)} is not supported with Magento {product[1]}",
        )


def _without_tables(prefix: str, names: list[str]) -> Finding:
    others = [name.removesuffix("core_config_data") for name in names]
    shown = f"there is no table {prefix}store"
    if others:
        fix = f"set database.prefix to {others[0]!r}" if others[0] else "remove database.prefix"
        return Finding(Status.ERROR, "table prefix", shown, fix)
    return Finding(
        Status.ERROR, "tables", f"{shown}, nor any Magento table that this user may see",
        "check database.name, and run the statements of magento-exporter grants",
    )  # fmt: skip


def _redis(subject: Examination) -> Iterator[Finding]:
    redis = subject.backends.redis
    assert redis is not None  # noqa: S101 - the caller has looked
    for role, info in redis.info().items():
        server = getattr(subject.exporter.settings.redis, role, None)
        where = of_redis(server) if server is not None else "its server"
        if info is None:
            yield Finding(
                Status.ERROR, f"redis {role}", f"{where} does not answer",
                f"check redis.{role} in the settings, and the server",
            )  # fmt: skip
        else:
            yield _role(role, info, where)
            yield from _unsupported(subject, *redis_of(info))
    yield from _sessions_beside_a_cache(subject, redis.info().get("session"))


def _sessions_beside_a_cache(subject: Examination, info: Mapping[str, Any] | None) -> Iterator[Finding]:
    """Say if the sessions share a server with a cache: what is right for one is wrong for the other."""
    known = tuple(servers(subject.env_php, subject.exporter.settings.model_dump()))
    for cache in (Role.CACHE, Role.PAGE_CACHE):
        if info is not None and shared(known, cache):
            policy = str(info.get("maxmemory_policy", "")) or "policy unknown"
            yield Finding(
                Status.WARNING, "redis session", f"shares its server with the {cache} ({policy})",
                "give sessions a server of their own: a full cache logs customers out, or stops writes",
            )  # fmt: skip


def _role(role: str, info: Mapping[str, Any], where: str) -> Finding:
    policy = str(info.get("maxmemory_policy", ""))
    version = redis_of(info)[1]
    seen = f"{version} at {where}, database {info['database']}, {policy or 'policy unknown'}"
    if role == "session" and policy.startswith("allkeys") and info.get("maxmemory") != 0:
        return Finding(
            Status.WARNING, f"redis {role}", f"{seen}: may evict sessions, which logs customers out",
            "give sessions an instance of their own with maxmemory-policy noeviction or volatile-ttl",
        )  # fmt: skip
    return Finding(Status.OK, f"redis {role}", seen)


def _rabbitmq(subject: Examination) -> Iterator[Finding]:
    broker = subject.backends.rabbitmq
    assert broker is not None  # noqa: S101 - the caller has looked
    queues = broker.queues()
    if queues and not any(map(has_statistics, queues)):
        yield Finding(
            Status.WARNING, "rabbitmq", f"{len(queues)} queues, and it counts nothing of them",
            "remove management_agent.disable_metrics_collector from rabbitmq.conf (or conf.d) and restart it",
        )  # fmt: skip
    else:
        seen = f"{len(queues)} queues at {_address(subject, 'rabbitmq')}{_alarms(broker.alarms())}"
        yield Finding(Status.OK, "rabbitmq", seen)


def _alarms(raised: frozenset[str] | None) -> str:
    """Return what is to be said about alarms: nothing while there are none."""
    if raised is None:
        return "; its alarms are not known: this user or this version cannot read /api/health/checks/alarms"
    return f"; publishers are blocked by an alarm: {', '.join(sorted(raised))}" if raised else ""


def _artemis(subject: Examination) -> Iterator[Finding]:
    artemis = subject.backends.artemis
    assert artemis is not None  # noqa: S101 - the caller has looked
    yield Finding(Status.OK, "artemis", f"{len(artemis.queues())} queues")


def _fastly(subject: Examination) -> Iterator[Finding]:
    fastly = subject.backends.fastly
    assert fastly is not None  # noqa: S101 - the caller has looked
    _, seconds = fastly.report(0)
    requests = sum(sum(numbers.values()) for _, numbers in seconds)
    yield Finding(Status.OK, "fastly", f"{requests} requests in the last second it reports")


def _engine(subject: Examination) -> Iterator[Finding]:
    engine = subject.backends.search
    assert engine is not None  # noqa: S101 - the caller has looked
    yield from _unsupported(subject, *engine.version())
    found = engine.product_indexes()
    used = sum(index["in_use"] for index in found)
    if not used:
        yield Finding(
            Status.WARNING, "search indexes", f"{len(found)} product indexes, and no alias leads to one",
            "compare search.prefix with the shop's index prefix; else reindex catalogsearch_fulltext",
        )  # fmt: skip
    else:
        yield Finding(
            Status.OK, "search indexes", f"{used} product indexes in use, {len(found) - used} unused"
        )


def _varnish(subject: Examination) -> Iterator[Finding]:
    varnish = subject.backends.varnish
    assert varnish is not None  # noqa: S101 - the caller has looked
    for name, counters in varnish.counters().items():
        if counters is None:
            yield Finding(
                Status.ERROR,
                f"varnish {name}",
                f"{_address(subject, 'varnish')}: does not answer",
                "check varnish.instances, and varnishd",
            )
        else:
            yield Finding(Status.OK, f"varnish {name}", f"up for {counters.get('MAIN.uptime', 0)} s")


def _search(subject: Examination) -> Iterator[Finding]:
    """Say which search engine the shop uses: locked by env.php or the environment, else by the database."""
    said = search_engine(_search_setting(subject))
    if said:
        yield Finding(Status.OK, "search engine", f"{said} (found, not connected to)")


def _search_setting(subject: Examination) -> Callable[[str], str | None]:
    known: dict[str, str] = {}
    if subject.backends.database is not None and "database" not in subject.unreachable:
        try:
            known = {
                str(row["path"]): str(row["value"] or "") for row in subject.backends.database.rows(SEARCH)
            }
        except SourceError:
            known = {}  # the rights are looked at next, and say what is missing
    env_php = subject.env_php

    def setting(path: str) -> str | None:
        locked = env_php.locked("default", "", path) if env_php is not None else None
        return locked or known.get(path)

    return setting
