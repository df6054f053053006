"""Measures what the exporter costs the shop's database, and writes docs/cost.md and build/bench.json.

``python scripts/bench.py`` builds shops of 10,000 and 1,000,000 orders (``--orders`` for others, for
example 10000000) with three carts an order, lets 100 orders a minute go on, and scrapes every 15
simulated seconds. The database's clock is set for the exporter's session, so an hour takes less.
The server's own counters of the exporter's session are read before and after every statement.

First the shop and the clock stand still, and every collector runs until a run changes nothing in its
memory: with the same memory, data and time the next run would cost the same, so nothing is left to
catch up with. What that cost is published too. Then half an hour passes, after which the last look is
taken at a changed cart, and only then the scrapes count. Beside it, the unbounded statements that other
exporters run, once each, on the same data.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

from exporter.collectors import all_collectors
from exporter.core.collector import Collector, Context
from exporter.core.memory import Memory
from exporter.core.ports import Row
from exporter.core.query import Query
from exporter.core.render import render
from exporter.magento.stores import StoreDirectory
from exporter.rights.statements import queries_of
from exporter.sources.database import DatabaseLimits
from exporter.sources.state import SQLiteState
from sandbox.servers.mariadb import MariaDB
from sandbox.shop import Shop, ShopDatabase, bulk_history
from sandbox.shop.magento import STAGES
from tests.harness.served import serving
from tests.harness.shop import PASSWORD, Reader, ShopInMariaDB, shop_in_mariadb

ROOT: Final = Path(__file__).parents[1]
ORDERS_A_MINUTE: Final = 100
CARTS_AN_ORDER: Final = 3
SCRAPE: Final = 15
LAST_HOUR: Final = ORDERS_A_MINUTE * 60
WARM_UP: Final = 120
"""Scrapes of the first half hour: until it is over, the last look at a changed cart finds carts of before."""

COLLECTORS: Final = tuple(kind for kind in all_collectors() if kind.source == "database")
MOST_RUNS: Final = 10_000
CATALOGUE: Final = "(catalogue)"
"""What is asked of information_schema instead of a table."""

SERVER_ARGUMENTS: Final = (
    "--innodb-buffer-pool-size=768M",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--userstat=1",
    "--innodb-sort-buffer-size=64M",
)

INDEXED_LATER: Final = ("quote", "quote_item", "sales_order", "sales_order_grid", "sales_order_item")
"""Large tables with indexes on what does not grow with the id: expensive to keep up, row by row."""

ORDER: Final = "order"
SHIPPING: Final = {
    "shipping_address": ("country_id", "NL"),
    "shipping_method": ("shipping_method", "flatrate_flatrate"),
}
"""What a stage writes to the shipping address."""

PEERS: Final = {
    "orders by state and store": (
        "SELECT state, store_id, COUNT(*) FROM {sales_order} GROUP BY state, store_id"
    ),
    "orders by payment method": (
        "SELECT p.method, o.status, COUNT(*) FROM {sales_order} o"
        " JOIN {sales_order_payment} p ON p.parent_id = o.entity_id GROUP BY p.method, o.status"
    ),
    "revenue by store": "SELECT store_id, SUM(base_grand_total) FROM {sales_order} GROUP BY store_id",
    "items sold by store": (
        "SELECT store_id, COUNT(*), SUM(qty_ordered) FROM {sales_order_item} GROUP BY store_id"
    ),
    "active carts by store": (
        "SELECT store_id, COUNT(*) FROM {quote} WHERE is_active = 1 AND items_count > 0 GROUP BY store_id"
    ),
}
"""Shapes of statements of other Magento exporters, each run at every scrape there."""


@dataclass(slots=True)
class Cost:
    """What some runs cost, in sum, and the most rows that one of them read."""

    rows_read: float = 0.0
    statements: float = 0.0
    server_ms: float = 0.0
    wall_ms: float = 0.0
    cpu_ms: float = 0.0
    bytes_sent: float = 0.0
    runs: int = 0
    largest: float = 0.0

    def add(self, other: Cost) -> None:
        """Add another sum."""
        for name in (*MEASURES, "runs"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.largest = max(self.largest, other.largest)

    def per_scrape(self, scrapes: int) -> dict[str, float]:
        """Return the average of a scrape."""
        return {name: round(getattr(self, name) / scrapes, 2) for name in MEASURES}


MEASURES: Final = ("rows_read", "statements", "server_ms", "wall_ms", "cpu_ms", "bytes_sent")
Costs = dict[str, Cost]


def sum_of(costs: Costs) -> Cost:
    """Return the sum over all names."""
    total = Cost()
    for cost in costs.values():
        total.add(cost)
    return total


@dataclass(slots=True)
class Size:
    """The results for one size of shop: by collector, by statement, and of the unbounded statements.

    ``settling`` is what was spent, by collector, before the shop went on.
    """

    orders: int
    scrapes: int
    collectors: Costs
    statements: Costs
    settling: Costs
    peers: Costs
    start_seconds: float
    resident_mib: float


class Session:
    """One database session's own counters."""

    STATUS: Final = (
        "SHOW SESSION STATUS WHERE Variable_name LIKE 'Handler_read%'"
        " OR Variable_name IN ('Questions', 'Busy_time', 'Bytes_sent')"
    )

    def __init__(self, run: Callable[[str], Sequence[tuple[Any, ...]]]) -> None:
        self._run = run
        first, second = self._read(), self._read()
        self._own = {name: second[name] - first[name] for name in first}

    def _read(self) -> dict[str, float]:
        found = {str(name): float(value) for name, value in self._run(self.STATUS)}
        rows = sum(value for name, value in found.items() if name.startswith("Handler_read"))
        return {
            "rows_read": rows,
            "statements": found["Questions"],
            "server_ms": 1000 * found["Busy_time"],
            "bytes_sent": found["Bytes_sent"],
        }

    @contextmanager
    def measured(self, cost: Cost) -> Iterator[None]:
        """Add what happens inside the block to a cost."""
        before = self._read()
        with timed(cost):
            yield
        after = self._read()
        spent = {name: max(0.0, after[name] - before[name] - self._own[name]) for name in after}
        for name, value in spent.items():
            setattr(cost, name, getattr(cost, name) + value)
        cost.largest = max(cost.largest, spent["rows_read"])


@contextmanager
def timed(cost: Cost) -> Iterator[None]:
    """Add a run and the time that the block takes to a cost."""
    wall, processor = time.perf_counter(), time.process_time()
    yield
    cost.wall_ms += 1000 * (time.perf_counter() - wall)
    cost.cpu_ms += 1000 * (time.process_time() - processor)
    cost.runs += 1


class Metered:
    """The exporter's database, with the session's counters read around every statement."""

    def __init__(self, source: Reader) -> None:
        self._source, self._session = source, Session(source.ask)
        self.spent: Costs = defaultdict(Cost)
        self.overhead = Cost()

    @contextmanager
    def _metered(self, name: str) -> Iterator[None]:
        cost, whole = Cost(), Cost()
        with timed(whole), self._session.measured(cost):
            yield
        self.spent[name].add(cost)
        self.overhead.wall_ms += whole.wall_ms - cost.wall_ms
        self.overhead.cpu_ms += whole.cpu_ms - cost.cpu_ms

    def rows(self, query: Query, /, **parameters: object) -> Sequence[Row]:
        """Run a statement."""
        with self._metered(query.name):
            return self._source.rows(query, **parameters)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Ask the catalogue."""

        def ask(*given: object, **named: object) -> Any:
            with self._metered(CATALOGUE):
                return getattr(self._source, name)(*given, **named)

        return ask

    def take(self) -> tuple[Costs, Cost]:
        """Return what was spent since the last call, by statement, and the time that metering took."""
        spent, overhead = dict(self.spent), self.overhead
        self.spent, self.overhead = defaultdict(Cost), Cost()
        return spent, overhead


# --- the shop ------------------------------------------------------------------------------------


def build(shop: ShopInMariaDB, orders: int, now: datetime) -> None:
    """Give a shop a past at the steady rate: at least an hour, before it days as needed."""
    before = max(orders - LAST_HOUR, 1)
    days = max(before / (ORDERS_A_MINUTE * 1440), 1 / 24)
    hour_ago = now - timedelta(hours=1)
    with indexed_later(shop.database):
        bulk_history(shop.shop, orders=before, days=days, end=hour_ago, shape=lambda _: 1.0)
        bulk_history(shop.shop, orders=min(orders, LAST_HOUR), days=1 / 24, end=now, seed=2)
    shop.settle()


@contextmanager
def indexed_later(database: ShopDatabase) -> Iterator[None]:
    """Take the indexes that are not unique off the tables that become large, and build them afterwards."""
    database.execute("SET foreign_key_checks = 0")
    indexes = {table: _indexes(database, table) for table in INDEXED_LATER}
    for table, parts in indexes.items():
        database.execute(f"ALTER TABLE {{{table}}} {', '.join(f'DROP INDEX `{name}`' for name in parts)}")
    yield
    database.execute("SET foreign_key_checks = 0")  # bulk_history has switched them on
    for table, parts in indexes.items():
        database.execute(f"ALTER TABLE {{{table}}} {', '.join(f'ADD {part}' for part in parts.values())}")
    database.execute("SET foreign_key_checks = 1")


def _indexes(database: ShopDatabase, table: str) -> dict[str, str]:
    """Return the definitions of a table's indexes that are not unique, by name."""
    rows = database.rows(
        "SELECT index_name, index_type, GROUP_CONCAT('`', column_name, '`' ORDER BY seq_in_index)"
        " FROM information_schema.statistics"
        " WHERE table_schema = DATABASE() AND table_name = %s AND non_unique = 1"
        " GROUP BY index_name, index_type",
        (table,),
    )
    kinds = {"FULLTEXT": "FULLTEXT INDEX"}
    return {name: f"{kinds.get(kind, 'INDEX')} `{name}` ({columns})" for name, kind, columns in rows}


@dataclass(slots=True)
class Traffic:
    """Shoppers at a steady rate: every scrape so many carts begin, and those under way take a step.

    Carts are written many at a time, because one by one takes longer than all that is measured.
    ``under_way`` holds cart ids and the stages that each will still reach.
    """

    shop: Shop
    random: Random = field(default_factory=lambda: Random(5))  # noqa: S311
    under_way: list[tuple[int, Sequence[str]]] = field(default_factory=list)

    def go_on(self, now: datetime) -> None:
        """Let 15 seconds pass."""
        with self.shop.database.transaction():
            carts = self._opened(ORDERS_A_MINUTE * CARTS_AN_ORDER * SCRAPE // 60, now)
            waiting = [*self.under_way, *((cart, self._plan()) for cart in carts)]
            self.under_way = []
            reaching: dict[str, list[int]] = defaultdict(list)
            for cart, stages in waiting:
                steps = self.random.random() < 0.5  # noqa: PLR2004 - a step takes half a minute
                if stages and steps:
                    reaching[stages[0]].append(cart)
                if len(stages) > steps:
                    self.under_way.append((cart, stages[steps:]))
            for stage, some in reaching.items():
                self._reach(stage, some, now)

    def _plan(self) -> Sequence[str]:
        """Return the stages that a new cart will reach: one of three is bought, few others come far."""
        if self.random.randrange(CARTS_AN_ORDER) == 0:
            return (*STAGES[1:-1], ORDER)
        return STAGES[1 : 1 + self.random.choice((0, 0, 0, 0, 0, 1, 1, 2, 3, 4))]

    def _opened(self, number: int, now: datetime) -> Sequence[int]:
        """Open carts with one item each and return their ids."""
        database = self.shop.database
        first = int(database.value("SELECT MAX(entity_id) + 1 FROM {quote}"))
        carts = range(first, first + number)
        stores = [self.shop.stores[self.random.choice(("default", "default", "de", "us"))] for _ in carts]
        database.insert_many(
            "quote",
            (
                *("entity_id", "store_id", "created_at", "updated_at", "is_active", "items_count"),
                *("base_currency_code", "subtotal", "base_grand_total"),
            ),
            [
                (cart, store.store_id, now, now, 1, 1, store.currency, 20, 25)
                for cart, store in zip(carts, stores, strict=True)
            ],
        )
        database.insert_many(
            "quote_address",
            ("quote_id", "address_type", "created_at", "updated_at"),
            [(cart, kind, now, now) for cart in carts for kind in ("billing", "shipping")],
        )
        database.insert_many(
            "quote_item",
            ("quote_id", "store_id", "product_id", "sku", "qty", "base_price", "created_at", "updated_at"),
            [
                (cart, store.store_id, *self.random.choice(self.shop.products), 1, 20, now, now)
                for cart, store in zip(carts, stores, strict=True)
            ],
        )
        return carts

    def _reach(self, stage: str, carts: Sequence[int], now: datetime) -> None:
        """Let carts reach a stage."""
        database = self.shop.database
        if stage == ORDER:
            for cart in carts:
                self.shop.orders.buy(cart, at=now)
        elif stage == "placement_attempt":
            for cart in carts:
                self.shop.carts.decline(cart, at=now)
        elif stage == "payment_method":
            database.insert_many(
                "quote_payment",
                ("quote_id", "method", "created_at", "updated_at"),
                [(cart, self.random.choice(("checkmo", "braintree")), now, now) for cart in carts],
            )
        else:
            column, value = SHIPPING[stage]
            database.execute(
                f"UPDATE {{quote_address}} SET {column} = %s, updated_at = %s"
                " WHERE quote_id IN %s AND address_type = 'shipping'",
                (value, now, tuple(carts)),
            )
        if stage not in (ORDER, "placement_attempt"):
            database.execute("UPDATE {quote} SET updated_at = %s WHERE entity_id IN %s", (now, tuple(carts)))


# --- the exporter ----------------------------------------------------------------------------------


class NoticingState:
    """The state file, and whether anything was written to it."""

    def __init__(self, state: SQLiteState) -> None:
        self._state = state
        self.changed = False

    def read(self, namespace: str, keys: Sequence[str]) -> dict[str, str]:
        """Return the values of those keys that exist."""
        return self._state.read(namespace, keys)

    def scan(self, namespace: str, first: str, last: str) -> list[tuple[str, str]]:
        """Return all pairs with ``first <= key < last`` in key order."""
        return self._state.scan(namespace, first, last)

    def commit(self, changes: Sequence[tuple[str, str, str | None]]) -> None:
        """Write; Memory only does so when something is new."""
        self.changed = True
        self._state.commit(changes)


class Bench:
    """Every database collector on one shop, at the pace of its own refresh interval."""

    def __init__(self, shop: ShopInMariaDB, state: SQLiteState) -> None:
        self._shop = shop
        self._state = NoticingState(state)
        self._collectors = [kind() for kind in COLLECTORS]
        self._due: dict[str, float] = defaultdict(float)
        self._source = shop.open(queries_of(COLLECTORS), limits=DatabaseLimits(statement=30, read=60))
        self._metered: Any = Metered(self._source)
        self._stores = StoreDirectory(self._metered)
        self.collectors: Costs = defaultdict(Cost)
        self.statements: Costs = defaultdict(Cost)

    def _set_clock(self, now: datetime) -> None:
        """Put the clock forward, in the exporter's session as well, before anything is measured."""
        self._shop.set_clock(now)
        self._source.ask("SELECT 1")

    def start_over(self) -> None:
        """Begin to sum up anew; what the largest run and statement read stays known."""
        for sums in (self.collectors, self.statements):
            sums.update({name: Cost(largest=cost.largest) for name, cost in sums.items()})

    def scrape(self, now: datetime) -> None:
        """Run what is due at a moment of the simulated time."""
        self._set_clock(now)
        for collector in self._collectors:
            if now.timestamp() >= self._due[collector.name]:
                self._run(collector, now.timestamp())
                self._due[collector.name] = now.timestamp() + collector.refresh.interval

    def _run(self, collector: Collector, now: float) -> None:
        cost = Cost()
        with timed(cost):
            memory = Memory(self._state, collector.name, now)
            absent: Any = None
            context = Context(self._metered, self._stores, absent, absent, absent, absent, memory, now)
            render(collector.collect(context), limit=5_000)
            memory.commit()
        statements, overhead = self._metered.take()
        cost.wall_ms -= overhead.wall_ms
        cost.cpu_ms -= overhead.cpu_ms
        asked = sum_of(statements)
        cost.rows_read, cost.statements = asked.rows_read, asked.statements
        cost.server_ms, cost.bytes_sent, cost.largest = asked.server_ms, asked.bytes_sent, asked.rows_read
        self.collectors[collector.name].add(cost)
        for name, of_statement in statements.items():
            self.statements[name].add(of_statement)

    def settle(self, now: datetime) -> Costs:
        """Run every collector, while data and time stand still, until a run changes nothing it remembers.

        Return what that cost.
        """
        self._set_clock(now)
        for collector in self._collectors:
            for _ in range(MOST_RUNS):
                self._state.changed = False
                self._run(collector, now.timestamp())
                if not self._state.changed:
                    break
            else:
                raise SystemExit(f"{collector.name} does not come to rest")
        spent, self.collectors = self.collectors, defaultdict(Cost)
        return dict(sorted(spent.items()))


def peers(shop: Shop) -> dict[str, Cost]:
    """Run each unbounded statement once."""
    session = Session(shop.database.rows)
    costs: dict[str, Cost] = {}
    for name, statement in PEERS.items():
        costs[name] = Cost()
        with session.measured(costs[name]):
            shop.database.rows(statement)
    return costs


def process(shop: ShopInMariaDB, directory: Path) -> tuple[float, float]:
    """Start the real exporter; return the seconds to its first answer, and its resident MiB after ten."""
    settings = {
        "database": {
            "host": shop.server.host,
            "port": shop.server.port,
            "user": shop.login(queries_of(COLLECTORS)),
            "password": PASSWORD,
            "name": shop.name,
        },
        "limits": {"minimum_refresh_seconds": 0.1},
        "state_file": str(directory / "process.state"),
    }
    started = time.monotonic()
    with serving(directory, settings) as served:
        page = served.get("/metrics")
        first = time.monotonic() - started
        if "magento_orders_placed_total" not in page:
            raise SystemExit("the exporter's first answer has no orders")
        for _ in range(10):
            served.get("/metrics")
            time.sleep(0.5)
        status = Path(f"/proc/{served.process.pid}/status").read_text(encoding="ascii")
        resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return first, int(resident.split()[1]) / 1024


# --- one size ------------------------------------------------------------------------------------


def measure(orders: int, scrapes: int, directory: Path) -> Size:
    """Build a shop of that size and measure."""
    say(f"{orders:,} orders: building")
    now = datetime.now(UTC).replace(microsecond=0)
    with MariaDB(directory / "mariadb", arguments=SERVER_ARGUMENTS) as server:
        server.execute("SET GLOBAL innodb_log_file_size = 268435456")
        with shop_in_mariadb(server, now=now) as shop, closing(SQLiteState(directory / "state")) as state:
            build(shop, orders, now)
            bench = Bench(shop, state)
            say(f"{orders:,} orders: built; the exporter catches up")
            settling = bench.settle(now)
            steady(bench, Traffic(shop.shop), now, scrapes)
            say(f"{orders:,} orders: the unbounded statements")
            others = peers(shop.shop)
            say(f"{orders:,} orders: the process")
            start, resident = process(shop, directory)
    return Size(
        orders,
        scrapes,
        dict(sorted(bench.collectors.items())),
        dict(sorted(bench.statements.items())),
        settling,
        others,
        start,
        resident,
    )


def steady(bench: Bench, traffic: Traffic, now: datetime, scrapes: int) -> None:
    """Let traffic and scrapes go on for half an hour, and then for those that count."""
    for number in range(WARM_UP + scrapes):
        if number == WARM_UP:
            bench.start_over()
        if number % 40 == 0:
            say(f"scrape {number - WARM_UP} of {scrapes}")
        now += timedelta(seconds=SCRAPE)
        traffic.go_on(now - timedelta(seconds=SCRAPE // 2))
        bench.scrape(now)


# --- what is written -------------------------------------------------------------------------------


def as_json(sizes: Sequence[Size]) -> dict[str, Any]:
    """Return the machine-readable results."""
    return {
        "sizes": {str(size.orders): _size_as_json(size) for size in sizes},
        "scrapes": sizes[0].scrapes,
        "orders_a_minute": ORDERS_A_MINUTE,
    }


def _size_as_json(size: Size) -> dict[str, Any]:
    return {
        "total": sum_of(size.collectors).per_scrape(size.scrapes),
        "collectors": _per_scrape(size.collectors, size.scrapes),
        "statements": _per_scrape(size.statements, size.scrapes),
        "largest_run": {name: cost.largest for name, cost in size.collectors.items()},
        "largest_statement": {name: cost.largest for name, cost in size.statements.items()},
        "settling": {
            name: {"runs": cost.runs, "rows_read": cost.rows_read, "largest_run": cost.largest}
            for name, cost in size.settling.items()
        },
        "peers": _per_scrape(size.peers, 1),
        "process": {
            "start_seconds": round(size.start_seconds, 2),
            "resident_mib": round(size.resident_mib, 1),
        },
    }


def _per_scrape(costs: Costs, scrapes: int) -> dict[str, dict[str, float]]:
    return {name: cost.per_scrape(scrapes) for name, cost in costs.items()}


def as_page(sizes: Sequence[Size]) -> str:
    """Return docs/cost.md."""
    return "\n".join(_page_lines(sizes)) + "\n"


def _page_lines(sizes: Sequence[Size]) -> Iterator[str]:
    yield "# What a scrape costs the shop's database\n"
    yield "<!-- Written by `make bench` (scripts/bench.py); measured, not edited. -->\n"
    yield (
        f"Measured {datetime.now(UTC):%Y-%m-%d} on MariaDB 10.11 and {os.cpu_count()} cores: a shop"
        f" with {ORDERS_A_MINUTE} orders a minute and {CARTS_AN_ORDER} carts an order, scraped every"
        f" {SCRAPE} s. Averages of {sizes[0].scrapes} scrapes, so a collector that runs once a minute counts"
        " by a quarter of a run. *Rows* is the sum of the server's `Handler_read_*` counters of the"
        " exporter's session, *server* its busy time. Times depend on the machine and on what"
        " else it does; rows and statements do not.\n"
    )
    yield (
        "Before these scrapes, the exporter has caught up with the shop: data and clock stand still, and"
        " every collector runs until a run changes nothing that it remembers, so that nothing can be left"
        f" to be read. Then {WARM_UP} scrapes go by, half an hour, after which the last look is taken at a"
        " changed cart. [Catching up](#catching-up) says what the first part costs.\n"
    )
    yield from _totals(sizes)
    yield from _collectors(sizes)
    yield from _settling(sizes)
    yield from _statements(sizes)
    yield from _peers(sizes)


def _totals(sizes: Sequence[Size]) -> Iterator[str]:
    yield "## In all\n"
    yield "| orders | rows | statements | server ms | wall ms | CPU ms | RSS MiB | first answer s |"
    yield "|---:|---:|---:|---:|---:|---:|---:|---:|"
    for size in sizes:
        cost = sum_of(size.collectors).per_scrape(size.scrapes)
        yield (
            f"| {size.orders:,} | {cost['rows_read']:,.0f} | {cost['statements']:.1f}"
            f" | {cost['server_ms']:.1f} | {cost['wall_ms']:.1f} | {cost['cpu_ms']:.1f}"
            f" | {size.resident_mib:.0f} | {size.start_seconds:.1f} |"
        )
    small, large = sizes[0], sizes[-1]
    ratio = sum_of(large.collectors).rows_read / sum_of(small.collectors).rows_read
    yield f"\nRows with {large.orders:,} orders are {ratio:.2f} times those with {small.orders:,}.\n"


def _collectors(sizes: Sequence[Size]) -> Iterator[str]:
    yield (
        "*Largest run* below is the most that one run read, of all since the exporter has caught up: a"
        " collector that runs every ten minutes reads in one run what the average spreads over forty"
        " scrapes, in statements that each stay small ([by statement](#by-statement)).\n"
    )
    for size in sizes:
        yield f"## By collector, {size.orders:,} orders\n"
        yield "| collector | rows | largest run | statements | bytes | server ms | wall ms | CPU ms |"
        yield "|---|---:|---:|---:|---:|---:|---:|---:|"
        for name, sums in size.collectors.items():
            cost = sums.per_scrape(size.scrapes)
            yield (
                f"| {name} | {cost['rows_read']:,.1f} | {sums.largest:,.0f} | {cost['statements']:.2f}"
                f" | {cost['bytes_sent']:,.0f} | {cost['server_ms']:.2f} | {cost['wall_ms']:.2f}"
                f" | {cost['cpu_ms']:.2f} |"
            )
        yield ""


def _settling(sizes: Sequence[Size]) -> Iterator[str]:
    yield "## Catching up\n"
    yield (
        "What a new exporter reads once, in steps of one run at a time at the collector's usual pace: the"
        " orders of 58 days for the expectation, the orders and documents of a day that could still miss"
        " their e-mail or grid row, the carts of an hour. Later starts go on from the state file.\n"
    )
    yield "| collector |" + "".join(f" runs, {size.orders:,} | rows | largest run |" for size in sizes)
    yield "|---|" + "---:|---:|---:|" * len(sizes)
    for name in sizes[0].settling:
        costs = (size.settling[name] for size in sizes)
        cells = (f" {cost.runs:,} | {cost.rows_read:,.0f} | {cost.largest:,.0f} |" for cost in costs)
        yield f"| {name} |" + "".join(cells)
    yield ""


def _statements(sizes: Sequence[Size]) -> Iterator[str]:
    yield "## By statement\n"
    yield (
        "Rows a scrape, and the most that one execution read at any time, catching up included."
        " Their text is in [statements.md](statements.md).\n"
    )
    yield "| statement |" + "".join(f" rows, {size.orders:,} | largest |" for size in sizes)
    yield "|---|" + "---:|---:|" * len(sizes)
    for name in sorted({name for size in sizes for name in size.statements}):
        found = [(size.statements.get(name, Cost()), size.scrapes) for size in sizes]
        cells = (f" {cost.rows_read / scrapes:,.1f} | {cost.largest:,.0f} |" for cost, scrapes in found)
        yield f"| {name} |" + "".join(cells)
    yield ""


def _peers(sizes: Sequence[Size]) -> Iterator[str]:
    yield "## Beside it: unbounded statements\n"
    yield "Statements of the kind that other exporters run at every scrape, once on the same data.\n"
    yield "| statement | " + " | ".join(f"rows, {size.orders:,} | ms" for size in sizes) + " |"
    yield "|---|" + "---:|---:|" * len(sizes)
    for name in PEERS:
        cells = (f"{size.peers[name].rows_read:,.0f} | {size.peers[name].server_ms:,.0f}" for size in sizes)
        yield f"| {name} | " + " | ".join(cells) + " |"


def say(text: str) -> None:
    """Tell how far it is."""
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", flush=True)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("--orders", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--scrapes", type=int, default=120, help="simulated scrapes per size (default 120)")
    parser.add_argument("--directory", type=Path, help="where the databases are built (default: temporary)")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs" / "cost.md")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench.json")
    options = parser.parse_args()
    options.json.parent.mkdir(parents=True, exist_ok=True)
    sizes: list[Size] = []
    for orders in options.orders:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=options.directory) as directory:
            sizes.append(measure(orders, options.scrapes, Path(directory)))
        options.json.write_text(json.dumps(as_json(sizes), indent=2) + "\n", encoding="utf-8")
        options.docs.write_text(as_page(sizes), encoding="utf-8")
    print(as_page(sizes))


if __name__ == "__main__":
    main()
