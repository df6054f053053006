"""A shop in a real MariaDB: builders write it, and logins with exactly the declared rights read it.

The clock of the shop stands still unless it is asked to run: in the session that the builders write with,
and in every session that a collector reads with.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final

import pymysql
from pymysql.cursors import DictCursor

from exporter.core.collector import Collector, Tuning
from exporter.core.memory import VolatileStore
from exporter.core.ports import Database, Locked, StateStore, Stores, nothing_locked
from exporter.core.query import Connection, Query
from exporter.magento import stores
from exporter.magento.stores import StoreDirectory
from exporter.rights.statements import Account, columns_read, grant_statements, named_tables
from exporter.sources.database import DatabaseLimits, MySQL, Target
from sandbox.servers.mariadb import MariaDB
from sandbox.shop import Shop, ShopDatabase, Split, install, schema
from sandbox.shop.builders.views import add_sequences
from tests.harness.core import run, values

NOW: Final = datetime(2026, 11, 5, 14, 30, tzinfo=UTC)
"""A Thursday afternoon, four days after New York left daylight saving time."""

LIMITS: Final = DatabaseLimits(statement=10, read=15, pause_after_failure=0, remember_schema=0)
PASSWORD: Final = "reader"

Found = dict[tuple[str, ...], float]
"""(name, label values...) to value."""

_numbers = count(1)


class Reader(MySQL):
    """The exporter's own source. Its sessions have the clock of the shop."""

    def __init__(self, shop: ShopInMariaDB, targets: Mapping[Connection, Target], **options: Any) -> None:
        super().__init__(targets, **{"prefix": shop.prefix, "limits": LIMITS, **options})
        self._shop = shop
        self._clocks: dict[pymysql.Connection[DictCursor], datetime | None] = {}

    def _run(
        self,
        target: Target,
        connection: pymysql.Connection[DictCursor],
        text: str,
        parameters: Mapping[str, object],
    ) -> Sequence[Mapping[str, Any]]:
        now = self._shop.now
        if now != self._clocks.get(connection):
            self._clocks[connection] = now
            super()._run(target, connection, f"SET SESSION timestamp = {_timestamp(now)}", {})
        return super()._run(target, connection, text, parameters)

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement of the test's own in the session of the default connection."""
        rows = self._execute(self._target(Connection.DEFAULT), statement.replace("%", "%%"), {})
        return [tuple(row.values()) for row in rows]


@dataclass(slots=True)
class ShopInMariaDB:
    """One shop, and everybody who may read it. `shop` writes as root."""

    server: MariaDB
    name: str
    shop: Shop
    undo: ExitStack
    now: datetime | None
    _schema: dict[str, dict[str, bool]] = field(default_factory=dict)
    _logins: dict[frozenset[str], tuple[str, list[Query]]] = field(default_factory=dict)
    _granted: set[str] = field(default_factory=set)
    _readers: dict[str, Database] = field(default_factory=dict)

    @property
    def database(self) -> ShopDatabase:
        """The session that the builders write with."""
        return self.shop.database

    @property
    def prefix(self) -> str:
        """What stands before every table's name."""
        return self.database.prefix

    def set_clock(self, now: datetime) -> None:
        """Let the clock stand at another moment."""
        self.now = now
        self.database.set_clock(now)

    # --- what there is --------------------------------------------------------------------------

    def databases(self) -> dict[Connection, str]:
        """Return the database of every logical connection that has one."""
        split = self.database.split
        if split is None:
            return {Connection.DEFAULT: self.name}
        return {
            Connection.DEFAULT: self.name,
            Connection.CHECKOUT: split.checkout,
            Connection.SALES: split.sales,
        }

    def columns(self) -> Mapping[str, Mapping[str, bool]]:
        """Return table (without prefix) to column to whether it may be NULL; read once."""
        if not self._schema:
            listing = self.server.execute(
                "SELECT table_name, column_name, is_nullable = 'YES' FROM information_schema.columns"
                " WHERE table_schema IN %s ORDER BY table_name, ordinal_position",
                (tuple(self.databases().values()),),
            )
            for table, column, nullable in listing:
                self._schema.setdefault(table.removeprefix(self.prefix), {})[column] = bool(nullable)
        return self._schema

    def declared(self, queries: Iterable[Query]) -> list[Query]:
        """Return one query a connection that reads what these declare, as far as this version has it."""
        queries, existing = list(queries), self.columns()
        found = []
        for connection, tables in columns_read(queries, named_tables(queries, existing)).items():
            there = {
                table: tuple(column for column in columns if column in existing.get(table, {}))
                for table, columns in tables.items()
            }
            reads = {table: columns for table, columns in there.items() if columns}
            found.append(Query("declared", " ".join(f"{{{table}}}" for table in reads), reads, connection))
        return found

    def reads(self, queries: Iterable[Query]) -> dict[str, tuple[str, ...]]:
        """Return the tables and columns that are read, as far as this version has them."""
        return {table: columns for query in self.declared(queries) for table, columns in query.reads.items()}

    def settle(self) -> None:
        """Make the server's estimates exact: they are taken anew now, not at a random later moment."""
        self.database.rows("ANALYZE TABLE " + ", ".join(map(self.database.table, self.columns())))

    def empty(self, *tables: str) -> None:
        """Delete all rows of some tables, and what belongs to them."""
        for table in tables:
            self.database.execute(f"DELETE FROM {{{table}}}")

    # --- who may read it ------------------------------------------------------------------------

    def login(self, queries: Iterable[Query]) -> str:
        """Return a user who may read exactly what these queries declare, with :data:`PASSWORD`."""
        queries = list(queries)
        if not any(query.reads for query in queries):
            queries += stores.QUERIES  # without a right to any table nobody may use the database
        key = frozenset(query.name for query in queries)
        if key not in self._logins:
            user = f"reader_{next(_numbers)}"
            self._logins[key] = user, queries
            self.server.execute(f"CREATE USER {Account(user)} IDENTIFIED BY '{PASSWORD}'")
            self.undo.callback(self.server.execute, f"DROP USER {Account(user)}")
        user, _ = self._logins[key]
        self._grant(user, queries)
        return user

    def tables_were_made(self) -> None:
        """Notice tables that were made since, and let those who may read tables of their kind read them."""
        self._schema.clear()
        for user, queries in self._logins.values():
            self._grant(user, queries)

    def _grant(self, user: str, queries: Iterable[Query]) -> None:
        """Give what is declared; what was given once and taken by a test is not given again."""
        statements = grant_statements(
            Account(user), self.declared(queries), self.databases(), named={}, prefix=self.prefix
        )
        for statement in statements:
            if statement not in self._granted:
                self._granted.add(statement)
                self.server.execute(statement)

    def open(self, queries: Iterable[Query], **options: Any) -> Reader:
        """Return a new source for a user of these queries."""
        user = self.login(queries)
        targets = {
            connection: Target(user, lambda: PASSWORD, name, host=self.server.host, port=self.server.port)
            for connection, name in self.databases().items()
        }
        reader = Reader(self, targets, **options)
        self.undo.callback(reader.close)
        return reader

    def reader(self, collector: Collector) -> Database:
        """Return the source that :meth:`run` uses for a collector."""
        if collector.name not in self._readers:
            self._readers[collector.name] = self.open(collector.queries)
        return self._readers[collector.name]

    def read_through(self, collector: Collector, source: Database) -> None:
        """Let :meth:`run` use another source for a collector, for example one that is opened anew."""
        self._readers[collector.name] = source

    def directory(self) -> Stores:
        """Return the stores, always read anew, as a user who may read nothing else."""
        if "stores" not in self._readers:
            self._readers["stores"] = self.open(stores.QUERIES)
        return StoreDirectory(self._readers["stores"], lifetime=0.0)

    @contextmanager
    def connection(self) -> Iterator[ShopDatabase]:
        """Open another connection that writes to the shop."""
        database = self.database
        with self.server.connect(self.name) as connection:
            yield ShopDatabase(connection, prefix=database.prefix, split=database.split, now=self.now)

    # --- what is read ---------------------------------------------------------------------------

    def run(
        self,
        collector: Collector,
        at: float | None = None,
        *,
        state: StateStore | None = None,
        tuning: Tuning | None = None,
        locked: Locked = nothing_locked,
    ) -> Found:
        """Run a collector as a user with its rights alone, `at` the exporter's time (default: the shop's)."""
        moment = (self.now or datetime.now(UTC)).timestamp() if at is None else at
        samples = run(
            collector,
            VolatileStore() if state is None else state,
            moment,
            database=self.reader(collector),
            stores=self.directory(),
            tuning=tuning,
            locked=locked,
        )
        return values(samples)

    def explain(self, query: Query, **parameters: object) -> list[dict[str, Any]]:
        """Return the rows of EXPLAIN, the tables' statistics being fresh."""
        for mark in query.reads:
            self.database.rows(f"ANALYZE TABLE {{{query.tables.get(mark, mark)}}}")
        with self.database.connection.cursor(DictCursor) as cursor:
            cursor.execute(f"EXPLAIN {query.text(self.prefix)}", parameters)
            return list(cursor.fetchall())

    def rows_read(self, query: Query, **parameters: object) -> int:
        """Run the query and return how many rows and index entries the storage engine was asked for."""
        with self.database.connection.cursor() as cursor:
            cursor.execute("FLUSH STATUS")
            cursor.execute(query.text(self.prefix), parameters)
            cursor.fetchall()
        counts = self.database.rows("SHOW SESSION STATUS LIKE 'Handler_read%'")
        return sum(int(value) for _, value in counts)


@contextmanager
def shop_in_mariadb(
    server: MariaDB,
    *,
    version: str = schema.VERSIONS[0],
    prefix: str = "",
    split: bool = False,
    tables: Sequence[str] | None = None,
    now: datetime | None = NOW,
) -> Iterator[ShopInMariaDB]:
    """Make a shop in a database of its own and drop it afterwards.

    With `tables` it has these tables only, without a row. With `now` None its clock runs.
    """
    name = f"shop_{next(_numbers)}"
    parts = Split(f"{name}_checkout", f"{name}_sales") if split else None
    with ExitStack() as undo:
        for database in (name, *((parts.checkout, parts.sales) if parts else ())):
            server.execute(f"CREATE DATABASE `{database}`")
            undo.callback(server.execute, f"DROP DATABASE `{database}`")
        connection = undo.enter_context(server.connect(name))
        if tables is None:
            shop = install(connection, version=version, prefix=prefix, split=parts, now=now)
        else:
            shop = Shop(_with_tables(ShopDatabase(connection, prefix=prefix, now=now), tables, version))
        yield ShopInMariaDB(server, name, shop, undo, now)


def _with_tables(database: ShopDatabase, tables: Iterable[str], version: str) -> ShopDatabase:
    """Create these tables as they are in the version; what they refer to need not exist."""
    wanted = set(tables)
    database.execute("SET foreign_key_checks = 0")
    statements = [sql for table, sql in schema.create_statements() if table in wanted]
    statements += [sql for sql in schema.change_statements(version) if schema.table_of(sql) in wanted]
    for statement in statements:
        database.execute(schema.marked(statement))
    return database


def _timestamp(now: datetime | None) -> str:
    return "DEFAULT" if now is None else f"{now.timestamp():f}"


def add_stores(
    shop: ShopInMariaDB, number: int, *, numbered: Iterable[int], entities: Collection[str] = ("order",)
) -> list[str]:
    """Add store views to the first website; create the sequences of those whose position is given."""
    database = shop.database
    first = int(database.value("SELECT MAX(store_id) + 1 FROM {store}"))
    codes = [f"s{position}" for position in range(number)]
    database.insert_many(
        "store",
        ("store_id", "code", "website_id", "group_id", "name", "is_active"),
        [(first + position, code, 1, 1, code, 1) for position, code in enumerate(codes)],
    )
    for store_id in (first + position for position in numbered):
        add_sequences(database, store_id, entities)
    vars(shop.shop.stock).pop("stores", None)
    shop.tables_were_made()
    return codes
