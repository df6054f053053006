"""Measures what the exporter costs the shop's database, and writes docs/cost.md and build/bench.json.

``python scripts/bench.py`` builds shops of 10,000 and 1,000,000 orders (``--orders`` for others, for
example 10000000) with three carts an order, lets 100 orders a minute go on, and scrapes every 15
simulated seconds. The database's clock is set for the exporter's session, so 30 minutes take less.
For every collector it reads the server's own counters of the exporter's session before and after each
run. Beside it, the unbounded statements that other exporters run, once each, on the same data.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

from exporter.collectors import all_collectors
from exporter.core.collector import Collector, Context
from exporter.core.memory import Memory
from exporter.core.query import Connection
from exporter.core.render import render
from exporter.magento import grants
from exporter.magento.grants import Account
from exporter.magento.stores import StoreDirectory
from exporter.sources.database import DatabaseLimits, MySQL, Target
from exporter.sources.state import SQLiteState
from sandbox.process import LOOPBACK, free_port
from sandbox.servers.mariadb import MariaDB
from sandbox.shop import Shop, bulk_history, install
from sandbox.shop.database import ShopDatabase
from sandbox.shop.magento import STAGES

ROOT: Final = Path(__file__).parents[1]
ORDERS_A_MINUTE: Final = 100
CARTS_AN_ORDER: Final = 3
SCRAPE: Final = 15
LAST_HOUR: Final = ORDERS_A_MINUTE * 60
WARM_UP: Final = 8
READS_THE_PAST: Final = "expected_orders"
DATABASE: Final = "shop"
USER: Final = "exporter"
PASSWORD: Final = "bench"  # noqa: S105 - of a server that lives as long as the measurement

SERVER_ARGUMENTS: Final = (
    "--innodb-buffer-pool-size=768M",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--userstat=1",
)

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
    """What some runs cost, in sum."""

    rows_read: float = 0.0
    statements: float = 0.0
    server_ms: float = 0.0
    wall_ms: float = 0.0
    cpu_ms: float = 0.0
    bytes_sent: float = 0.0
    runs: int = 0

    def add(self, other: Cost) -> None:
        """Add another sum."""
        for name in ("rows_read", "statements", "server_ms", "wall_ms", "cpu_ms", "bytes_sent", "runs"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def per_scrape(self, scrapes: int) -> dict[str, float]:
        """Return the average of a scrape."""
        names = ("rows_read", "statements", "server_ms", "wall_ms", "cpu_ms", "bytes_sent")
        return {name: round(getattr(self, name) / scrapes, 2) for name in names}


@dataclass(slots=True)
class Size:
    """The results for one size of shop."""

    orders: int
    scrapes: int
    collectors: dict[str, Cost]
    peers: dict[str, Cost]
    largest: dict[str, float]
    start_seconds: float
    resident_mib: float

    def total(self) -> Cost:
        """Return the sum over all collectors."""
        total = Cost()
        for cost in self.collectors.values():
            total.add(cost)
        return total


class Session:
    """One database session's own counters."""

    STATUS: Final = (
        "SHOW SESSION STATUS WHERE Variable_name LIKE 'Handler_read%'"
        " OR Variable_name IN ('Questions', 'Busy_time', 'Bytes_sent')"
    )

    def __init__(self, run: Any) -> None:
        self._run = run
        first, second = self._read(), self._read()
        self._own = {name: second[name] - first[name] for name in first}

    def _read(self) -> dict[str, float]:
        found = {str(name): float(value) for name, value in self._run(self.STATUS)}
        rows = sum(value for name, value in found.items() if name.startswith("Handler_read"))
        return {
            "rows": rows,
            "questions": found["Questions"],
            "busy": found["Busy_time"],
            "bytes": found["Bytes_sent"],
        }

    @contextmanager
    def measured(self, cost: Cost) -> Iterator[None]:
        """Add what happens inside the block to a cost."""
        before = self._read()
        wall, processor = time.perf_counter(), time.process_time()
        yield
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        after = self._read()
        spent = {name: max(0.0, after[name] - before[name] - self._own[name]) for name in after}
        cost.rows_read += spent["rows"]
        cost.statements += spent["questions"]
        cost.bytes_sent += spent["bytes"]
        cost.server_ms += 1000 * spent["busy"]
        cost.wall_ms += 1000 * wall
        cost.cpu_ms += 1000 * processor
        cost.runs += 1


# --- the shop ------------------------------------------------------------------------------------


def build(connection: Any, orders: int, now: datetime) -> Shop:
    """Install a shop and give it a past: the last hour at the steady rate, before it days as needed."""
    shop = install(connection)
    before = max(orders - LAST_HOUR, 1)
    days = max(before / (ORDERS_A_MINUTE * 1440), 1 / 24)
    hour_ago = now - timedelta(hours=1)
    bulk_history(shop, orders=before, days=days, end=hour_ago)
    bulk_history(shop, orders=min(orders, LAST_HOUR), days=1 / 24, end=now, seed=2)
    tables = shop.database.rows("SHOW TABLES")
    shop.database.rows(f"ANALYZE TABLE {', '.join(f'`{name}`' for (name,) in tables)}")
    return shop


@dataclass(slots=True)
class Traffic:
    """Shoppers at a steady rate: every scrape so many carts begin, and those under way take a step."""

    shop: Shop
    random: Random = field(default_factory=lambda: Random(5))  # noqa: S311
    under_way: list[tuple[int, int, int]] = field(default_factory=list)

    def go_on(self, now: datetime) -> None:
        """Let 15 seconds pass."""
        for _ in range(ORDERS_A_MINUTE * CARTS_AN_ORDER * SCRAPE // 60):
            cart = self.shop.open_cart(self.random.choice(("default", "default", "de", "us")), at=now)
            buys = self.random.randrange(CARTS_AN_ORDER) == 0
            depth = len(STAGES) if buys else self.random.choice((0, 0, 0, 0, 0, 1, 1, 2, 3, 4))
            self.under_way.append((cart, 0, depth))
        waiting = self.under_way
        self.under_way = []
        for cart, reached, depth in waiting:
            if reached < depth and self.random.random() < 0.5:  # noqa: PLR2004 - a step takes half a minute
                self._step(cart, reached + 1, depth, now)
            elif reached < depth:
                self.under_way.append((cart, reached, depth))

    def _step(self, cart: int, step: int, depth: int, now: datetime) -> None:
        if step == len(STAGES) - 1 and depth == len(STAGES):
            self.shop.buy(cart, at=now)
            return
        self.shop.advance_cart(cart, STAGES[step], at=now)
        self.under_way.append((cart, step, depth))


# --- the exporter ----------------------------------------------------------------------------------


class Bench:
    """Every database collector on one shop, at the pace of its own refresh interval."""

    def __init__(self, server: MariaDB, shop: Shop, state: SQLiteState) -> None:
        self._shop, self._state = shop, state
        self._collectors = [kind() for kind in all_collectors() if kind.source == "database"]
        self._due: dict[str, float] = defaultdict(float)
        grant(server, [type(collector) for collector in self._collectors], shop.database)
        self._target = Target(USER, lambda: PASSWORD, DATABASE, host=server.host, port=server.port)
        self._source = MySQL({Connection.DEFAULT: self._target}, limits=DatabaseLimits(statement=30, read=60))
        self._session = Session(self._raw)
        self._stores = StoreDirectory(self._source)

    def close(self) -> None:
        """Close the connection."""
        self._source.close()

    def _raw(self, statement: str) -> Sequence[tuple[Any, ...]]:
        """Run a statement of the bench's own in the exporter's session."""
        text = statement.replace("%", "%%")
        rows = self._source._execute(self._target, text, {})  # noqa: SLF001 - its session is measured
        return [tuple(row.values()) for row in rows]

    def scrape(self, now: float) -> dict[str, Cost]:
        """Run what is due at a moment of the simulated time."""
        self._raw(f"SET SESSION timestamp = {now:.0f}")
        costs: dict[str, Cost] = {}
        for collector in self._collectors:
            if now >= self._due[collector.name]:
                costs[collector.name] = self._run(collector, now)
                self._due[collector.name] = now + collector.refresh.interval
        return costs

    def _run(self, collector: Collector, now: float) -> Cost:
        cost = Cost()
        with self._session.measured(cost):
            memory = Memory(self._state, collector.name)
            absent: Any = None
            context = Context(self._source, self._stores, absent, absent, absent, memory, now)
            render(collector.collect(context), limit=5_000)
            memory.commit()
        return cost

    def settle(self, now: float) -> int:
        """Run all once, and the one that reads the past until it has; return how many runs that took."""
        self.scrape(now)
        reader = next(collector for collector in self._collectors if collector.name == READS_THE_PAST)
        for number in range(1, 5_000):
            if self._run(reader, now).rows_read < 1_500:  # noqa: PLR2004 - a page of the past is 2,000 rows
                return number
        raise SystemExit(f"{READS_THE_PAST} does not come to rest")


def grant(server: MariaDB, collectors: Sequence[type[Collector]], database: ShopDatabase) -> None:
    """Create the exporter's user with the rights that the collectors declare."""
    account = Account(USER, host=LOOPBACK, password=PASSWORD, max_connections=0)
    queries = grants.queries_of(collectors)
    named = grants.named_tables(queries, [str(row[0]) for row in database.rows("SHOW TABLES")])
    statements = [f"CREATE USER {account} IDENTIFIED BY '{PASSWORD}'"]
    statements += grants.grant_statements(account, queries, {Connection.DEFAULT: DATABASE}, named=named)
    for statement in statements:
        server.execute(statement)


def peers(shop: Shop) -> dict[str, Cost]:
    """Run each unbounded statement once."""
    session = Session(shop.database.rows)
    costs: dict[str, Cost] = {}
    for name, statement in PEERS.items():
        costs[name] = Cost()
        with session.measured(costs[name]):
            shop.database.rows(statement)
    return costs


def process(server: MariaDB, directory: Path) -> tuple[float, float]:
    """Start the real exporter; return the seconds to its first answer, and its resident MiB after ten."""
    port = free_port()
    settings = {
        "DATABASE__HOST": server.host,
        "DATABASE__PORT": str(server.port),
        "DATABASE__USER": USER,
        "DATABASE__PASSWORD": PASSWORD,
        "DATABASE__NAME": DATABASE,
        "WEB__LISTEN": f"{LOOPBACK}:{port}",
        "STATE_FILE": str(directory / "process.state"),
        "LIMITS__MINIMUM_REFRESH_SECONDS": "0.1",
    }
    environment = os.environ | {f"MAGENTO_EXPORTER_{name}": value for name, value in settings.items()}
    started = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-m", "exporter", "serve"],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as exporter:
        try:
            first = _answered(f"http://{LOOPBACK}:{port}/metrics", exporter) - started
            for _ in range(10):
                _answered(f"http://{LOOPBACK}:{port}/metrics", exporter)
                time.sleep(0.5)
            status = Path(f"/proc/{exporter.pid}/status").read_text(encoding="ascii")
            resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        finally:
            exporter.terminate()
    return first, int(resident.split()[1]) / 1024


def _answered(url: str, exporter: subprocess.Popen[bytes]) -> float:
    """Wait for an answer that has the orders in it; return when it came."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if exporter.poll() is not None:
            raise SystemExit(f"the exporter ended with {exporter.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - on loopback
                if b"magento_orders_placed_total" in answer.read():
                    return time.monotonic()
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.05)
    raise SystemExit("the exporter does not answer")


# --- one size ------------------------------------------------------------------------------------


def measure(orders: int, scrapes: int, directory: Path) -> Size:
    """Build a shop of that size and measure."""
    say(f"{orders:,} orders: building")
    now = datetime.now(UTC).replace(microsecond=0)
    with MariaDB(directory / "mariadb", arguments=SERVER_ARGUMENTS) as server:
        server.execute("SET GLOBAL innodb_log_file_size = 268435456")
        server.execute(f"CREATE DATABASE {DATABASE}")
        with server.connect(DATABASE) as connection, closing(SQLiteState(directory / "state")) as state:
            shop = build(connection, orders, now)
            say(f"{orders:,} orders: built")
            bench = Bench(server, shop, state)
            collectors, largest = steady(bench, Traffic(shop), now, scrapes, orders)
            bench.close()
            say(f"{orders:,} orders: the unbounded statements")
            others = peers(shop)
            say(f"{orders:,} orders: the process")
            start, resident = process(server, directory)
    return Size(orders, scrapes, collectors, others, largest, start, resident)


def steady(
    bench: Bench, traffic: Traffic, now: datetime, scrapes: int, orders: int
) -> tuple[dict[str, Cost], dict[str, float]]:
    """Let traffic and scrapes go on; return the costs in sum, and the most rows that a run read."""
    rounds = bench.settle(now.timestamp())
    say(f"{orders:,} orders: the past was read in {rounds} runs")
    collectors: dict[str, Cost] = defaultdict(Cost)
    largest: dict[str, float] = defaultdict(float)
    for number in range(WARM_UP + scrapes):
        now += timedelta(seconds=SCRAPE)
        traffic.go_on(now - timedelta(seconds=SCRAPE // 2))
        costs = bench.scrape(now.timestamp())
        if number < WARM_UP:
            continue
        for name, cost in costs.items():
            collectors[name].add(cost)
            largest[name] = max(largest[name], cost.rows_read)
        if number % 20 == 0:
            say(f"{orders:,} orders: scrape {number - WARM_UP} of {scrapes}")
    return dict(sorted(collectors.items())), largest


# --- what is written -------------------------------------------------------------------------------


def as_json(sizes: Sequence[Size]) -> dict[str, Any]:
    """Return the machine-readable results."""
    return {
        "sizes": {
            str(size.orders): {
                "total": size.total().per_scrape(size.scrapes),
                "collectors": {name: cost.per_scrape(size.scrapes) for name, cost in size.collectors.items()},
                "peers": {name: cost.per_scrape(1) for name, cost in size.peers.items()},
                "process": {
                    "start_seconds": round(size.start_seconds, 2),
                    "resident_mib": round(size.resident_mib, 1),
                },
            }
            for size in sizes
        },
        "scrapes": sizes[0].scrapes,
        "orders_a_minute": ORDERS_A_MINUTE,
    }


def as_page(sizes: Sequence[Size]) -> str:
    """Return docs/cost.md."""
    return "\n".join(_page_lines(sizes)) + "\n"


def _page_lines(sizes: Sequence[Size]) -> Iterator[str]:
    yield "# What a scrape costs the shop's database\n"
    yield "<!-- Written by `make bench` (scripts/bench.py); measured, not edited. -->\n"
    yield (
        f"Measured {datetime.now(UTC):%Y-%m-%d} on MariaDB 10.11 and 2 cores shared with other work: a shop"
        f" with {ORDERS_A_MINUTE} orders a minute and {CARTS_AN_ORDER} carts an order, scraped every"
        f" {SCRAPE} s for {sizes[0].scrapes} scrapes, after the first runs had read the past. Averages per"
        " scrape, so a collector that runs once a minute counts by a quarter of a run. *Rows* is the sum of"
        " the server's `Handler_read_*` counters of the exporter's session, *server* its busy time. Times"
        " depend on the machine; rows and statements do not.\n"
    )
    yield from _totals(sizes)
    yield from _collectors(sizes)
    yield from _peers(sizes)


def _totals(sizes: Sequence[Size]) -> Iterator[str]:
    yield "## In all\n"
    yield "| orders | rows | statements | server ms | wall ms | CPU ms | RSS MiB | first answer s |"
    yield "|---:|---:|---:|---:|---:|---:|---:|---:|"
    for size in sizes:
        cost = size.total().per_scrape(size.scrapes)
        yield (
            f"| {size.orders:,} | {cost['rows_read']:,.0f} | {cost['statements']:.1f}"
            f" | {cost['server_ms']:.1f} | {cost['wall_ms']:.1f} | {cost['cpu_ms']:.1f}"
            f" | {size.resident_mib:.0f} | {size.start_seconds:.1f} |"
        )
    small, large = sizes[0], sizes[-1]
    ratio = large.total().rows_read / small.total().rows_read
    yield f"\nRows with {large.orders:,} orders are {ratio:.2f} times those with {small.orders:,}.\n"


def _collectors(sizes: Sequence[Size]) -> Iterator[str]:
    for size in sizes:
        yield f"## By collector, {size.orders:,} orders\n"
        yield "| collector | rows | largest run | statements | bytes | server ms | wall ms | CPU ms |"
        yield "|---|---:|---:|---:|---:|---:|---:|---:|"
        for name, sums in size.collectors.items():
            cost = sums.per_scrape(size.scrapes)
            yield (
                f"| {name} | {cost['rows_read']:,.1f} | {size.largest[name]:,.0f} | {cost['statements']:.2f}"
                f" | {cost['bytes_sent']:,.0f} | {cost['server_ms']:.2f} | {cost['wall_ms']:.2f}"
                f" | {cost['cpu_ms']:.2f} |"
            )
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
    sizes: list[Size] = []
    for orders in options.orders:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=options.directory) as directory:
            sizes.append(measure(orders, options.scrapes, Path(directory)))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(as_json(sizes), indent=2) + "\n", encoding="utf-8")
    options.docs.write_text(as_page(sizes), encoding="utf-8")
    print(as_page(sizes))


if __name__ == "__main__":
    main()
