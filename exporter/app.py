"""Wires settings, sources, collectors and the web together. Nothing else knows all of them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any, Final

from fastapi import FastAPI

from exporter import settings as sections
from exporter.collectors import all_collectors
from exporter.core.collector import Collector, Context, ContextFactory, Tuning
from exporter.core.memory import Memory, VolatileStore
from exporter.core.ports import Locked, StateStore, nothing_locked
from exporter.core.runner import Limits, Runner
from exporter.errors import AccessDenied, SettingsError, SpecError, UsageError
from exporter.evidence.bundles import Bundles
from exporter.evidence.capture import Sources
from exporter.evidence.declared import declared
from exporter.evidence.events import Events
from exporter.evidence.service import EvidenceService
from exporter.files.following import Followed
from exporter.files.token import read_token
from exporter.magento.search import Said, ShopsEngine
from exporter.magento.stores import StoreDirectory
from exporter.magento.support import product_of
from exporter.pack.addresses import Addresses
from exporter.settings import Credentials, DatabaseServer, RedisSentinel, RedisServer, Settings
from exporter.sources.artemis import Artemis, ArtemisLimits, ArtemisTarget
from exporter.sources.database import DatabaseLimits, MySQL, Target
from exporter.sources.env_php import EnvPhp, locate
from exporter.sources.files import ShopFiles
from exporter.sources.monitoring import Prometheus, Server
from exporter.sources.php_fpm import PhpFpm, PhpTarget
from exporter.sources.rabbitmq import RabbitMQ, RabbitMQLimits, RabbitMQTarget
from exporter.sources.redis import RedisServers, RedisTarget, SentinelTarget
from exporter.sources.search import SearchEngine, SearchTarget
from exporter.sources.state import SQLiteState
from exporter.sources.varnish import VarnishInstance, Varnishstat
from exporter.threads import DaemonPool
from exporter.web.app_state import AppState
from exporter.web.application import create_application
from exporter.web.auth.web_auth import WebAuth
from exporter.web.commands import Commands

SOURCES: Final = ("database", "rabbitmq", "artemis", "varnish", "redis", "search", "php", "files")
_IN_WORDS: Final = {"files": "the shop's directory (magento_root)"}
_THREADS_OF_OTHER_SOURCES: Final = 1
_EVIDENCE: Final = "evidence"
_EVIDENCE_THREADS: Final = 2  # an alert that fires and a reader do not wait for one another
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Backends:
    """The opened sources; one that is not configured is ``None``."""

    database: MySQL | None = None
    stores: StoreDirectory | None = None
    rabbitmq: RabbitMQ | None = None
    artemis: Artemis | None = None
    varnish: Varnishstat | None = None
    redis: RedisServers | None = None
    search: SearchEngine | None = None
    php: PhpFpm | None = None
    files: ShopFiles | None = None
    env_php: EnvPhp | None = None
    prometheus: Prometheus | None = None

    def configured(self) -> frozenset[str]:
        """Return the names of the sources there are."""
        return frozenset(name for name in SOURCES if getattr(self, name) is not None)

    def close(self) -> None:
        """Close what holds connections."""
        for source in (self.database, self.rabbitmq, self.artemis, self.redis):
            if source is not None:
                source.close()


@dataclass(frozen=True, slots=True)
class Exporter:
    """Everything that runs: the runner, what it runs on, and what does not run and why."""

    settings: Settings
    backends: Backends
    runner: Runner
    off: Mapping[str, str]
    executors: Mapping[str, Executor] = field(repr=False)
    store: StateStore = field(repr=False)
    evidence: EvidenceService = field(repr=False)
    events: Events = field(repr=False)

    async def close(self) -> None:
        """Let running collectors finish within the shutdown limit, then close every connection."""
        await self.runner.drain(self.settings.limits.shutdown_seconds)
        for executor in self.executors.values():
            executor.shutdown(wait=False, cancel_futures=True)
        self.backends.close()
        if isinstance(self.store, SQLiteState):
            self.store.close()


def build(settings: Settings) -> Exporter:
    """Build the exporter that the settings describe. Opens no connection but the state file.

    Raises :exc:`~exporter.errors.SettingsError` if the settings contradict each other.
    """
    backends = open_backends(settings)
    wanted, off = choose(settings, backends.configured())
    store: StateStore = SQLiteState(settings.state_file) if settings.state_file else VolatileStore()
    executors = _executors(settings, backends.configured()) | {
        _EVIDENCE: DaemonPool(_EVIDENCE_THREADS, _EVIDENCE)
    }
    runner = Runner(
        [collector() for collector in wanted],
        context=context_factory(settings, backends),
        store=store,
        executors=executors,
        limits=Limits(
            collector_seconds=settings.limits.collector_seconds,
            series=settings.limits.series_per_collector,
            minimum_interval=settings.limits.minimum_refresh_seconds,
        ),
    )
    sources = Sources(runner, executors[_EVIDENCE], backends.prometheus, _setting(backends.env_php))
    evidence = EvidenceService(declared(), sources, Bundles(store))
    return Exporter(settings, backends, runner, off, executors, store, evidence, Events(store, runner))


def _setting(env_php: EnvPhp | None) -> Callable[[str], str | None] | None:
    """Return the function that gives a value of env.php as text, ``None`` for one that is not there."""
    if env_php is None:
        return None

    def value(path: str) -> str | None:
        settings = env_php.current()
        if not settings.is_known(path):
            raise UsageError(f"env.php: {path} is not plain data")
        found = settings.get(path)
        return None if found is None or isinstance(found, Mapping) else str(found)

    return value


def choose(settings: Settings, configured: Iterable[str]) -> tuple[list[type[Collector]], dict[str, str]]:
    """Return the collectors to run, and those that are off with the reason in words."""
    known = {collector.name: collector for collector in all_collectors()}
    only, disabled = settings.collectors.only, settings.collectors.disable
    for name in (*(only or ()), *disabled):
        if name not in known:
            raise SettingsError(f"collectors: no collector is called {name!r}; there are {', '.join(known)}")
    wanted: list[type[Collector]] = []
    off: dict[str, str] = {}
    sources = frozenset(configured)
    for name, collector in known.items():
        if name in disabled or (only is not None and name not in only):
            off[name] = "disabled by the settings"
        elif collector.source not in sources:
            off[name] = f"{_IN_WORDS.get(collector.source, collector.source)} is not configured"
        else:
            wanted.append(collector)
    return wanted, off


def open_backends(settings: Settings) -> Backends:
    """Build the sources that the settings name."""
    file = locate(settings.env_php, settings.magento_root)
    env_php = EnvPhp(file, os.environ, by_hand=True) if file else None
    limits = settings.limits
    database = _database(settings.database, limits, env_php) if settings.database else None
    return Backends(
        database=database,
        stores=StoreDirectory(database, locked=locked_by(env_php)) if database else None,
        rabbitmq=_rabbitmq(settings.rabbitmq, limits, env_php) if settings.rabbitmq else None,
        artemis=_artemis(settings.artemis, limits, env_php) if settings.artemis else None,
        varnish=_varnish(settings.varnish, limits) if settings.varnish else None,
        redis=_redis(settings.redis, env_php) if settings.redis else None,
        php=_php(settings.php, limits) if settings.php else None,
        search=_search(settings.search, limits, database, env_php) if settings.search else None,
        files=ShopFiles(settings.magento_root, env_php) if settings.magento_root else None,
        env_php=env_php,
        prometheus=_prometheus(settings.prometheus, env_php) if settings.prometheus else None,
    )


def _prometheus(wanted: sections.PrometheusServer, env_php: EnvPhp | None) -> Prometheus:
    tls = wanted.tls.context() if wanted.tls else None
    # Evidence asks several questions in ten seconds.
    return Prometheus(Server(wanted.url, _password(wanted, env_php), wanted.user, tls, connect=1.0, read=2.0))


def _password(server: Credentials, env_php: EnvPhp | None) -> Callable[[], str]:
    """Return a function that gives the password; one that cannot be read is a refused login."""
    secret = _from_env_php(server.password_key, env_php) if server.password_key else server.secret()

    def password() -> str:
        try:
            return secret()
        except UsageError as error:
            raise AccessDenied(str(error)) from None

    return password


def _from_env_php(key: str, env_php: EnvPhp | None) -> Callable[[], str]:
    if env_php is None:
        raise SettingsError(f"password_key: {key} needs magento_root or env_php")
    return lambda: env_php.current().text(key)


def locked_by(env_php: EnvPhp | None) -> Locked:
    """Return what env.php and the environment say at the moment of the question."""
    if env_php is None:
        return nothing_locked
    return lambda scope, code, path: env_php.current().locked(scope, code, path)


def _database(wanted: sections.Database, limits: sections.Limits, env_php: EnvPhp | None) -> MySQL:
    return MySQL(
        {connection: _target(server, env_php) for connection, server in wanted.servers().items()},
        prefix=wanted.prefix,
        limits=DatabaseLimits(
            connect=limits.connect_seconds,
            lock_wait=limits.lock_wait_seconds,
            statement=limits.statement_seconds,
            read=limits.read_seconds,
        ),
    )


def _target(server: DatabaseServer, env_php: EnvPhp | None) -> Target:
    return Target(
        user=server.user,
        password=_password(server, env_php),
        name=server.name,
        host=server.host,
        port=server.port,
        socket=str(server.socket) if server.socket else None,
        socket_of_localhost=server.socket_of_localhost,
        tls=server.tls.context() if server.tls else None,
    )


def _rabbitmq(wanted: sections.RabbitMQ, limits: sections.Limits, env_php: EnvPhp | None) -> RabbitMQ:
    target = RabbitMQTarget(
        url=wanted.url,
        user=wanted.user,
        password=_password(wanted, env_php),
        vhost=wanted.vhost,
        tls=wanted.tls.context() if wanted.tls else None,
    )
    return RabbitMQ(target, limits=RabbitMQLimits(connect=limits.connect_seconds, read=limits.read_seconds))


def _artemis(wanted: sections.Artemis, limits: sections.Limits, env_php: EnvPhp | None) -> Artemis:
    target = ArtemisTarget(
        url=wanted.url,
        user=wanted.user,
        password=_password(wanted, env_php),
        tls=wanted.tls.context() if wanted.tls else None,
    )
    return Artemis(target, limits=ArtemisLimits(connect=limits.connect_seconds, read=limits.read_seconds))


def _varnish(wanted: sections.Varnish, limits: sections.Limits) -> Varnishstat:
    instances = [VarnishInstance.of(directory) for directory in wanted.instances]
    return Varnishstat(instances, program=wanted.program, timeout=limits.read_seconds)


def _php(wanted: sections.Php, limits: sections.Limits) -> PhpFpm:
    return PhpFpm(
        PhpTarget(wanted.pools, wanted.status_path, wanted.opcache_script, seconds=limits.read_seconds)
    )


def _search(
    wanted: sections.Search, limits: sections.Limits, database: MySQL | None, env_php: EnvPhp | None
) -> SearchEngine:
    if database is None:
        raise SettingsError("search: it needs the database, which knows the stores")
    return SearchEngine(
        SearchTarget(
            engine=ShopsEngine(
                database, locked_by(env_php), Said(wanted.url or "", wanted.prefix or "")
            ).current,
            user=wanted.user,
            password=_password(wanted, env_php),
            tls=wanted.tls.context() if wanted.tls else None,
            connect=limits.connect_seconds,
            read=limits.read_seconds,
        )
    )


def _redis(wanted: sections.Redis, env_php: EnvPhp | None) -> RedisServers:
    roles = {"cache": wanted.cache, "page_cache": wanted.page_cache, "session": wanted.session}
    return RedisServers({role: _redis_target(server, env_php) for role, server in roles.items() if server})


def _redis_target(server: RedisServer, env_php: EnvPhp | None) -> RedisTarget:
    return RedisTarget(
        host=server.host,
        port=server.port,
        database=server.database,
        user=server.user,
        password=_password(server, env_php),
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
        password=_password(sentinel, env_php),
        tls=sentinel.tls.context() if sentinel.tls else None,
    )


def _executors(settings: Settings, configured: Iterable[str]) -> dict[str, Executor]:
    """One pool per source: a backend that hangs must not hold up the collectors of another."""
    threads = {"database": settings.database.threads if settings.database else 1}
    return {
        source: DaemonPool(threads.get(source, _THREADS_OF_OTHER_SOURCES), source) for source in configured
    }


def context_factory(settings: Settings, backends: Backends) -> ContextFactory:
    """Return the function that gives each run of a collector what it may use."""
    tuning = Tuning(**settings.tuning.model_dump())
    locked = locked_by(backends.env_php)

    def context(memory: Memory, now: float) -> Context:
        return Context(
            database=backends.database or _Absent("database"),
            stores=backends.stores or _Absent("database"),
            broker=backends.rabbitmq or _Absent("rabbitmq"),
            artemis=backends.artemis or _Absent("artemis"),
            varnish=backends.varnish or _Absent("varnish"),
            redis=backends.redis or _Absent("redis"),
            search=backends.search or _Absent("search"),
            php=backends.php or _Absent("php"),
            files=backends.files or _Absent("files"),
            memory=memory,
            now=now,
            tuning=tuning,
            locked=locked,
            product=partial(product_of, backends.files),
        )

    return context


class _Absent:
    """Stands for a source that is not configured; using it is a collector's mistake."""

    def __init__(self, source: str) -> None:
        self._source = source

    def __getattr__(self, name: str) -> Any:
        raise SpecError(f"a collector asked for {self._source}.{name}, but its source is another one")


def web_auth(settings: Settings) -> WebAuth:
    """Return who may read; raises :exc:`SettingsError` where nobody is asked and the network can reach it."""
    web = settings.web
    auth = WebAuth(config_file=web.config_file, token_file=web.bearer_token_file)
    host, _ = web.address()
    if not (auth.required or web.unprotected or host in _LOOPBACK):
        raise SettingsError(
            f"web.listen: {web.listen} is open to the network; set web.config_file or web.bearer_token_file,"
            " or web.unprotected=true"
        )
    return auth


def _commands(settings: Settings) -> Commands:
    """Return how runbooks write their commands: what the settings say needs no setting in the shell."""
    known = {
        "MAGENTO": settings.commands.magento_root or str(settings.magento_root or ""),
        "PROMETHEUS": settings.prometheus.url if settings.prometheus else "",
        "ALERTMANAGER": settings.links.alertmanager,
        "STOREFRONT": settings.links.storefront.rstrip("/"),
        "SENTINELS": " ".join(_sentinels(settings)),
    }
    variables = {name: value for name, value in known.items() if value}
    if settings.database:
        variables["PREFIX"] = settings.database.prefix
    return Commands(dict(settings.commands.prefixes.items()), variables)


def _sentinels(settings: Settings) -> list[str]:
    """Return host and port of every Sentinel, each once."""
    servers = [server for _, server in settings.redis] if settings.redis else []
    found = (server.sentinel.servers for server in servers if server is not None and server.sentinel)
    return list(dict.fromkeys(chain.from_iterable(found)))


def create_app(exporter: Exporter, auth: WebAuth | None = None) -> FastAPI:
    """Return the web application; the exporter is closed with it."""
    settings = exporter.settings
    file = settings.evidence.token_file
    token = Followed("evidence token", lambda reader, _: read_token(reader, file)) if file else None

    @asynccontextmanager
    async def lifespan(application: FastAPI) -> AsyncIterator[None]:
        application.state.exporter = AppState(
            runner=exporter.runner,
            off=exporter.off,
            scrape_seconds=settings.limits.scrape_seconds,
            offset_seconds=settings.limits.scrape_offset_seconds,
            runbooks=settings.web.runbook_directory,
            grafana=settings.links.grafana,
            alertmanager=settings.links.alertmanager,
            evidence=exporter.evidence,
            events=exporter.events,
            evidence_token=token.current if token else None,
            links=Addresses(settings.links.runbooks, settings.links.grafana, settings.links.standby_runbooks),
            commands=_commands(settings),
        )
        tasks = [asyncio.create_task(part.work()) for part in (exporter.evidence, exporter.events)]
        yield
        for task in tasks:
            task.cancel()
        await exporter.close()

    return create_application(lifespan, auth)
