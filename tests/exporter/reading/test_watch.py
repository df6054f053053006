"""What is watched when there is more of it than can be remembered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from exporter.core.collector import Tuning
from exporter.core.memory import Memory, VolatileStore
from exporter.reading import watch
from exporter.reading.watch import MAX_WATCHED, ROWS_A_RUN, Ages, Watch
from tests.harness.core import NOON, FakeDatabase, context

MINUTE = 60.0
HOUR = 3_600.0
DAY = 86_400.0
LATE_AFTER = 15 * MINUTE

WATCH = Watch(
    "things",
    "things",
    select="state",
    ages=Ages(first_look=LATE_AFTER, look_back=DAY, forget=7 * DAY, wait=DAY),
    state="rows",
)


@dataclass
class Table:
    """A table whose rows are right, late, or waiting for something; looked at once a minute.

    A row is visible from the moment at which its transaction commits.
    """

    settle: float = 2 * MINUTE
    now: float = NOON
    rows: list[dict[str, Any]] = field(default_factory=list)
    store: VolatileStore = field(default_factory=VolatileStore)

    def add(self, number: int = 1, *, state: str = "right", open_for: float = 0.0) -> None:
        first, commit = len(self.rows) + 1, self.now + open_for
        self.rows += [
            {"id": first + n, "created": self.now, "committed": commit, "state": state} for n in range(number)
        ]

    def set(self, state: str, *, now: str) -> None:
        """Let every row in one state be in another."""
        for row in self.rows:
            row["state"] = now if row["state"] == state else row["state"]

    def look(self, *, minutes: int = 0) -> int:
        """Return how many late rows are found after some minutes."""
        for _ in range(minutes - 1):
            self._look_after(MINUTE)
        return self._look_after(MINUTE if minutes else 0.0)

    def _look_after(self, seconds: float) -> int:
        self.now += seconds
        memory = Memory(self.store, "watching", self.now)
        found = WATCH.look(
            context(memory, self.now, database=self._database(), tuning=Tuning(settle_seconds=self.settle)),
            late=lambda row: row["state"] == "late",
            waits=lambda row: row["state"] == "waits",
        )
        memory.commit()
        assert all(row["state"] == "late" for row in found)
        return len(found)

    def _database(self) -> FakeDatabase:
        visible = [row for row in self.rows if row["committed"] <= self.now]
        return FakeDatabase(
            {
                "things_newest": [{"id": visible[-1]["id"] if visible else None}],
                "things_before": lambda moment: [row for row in visible if row["created"] < moment][-1:],
                "things_new": self._between,
                "things_watched": lambda ids: [self.rows[number - 1] for number in ids],
            }
        )

    def _between(self, after: int, upto: int, limit: int) -> Sequence[dict[str, Any]]:
        return [row for row in self.rows[after:upto] if row["committed"] <= self.now][:limit]


@pytest.fixture
def table() -> Table:
    table = Table()
    table.add()
    table.look()
    return table


def test_many_that_wait_do_not_hide_the_late_ones(table: Table) -> None:
    table.add(1_100, state="waits")
    assert table.look(minutes=20) == 0
    table.add(200, state="late")
    assert table.look(minutes=16) == 200
    assert table.look(minutes=180) == 200


def test_of_those_that_wait_the_newest_are_looked_at(table: Table) -> None:
    table.add(300, state="waits")
    table.look(minutes=20)
    table.add(watch.MAX_WAITING, state="waits")
    table.look(minutes=20)
    table.set("waits", now="late")
    assert table.look() == watch.MAX_WAITING
    assert min(_state(table)["watched"]) == 302


def test_one_that_waits_longer_than_a_day_is_forgotten(table: Table) -> None:
    table.add(state="waits")
    table.look(minutes=20)
    table.now += DAY - 25 * MINUTE
    table.add(state="waits")
    table.look(minutes=20)
    table.set("waits", now="late")
    assert table.look() == 1


def test_no_more_are_counted_than_the_help_says(table: Table) -> None:
    table.add(2 * MAX_WATCHED, state="late")
    assert table.look(minutes=30) == MAX_WATCHED
    table.add(10, state="late")
    assert table.look(minutes=30) == MAX_WATCHED


def test_the_count_does_not_fall_while_more_are_late_than_it_can_tell(table: Table) -> None:
    table.add(MAX_WATCHED, state="late")
    table.look(minutes=20)
    for _ in range(30):
        table.add(50, state="late")
        table.look(minutes=1)
    table.look(minutes=20)
    for row in table.rows[: MAX_WATCHED + 1]:
        row["state"] = "right"
    assert table.look() == MAX_WATCHED, "1,500 are left, all older than 15 minutes"
    table.set("late", now="right")
    assert table.look(minutes=3) == 0


def test_what_waited_and_is_late_now_is_not_lost_for_want_of_room(table: Table) -> None:
    table.add(10, state="waits")
    table.add(MAX_WATCHED, state="late")
    assert table.look(minutes=20) == MAX_WATCHED
    paid = [row for row in table.rows if row["state"] == "waits"]
    table.set("waits", now="late")
    assert table.look(minutes=2) == MAX_WATCHED
    table.set("late", now="right")
    for row in paid:
        row["state"] = "late"
    assert table.look() == len(paid)


def test_a_long_time_without_room_does_not_fill_the_memory(table: Table) -> None:
    table.add(MAX_WATCHED, state="late")
    for _ in range(200):
        table.add()
        table.look(minutes=1)
    assert len(_state(table)["marks"]) <= LATE_AFTER / MINUTE + 2


def test_many_right_ones_are_read_in_steps(table: Table) -> None:
    table.add(2 * ROWS_A_RUN + 5)
    table.add(state="late")
    assert [table.look(minutes=minutes) for minutes in (16, 1, 1)] == [0, 0, 1]


def test_a_row_that_commits_within_the_time_to_settle_is_looked_at() -> None:
    table = Table(30 * MINUTE)
    table.add()
    table.look()
    table.add(state="late", open_for=29 * MINUTE)
    table.add()
    assert table.look(minutes=30) == 0
    assert table.look(minutes=1) == 1


def test_a_first_look_waits_for_what_may_still_commit() -> None:
    table = Table(30 * MINUTE)
    table.add(state="late", open_for=29 * MINUTE)
    table.add()
    table.now += 20 * MINUTE
    assert table.look() == 0
    assert table.look(minutes=31) == 1


def _state(table: Table) -> dict[str, Any]:
    state: dict[str, Any] = Memory(table.store, "watching", table.now).table("watched").get("rows")
    return state
