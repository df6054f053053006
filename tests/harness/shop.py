"""Shops in a real MariaDB whose clock stands still, and collectors run on them as least-privileged users."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from exporter.collectors import all_collectors
from exporter.core.collector import Collector, Context
from exporter.core.memory import Memory, VolatileStore
from exporter.core.ports import Database, StateStore
from exporter.core.query import Connection, Query
from exporter.core.render import Format, join
from exporter.core.runner import CollectorState, Limits, Runner
from exporter.magento.stores import StoreDirectory
from exporter.rights.statements import Account, columns_read, grant_statements, named_tables, queries_of
from exporter.sources.database import DatabaseLimits, MySQL, Target
from sandbox.servers.mariadb import MariaDB
from sandbox.shop import Shop, Split, bulk_history, install
from tests.harness.core import Nothing

NOW = datetime(2026, 11, 5, 14, 30, tzinfo=UTC)
"""A Thursday afternoon, four days after New York left daylight saving time."""

LATER = NOW + timedelta(minutes=1)
LAST = NOW + timedelta(minutes=11)
"""When everything that had to settle has."""

LIMITS = DatabaseLimits(statement=10, read=15, pause_after_failure=0, remember_schema=0)

_numbers = count(1)
_LINE = re.compile(r"([a-z0-9_]+(?:\{.*\})?) (\S+)")


@contextmanager
def frozen_server(directory: Any) -> Iterator[MariaDB]:
    """Start a MariaDB that tells every user but root the time that :func:`set_time` has set."""
    with MariaDB(directory) as server:
        set_time(server, NOW)
        yield server


@pytest.fixture(scope="session")
def shop_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    """Shared: make a place of your own in it, and set the time before you open a source."""
    with frozen_server(tmp_path_factory.mktemp("shops")) as server:
        yield server


def set_time(server: MariaDB, now: datetime) -> None:
    """Set what NOW() is in every session that is opened from now on."""
    server.execute(f"SET GLOBAL init_connect = 'SET timestamp = {now.timestamp():.0f}'")


@dataclass(slots=True)
class Place:
    """One shop's database and who may read it."""

    server: MariaDB
    database: str
    prefix: str
    shop: Shop
    split: Split | None = None
    schema: dict[str, dict[str, bool]] = field(default_factory=dict)
    users: dict[tuple[str, ...], str] = field(default_factory=dict)

    def databases(self) -> dict[Connection, str]:
        """Return the database of every logical connection that has one."""
        if self.split is None:
            return {Connection.DEFAULT: self.database}
        split = {Connection.CHECKOUT: self.split.checkout, Connection.SALES: self.split.sales}
        return {Connection.DEFAULT: self.database, **split}

    def tables(self) -> list[str]:
        """Return the names of the shop's tables, without prefix, as they were at the first question."""
        return list(self.known())

    def columns(self, table: str) -> dict[str, bool]:
        """Return the table's columns, and whether each may be NULL."""
        return self.known().get(table, {})

    def known(self) -> dict[str, dict[str, bool]]:
        """Return table to column to whether it may be NULL; read once."""
        if not self.schema:
            listing = self.server.execute(
                "SELECT table_name, column_name, is_nullable = 'YES' FROM information_schema.columns"
                " WHERE table_schema IN %s ORDER BY table_name, ordinal_position",
                (tuple(self.databases().values()),),
            )
            for table, column, nullable in listing:
                self.schema.setdefault(table.removeprefix(self.prefix), {})[column] = bool(nullable)
        return self.schema

    def reads(self, *collectors: type[Collector]) -> dict[str, tuple[str, ...]]:
        """Return the tables and columns that are read, as far as this version of the shop has them."""
        return {
            table: columns for query in self.declared(*collectors) for table, columns in query.reads.items()
        }

    def declared(self, *collectors: type[Collector]) -> list[Query]:
        """Return one query a connection that reads all that is declared and that this version has."""
        queries = queries_of(collectors)
        found = []
        for connection, tables in columns_read(queries, named_tables(queries, self.tables())).items():
            there = {
                table: tuple(column for column in columns if column in self.columns(table))
                for table, columns in tables.items()
            }
            reads = {table: columns for table, columns in there.items() if columns}
            found.append(Query("declared", " ".join(f"{{{table}}}" for table in reads), reads, connection))
        return found

    def user(self, *collectors: type[Collector]) -> str:
        """Return a user who may read exactly what these collectors declare, and no more."""
        key = tuple(sorted(collector.name for collector in collectors))
        if key not in self.users:
            account = Account(f"reader_{next(_numbers)}")
            self.server.execute(f"CREATE USER {account} IDENTIFIED BY 'reader'")
            for statement in grant_statements(
                account, self.declared(*collectors), self.databases(), named={}, prefix=self.prefix
            ):
                self.server.execute(statement)
            self.users[key] = account.user
        return self.users[key]

    def open(self, *collectors: type[Collector], **options: Any) -> MySQL:
        """Return the database as a user of these collectors sees it."""
        targets = {
            connection: Target(
                user=self.user(*collectors),
                password=lambda: "reader",
                name=database,
                host=self.server.host,
                port=self.server.port,
            )
            for connection, database in self.databases().items()
        }
        return MySQL(targets, **{"prefix": self.prefix, "limits": LIMITS, **options})


def make_place(
    server: MariaDB, stack: ExitStack, *, prefix: str = "", version: str = "2.4.8", split: bool = False
) -> Place:
    """Install an empty shop; its connection is closed with ``stack``."""
    database = f"shop_{next(_numbers)}"
    server.execute(f"CREATE DATABASE {database}")
    connection = stack.enter_context(server.connect(database))
    with connection.cursor() as cursor:
        cursor.execute("SET timestamp = %s", (NOW.timestamp(),))
    parts = Split(f"{database}_checkout", f"{database}_sales") if split else None
    shop = install(connection, prefix=prefix, version=version, split=parts)
    return Place(server, database, prefix, shop, parts)


def live_until(place: Place, now: datetime) -> None:
    """Give the shop 25 days of history, ids in the order of time, and everything that may be waiting."""
    shop = place.shop
    bulk_history(shop, orders=300, days=25, end=now - timedelta(hours=10))
    for minutes in (500, 90, 12):
        shop.open_cart("default", at=now - timedelta(minutes=minutes))
        headless = shop.open_cart("us", headless=True, at=now - timedelta(minutes=minutes + 1))
        if minutes == 90:
            shop.add_items(headless, 3, at=now - timedelta(minutes=minutes))
    declined = shop.open_cart("us", at=now - timedelta(minutes=7))
    shop.advance_cart(declined, "placement_attempt", method="paypal_express", at=now - timedelta(minutes=6))
    for minutes, method in ((300, "checkmo"), (200, "mollie_methods_ideal"), (100, "braintree")):
        shop.place_order("de", method, at=now - timedelta(minutes=minutes))
    shop.place_order("us", "checkmo", grid=False, email=False, at=now - timedelta(minutes=50))
    silent = shop.place_order("default", "braintree", at=now - timedelta(minutes=48), email=False)
    shop.ship(silent, at=now - timedelta(minutes=47), email=False)
    shop.refund(silent, at=now - timedelta(minutes=46), email=False)
    shop.register_customer("de", at=now - timedelta(minutes=80))
    for text, results in (("chair", 12), ("sofa", 0), ("lamp", 4)):
        shop.search(text, results, at=now - timedelta(hours=3))
    first, second, third, *_ = shop.publish("export", 5, at=now - timedelta(minutes=30))
    shop.set_message_status(first, 3, at=now - timedelta(minutes=20))
    shop.set_message_status(second, 6, at=now - timedelta(minutes=10))
    shop.set_message_status(third, 4, at=now - timedelta(minutes=9))
    shop.save_product(3)
    shop.start_bulk(4, at=now - timedelta(minutes=25))
    _operations(place, {1: 4, 2: 3}, now - timedelta(minutes=20))
    _cron_rows(place, now - timedelta(minutes=90), 60)
    _cron_open_rows(place, now)
    settle(place)


def live_on(place: Place, now: datetime) -> None:
    """Let everything happen once more in the minute before ``now``."""
    shop, at = place.shop, now - timedelta(seconds=40)
    cart = shop.open_cart("de", at=at)
    shop.advance_cart(cart, "payment_method", method="checkmo", at=at)
    shop.buy(cart, at=at)
    shop.advance_cart(shop.open_cart("us", at=at), "shipping_method", at=at)
    shop.advance_cart(shop.open_cart("us", at=at), "placement_attempt", method="braintree", at=at)
    paid = shop.place_order("us", "braintree", at=at)
    shop.ship(paid, at=at)
    shop.refund(paid, at=at)
    shop.cancel(shop.place_order("default", "checkmo", at=at), at=at)
    shop.place_order("default", "banktransfer", virtual=True, grid=False, email=False, at=at)
    shop.register_customer("us", at=at)
    shop.search("table", 0, store="us", at=at)
    shop.search("sofa", 0, at=at)
    first, second, *_ = shop.publish("product_alert.queue", 3, at=at)
    shop.set_message_status(first, 4, at=at)
    shop.set_message_status(second, 6, at=at)
    shop.save_product(4)
    shop.start_bulk(2, at=at)
    _operations(place, {3: 1, 4: 2}, at)
    _cron_rows(place, at, 1)
    settle(place)


def settle(place: Place) -> None:
    """Make the server's estimates exact: they are taken anew now, not at a random later moment."""
    database = place.shop.database
    database.rows("ANALYZE TABLE " + ", ".join(database.table(table) for table in place.tables()))


def _operations(place: Place, states: Mapping[int, int], at: datetime) -> None:
    """Set the status of operations, by number; also when they began, if the version notes it."""
    database = place.shop.database
    for number, status in states.items():
        changes: dict[str, object] = {"status": status}
        if database.has_column("magento_operation", "started_at"):
            changes["started_at"] = at.replace(tzinfo=None)
        database.update("magento_operation", {"id": number}, **changes)


def _cron_rows(place: Place, start: datetime, minutes: int) -> None:
    """Insert the runs of three jobs: one always succeeds, one fails at times, one is missed."""
    rows: list[tuple[object, ...]] = []
    for minute in range(minutes):
        planned = (start + timedelta(minutes=minute)).replace(second=0, tzinfo=None)
        begun, ended = planned + timedelta(seconds=3), planned + timedelta(seconds=5)
        rows.append(("indexer_update_all_views", "success", planned, begun, ended))
        rows.append(("sales_send_order_emails", "success" if minute % 7 else "error", planned, begun, ended))
        if minute % 5 == 0:
            rows.append(("catalog_product_alert", "missed", planned, None, None))
    _insert_cron(place, rows)


def _cron_open_rows(place: Place, now: datetime) -> None:
    at = now.replace(tzinfo=None)
    _insert_cron(
        place,
        [
            ("indexer_update_all_views", "pending", at + timedelta(minutes=1), None, None),
            ("sales_clean_quotes", "pending", at - timedelta(minutes=4), None, None),
            ("consumers_runner", "running", at - timedelta(minutes=11), at - timedelta(minutes=10), None),
        ],
    )


def _insert_cron(place: Place, rows: Sequence[Sequence[object]]) -> None:
    columns = ("job_code", "status", "scheduled_at", "executed_at", "finished_at")
    place.shop.database.insert_many("cron_schedule", columns, rows)


class Watch:
    """One collector on the real runner, with a memory of its own and a clock that is set."""

    def __init__(
        self,
        collector: type[Collector],
        source: Database | None,
        *,
        store: StateStore | None = None,
        sources: Mapping[str, Any] | None = None,
        on_context: Callable[[Context], None] = lambda _: None,
    ) -> None:
        self.collector = collector()
        self.source = source
        self.store = store or VolatileStore()
        self.now = NOW
        self._sources = {name: Nothing() for name in ("broker", "varnish", "redis", "files")} | dict(
            sources or {}
        )
        self._on_context = on_context

    def use(self, source: Database) -> None:
        """Go on with another connection, as after a restart of the database."""
        self.source = source

    def scrape(self, now: datetime) -> CollectorState:
        """Run the collector once, in a new process as it were: only its memory is kept."""
        self.now = now
        return asyncio.run(self._scrape())

    async def _scrape(self) -> CollectorState:
        with ThreadPoolExecutor(1) as thread:
            runner = Runner(
                [self.collector],
                context=self._context,
                store=self.store,
                executors={self.collector.source: thread},
                limits=Limits(collector_seconds=60),
                clock=self.now.timestamp,
            )
            (slot,) = await runner.scrape(deadline=60)
            await runner.drain(60)
            return slot

    def _context(self, memory: Memory, now: float) -> Context:
        database: Any = self.source or Nothing()
        stores: Any = StoreDirectory(self.source) if self.source else Nothing()
        made = Context(database=database, stores=stores, memory=memory, now=now, **self._sources)
        self._on_context(made)
        return made


def text_of(slot: CollectorState) -> str:
    """Return what a scrape would show of the collector."""
    return join([slot.exposition], Format.TEXT).decode()


def series_of(slot: CollectorState) -> dict[str, float]:
    """Return series to value."""
    lines = [line for line in text_of(slot).splitlines() if not line.startswith("#")]
    found = [_LINE.fullmatch(line) for line in lines]
    return {match[1]: float(match[2]) for match in found if match}


def described(slot: CollectorState) -> str:
    """Return state and reason for a test's message."""
    return f"{slot.name}: {slot.outcome} {slot.reason}".strip()


def database_collectors(collectors: Iterable[type[Collector]]) -> list[type[Collector]]:
    """Return those that read the shop's database."""
    return [collector for collector in collectors if collector.source == "database"]


def run_at(place: Place, watch: Watch, now: datetime, *collectors: type[Collector]) -> CollectorState:
    """Scrape at a moment, with a new connection on which the server agrees about the time."""
    set_time(place.server, now)
    with closing(place.open(*collectors)) as source:
        watch.use(source)
        return watch.scrape(now)


class Story:
    """A shop's weeks and one more minute, seen by every collector before, after, and ten minutes later."""

    def __init__(self, place: Place, change: Callable[[Place], None] = lambda _: None) -> None:
        self.place = place
        self.slots: dict[str, list[CollectorState]] = {}
        live_until(place, NOW)
        every = database_collectors(all_collectors())
        watches = {collector: Watch(collector, None) for collector in every}
        self._scrape(place, watches, NOW)
        live_on(place, LATER)
        change(place)
        self._scrape(place, watches, LATER)
        self._scrape(place, watches, LAST)

    def _scrape(self, place: Place, watches: dict[type[Collector], Watch], now: datetime) -> None:
        for collector, watch in watches.items():
            self.slots.setdefault(collector.name, []).append(run_at(place, watch, now, collector))


@pytest.fixture(scope="session")
def reference(shop_server: MariaDB) -> Iterator[Story]:
    """Shared: what a healthy shop without anything special looks like. Undo what you change in its place."""
    with ExitStack() as stack:
        yield Story(make_place(shop_server, stack))


class Recorder:
    """The database, and a record of every statement with its parameters."""

    def __init__(self, source: MySQL) -> None:
        self._source = source
        self.asked: list[tuple[Query, Mapping[str, object]]] = []

    def rows(self, query: Query, /, **parameters: object) -> Sequence[Mapping[str, Any]]:
        self.asked.append((query, parameters))
        return self._source.rows(query, **parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)
