"""What it costs to count a backlog that is nearly too long to be counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from exporter.collectors.indexers import (
    BACKLOG_ENTITIES,
    OFTEN,
    SECONDS_BETWEEN,
    VERSIONS_A_RUN,
    Backlogs,
)
from exporter.core.collector import Context, Tuning
from exporter.core.memory import Memory, VolatileStore
from tests.harness.core import NOON, FakeDatabase, context

LIMIT = Tuning().backlog_scan_limit


@dataclass
class Shop:
    """Changelogs in which every second version is of an entity of its own; counts what is read."""

    backlogs: Backlogs
    read: int = 0

    def count(self, *, version: int, newest: int) -> list[dict[str, Any]]:
        self.read += newest - version
        return [{"entities": (newest - version) // 2}]

    def waiting(self, at: float, version: int, newest: int, view: str = "inventory") -> tuple[int, bool]:
        return self.backlogs.waiting(self.context(at), view, version, newest)

    def context(self, at: float) -> Context:
        database = FakeDatabase(answers={BACKLOG_ENTITIES.name: self.count})
        return context(Memory(VolatileStore(), "indexers", NOON), NOON + at, database=database)


@pytest.fixture
def shop() -> Shop:
    return Shop(Backlogs())


def test_a_short_backlog_is_counted_in_every_run(shop: Shop) -> None:
    for at in range(0, 300, 15):
        assert shop.waiting(at, 0, OFTEN) == (OFTEN // 2, True)
    assert shop.read == 20 * OFTEN


def test_a_backlog_just_below_the_limit_is_read_once_in_five_minutes(shop: Shop) -> None:
    """It cost its 10,000 rows at every scrape."""
    for at in range(0, int(2 * SECONDS_BETWEEN), 15):
        shop.backlogs.left = VERSIONS_A_RUN
        assert shop.waiting(at, 0, LIMIT) == (LIMIT // 2, True), "it stands still, so the count is exact"
    assert shop.read == 2 * LIMIT


def test_between_two_counts_what_was_added_is_added(shop: Shop) -> None:
    assert shop.waiting(0, 0, 4_000) == (2_000, True)
    assert shop.waiting(15, 0, 4_100) == (2_100, False)
    assert shop.waiting(30, 2_500, 4_100) == (1_600, False), "never more than there are versions"
    assert shop.waiting(45, 4_000, 4_100) == (50, True), "short again"
    shop.backlogs.left = VERSIONS_A_RUN
    assert shop.waiting(SECONDS_BETWEEN + 46, 4_000, 6_000) == (1_000, True)


def test_a_restored_changelog_is_counted_anew(shop: Shop) -> None:
    assert shop.waiting(0, 5_000, 9_000) == (2_000, True)
    shop.backlogs.left = VERSIONS_A_RUN
    assert shop.waiting(15, 1_000, 4_000) == (1_500, True)


def test_many_long_backlogs_are_counted_in_turns(shop: Shop) -> None:
    views = [f"view_{number}" for number in range(12)]
    exact = set()
    for at in range(0, 180, 15):
        before, shop.backlogs.left = shop.read, VERSIONS_A_RUN
        found = {view: shop.waiting(at, 0, 3_000, view) for view in views}
        exact |= {view for view in views if found[view] == (1_500, True)}
        assert shop.read - before <= VERSIONS_A_RUN + 3_000
        assert all(number in (1_500, 3_000) for number, _ in found.values())
    assert exact == set(views)


def test_beyond_the_limit_nothing_is_read(shop: Shop) -> None:
    assert shop.waiting(0, 0, LIMIT + 1) == (LIMIT + 1, False)
    assert shop.read == 0
