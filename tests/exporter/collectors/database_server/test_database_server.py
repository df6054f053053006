"""Who holds Magento's named locks, and how old the oldest transaction is."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.collectors.database_server import HOLDERS, SERVER, TRANSACTIONS, DatabaseServerCollector
from exporter.core.memory import VolatileStore
from exporter.magento.locks import LOCKS
from tests.harness.core import NOON, FakeDatabase, run, values

FREE = {f"lock_{number}": None for number in range(len(LOCKS))}
CONSUMER = ("magento_named_lock_since_timestamp_seconds", "consumer", "async.operations.all")
PLACE = next(f"lock_{number}" for number, lock in enumerate(LOCKS) if lock[:2] == CONSUMER[1:])


def server(*, process: int = 0, version: str = "10.11.6-MariaDB", **locks: int) -> FakeDatabase:
    return FakeDatabase(
        {
            SERVER.name: [{"version": version, "may_see_others": process}],
            TRANSACTIONS.name: [{"seconds": 754 if process > 1 else None}],
            HOLDERS.name: [{**FREE, **locks}],
        }
    )


def said(database: FakeDatabase, **more: Any) -> dict[tuple[str, ...], float]:
    return values(run(DatabaseServerCollector(), database=database, **more))


@pytest.mark.parametrize(
    ("process", "expected"),
    [(0, {}), (1, {"longest_transaction_seconds": 0}), (2, {"longest_transaction_seconds": 754})],
)
def test_the_oldest_transaction_needs_the_right_to_see_it(process: int, expected: dict[str, float]) -> None:
    database = server(process=process)
    found = said(database)
    assert found["magento_database_transactions_visible",] == bool(process)
    shown = {
        name.removeprefix("magento_database_"): value
        for (name, *_), value in found.items()
        if "longest" in name
    }
    assert shown == expected
    assert (TRANSACTIONS.name in {name for name, _ in database.asked}) == bool(process)


@pytest.mark.parametrize(
    ("version", "service", "supported"),
    [("10.11.6-MariaDB-0+deb12u1", "mariadb", "no"), ("8.4.3", "mysql", "yes"), ("8.0.35-27", "mysql", "no")],
)
def test_its_version_is_held_against_the_line_of_the_shop(version: str, service: str, supported: str) -> None:
    found = said(server(version=version), product=("community", "2.4.8"))
    assert [place[1::2] for place in found if place[0] == "magento_service_version"] == [(service, supported)]


def test_a_lock_is_held_since_the_same_connection_was_first_seen_with_it() -> None:
    store = VolatileStore()
    held = [
        said(server(**locks), store=store, now=NOON + minute).get(CONSUMER)
        for minute, locks in enumerate(({PLACE: 7}, {PLACE: 7}, {PLACE: 8}, {}, {PLACE: 8}))
    ]
    assert held == [NOON, NOON, NOON + 2, None, NOON + 4]


def test_names_are_those_that_magento_takes() -> None:
    names = {lock[:2]: lock[2] for lock in LOCKS}
    assert len({lock for _, _, lock in LOCKS}) == len(LOCKS)
    assert names["cron_group", "index"] == "CRON_index"
    # md5 of group_job, and of the consumer's name
    assert names["cron_job", "indexer_update_all_views"] == "CRON_0ab61a69dbf2f9663e45a8e4cec056df"
    assert names["consumer", "exportProcessor"] == "ce1236e8aa198c32f33e7e38fe53e800"
