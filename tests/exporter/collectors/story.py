"""What happens in the shop of the golden, contract and EXPLAIN tests: the lives of all collectors in turn.

Each collector has a ``life.py`` beside its tests. Of a collector of the database it has ``past(shop, now)``,
what was there before the exporter came; ``minute(shop, at)``, what happens then and moves its counters; and
``many(shop, rows, before)``, if it reads tables that grow beside orders and carts. Of another source it has
``SOURCE``, a class whose objects answer as the source does and go on when their ``step`` is raised, and
``BESIDE`` if it asks for more: the sources by their names in the context.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

from exporter.collectors import all_collectors
from exporter.core.collector import Collector
from exporter.core.runner import CollectorState
from exporter.rights.statements import queries_of
from sandbox.servers.mariadb import MariaDB
from sandbox.shop import bulk_history
from tests.harness.runner import OneCollector
from tests.harness.shop import NOW, ShopInMariaDB, shop_in_mariadb

LATER: Final = NOW + timedelta(minutes=1)
LAST: Final = NOW + timedelta(minutes=11)
"""When everything that had to settle has."""

DATABASE_COLLECTORS: Final = tuple(kind for kind in all_collectors() if kind.source == "database")


def life_of(collector: type[Collector]) -> ModuleType:
    """Return the collector's life; a collector without one has nothing to be tested on."""
    if not (Path(__file__).parent / collector.name / "life.py").exists():
        file = f"tests/exporter/collectors/{collector.name}/life.py"
        raise LookupError(
            f"{collector.name}: write {file}; tests/exporter/collectors/story.py says what it has"
        )
    return import_module(f"tests.exporter.collectors.{collector.name}.life")


def live_until(shop: ShopInMariaDB, now: datetime) -> None:
    """Give the shop 25 days of orders, and everything else that may be there when the exporter comes."""
    bulk_history(shop.shop, orders=300, days=25, end=now - timedelta(hours=10))
    for collector in DATABASE_COLLECTORS:
        life_of(collector).past(shop.shop, now)
    shop.settle()


def live_on(shop: ShopInMariaDB, now: datetime) -> None:
    """Let everything happen once in the minute before `now`."""
    for collector in DATABASE_COLLECTORS:
        life_of(collector).minute(shop.shop, now - timedelta(seconds=40))
    shop.settle()


def crowded(shop: ShopInMariaDB, rows: int, before: datetime) -> None:
    """Give every table that grows so many rows that a wrong plan shows."""
    bulk_history(shop.shop, orders=rows // 5, days=20, end=NOW - timedelta(days=26))
    shop.database.execute("SET foreign_key_checks = 0")
    for collector in DATABASE_COLLECTORS:
        if many := getattr(life_of(collector), "many", None):
            many(shop.shop, rows, before)


def scrape(shop: ShopInMariaDB, one: OneCollector, now: datetime, **options: object) -> CollectorState:
    """Scrape at a moment, on a new connection of a user with the collector's rights."""
    shop.set_clock(now)
    with closing(shop.open(queries_of([type(one.collector)]), **options)) as source:
        return one.scrape(now, source)


class Story:
    """A shop's weeks and one more minute, seen by every collector before, after, and ten minutes later."""

    def __init__(self, shop: ShopInMariaDB, change: Callable[[ShopInMariaDB], None] = lambda _: None) -> None:
        self.shop = shop
        self.states: dict[str, list[CollectorState]] = {}
        live_until(shop, NOW)
        scraped = [OneCollector(collector) for collector in DATABASE_COLLECTORS]
        self._scrape(scraped, NOW)
        live_on(shop, LATER)
        change(shop)
        self._scrape(scraped, LATER)
        self._scrape(scraped, LAST)

    def _scrape(self, scraped: list[OneCollector], now: datetime) -> None:
        for one in scraped:
            self.states.setdefault(one.collector.name, []).append(scrape(self.shop, one, now))


@pytest.fixture(scope="session")
def reference(mariadb: MariaDB) -> Iterator[Story]:
    """Shared: what a healthy shop without anything special looks like. Undo what you change in it."""
    with shop_in_mariadb(mariadb) as shop:
        yield Story(shop)
