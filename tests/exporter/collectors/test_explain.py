"""No statement walks through a table that grows: asked of the optimiser, and counted on the server.

The statements are those of real scrapes, with their real parameters, on a shop with so many rows that
the optimiser chooses for real; the counts are the server's own (Handler_read_*).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from exporter.core.collector import Collector, Tuning
from exporter.core.query import LOOSE_SCAN, Query
from exporter.core.runner import Outcome
from exporter.magento.small_tables import SMALL_TABLES
from exporter.rights.statements import queries_of
from sandbox.servers.mariadb import MariaDB
from sandbox.servers.mysql import ON_MYSQL
from sandbox.shop import schema
from tests.exporter.collectors.story import (
    DATABASE_COLLECTORS,
    LAST,
    LATER,
    crowded,
    live_on,
    live_until,
)
from tests.harness.runner import OneCollector, outcome_of
from tests.harness.shop import NOW, Reader, ShopInMariaDB, shop_in_mariadb

COLLECTORS = DATABASE_COLLECTORS
MOST_READ = Tuning().backlog_scan_limit + 500
"""Rows that one statement may touch: the scan limit of a backlog, and a little for the tables joined."""

MANY = 40_000
CROWD = 1_000
"""Fewer rows than this let the optimiser choose anything."""

FEW_PAGES = 12
"""A statement with a limit may read a table of so many pages as a whole: the optimiser finds that cheaper."""

VERSIONS = (*schema.VERSIONS[:2], schema.VERSIONS[-1])

each_shop = pytest.mark.parametrize("version", VERSIONS)
every_collector = pytest.mark.parametrize("collector", COLLECTORS, ids=lambda collector: collector.name)


MYSQL_MODE = (
    "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,"
    "NO_ENGINE_SUBSTITUTION"
)
"""What MySQL 8 is set to by default: stricter about GROUP BY than MariaDB."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a real scrape."""

    query: Query
    parameters: Mapping[str, object]
    text: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What every collector asked of one shop, and a way to ask the shop's server about it."""

    statements: Mapping[str, Sequence[Statement]]
    reads: Mapping[str, Collection[str]]
    """Tables and the columns of them that are read: what `grants` gives."""
    cursor: Any

    def ask(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, Any]]:
        """Return the rows of a statement, run as root at the time of the last scrape."""
        self.cursor.execute(sql, parameters)
        names = [column[0] for column in self.cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in self.cursor.fetchall()]


class Recorder:
    """The database, and a record of every statement with its parameters."""

    def __init__(self, source: Reader) -> None:
        self._source = source
        self.asked: list[Statement] = []

    def rows(self, query: Query, /, **parameters: object) -> Sequence[Mapping[str, Any]]:
        text = query.text(indexes=self._source._indexes(query))
        rows = self._source.rows(
            query, **parameters
        )  # what fails, as on a module's own changelog, has no plan
        self.asked.append(Statement(query, parameters, text))
        return rows

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)


@pytest.fixture(scope="module")
def shops(mariadb: MariaDB) -> Iterator[dict[str, Asked]]:
    """Return the two newest versions and the oldest, which lacks many an index."""
    with ExitStack() as stack:
        asked = {}
        for version in VERSIONS:
            shop = stack.enter_context(shop_in_mariadb(mariadb, version=version))
            crowded(shop, MANY, NOW - timedelta(hours=2))
            live_until(shop, NOW)
            asked[version] = _asked(shop)
        yield asked


def _asked(shop: ShopInMariaDB) -> Asked:
    """Return what is asked in three scrapes: the first ever, a busy one, a late one."""
    scraped = [OneCollector(collector) for collector in COLLECTORS]
    found: dict[str, dict[str, Statement]] = {collector.name: {} for collector in COLLECTORS}
    for step, now in enumerate((NOW, LATER, LAST)):
        if now == LATER:
            live_on(shop, now)
        shop.set_clock(now)
        for one in scraped:
            with closing(shop.open(queries_of([type(one.collector)]))) as source:
                recorder = Recorder(source)
                state = one.scrape(now, recorder)
                assert state.outcome is Outcome.OK, outcome_of(state)
            for statement in recorder.asked:
                found[one.collector.name][f"{statement.query.text()} {step}"] = statement
    cursor = shop.database.connection.cursor()
    cursor.execute("SET sql_mode = %s", (MYSQL_MODE,))
    statements = {name: list(asked.values()) for name, asked in found.items()}
    return Asked(statements, shop.reads(queries_of(COLLECTORS)), cursor)


def test_2_4_9_is_asked_what_2_4_8_is_with_the_same_rights(shops: dict[str, Asked]) -> None:
    new, old = (
        (
            {name: [each.query.text() for each in asked] for name, asked in shop.statements.items()},
            {table: sorted(columns) for table, columns in shop.reads.items()},
        )
        for shop in (shops["2.4.9"], shops["2.4.8"])
    )
    assert new == old


@each_shop
@every_collector
def test_every_table_that_grows_is_crowded(
    shops: dict[str, Asked], version: str, collector: type[Collector]
) -> None:
    """A plan for a table with a few rows says nothing."""
    small = []
    for statement in shops[version].statements[collector.name]:
        query = statement.query
        for table in (query.tables.get(mark, mark) for mark in query.reads if mark not in SMALL_TABLES):
            (found,) = shops[version].ask(f"SELECT COUNT(*) AS number FROM `{table}`")
            if found["number"] < CROWD and table not in small:
                small.append(table)
    assert small == [], f"let many() in tests/exporter/collectors/{collector.name}/life.py fill them"


def tables_of(query: Query) -> dict[str, str]:
    """Return the tables of a statement by every name that EXPLAIN may call them."""
    return {query.tables.get(mark, mark): mark for mark in query.reads}


@each_shop
@every_collector
def test_every_table_that_grows_is_read_by_an_index(
    shops: dict[str, Asked], version: str, collector: type[Collector]
) -> None:
    asked = shops[version]
    walks = []
    for statement in asked.statements[collector.name]:
        query = statement.query
        if all(table in SMALL_TABLES for table in query.reads):
            continue
        plan = asked.ask(f"EXPLAIN {statement.text}", statement.parameters)
        limit = int(str(statement.parameters.get("limit", 0)))
        for row in plan:
            whole_index = row["type"] == "index" and _estimate(row["rows"]) > max(FEW_PAGES * limit, 1_000)
            walked = row["type"] == "ALL" or whole_index
            derived = str(row["table"]).startswith("<")
            if walked and not derived and not _is_small(row["table"], query):
                walks.append(f"{query.name}: {row['type']} {row['table']} {row['rows']} {row['Extra']}")
    assert sorted(set(walks)) == []


def _estimate(rows: object) -> int:
    """MariaDB says the rows of a plan as a text, with what a filter leaves of them: ``1200 (5%)``."""
    return int(str(rows or 0).split()[0])


def _is_small(name: str, query: Query) -> bool:
    """EXPLAIN names the alias; a table's alias stands after it in the statement."""
    text = query.text()
    return any(table in SMALL_TABLES and f"`{table}` AS {name}" in text for table in tables_of(query)) or (
        name in SMALL_TABLES
    )


@each_shop
@every_collector
def test_no_statement_touches_more_rows_than_allowed(
    shops: dict[str, Asked], version: str, collector: type[Collector]
) -> None:
    assert _touch_too_many(shops[version], collector) == {}


def _touch_too_many(asked: Asked, collector: type[Collector]) -> dict[str, int]:
    touched = [
        (statement.query.name, _touched(asked, statement)) for statement in asked.statements[collector.name]
    ]
    return {name: rows for name, rows in touched if rows > MOST_READ}


def _touched(asked: Asked, statement: Statement) -> int:
    asked.ask("FLUSH STATUS")
    asked.ask(statement.text, statement.parameters)
    return sum(int(row["Value"]) for row in asked.ask("SHOW SESSION STATUS LIKE 'Handler_read_%%'", {}))


@each_shop
def test_what_groups_a_whole_table_jumps_through_an_index(shops: dict[str, Asked], version: str) -> None:
    asked = shops[version]
    for found in asked.statements.values():
        for statement in found:
            if statement.query.bounded == LOOSE_SCAN:
                (row,) = asked.ask(f"EXPLAIN {statement.query.text()}", statement.parameters)
                assert "Using index for group-by" in row["Extra"], statement.query.name


def test_every_declared_statement_was_seen(shops: dict[str, Asked]) -> None:
    """Else the tests above say nothing about it."""
    every = [
        statement for asked in shops.values() for found in asked.statements.values() for statement in found
    ]
    seen = {statement.query.name for statement in every}
    declared = {query.name for collector in COLLECTORS for query in collector.queries}
    assert seen - declared == {"stores", "store_settings"}
    assert sorted(declared - seen) == ["database_transactions"]  # it needs PROCESS, and has no plan


_HERE = "database_name = DATABASE()"
_ONE_ROW = "n_rows = 1, clustered_index_size = 1, sum_of_other_index_sizes = 1"
STALE = {
    "one key": (
        f"UPDATE mysql.innodb_index_stats SET stat_value = 1 WHERE {_HERE} AND stat_name LIKE 'n_diff%%'",
        "FLUSH TABLES",
    ),
    "one row": (
        f"UPDATE mysql.innodb_table_stats SET {_ONE_ROW} WHERE {_HERE}",
        f"UPDATE mysql.innodb_index_stats SET stat_value = 1 WHERE {_HERE}",
        "FLUSH TABLES",
    ),
}
"""Statistics as an import leaves them for a while: of keys, or of tables too, when they had one row."""

A_FEW_ROWS = 100
MISLED = """
SELECT o.entity_id, (
    SELECT p.method FROM sales_order_payment AS p WHERE p.parent_id = o.entity_id
    ORDER BY p.entity_id LIMIT 1
) AS method
FROM sales_order AS o ORDER BY o.entity_id DESC LIMIT 100
"""
"""A statement that MySQL plans badly by such keys: it reads the payments by their own id for each order."""
KNOWN = {("one row", "placements_taken_numbers")}
"""On MySQL a table of numbers alone, which counts as one row, is read to its end: no hint forbids that."""


def test_stale_statistics_let_no_statement_touch_more(shops: dict[str, Asked]) -> None:
    """The last test of this module: it spoils the statistics of the newest version's shop.

    Only that version has every index. What groups a whole table is left out: no hint decides how.
    """
    asked = shops[VERSIONS[-1]]
    misled = Statement(Query("misled", MISLED, reads={}), {}, MISLED)
    statements = [
        statement
        for found in asked.statements.values()
        for statement in found
        if statement.query.bounded != LOOSE_SCAN
    ]
    before, fair = [_touched(asked, statement) for statement in statements], _touched(asked, misled)
    more = {}
    for state, spoils in STALE.items():
        for spoil in spoils:
            asked.ask(spoil)
        for statement, rows in zip(statements, before, strict=True):
            # The first one opens the tables again, and reads the statistics themselves.
            touched = min(_touched(asked, statement) for _ in range(2))
            if touched > rows + A_FEW_ROWS:
                more[state, statement.query.name] = (rows, touched)
        if state == "one key" and ON_MYSQL:
            assert _touched(asked, misled) > 100 * fair, "else these statistics would mislead nobody"
    assert more.keys() <= (KNOWN if ON_MYSQL else set())
