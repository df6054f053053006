"""Opens the sources that the settings name: what a command needs that serves nothing.

A driver is imported by who has such a server: redis-py takes 10 MiB, httpx 5.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final, Protocol

from exporter import settings as sections
from exporter.core.ports import Artemis as ArtemisPort
from exporter.core.ports import Broker, Fastly, Locked, Redis, Search, nothing_locked
from exporter.errors import SettingsError
from exporter.evidence.capture import AskedForAll
from exporter.magento.search import Said, ShopsEngine
from exporter.magento.stores import StoreDirectory
from exporter.passwords import or_refused, password_of
from exporter.settings import DatabaseServer, Settings
from exporter.sources.database import DatabaseLimits, MySQL, Target
from exporter.sources.env_php import EnvPhp, locate
from exporter.sources.files import ShopFiles
from exporter.sources.php_fpm import PhpFpm, PhpTarget
from exporter.sources.varnish import VarnishInstance, Varnishstat

SOURCES: Final = ("database", "rabbitmq", "artemis", "varnish", "fastly", "redis", "search", "php", "files")


class Closes(Protocol):
    """What holds connections."""

    def close(self) -> None:
        """Close them."""


class ClosingBroker(Broker, Closes, Protocol):
    """RabbitMQ."""


class ClosingArtemis(ArtemisPort, Closes, Protocol):
    """ActiveMQ Artemis."""


class ClosingRedis(Redis, Closes, Protocol):
    """Redis or Valkey."""


@dataclass(frozen=True, slots=True)
class Backends:
    """The opened sources; one that is not configured is ``None``."""

    database: MySQL | None = None
    stores: StoreDirectory | None = None
    rabbitmq: ClosingBroker | None = None
    artemis: ClosingArtemis | None = None
    varnish: Varnishstat | None = None
    fastly: Fastly | None = None
    redis: ClosingRedis | None = None
    search: Search | None = None
    php: PhpFpm | None = None
    files: ShopFiles | None = None
    env_php: EnvPhp | None = None
    prometheus: AskedForAll | None = None

    def configured(self) -> frozenset[str]:
        """Return the names of the sources there are."""
        return frozenset(name for name in SOURCES if getattr(self, name) is not None)

    def close(self) -> None:
        """Close what holds connections."""
        for source in (self.database, self.rabbitmq, self.artemis, self.redis):
            if source is not None:
                source.close()


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
        fastly=_fastly(settings.fastly, limits) if settings.fastly else None,
        redis=_redis(settings.redis, env_php) if settings.redis else None,
        php=_php(settings.php, limits) if settings.php else None,
        search=_search(settings.search, limits, database, env_php) if settings.search else None,
        files=ShopFiles(settings.magento_root, env_php) if settings.magento_root else None,
        env_php=env_php,
        prometheus=_prometheus(settings.prometheus, env_php) if settings.prometheus else None,
    )


def _prometheus(wanted: sections.PrometheusServer, env_php: EnvPhp | None) -> AskedForAll:
    from exporter.sources.monitoring import Prometheus, Server  # noqa: PLC0415

    tls = wanted.tls.context() if wanted.tls else None
    # Evidence asks several questions in ten seconds.
    return Prometheus(
        Server(wanted.url, password_of(wanted, env_php), wanted.user, tls, connect=1.0, read=2.0)
    )


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
        password=password_of(server, env_php),
        name=server.name,
        host=server.host,
        port=server.port,
        socket=str(server.socket) if server.socket else None,
        socket_of_localhost=server.socket_of_localhost,
        tls=server.tls.context() if server.tls else None,
    )


def _rabbitmq(wanted: sections.RabbitMQ, limits: sections.Limits, env_php: EnvPhp | None) -> ClosingBroker:
    from exporter.sources.rabbitmq import RabbitMQ, RabbitMQLimits, RabbitMQTarget  # noqa: PLC0415

    target = RabbitMQTarget(
        url=wanted.url,
        user=wanted.user,
        password=password_of(wanted, env_php),
        vhost=wanted.vhost,
        tls=wanted.tls.context() if wanted.tls else None,
    )
    return RabbitMQ(target, limits=RabbitMQLimits(connect=limits.connect_seconds, read=limits.read_seconds))


def _artemis(wanted: sections.Artemis, limits: sections.Limits, env_php: EnvPhp | None) -> ClosingArtemis:
    from exporter.sources.artemis import Artemis, ArtemisLimits, ArtemisTarget  # noqa: PLC0415

    target = ArtemisTarget(
        url=wanted.url,
        user=wanted.user,
        password=password_of(wanted, env_php),
        tls=wanted.tls.context() if wanted.tls else None,
    )
    return Artemis(target, limits=ArtemisLimits(connect=limits.connect_seconds, read=limits.read_seconds))


def _varnish(wanted: sections.Varnish, limits: sections.Limits) -> Varnishstat:
    instances = [VarnishInstance.of(directory) for directory in wanted.instances]
    return Varnishstat(instances, program=wanted.program, timeout=limits.read_seconds)


def _fastly(wanted: sections.Fastly, limits: sections.Limits) -> Fastly:
    from exporter.sources.fastly import FastlyStatistics, FastlyTarget  # noqa: PLC0415

    return FastlyStatistics(
        FastlyTarget(
            url=wanted.url,
            service=wanted.service,
            token=or_refused(wanted.token),
            tls=(wanted.tls or sections.Tls()).context(),
            connect=limits.connect_seconds,
            read=limits.read_seconds,
        )
    )


def _php(wanted: sections.Php, limits: sections.Limits) -> PhpFpm:
    return PhpFpm(
        PhpTarget(wanted.pools, wanted.status_path, wanted.opcache_script, seconds=limits.read_seconds)
    )


def _search(
    wanted: sections.Search, limits: sections.Limits, database: MySQL | None, env_php: EnvPhp | None
) -> Search:
    from exporter.sources.search import SearchEngine, SearchTarget  # noqa: PLC0415

    if database is None:
        raise SettingsError("search: it needs the database, which knows the stores")
    return SearchEngine(
        SearchTarget(
            engine=ShopsEngine(
                database, locked_by(env_php), Said(wanted.url or "", wanted.prefix or "")
            ).current,
            user=wanted.user,
            password=password_of(wanted, env_php),
            tls=wanted.tls.context() if wanted.tls else None,
            connect=limits.connect_seconds,
            read=limits.read_seconds,
        )
    )


def _redis(wanted: sections.Redis, env_php: EnvPhp | None) -> ClosingRedis:
    from exporter.redis_servers import open_redis  # noqa: PLC0415

    return open_redis(wanted, env_php)
