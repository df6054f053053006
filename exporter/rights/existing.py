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
from exporter.errors import AccessDenied, SourceError
from exporter.magento import stores
from exporter.magento.checkout import SEQUENCE_TABLE, sequence_table
from exporter.magento.indexers import CHANGELOG, VIEWS, VIEWS_WITHOUT_INDEXER, changelog
from exporter.magento.search import PREFIX
from exporter.rights.held import held, sees_all, surplus
from exporter.rights.statements import (
    Account,
    Dialect,
    grants_of,
    queries_of,
    user_statements,
    wanted_columns,
)
from exporter.settings import Database as DatabaseSettings
from exporter.settings import Redis, RedisServer, Settings

FIRST_STORES: Final = (0, 1)

VIEW_IDS = Query("rights_views", "SELECT view_id FROM {mview_state}", {"mview_state": ("view_id",)})


ACCOUNT = Query("rights_account", "SELECT CURRENT_USER() AS account", reads={})
OWN = Query("rights_own", "SHOW GRANTS FOR CURRENT_USER()", reads={})


@dataclass(frozen=True, slots=True)
class Rights:
    """The statements for a database administrator, how sure they are, and what takes away the rest.

    They can be run again at any time: after an upgrade, or when a store view or a module has come.
    """

    statements: tuple[str, ...]
    remarks: tuple[str, ...]
    revoke: tuple[str, ...] = ()


def database_rights(
    settings: Settings,
    collectors: Sequence[type[Collector]],
    *,
    account: Account,
    dialect: Dialect,
    database: Database | None,
) -> Rights:
    """Return the user, one GRANT per table, and what to revoke: for the shop if it can be looked at."""
    queries = queries_of([collector for collector in collectors if collector.source == "database"])
    shop, has = _Shop(settings.database or DatabaseSettings(), queries), list[str]()
    try:
        if database is not None:
            shop.look(database)
            has = _rights_of(database, account, shop.remarks)
    except SourceError as error:
        shop.remarks.append(f"the shop could not be looked at ({error}): statements for the newest Magento")
    wanted = shop.wanted()
    statements = (*user_statements(account, dialect), *grants_of(account, wanted))
    return Rights(statements, tuple(shop.remarks), tuple(surplus(str(account), has, wanted)))


class _Shop:
    """What there is to be read: of the shop at hand, or else of the newest Magento."""

    def __init__(self, settings: DatabaseSettings, queries: Sequence[Query]) -> None:
        self.remarks: list[str] = []
        self._settings = settings
        self._queries = queries
        self._named = _named((*VIEWS.values(), *VIEWS_WITHOUT_INDEXER), FIRST_STORES)
        self._absent: set[tuple[str, str]] = set()
        servers = settings.servers().items()
        self._databases = {connection: server.name for connection, server in servers}

    def look(self, database: Database) -> None:
        """Find the views and stores, and leave out what the shop does not have if that can be seen."""
        views = [str(row["view_id"]) for row in database.rows(VIEW_IDS) if row["view_id"]]
        store_ids = [int(row["store_id"]) for row in database.rows(stores.STORES)]
        self._named = _named(views, store_ids)
        privileges = held(_lines(database, OWN))
        if not all(sees_all(privileges, name) for name in self._databases.values()):
            self.remarks.append(
                "this login sees only what it may read already: these are the statements for the newest"
                " Magento. For those that fit the shop, use the shop's own login, or go on after errors:"
                " mysql --force"
            )
            return
        self._named = _existing(database, views, store_ids)
        self._absent = set(self._columns_of_another_form(database))
        present = (_present(database, query) for query in self._queries)
        self._queries = [query for query in present if query is not None]

    def wanted(self) -> dict[tuple[str, str], set[str]]:
        """Return the columns to be read by database and table."""
        prefix = self._settings.prefix
        wanted = wanted_columns(self._queries, self._databases, named=self._named, prefix=prefix)
        for (_, table), columns in wanted.items():
            columns -= {column for other, column in self._absent if prefix + other == table}
        return {place: columns for place, columns in wanted.items() if columns}

    def _columns_of_another_form(self, database: Database) -> Iterator[tuple[str, str]]:
        """Yield what a changelog lacks that a module has built in its own way: one GRANT fails otherwise."""
        for query in self._queries:
            for mark, pattern in query.named.items():
                for table in self._named[pattern]:
                    for column in query.reads[mark]:
                        if not database.has_column(table, column, query.connection):
                            yield table, column


def _rights_of(database: Database, account: Account, remarks: list[str]) -> list[str]:
    """Return what SHOW GRANTS says of the account: nothing if there is no such user yet."""
    own = str(database.rows(ACCOUNT)[0]["account"]) == f"{account.user}@{account.host}"
    its = Query("rights_held", f"SHOW GRANTS FOR {account}".replace("%", "%%"), reads={})
    try:
        return _lines(database, OWN if own else its)
    except AccessDenied:
        remarks.append(
            f"this login may not see what {account} may do already:"
            f" for what to revoke, run this as {account.user}"
        )
    except SourceError:
        pass  # there is no such user yet
    return []


def _lines(database: Database, query: Query) -> list[str]:
    return [str(text) for row in database.rows(query) for text in row.values()]


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
    if settings.search:
        family = f"{settings.search.prefix or PREFIX}_product_*"
        yield f"Elasticsearch: a role with cluster monitor, and monitor and view_index_metadata on {family}"
        yield "OpenSearch: a role with cluster_monitor, and indices_monitor with indices:admin/aliases/get on"
        yield f"OpenSearch: {family}"
    if settings.fastly:
        yield "Fastly: an API token of scope global:read, for this service alone if the account allows that"
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
    return replace(query, sql=sql, reads=reads, tables={}, index={})
