"""Counters of followed tables under parallel transactions that commit late, in any order, or never."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.core.collector import Tuning
from exporter.core.memory import Memory
from exporter.sources.state import SQLiteState
from sandbox.servers.mariadb import MariaDB
from tests.harness.core import context
from tests.harness.shop import ShopInMariaDB, shop_in_mariadb
from tests.system.stress.shoppers import COLLECTORS, TRUTH, Shoppers, truth

CONNECTIONS = 12
TRANSACTIONS, MOST_TRANSACTIONS = 25, 1_000
RUNS = 11
"""Runs of the exporter, and transactions of each shopper, at least: whichever takes longer."""
LONGEST_DELAY = 0.6
SETTLE = Tuning(settle_seconds=30.0)


@pytest.fixture
def observed(mariadb: MariaDB) -> Iterator[ShopInMariaDB]:
    with shop_in_mariadb(mariadb, now=None) as shop:
        yield shop


def crash_while_collecting(observed: ShopInMariaDB, state: SQLiteState) -> None:
    """Do what a run does up to the moment before its memory is committed."""
    for make in COLLECTORS:
        collector = make()
        memory = Memory(state, collector.name, time.time())
        source = observed.reader(collector)
        directory = observed.directory()
        list(
            collector.collect(context(memory, time.time(), database=source, stores=directory, tuning=SETTLE))
        )


def test_counters_are_exact_whatever_commits_when_and_however_often_we_are_killed(
    observed: ShopInMariaDB, tmp_path: Path
) -> None:
    state = SQLiteState(tmp_path / "state")
    sums: dict[str, float] = {}

    def collect() -> None:
        sums.clear()
        for make in COLLECTORS:
            for key, value in observed.run(make(), state=state, tuning=SETTLE).items():
                sums[key[0]] = sums.get(key[0], 0.0) + value

    collect()
    enough = threading.Event()
    shoppers = Shoppers(observed, delay=lambda random: random.random() * LONGEST_DELAY)
    shoppers.start(
        CONNECTIONS, lambda done: done < MOST_TRANSACTIONS and not (done >= TRANSACTIONS and enough.is_set())
    )
    runs = 0
    while shoppers.busy:
        collect()
        runs += 1
        if runs >= RUNS:
            enough.set()
        if runs % 4 == 0:
            crash_while_collecting(observed, state)
        if runs % 5 == 0:
            state.close()
            state = SQLiteState(tmp_path / "state")
    assert not shoppers.failures
    assert runs >= RUNS
    collect()
    collect()  # a label set that was new in the last run shows its value in this one
    state.close()
    wanted = truth(observed)
    assert {name: round(sums[name], 4) for name in TRUTH} == wanted
    assert wanted["magento_orders_canceled_total"] > 10
