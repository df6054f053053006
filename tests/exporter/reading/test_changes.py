"""Every change of a row is read once, whenever its transaction commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.reading import changes
from exporter.reading.changes import Changes, Position
from tests.harness.core import FakeDatabase

SETTLE = 100.0
CHANGES = Changes("changes", "things", columns=("store_id",))


START = 1_790_000_000
"""The Unix time from which the seconds of these tests count."""


@dataclass
class Table:
    """Rows by id, each with the time of its last change and the time at which that is visible."""

    rows: dict[int, tuple[int, int]] = field(default_factory=dict)
    now: int = 1_000
    position: Position = field(default_factory=lambda: Position(0))

    def change(self, number: int, moment: int | None = None, *, visible: int | None = None) -> None:
        moment = self.now if moment is None else moment
        self.rows[number] = (moment, moment if visible is None else visible)

    def read(self, now: int | None = None) -> list[int]:
        self.now = self.now if now is None else now
        database = FakeDatabase({"changes": self._changes})
        rows = CHANGES.read(database, self.position, now=START + self.now, settle=SETTLE)
        return [row["id"] for row in rows]

    def _changes(self, since: int, after: int, limit: int) -> Sequence[dict[str, Any]]:
        found = sorted(
            (START + moment, number)
            for number, (moment, visible) in self.rows.items()
            if visible <= self.now and (START + moment, number) > (since, after)
        )
        return [{"id": number, "changed": moment} for moment, number in found[:limit]]


def test_a_change_is_read_once() -> None:
    table = Table()
    table.change(1)
    assert table.read() == [1]
    assert table.read(1_010) == []
    table.change(1)
    table.change(2)
    assert table.read(1_010) == [1, 2]
    assert table.read(5_000) == []


def test_a_change_that_commits_late_is_read_when_it_is_visible() -> None:
    table = Table()
    table.change(2, 1_000)
    table.change(1, 950, visible=1_030)
    assert table.read(1_000) == [2]
    assert table.read(1_030) == [1]


def test_behind_the_settle_time_a_change_is_passed_over() -> None:
    table = Table()
    table.change(2, 1_200)
    table.change(1, 950, visible=1_300)
    assert table.read(1_200) == [2]
    assert table.read(1_300) == []


def test_the_settle_time_counts_from_the_newest_change_and_not_from_now() -> None:
    """A replica that stands still for an hour shows the rest later."""
    table = Table()
    table.change(1, 1_000)
    assert table.read(4_600) == [1]
    table.change(2, 920, visible=4_700)
    assert table.read(4_700) == [2]


def test_a_change_in_the_future_does_not_hide_those_that_come_before_it() -> None:
    """A server's clock was wrong, or a module wrote another time zone."""
    table = Table()
    table.change(1, 30_000, visible=1_000)
    assert table.read(1_000) == [1]
    table.change(2, 1_200)
    assert table.read(1_200) == [2]
    assert table.read(1_300) == []


def test_more_changes_than_one_run_may_read_are_read_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "PAGE", 10)
    monkeypatch.setattr(changes, "PAGES_A_RUN", 2)
    table = Table()
    for number in range(1, 51):
        table.change(number)
    assert [table.read() for _ in range(4)] == [
        list(range(1, 21)),
        list(range(21, 41)),
        list(range(41, 51)),
        [],
    ]


def test_only_what_will_be_read_again_is_remembered() -> None:
    table = Table()
    for number in range(1, 11):
        table.change(number, 1_000 + 30 * number)
    table.read(2_000)
    assert table.position.since == START + 1_200
    assert table.position.seen == {number: START + 1_000 + 30 * number for number in (7, 8, 9, 10)}


@given(
    st.lists(
        st.tuples(st.integers(1, 8), st.integers(0, 600), st.integers(0, int(SETTLE))),
        min_size=1,
        max_size=40,
    ),
    st.lists(st.integers(1, 90), min_size=5, max_size=30),
    st.integers(1, 4),
)
def test_no_change_is_lost_or_read_twice(
    planned: list[tuple[int, int, int]], pauses: list[int], page: int
) -> None:
    """A row becomes visible up to the settle time after its change."""
    last = {number: (moment, moment + takes) for number, moment, takes in sorted(planned, key=lambda p: p[1])}
    table = Table(rows=last, now=0)
    read: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(changes, "PAGE", page)
        patch.setattr(changes, "PAGES_A_RUN", 100)
        for pause in [*pauses, 1_000, 1, 1]:
            read += table.read(table.now + pause)
    assert sorted(read) == sorted(last)
