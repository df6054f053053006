"""A shop in a database of its own, and collectors that read it with no more rights than they declare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from pymysql.connections import Connection as DriverConnection
from pymysql.cursors import Cursor

from exporter.core.collector import Collector, Tuning
from exporter.core.ports import Locked, StateStore, Stores, nothing_locked
from exporter.core.query import Connection, Query
from exporter.magento import stores
from exporter.magento.stores import StoreDirectory
from exporter.sources.database import MySQL, Target
from sandbox.servers.mariadb import MariaDB
from sandbox.shop import schema
from sandbox.shop.data import Shop
from sandbox.shop.database import ShopDatabase, Split
from sandbox.shop.install import install
from tests.harness.core import run, values

PASSWORD = "reader-of-one-collector"


@dataclass(slots=True)
class ObservedShop:
    """A shop, who may read it, and the truth."""

    server: MariaDB
    shop: Shop
    name: str
    prefix: str
    split: Split | None
    undo: ExitStack
    readers: dict[str, MySQL] = field(default_factory=dict)

    def reader(self, name: str, queries: Iterable[Query]) -> MySQL:
        """Return a database source whose user has exactly the rights of these queries."""
        if name not in self.readers:
            user = self.login(queries)
            self.readers[name] = source = MySQL(self._targets(user), prefix=self.prefix)
            self.undo.callback(source.close)
        return self.readers[name]

    def login(self, queries: Iterable[Query]) -> str:
        """Make a user who has exactly the rights of these queries, with :data:`PASSWORD`."""
        user = f"r_{uuid4().hex[:12]}"
        self.server.execute(f"CREATE USER '{user}'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'")
        self.undo.callback(self.server.execute, f"DROP USER '{user}'@'127.0.0.1'")
        for table, columns in _reads(queries).items():
            quoted = ", ".join(f"`{column}`" for column in sorted(columns))
            where = self.shop.database.table(table)
            where = where if "." in where else f"`{self.name}`.{where}"
            self.server.execute(f"GRANT SELECT ({quoted}) ON {where} TO '{user}'@'127.0.0.1'")
        return user

    def _targets(self, user: str) -> dict[Connection, Target]:
        databases = {Connection.DEFAULT: self.name}
        if self.split is not None:
            databases |= {Connection.CHECKOUT: self.split.checkout, Connection.SALES: self.split.sales}
        return {
            connection: Target(user, lambda: PASSWORD, database, host=self.server.host, port=self.server.port)
            for connection, database in databases.items()
        }

    def collect(
        self,
        collector: Collector,
        state: StateStore,
        now: float,
        *,
        tuning: Tuning | None = None,
        locked: Locked = nothing_locked,
    ) -> dict[tuple[str, ...], float]:
        """Run a collector as its own least-privileged user; return (name, label values...) to value."""
        source = self.reader(collector.name, collector.queries)
        found = run(
            collector, state, now, database=source, stores=self.directory(), tuning=tuning, locked=locked
        )
        return values(found)

    def directory(self) -> Stores:
        """Return the stores, always read anew, as a user who may read nothing else."""
        return StoreDirectory(self.reader("stores", stores.QUERIES), lifetime=0.0)

    @contextmanager
    def connection(self) -> Iterator[ShopDatabase]:
        """Open another connection to the shop's database."""
        with self.server.connect(self.name) as connection:
            yield ShopDatabase(connection, prefix=self.prefix, split=self.split)


def _reads(queries: Iterable[Query]) -> Mapping[str, set[str]]:
    reads: dict[str, set[str]] = {}
    for query in queries:
        for table, columns in query.reads.items():
            reads.setdefault(table, set()).update(columns)
    return reads


@contextmanager
def observed_shop(
    server: MariaDB, *, version: str = "2.4.8", prefix: str = "", split: bool = False, **arguments: Any
) -> Iterator[ObservedShop]:
    """Install a shop in a database of its own and drop it afterwards."""
    assert version in schema.VERSIONS
    name = f"shop_{uuid4().hex[:12]}"
    parts = Split(f"{name}_checkout", f"{name}_sales") if split else None
    with ExitStack() as undo:
        for database in (name, *((parts.checkout, parts.sales) if parts else ())):
            server.execute(f"CREATE DATABASE `{database}`")
            undo.callback(server.execute, f"DROP DATABASE `{database}`")
        connection: DriverConnection[Cursor] = undo.enter_context(server.connect(name))
        shop = install(connection, version=version, prefix=prefix, split=parts, **arguments)
        yield ObservedShop(server, shop, name, prefix, parts, undo)


def add_stores(observed: ObservedShop, number: int, *, numbered: Iterable[int]) -> list[str]:
    """Add store views to the first website; create the order sequence of those whose position is given."""
    database = observed.shop.database
    first = int(database.value("SELECT MAX(store_id) + 1 FROM {store}"))
    codes = [f"s{position}" for position in range(number)]
    database.insert_many(
        "store",
        ("store_id", "code", "website_id", "group_id", "name", "is_active"),
        [(first + position, code, 1, 1, code, 1) for position, code in enumerate(codes)],
    )
    for store_id in (first + position for position in numbered):
        database.execute(
            f"CREATE TABLE {{sequence_order_{store_id}}}"
            " (sequence_value int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY)"
        )
        meta = database.insert(
            "sales_sequence_meta",
            entity_type="order",
            store_id=store_id,
            sequence_table=f"{observed.prefix}sequence_order_{store_id}",
        )
        database.insert(
            "sales_sequence_profile",
            meta_id=meta,
            prefix=str(store_id),
            start_value=1,
            step=1,
            max_value=4_294_967_295,
            warning_value=4_294_966_295,
            is_active=1,
        )
    vars(observed.shop).pop("stores", None)
    return codes
