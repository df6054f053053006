"""What is asked of other servers than the shop's tables: requests, bytes and time of a collector's run."""

from __future__ import annotations

import http.server
import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

from exporter.collectors.database_server import DatabaseServerCollector
from exporter.collectors.php_fpm import PhpFpmCollector
from exporter.collectors.redis import RedisCollector
from exporter.collectors.search import SearchCollector
from exporter.core.collector import Collector, Context
from exporter.core.memory import Memory, VolatileStore
from exporter.core.render import render
from exporter.magento.search import Engine
from exporter.magento.stores import Store, StoreMap
from exporter.rights.statements import queries_of
from exporter.sources.php_fpm import PhpFpm, PhpTarget
from exporter.sources.redis import RedisServers, RedisTarget
from exporter.sources.search import SearchEngine, SearchTarget
from sandbox.paths import DEPLOY
from sandbox.process import LOOPBACK
from sandbox.servers import php_fpm
from sandbox.servers.mariadb import MariaDB
from sandbox.servers.redis import DATABASES, Redis
from tests.harness.core import context
from tests.harness.shop import shop_in_mariadb

STORES: Final = (3, 500)
VERSIONS: Final = 2
"""Indexes a store: the one in use and the one before, which Magento leaves."""

RUNS: Final = 20
SCRAPE: Final = 15
FAMILY: Final = "magento2_product_"


def measure(say: Callable[[str], None]) -> dict[str, Any]:
    """Run each collector some times."""
    say("search engine, PHP-FPM, Redis, named locks")
    rows = [_search(stores) for stores in STORES]
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        with php_fpm.PhpFpm(Path(place, "fpm")) as fpm:
            rows.append(_php_fpm(fpm))
        with Redis(Path(place, "redis")) as redis:
            rows.append(_redis(redis))
        with MariaDB(Path(place, "db")) as mariadb:
            rows.append(_locks(mariadb))
    return {"date": f"{datetime.now(UTC):%Y-%m-%d}", "versions": VERSIONS, "rows": rows}


def _search(stores: int) -> dict[str, Any]:
    with _engine(stores) as (url, sent):
        source = SearchEngine(SearchTarget(lambda: Engine(url, "magento2"), "", str))
        views = [
            Store(n, f"store_{n}", n, "base", "EUR", ZoneInfo("UTC"), active=True)
            for n in range(1, stores + 1)
        ]
        spent = _spent(SearchCollector(), search=source, stores=StoreMap(views))
    return {
        "what": f"search engine, {stores} stores, {stores * VERSIONS:,} indexes",
        "requests": len(sent) / RUNS,
        "bytes": sum(sent) / RUNS,
        **spent,
    }


def _php_fpm(fpm: php_fpm.PhpFpm) -> dict[str, Any]:
    """Ask a real pool; it counts the requests itself."""
    source = PhpFpm(PhpTarget({"www": str(fpm.socket)}, "/php-fpm-status", DEPLOY / "php" / "opcache.php"))

    def accepted() -> int:
        return int((source.pools()["www"] or {})["accepted conn"])

    before = accepted()
    spent = _spent(PhpFpmCollector(), php=source)
    return {
        "what": "PHP-FPM, one pool with OPcache",
        "requests": (accepted() - before - 1) / RUNS,
        "bytes": None,
        **spent,
    }


def _redis(server: Redis) -> dict[str, Any]:
    """Ask a real server for three roles; it counts the requests itself."""
    roles = {role: RedisTarget(server.host, server.port, number) for role, number in DATABASES.items()}
    counting = server.client()

    def asked() -> int:
        return int(cast("dict[str, Any]", counting.info("stats"))["total_commands_processed"])

    with closing(RedisServers(roles)) as source:
        source.info()
        before = asked()
        spent = _spent(RedisCollector(), redis=source)
        requests = (asked() - before - 1) / RUNS
    return {"what": f"Redis, {len(roles)} roles on one server", "requests": requests, "bytes": None, **spent}


def _locks(server: MariaDB) -> dict[str, Any]:
    """Ask a real server who holds Magento's named locks; it counts the statements itself."""
    collector = DatabaseServerCollector()
    with shop_in_mariadb(server, tables=["store", "store_group", "store_website"]) as shop:
        source = shop.open(queries_of([DatabaseServerCollector]))

        def asked() -> int:
            return int(source.ask("SHOW SESSION STATUS LIKE 'Questions'")[0][1])

        asked()
        before = asked()
        spent = _spent(collector, database=source)
        requests = (asked() - before - 1) / RUNS
    return {"what": "the database's named locks", "requests": requests, "bytes": None, **spent}


def _spent(collector: Collector, **sources: Any) -> dict[str, float]:
    """Run the collector; return milliseconds a run, and how often it runs in a scrape."""
    store = VolatileStore()
    collected(collector, context(Memory(store, collector.name, 0.0), 0.0, **sources))
    wall, processor = time.perf_counter(), time.thread_time()
    for number in range(RUNS - 1):
        collected(collector, context(Memory(store, collector.name, 60.0 * number), 60.0 * number, **sources))
    runs = RUNS - 1
    return {
        "wall_ms": 1000 * (time.perf_counter() - wall) / runs,
        "cpu_ms": 1000 * (time.thread_time() - processor) / runs,
        "runs_a_scrape": min(1.0, SCRAPE / max(collector.refresh.interval, 1.0)),
    }


def collected(collector: Collector, given: Context) -> None:
    """Run a collector up to its part of the answer."""
    render(collector.collect(given), limit=5_000)


@contextmanager
def _engine(stores: int) -> Iterator[tuple[str, list[int]]]:
    """Serve answers of OpenSearch's form for so many stores; yield the address, and the bytes of each."""
    bodies = {part: json.dumps(answer).encode() for part, answer in _answers(stores).items()}
    sent: list[int] = []

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Give the answer of the path."""
            body = next(body for part, body in bodies.items() if part in self.path)
            sent.append(len(body))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer((LOOPBACK, 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{LOOPBACK}:{server.server_port}", sent
        server.shutdown()


def _answers(stores: int) -> Mapping[str, Any]:
    names = [f"{FAMILY}{store}_v{version}" for store in range(1, stores + 1) for version in (7, 8)]
    return {
        "/_alias": {
            name: {"aliases": {name.rpartition("_")[0]: {}} if name.endswith("8") else {}} for name in names
        },
        "/_settings/": {},
        "/_cat/": [
            {"index": name, "health": "green", "docs.count": "20000", "store.size": "48000000"}
            for name in names
        ],
        "/": {"version": {"distribution": "opensearch", "number": "2.19.6"}},
    }
