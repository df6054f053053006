"""``magento-exporter grants``: the least rights that the enabled collectors need, as statements to run.

Tables whose names depend on the shop (changelogs, order sequences) and columns
that an older Magento lacks are looked up with the configured login, which may
be the shop's own; without a connection the full set of the newest version is
printed for the views of Magento Open Source and the stores that the user names.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from exporter.core.collector import Collector
from exporter.core.ports import Database
from exporter.core.query import Connection, Query
from exporter.errors import SourceError
from exporter.magento import stores
from exporter.magento.checkout import SEQUENCE_TABLE, sequence_table
from exporter.magento.indexers import CHANGELOG, VIEWS, VIEWS_WITHOUT_INDEXER, changelog
from exporter.rights.statements import Account, Dialect, create_user, grant_statements, queries_of
from exporter.settings import Database as DatabaseSettings
from exporter.settings import Redis, RedisServer, Settings

FIRST_STORES: Final = (0, 1)

VIEW_IDS = Query("rights_views", "SELECT view_id FROM {mview_state}", {"mview_state": ("view_id",)})


@dataclass(frozen=True, slots=True)
class Rights:
    """The statements for a database administrator, and how sure they are."""

    statements: tuple[str, ...]
    remarks: tuple[str, ...]


def database_rights(
    settings: Settings,
    collectors: Sequence[type[Collector]],
    *,
    account: Account,
    dialect: Dialect,
    database: Database | None,
) -> Rights:
    """Return CREATE USER and one GRANT per table, for the shop at hand if it can be looked at."""
    queries = queries_of([collector for collector in collectors if collector.source == "database"])
    views: Sequence[str] = (*VIEWS.values(), *VIEWS_WITHOUT_INDEXER)
    store_ids: Sequence[int] = FIRST_STORES
    remarks: list[str] = []
    if database is not None:
        try:
            views = [str(row["view_id"]) for row in database.rows(VIEW_IDS) if row["view_id"]]
            store_ids = [int(row["store_id"]) for row in database.rows(stores.STORES)]
            named = _existing(database, views, store_ids)
            queries = [present for query in queries if (present := _present(database, query)) is not None]
        except SourceError as error:
            remarks.append(f"the shop could not be looked at ({error}): statements for the newest Magento")
            named = _named(views, store_ids)
    else:
        named = _named(views, store_ids)
    wanted = settings.database or DatabaseSettings()
    databases = {connection: server.name for connection, server in wanted.servers().items()}
    statements = grant_statements(account, queries, databases, named=named, prefix=wanted.prefix)
    return Rights((create_user(account, dialect), *statements), tuple(remarks))


def other_rights(user: str, settings: Settings) -> Iterator[str]:
    """Yield, as lines to copy, what Redis and the broker need.

    Redis and RabbitMQ if none is configured, else those in use.
    """
    redis, rabbitmq = settings.redis, settings.rabbitmq
    unknown = redis is None and rabbitmq is None and settings.artemis is None
    if redis or unknown:
        for place in _redis_places(redis):
            yield f"Redis or Valkey: redis-cli {place}ACL SETUSER {user} reset on '><password>' +info"
        for place in _sentinels(redis):
            rights = "+sentinel|get-master-addr-by-name"
            yield f"Sentinel with logins: redis-cli {place}ACL SETUSER {user} reset on '><password>' {rights}"
    if rabbitmq or unknown:
        vhost = shlex.quote(rabbitmq.vhost if rabbitmq else "/")
        yield f"RabbitMQ: rabbitmqctl add_user {user} '<password>'"
        yield f"RabbitMQ: rabbitmqctl set_user_tags {user} management"
        yield f"RabbitMQ: rabbitmqctl set_permissions -p {vhost} {user} '^$' '^$' '^$'"
    if settings.artemis:
        yield f"Artemis: artemis user add --user-command-user {user} --role {user}"
        yield f"Artemis: in etc/management.xml give the role {user} the access get*, and in"
        yield f"Artemis: etc/artemis.profile add {user} to hawtio.roles, which may use the console"


def _redis_places(redis: Redis | None) -> list[str]:
    """Return redis-cli's options for every instance, each once however many roles it has."""
    places = [
        f"-s {shlex.quote(str(server.socket))} " if server.socket else f"-h {server.host} -p {server.port} "
        for server in _redis_roles(redis)
        if server.sentinel is None
    ]
    by_sentinel = any(server.sentinel for server in _redis_roles(redis))
    return [*dict.fromkeys(places), *(["-h <each server> "] if by_sentinel else [])] or [""]


def _sentinels(redis: Redis | None) -> list[str]:
    """Return host and port of every Sentinel as options of redis-cli."""
    servers = [address for role in _redis_roles(redis) if role.sentinel for address in role.sentinel.servers]
    return [f"-h {host} -p {port} " for host, _, port in (s.rpartition(":") for s in dict.fromkeys(servers))]


def _redis_roles(redis: Redis | None) -> list[RedisServer]:
    roles = (redis.cache, redis.page_cache, redis.session) if redis else ()
    return [server for server in roles if server is not None]


def _named(views: Sequence[str], store_ids: Sequence[int]) -> Mapping[str, Sequence[str]]:
    return {
        CHANGELOG: [changelog(view) for view in views],
        SEQUENCE_TABLE: [sequence_table(store_id) for store_id in store_ids],
    }


def _existing(
    database: Database, views: Sequence[str], store_ids: Sequence[int]
) -> Mapping[str, Sequence[str]]:
    connections = {CHANGELOG: Connection.DEFAULT, SEQUENCE_TABLE: Connection.SALES}
    return {
        pattern: [table for table in tables if database.has_table(table, connections[pattern])]
        for pattern, tables in _named(views, store_ids).items()
    }


def _present(database: Database, query: Query) -> Query | None:
    """Return the query reduced to the tables and columns that this shop has."""
    reads: dict[str, tuple[str, ...]] = {}
    for table, columns in query.reads.items():
        if table in query.named:
            reads[table] = columns
            continue
        there = tuple(c for c in columns if database.has_column(table, c, query.connection))
        if there:
            reads[table] = there
    if not reads:
        return None
    sql = " ".join(f"{{{table}}}" for table in reads)
    return replace(query, sql=sql, reads=reads, tables={})
