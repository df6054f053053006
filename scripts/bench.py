"""Measures what the exporter costs, and writes docs/cost.md and build/bench.json.

``python scripts/bench.py`` builds shops (``--case SERVER:STORES:ORDERS`` for others, for example
``mariadb:3:10000000``) with three carts an order, lets 100 orders a minute go on, and scrapes every 15
simulated seconds. The database's clock is set for the exporter's session, so an hour takes less.
The server's own counters of the exporter's session are read before and after every statement.

First the shop and the clock stand still, and every collector runs until a run changes nothing in its
memory: with the same memory, data and time the next run would cost the same, so nothing is left to
catch up with. What that cost is published too. Then half an hour passes, after which the last look is
taken at a changed cart, and only then the scrapes count. Beside it, the unbounded statements that other
exporters run, once each, on the same data.

``--web`` measures the answer itself (bench_web.py), ``--impact`` what the shop feels
(bench_impact.py), ``--services`` what other servers are asked (bench_services.py).
Without any of the four, all are measured. What is not measured again stays.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

import bench_impact
import bench_services
import bench_web
from bench_page import MEASURES, as_page

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
from sandbox import suites
from sandbox.paths import STATE
from sandbox.servers.mariadb import MariaDB
from sandbox.servers.mysql import MySQL
from sandbox.shop import Shop, ShopDatabase, bulk_history
from sandbox.shop.magento import DEFAULT_STORES, SEQUENCE_ENTITIES, STAGES
from tests.harness.served import serving
from tests.harness.shop import PASSWORD, Reader, ShopInMariaDB, add_stores, shop_in_mariadb

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
    "--innodb-sort-buffer-size=64M",
)
ON_MARIADB: Final = ("--userstat=1",)
"""It alone tells how long a session was busy."""

STORES: Final = len(DEFAULT_STORES)
CASES: Final = (
    "mariadb:3:10000",
    "mariadb:500:10000",
    "mariadb:3:1000000",
    "mysql:3:10000",
    "mysql:3:1000000",
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


Costs = dict[str, Cost]


def sum_of(costs: Costs) -> Cost:
    """Return the sum over all names."""
    total = Cost()
    for cost in costs.values():
        total.add(cost)
    return total


@dataclass(frozen=True, slots=True)
class Case:
    """A shop to measure: on which server, with so many store views and orders."""

    server: str
    stores: int
    orders: int

    @classmethod
    def of(cls, text: str) -> Case:
        """Return what the command line says, for example ``mariadb:3:10000``."""
        server, stores, orders = text.split(":")
        if server not in ("mariadb", "mysql") or int(stores) < STORES:
            raise argparse.ArgumentTypeError(f"{text}: mariadb or mysql, and {STORES} stores at least")
        return cls(server, int(stores), int(orders))

    def __str__(self) -> str:
        return f"{self.server}:{self.stores}:{self.orders}"


@dataclass(slots=True)
class Size:
    """The results for one shop: by collector, by statement, and of the unbounded statements.

    ``settling`` is what was spent, by collector, before the shop went on.
    """

    case: Case
    server: str
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
            "server_ms": 1000 * found.get("Busy_time", 0.0),
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


def build(shop: ShopInMariaDB, orders: int, stores: int, now: datetime) -> list[str]:
    """Give a shop a past at the steady rate: at least an hour, before it days as needed.

    Return the codes of the stores that go on selling.
    """
    before = max(orders - LAST_HOUR, 1)
    days = max(before / (ORDERS_A_MINUTE * 1440), 1 / 24)
    hour_ago = now - timedelta(hours=1)
    mysql = isinstance(shop.server, MySQL)  # which drops no index that a foreign key needs
    with nullcontext() if mysql else indexed_later(shop.database):
        bulk_history(shop.shop, orders=before, days=days, end=hour_ago, shape=lambda _: 1.0)
        bulk_history(shop.shop, orders=min(orders, LAST_HOUR), days=1 / 24, end=now, seed=2)
    more = stores - STORES
    added = add_stores(shop, more, numbered=range(more), entities=SEQUENCE_ENTITIES) if more else []
    shop.settle()
    return ["default", "default", "de", "us", *added]


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
    stores: Sequence[str]
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
        stores = [self.shop.stores[self.random.choice(self.stores)] for _ in carts]
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
            context = Context(self._metered, self._stores, *(absent,) * 8, memory, now)
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
    """Start the real exporter; return the seconds to its first answer, and its resident MiB after ten.

    As where it is installed: its bytecode is there, and rich and pygments are not. Only the tools of this
    repository bring those along, and httpx imports them where it finds them.
    """
    for name in ("pygments", "rich"):
        (directory / f"{name}.py").write_text("raise ImportError\n", encoding="utf-8")
    os.environ["PYTHONPATH"] = f"{directory}{os.pathsep}{ROOT}"
    os.environ["PYTHONPYCACHEPREFIX"] = str(directory / "bytecode")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
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
    with serving(directory, settings):
        pass  # it has written its bytecode
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


def measure(case: Case, scrapes: int, directory: Path) -> Size:
    """Build a shop of that size and measure."""
    say(f"{case}: building")
    now = datetime.now(UTC).replace(microsecond=0)
    with server_of(case, directory) as server:
        version = str(server.execute("SELECT VERSION()")[0][0])
        with shop_in_mariadb(server, now=now) as shop, closing(SQLiteState(directory / "state")) as state:
            stores = build(shop, case.orders, case.stores, now)
            bench = Bench(shop, state)
            say(f"{case}: built; the exporter catches up")
            settling = bench.settle(now)
            steady(bench, Traffic(shop.shop, stores), now, scrapes)
            say(f"{case}: the unbounded statements")
            others = peers(shop.shop)
            say(f"{case}: the process")
            start, resident = process(shop, directory)
    name = "MariaDB" if case.server == "mariadb" else "MySQL"
    return Size(
        case,
        f"{name} {'.'.join(version.split('.')[:2])}",
        scrapes,
        dict(sorted(bench.collectors.items())),
        dict(sorted(bench.statements.items())),
        settling,
        others,
        start,
        resident,
    )


def server_of(case: Case, directory: Path) -> MariaDB:
    """Return the server, not yet started; MySQL comes from another suite of Debian's."""
    if case.server == "mariadb":
        arguments = (*SERVER_ARGUMENTS, *ON_MARIADB, "--innodb-log-file-size=268435456")
        return MariaDB(directory / "mariadb", arguments=arguments)
    commands = suites.wrappers(
        suites.unpack("sid", "mysql-server"), STATE / "bench" / "bin", {"mysqld": "/usr/sbin/mysqld"}
    )
    os.environ["PATH"] = f"{commands}{os.pathsep}{os.environ['PATH']}"
    more = (*SERVER_ARGUMENTS, "--innodb-redo-log-capacity=536870912")
    return MySQL(directory / "mysql", arguments=more)


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


def case_as_json(size: Size) -> dict[str, Any]:
    """Return the machine-readable results of one shop."""
    return {
        "server": size.server,
        "stores": size.case.stores,
        "orders": size.case.orders,
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "revision": revision(),
        "scrapes": size.scrapes,
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


def revision() -> str:
    """Return what is measured; results of one revision may be compared."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return run.stdout.strip()


def _per_scrape(costs: Costs, scrapes: int) -> dict[str, dict[str, float]]:
    return {name: cost.per_scrape(scrapes) for name, cost in costs.items()}


def say(text: str) -> None:
    """Tell how far it is."""
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", flush=True)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("--case", type=Case.of, nargs="+", default=[], help=f"default: {' '.join(CASES)}")
    parser.add_argument("--web", action="store_true", help="measure the answer itself")
    parser.add_argument("--impact", action="store_true", help="measure what the shop feels")
    parser.add_argument("--services", action="store_true", help="measure search, PHP-FPM, Redis and locks")
    parser.add_argument("--scrapes", type=int, default=120, help="simulated scrapes per case (default 120)")
    parser.add_argument("--directory", type=Path, help="where the databases are built (default: temporary)")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs" / "cost.md")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench.json")
    options = parser.parse_args()
    everything = not (options.case or options.web or options.impact or options.services)
    kept = json.loads(options.json.read_text()) if options.json.exists() else {}
    results: dict[str, Any] = {
        "orders_a_minute": ORDERS_A_MINUTE,
        "carts_an_order": CARTS_AN_ORDER,
        "scrape_seconds": SCRAPE,
        "warm_up": WARM_UP,
        "cores": os.cpu_count(),
        "cases": kept.get("cases", {}),
        **{part: kept[part] for part in ("web", "impact", "services") if part in kept},
    }

    def write() -> None:
        order = {str(case): place for place, case in enumerate(map(Case.of, CASES))}
        cases = sorted(results["cases"].items(), key=lambda found: order.get(found[0], len(order)))
        results["cases"] = dict(cases)
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        if results["cases"]:
            options.docs.write_text(as_page(results), encoding="utf-8")

    for case in options.case or (map(Case.of, CASES) if everything else ()):
        with tempfile.TemporaryDirectory(prefix="bench-", dir=options.directory) as directory:
            try:
                results["cases"][str(case)] = case_as_json(measure(case, options.scrapes, Path(directory)))
            except suites.LeftOut as error:
                say(f"{case}: left out: {error}")
        write()
    if options.web or everything:
        results["web"] = bench_web.measure(say)
        write()
    if options.impact or everything:
        results["impact"] = bench_impact.measure(say)
        write()
    if options.services or everything:
        results["services"] = bench_services.measure(say)
        write()


if __name__ == "__main__":
    main()
