"""Wires settings, sources, collectors and the web together. Nothing else knows all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any, Final

from fastapi import FastAPI

from exporter.backends import Backends, locked_by, open_backends
from exporter.chosen import choose
from exporter.core.collector import Context, ContextFactory, Tuning
from exporter.core.memory import Memory, VolatileStore
from exporter.core.ports import StateStore
from exporter.core.runner import Limits, Runner
from exporter.errors import SettingsError, SpecError, UsageError
from exporter.evidence.bundles import Bundles
from exporter.evidence.capture import Sources
from exporter.evidence.declared import declared
from exporter.evidence.events import Events
from exporter.evidence.service import EvidenceService
from exporter.files.following import Followed
from exporter.files.token import read_token
from exporter.magento.support import product_of
from exporter.pack.addresses import Addresses
from exporter.settings import Settings
from exporter.sources.env_php import EnvPhp
from exporter.sources.state import SQLiteState
from exporter.threads import DaemonPool
from exporter.web.app_state import AppState
from exporter.web.application import create_application
from exporter.web.auth.web_auth import WebAuth
from exporter.web.commands import Commands

_THREADS_OF_OTHER_SOURCES: Final = 1
_EVIDENCE: Final = "evidence"
_EVIDENCE_THREADS: Final = 2  # an alert that fires and a reader do not wait for one another
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


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
            fastly=backends.fastly or _Absent("fastly"),
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
