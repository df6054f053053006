"""No statement walks through a table that grows: asked of the optimiser, and counted on the server.

The statements are those of real scrapes, with their real parameters, on a shop with so many rows that
the optimiser chooses for real; the counts are the server's own (Handler_read_*).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from exporter.collectors import all_collectors
from exporter.core.collector import Collector, Tuning
from exporter.core.query import Query
from exporter.core.runner import Outcome
from sandbox.servers.mariadb import MariaDB
from sandbox.shop import bulk_history, schema
from tests.harness.shop import (
    LAST,
    LATER,
    NOW,
    Place,
    Recorder,
    Watch,
    database_collectors,
    described,
    live_on,
    live_until,
    make_place,
    set_time,
)
from tests.harness.tables import SMALL_TABLES

COLLECTORS = database_collectors(all_collectors())
MOST_READ = Tuning().backlog_scan_limit + 500
"""Rows that one statement may touch: the scan limit of a backlog, and a little for the tables joined."""

MANY = 40_000
GROWING = {
    "cron_schedule": (
        "job_code, status, created_at, scheduled_at, executed_at, finished_at",
        (
            "CONCAT('job_', seq MOD 40) AS job_code, IF(seq MOD 9, 'success', 'error') AS status,"
            " at AS created_at, at AS scheduled_at, at AS executed_at, at AS finished_at"
        ),
    ),
    "queue_message_status": (
        "queue_id, message_id, updated_at, status",
        (
            "1 + seq MOD 20 AS queue_id, 1000000 + seq AS message_id, at AS updated_at,"
            " IF(seq MOD 50, 4, 6) AS status"
        ),
    ),
    "search_query": (
        "query_text, num_results, popularity, store_id, updated_at",
        (
            "CONCAT('private ', seq) AS query_text, seq MOD 7 AS num_results, 1 + seq MOD 30 AS popularity,"
            " 1 + seq MOD 3 AS store_id, at AS updated_at"
        ),
    ),
    "customer_entity": (
        "website_id, email, group_id, store_id, created_at, updated_at",
        (
            "1 AS website_id, CONCAT(seq, '@private.invalid') AS email, 1 AS group_id,"
            " 1 + seq MOD 3 AS store_id, at AS created_at, at AS updated_at"
        ),
    ),
    "magento_bulk": (
        "uuid, user_id, user_type, description, operation_count, start_time",
        (
            "UUID() AS uuid, 1 AS user_id, 2 AS user_type, 'private' AS description, 10 AS operation_count,"
            " at AS start_time"
        ),
    ),
    "magento_operation": (
        "bulk_uuid, topic_name, status, started_at, operation_key",
        (
            "(SELECT uuid FROM {magento_bulk} LIMIT 1) AS bulk_uuid, 'topic' AS topic_name,"
            " IF(seq MOD 100, 1, 3) AS status, at AS started_at, 1000 + seq AS operation_key"
        ),
    ),
}
"""A past for the tables that grow beside orders and carts: their columns, as far as a version has them."""

FEW_PAGES = 12
"""A statement with a limit may read a table of so many pages as a whole: the optimiser finds that cheaper."""

LIMITED = re.compile(r"\bLIMIT (%\(limit\)s|\d+)")
BY_ID = re.compile(r"\bIN %\((ids|numbers)\)s")
END_OF_INDEX = re.compile(r"SELECT (%\(store\)s AS store_id, )?MAX\(\w+\) AS \w+ FROM \{\w+\}")
LOOSE_SCANS = (
    "carts_oldest_changes",
    "checkout_newest_changes",
    "order_states_groups",
    "orders_newest_of_stores",
)

BOUNDED_OTHERWISE = {
    **dict.fromkeys(LOOSE_SCANS, "two or three entries of an index a store (and state); see the plan's test"),
    "bulk_oldest_waiting": "joins at most 100 rows with one row each",
    "indexer_backlog": "the collector asks for no more versions than backlog_scan_limit",
    "order_grid_new": "joins a limited number of orders with one row each",
    "queue_newest_change": "the end of the index on status and time",
}
"""Statements on growing tables without a LIMIT or a list of ids for each, and what bounds them instead."""

VERSIONS = (schema.VERSIONS[0], schema.VERSIONS[-1])

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


@dataclass(frozen=True, slots=True)
class Asked:
    """What every collector asked of one shop, and a way to ask the shop's server about it."""

    statements: Mapping[str, Sequence[Statement]]
    cursor: Any

    def ask(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, Any]]:
        """Return the rows of a statement, run as root at the time of the last scrape."""
        self.cursor.execute(sql, parameters)
        names = [column[0] for column in self.cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in self.cursor.fetchall()]


@pytest.fixture(scope="module")
def shops(shop_server: MariaDB) -> Iterator[dict[str, Asked]]:
    """Return the newest and the oldest version: the latter lacks many an index."""
    with ExitStack() as stack:
        yield {
            version: _asked(_grown(make_place(shop_server, stack, version=version))) for version in VERSIONS
        }


def _grown(place: Place) -> Place:
    """Give the shop so many rows that a wrong plan shows."""
    bulk_history(place.shop, orders=8_000, days=20, end=NOW - timedelta(days=26))
    database, end = place.shop.database, NOW.replace(tzinfo=None) - timedelta(hours=2)
    database.execute("SET foreign_key_checks = 0")
    for table, (columns, select) in GROWING.items():
        there = [name in database.columns(table) for name in columns.split(", ")]
        wanted = ", ".join(name for name, known in zip(columns.split(", "), there, strict=True) if known)
        database.execute(
            f"INSERT INTO {{{table}}} ({wanted}) SELECT {wanted} FROM (SELECT {select} FROM (SELECT seq,"
            f" %s - INTERVAL ({MANY} - seq) * 20 SECOND AS at FROM seq_1_to_{MANY}) AS past) AS made",
            (end,),
        )
    for table in place.tables():
        if table.endswith("_cl"):
            database.execute(f"INSERT INTO {{{table}}} (entity_id) SELECT seq FROM seq_1_to_{MANY}")
    database.execute("UPDATE {mview_state} SET version_id = 39000 WHERE mode = 'enabled'")
    live_until(place, NOW)
    return place


def _asked(place: Place) -> Asked:
    """Return what is asked in three scrapes: the first ever, a busy one, a late one."""
    watches = {collector: Watch(collector, None) for collector in COLLECTORS}
    found: dict[str, dict[str, Statement]] = {collector.name: {} for collector in COLLECTORS}
    for step, now in enumerate((NOW, LATER, LAST)):
        if now == LATER:
            live_on(place, now)
        set_time(place.server, now)
        for collector, watch in watches.items():
            with closing(place.open(collector)) as source:
                recorder = Recorder(source)
                watch.use(recorder)
                slot = watch.scrape(now)
                assert slot.outcome is Outcome.OK, described(slot)
            for query, parameters in recorder.asked:
                found[collector.name][f"{query.text()} {step}"] = Statement(query, parameters)
    cursor = place.shop.database.connection.cursor()
    cursor.execute("SET timestamp = %s, sql_mode = %s", (LAST.timestamp(), MYSQL_MODE))
    return Asked({name: list(asked.values()) for name, asked in found.items()}, cursor)


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
        plan = asked.ask(f"EXPLAIN {query.text()}", statement.parameters)
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
    asked = shops[version]
    expensive = {}
    for statement in asked.statements[collector.name]:
        asked.ask("FLUSH STATUS")
        asked.ask(statement.query.text(), statement.parameters)
        counts = asked.ask("SHOW SESSION STATUS LIKE 'Handler_read_%%'", {})
        touched = sum(int(row["Value"]) for row in counts)
        if touched > MOST_READ:
            expensive[statement.query.name] = touched
    assert expensive == {}


def _bounds_itself(query: Query) -> bool:
    """Return whether the text alone bounds what is read of every table that grows."""
    growing = [table for table in query.reads if table not in SMALL_TABLES]
    times = sum(query.sql.count(f"{{{table}}}") for table in growing)
    limits = len(LIMITED.findall(query.sql))
    return limits >= times or bool(BY_ID.search(query.sql) or END_OF_INDEX.fullmatch(query.sql.strip()))


def test_every_statement_says_how_much_it_may_read() -> None:
    queries = [query for collector in COLLECTORS for query in collector.queries]
    assert {query.name for query in queries if not _bounds_itself(query)} == BOUNDED_OTHERWISE.keys()


@each_shop
def test_what_groups_a_whole_table_jumps_through_an_index(shops: dict[str, Asked], version: str) -> None:
    asked = shops[version]
    for found in asked.statements.values():
        for statement in found:
            if statement.query.name in LOOSE_SCANS:
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
    assert sorted(declared - seen) == []
