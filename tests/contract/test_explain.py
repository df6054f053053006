"""No statement walks through a table that grows: asked of the optimiser, and counted on the server.

The statements are those of real scrapes, with their real parameters, on a shop with so many rows that
the optimiser chooses for real; the counts are the server's own (Handler_read_*).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from exporter.collectors import all_collectors
from exporter.core.collector import Collector, Tuning
from exporter.core.query import Query
from exporter.core.runner import State
from sandbox.servers.mariadb import MariaDB
from sandbox.shop import bulk_history
from tests.support.shop import (
    NOW,
    Place,
    Recorder,
    Watch,
    database_collectors,
    live_on,
    live_until,
    make_place,
    set_time,
    settle,
    told,
)
from tests.support.tables import SMALL_TABLES

COLLECTORS = database_collectors(all_collectors())
MOST_READ = Tuning().backlog_scan_limit + 500
"""Rows that one statement may touch: the scan limit of a backlog, and a little for the tables joined."""

MANY = 40_000
GROWING = {
    "cron_schedule": (
        "INSERT INTO {cron_schedule} (job_code, status, created_at, scheduled_at, executed_at, finished_at)"
        " SELECT CONCAT('job_', seq MOD 40), ELT(1 + seq MOD 10, 'error', 'missed', 'success', 'success',"
        " 'success', 'success', 'success', 'success', 'success', 'success'),"
        " at, at, at + INTERVAL 2 SECOND, at + INTERVAL 9 SECOND"
        " FROM (SELECT seq, %s - INTERVAL (%s - seq) * 15 SECOND AS at FROM seq_1_to_%s) AS past"
    ),
    "queue_message_status": (
        "INSERT INTO {queue_message_status} (queue_id, message_id, updated_at, status)"
        " SELECT 1 + seq MOD 20, 1000000 + seq, %s - INTERVAL (%s - seq) * 10 SECOND, IF(seq MOD 50, 4, 6)"
        " FROM seq_1_to_%s"
    ),
    "search_query": (
        "INSERT INTO {search_query} (query_text, num_results, popularity, store_id, updated_at)"
        " SELECT CONCAT('private ', seq), seq MOD 7, 1 + seq MOD 30, 1 + seq MOD 3,"
        " %s - INTERVAL (%s - seq) * 20 SECOND FROM seq_1_to_%s"
    ),
    "customer_entity": (
        "INSERT INTO {customer_entity} (website_id, email, group_id, store_id, created_at, updated_at)"
        " SELECT 1, CONCAT(seq, '@private.invalid'), 1, 1 + seq MOD 3, at, at"
        " FROM (SELECT seq, %s - INTERVAL (%s - seq) * 60 SECOND AS at FROM seq_1_to_%s) AS past"
    ),
    "magento_operation": (
        "INSERT INTO {magento_operation} (bulk_uuid, topic_name, status, started_at, operation_key)"
        " SELECT (SELECT uuid FROM {magento_bulk} LIMIT 1), 'topic', IF(seq MOD 100, 1, 3),"
        " %s - INTERVAL (%s - seq) * 10 SECOND, 1000 + seq FROM seq_1_to_%s"
    ),
}
"""A past for the tables that grow beside orders and carts: (end of the past, rows, rows)."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a real scrape."""

    query: Query
    parameters: Mapping[str, object]


@pytest.fixture(scope="module")
def place(shop_server: MariaDB) -> Iterator[Place]:
    with ExitStack() as stack:
        made = make_place(shop_server, stack)
        bulk_history(made.shop, orders=8_000, days=120, end=NOW - timedelta(days=41))
        live_until(made, NOW)
        database = made.shop.database
        database.execute("SET foreign_key_checks = 0")
        for statement in GROWING.values():
            database.execute(statement, (NOW.replace(tzinfo=None) - timedelta(hours=2), MANY, MANY))
        for table in made.tables():
            if table.endswith("_cl"):
                database.execute(f"INSERT INTO {{{table}}} (entity_id) SELECT seq FROM seq_1_to_{MANY}")
        database.execute("UPDATE {mview_state} SET version_id = 39000 WHERE mode = 'enabled'")
        settle(made)
        yield made


@pytest.fixture(scope="module")
def statements(place: Place) -> dict[str, list[Statement]]:
    """Return what every collector asked in three scrapes: the first ever, a busy one, a quiet one."""
    watches = {collector: Watch(collector, None) for collector in COLLECTORS}
    found: dict[str, dict[str, Statement]] = {collector.name: {} for collector in COLLECTORS}
    for step in range(3):
        now = NOW + timedelta(minutes=step)
        if step == 1:
            live_on(place, now)
        set_time(place.server, now)
        for collector, watch in watches.items():
            with closing(place.open(collector)) as source:
                recorder = Recorder(source)
                watch.use(recorder)
                slot = watch.scrape(now)
                assert slot.state is State.OK, told(slot)
            for query, parameters in recorder.asked:
                found[collector.name][f"{query.text()} {step}"] = Statement(query, parameters)
    return {name: list(asked.values()) for name, asked in found.items()}


@pytest.fixture(scope="module")
def explain(place: Place) -> Any:
    """Return a function that asks the server as root, at the time of the last scrape."""
    cursor = place.shop.database.connection.cursor()
    cursor.execute("SET timestamp = %s", ((NOW + timedelta(minutes=2)).timestamp(),))

    def ask(sql: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, Any]]:
        cursor.execute(sql, parameters)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    return ask


def tables_of(query: Query) -> dict[str, str]:
    """Return the tables of a statement by every name that EXPLAIN may call them."""
    return {query.tables.get(mark, mark): mark for mark in query.reads}


@pytest.mark.parametrize("collector", COLLECTORS, ids=lambda collector: collector.name)
def test_every_table_that_grows_is_read_by_an_index(
    statements: dict[str, list[Statement]], explain: Any, collector: type[Collector]
) -> None:
    walks = []
    for statement in statements[collector.name]:
        query = statement.query
        if all(table in SMALL_TABLES for table in query.reads):
            continue
        plan = explain(f"EXPLAIN {query.text()}", statement.parameters)
        limit = int(str(statement.parameters.get("limit", 0)))
        for row in plan:
            whole_index = row["type"] == "index" and (row["rows"] or 0) > max(limit, 1_000)
            walked = row["type"] == "ALL" or whole_index
            derived = str(row["table"]).startswith("<")
            if walked and not derived and not _is_small(row["table"], query):
                walks.append(f"{query.name}: {row['type']} {row['table']} {row['rows']} {row['Extra']}")
    assert sorted(set(walks)) == []


def _is_small(name: str, query: Query) -> bool:
    """EXPLAIN names the alias; a table's alias stands after it in the statement."""
    text = query.text()
    return any(table in SMALL_TABLES and f"`{table}` AS {name}" in text for table in tables_of(query)) or (
        name in SMALL_TABLES
    )


@pytest.mark.parametrize("collector", COLLECTORS, ids=lambda collector: collector.name)
def test_no_statement_touches_more_rows_than_allowed(
    statements: dict[str, list[Statement]], explain: Any, collector: type[Collector]
) -> None:
    dear = {}
    for statement in statements[collector.name]:
        explain("FLUSH STATUS")
        explain(statement.query.text(), statement.parameters)
        counts = explain("SHOW SESSION STATUS LIKE 'Handler_read_%%'", {})
        touched = sum(int(row["Value"]) for row in counts)
        if touched > MOST_READ:
            dear[statement.query.name] = touched
    assert dear == {}


def test_every_declared_statement_was_seen(statements: dict[str, list[Statement]]) -> None:
    """Else the tests above say nothing about it; what only an older or odd shop runs is listed."""
    seen = {statement.query.name for asked in statements.values() for statement in asked}
    declared = {query.name for collector in COLLECTORS for query in collector.queries}
    assert seen - declared <= {"stores", "store_settings"}
    assert declared - seen == UNSEEN


UNSEEN: set[str] = set()
