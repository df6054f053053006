"""What the shop feels: orders placed with and without the exporter, in windows that take turns."""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from os import cpu_count
from pathlib import Path
from random import Random
from typing import Any, Final

import pymysql

from exporter.collectors import all_collectors
from exporter.rights.statements import queries_of
from sandbox.servers.mariadb import MariaDB
from sandbox.shop import Shop, ShopDatabase, bulk_history
from tests.harness.served import Served, serving
from tests.harness.shop import PASSWORD, ShopInMariaDB, shop_in_mariadb

CLIENTS: Final = 2
WINDOWS: Final = 20
SECONDS: Final = 10.0
SCRAPE: Final = 5.0
ORDERS: Final = 10_000
DEADLOCK: Final = 1213
"""Clients lock one another's gaps now and then, with the exporter and without: that order is not placed."""


def measure(say: Callable[[str], None]) -> dict[str, Any]:
    """Place orders for some minutes."""
    say("what the shop feels: building")
    times: dict[bool, list[list[float | None]]] = {False: [], True: []}
    with tempfile.TemporaryDirectory(prefix="bench-") as place, ExitStack() as undo:
        directory = Path(place)
        server = undo.enter_context(
            MariaDB(directory / "mariadb", arguments=["--innodb-buffer-pool-size=512M"])
        )
        shop = undo.enter_context(shop_in_mariadb(server, now=None))
        bulk_history(shop.shop, orders=ORDERS, days=1)
        shop.settle()
        served = undo.enter_context(serving(directory, _settings(shop, directory)))
        for _ in range(3):
            served.get("/metrics")  # it has caught up
        clients = [undo.enter_context(shop.connection()) for _ in range(CLIENTS)]
        shops = [_client(database, number) for number, database in enumerate(clients)]
        for window in range(WINDOWS):
            scraped = window % 2 == 1
            say(f"what the shop feels: window {window + 1} of {WINDOWS}, {'with' if scraped else 'without'}")
            times[scraped].append(_window(shops, served if scraped else None))
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "clients": CLIENTS,
        "windows": WINDOWS,
        "seconds": SECONDS,
        "scrape_seconds": SCRAPE,
        "cores": cpu_count(),
        "without": _summary(times[False]),
        "with": _summary(times[True]),
    }


def _settings(shop: ShopInMariaDB, directory: Path) -> dict[str, Any]:
    collectors = [kind for kind in all_collectors() if kind.source == "database"]
    return {
        "database": {
            "host": shop.server.host,
            "port": shop.server.port,
            "user": shop.login(queries_of(collectors)),
            "password": PASSWORD,
            "name": shop.name,
        },
        "state_file": str(directory / "impact.state"),
    }


def _client(database: ShopDatabase, number: int) -> Shop:
    shop = Shop(database)
    shop.orders.random = Random(number)  # noqa: S311 - no secret
    return shop


def _window(shops: list[Shop], served: Served | None) -> list[float | None]:
    """Place orders for the length of a window; return how long each took, ``None`` for a deadlock."""
    end = time.monotonic() + SECONDS

    def place_on(shop: Shop) -> list[float | None]:
        took: list[float | None] = []
        while time.monotonic() < end:
            started = time.perf_counter()
            try:
                shop.orders.place()
            except pymysql.OperationalError as error:
                if error.args[0] != DEADLOCK:
                    raise
                took.append(None)
            else:
                took.append(time.perf_counter() - started)
        return took

    with _scraped(served), ThreadPoolExecutor(len(shops)) as pool:
        return [seconds for each in pool.map(place_on, shops) for seconds in each]


@contextmanager
def _scraped(served: Served | None) -> Iterator[None]:
    """Scrape at the interval while the block runs."""
    over = threading.Event()

    def scrape_on() -> None:
        while served is not None and not over.is_set():
            served.get("/metrics")
            over.wait(SCRAPE)

    thread = threading.Thread(target=scrape_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _summary(windows: list[list[float | None]]) -> dict[str, Any]:
    placed = [[seconds for seconds in window if seconds is not None] for window in windows]
    every = sorted(seconds for window in placed for seconds in window)
    rates = [round(len(window) / SECONDS, 2) for window in placed]
    return {
        "rate": round(statistics.mean(rates), 2),
        "rates": rates,
        "deadlocks": sum(map(len, windows)) - len(every),
        "median_ms": round(1000 * statistics.median(every), 3),
        "p99_ms": round(1000 * every[int(0.99 * len(every))], 3),
    }
