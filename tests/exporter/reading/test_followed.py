"""Following a table: pages, the first run, catching up, and a table whose ids start again."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.collector import SETTLE_SECONDS
from exporter.core.memory import Memory, VolatileStore
from exporter.reading.followed import OPEN_AT_START, PAGE, PAGES_A_RUN, ROWS_A_RUN, Followed
from tests.harness.core import FakeDatabase, context

START = 1_790_000_000
"""The Unix time from which the seconds of these tests count."""

TABLE = Followed("t", "t", key="id", columns=("thing",))


class Follower:
    """A table of ids and the exporter that follows it. A row is as old as its first appearance."""

    def __init__(self, *ids: int) -> None:
        self.ids = list(ids)
        self.created: dict[int, float] = {}
        self.store = VolatileStore()
        self.database = FakeDatabase({"t_new": self._rows, "t_newest": self._newest})

    def _rows(self, after: int, limit: int) -> Sequence[dict[str, Any]]:
        found = [number for number in sorted(self.ids) if number > after][:limit]
        return [{"id": number, "created": START + self.created[number]} for number in found]

    def give_again(self, *ids: int) -> None:
        """Let new rows have ids that others had before."""
        for number in ids:
            del self.created[number]
        self.ids += ids

    def _newest(self) -> Sequence[dict[str, Any]]:
        return [{"id": max(self.ids, default=None)}]

    def run(self, now: float = 0.0, *, keep: bool = True) -> list[int]:
        for number in self.ids:
            self.created.setdefault(number, now)
        memory = Memory(self.store, "c", START + now)
        rows = TABLE.read(context(memory, START + now, database=self.database)).rows
        if keep:
            memory.commit()
        return [row["id"] for row in rows]

    def asked(self) -> list[str]:
        names = [name for name, _ in self.database.asked]
        self.database.asked.clear()
        return names


def test_history_is_not_counted() -> None:
    follower = Follower(*range(1, 50))
    assert follower.run() == []
    assert follower.run() == []
    follower.ids.append(50)
    assert follower.run() == [50]
    assert follower.run() == []


def test_an_empty_table_is_followed_from_its_first_row() -> None:
    follower = Follower()
    assert follower.run() == []
    follower.ids += [1, 2]
    assert follower.run() == [1, 2]


def test_a_transaction_that_is_open_at_the_first_run_is_counted_when_it_commits() -> None:
    follower = Follower(1, 2, 4)
    assert follower.run(now=0) == []
    follower.ids.append(3)
    assert follower.run(now=15) == [3]
    assert follower.run(now=30) == []


def test_the_first_run_reads_a_bounded_end_of_a_long_history() -> None:
    follower = Follower(*range(1, 30_001, 3))
    follower.run()
    (_, asked) = follower.database.asked[-1]
    assert asked == {"after": 29_998 - OPEN_AT_START, "limit": PAGE}


def test_a_run_that_fails_is_done_again() -> None:
    follower = Follower(1)
    follower.run()
    follower.ids.append(2)
    assert follower.run(keep=False) == [2]
    assert follower.run() == [2]
    assert follower.run() == []


def test_a_long_absence_is_caught_up_with_page_by_page() -> None:
    follower = Follower(1)
    follower.run()
    many = range(2, 2 + PAGE * PAGES_A_RUN + PAGE + 5)
    follower.ids += many
    follower.asked()
    first = follower.run()
    assert len(first) == PAGE * PAGES_A_RUN
    assert follower.asked() == [*["t_new"] * PAGES_A_RUN, "t_newest"]
    assert first + follower.run() == list(many)


def test_gaps_everywhere_delay_catching_up_by_the_settle_time_and_not_by_it_a_step() -> None:
    """A cluster hands out every third id: each id has a gap below it."""
    follower = Follower(3)
    follower.run(now=0)
    many = range(6, 3 * (4 * ROWS_A_RUN), 3)
    follower.ids += many
    counted: list[int] = []
    for run in range(int(SETTLE_SECONDS) // 15):
        counted += follower.run(now=1_000 + 15 * run)
        assert len(counted) <= ROWS_A_RUN
    for run in range(4):
        counted += follower.run(now=1_000 + SETTLE_SECONDS + 15 * run)
    assert counted == list(many)


def test_an_open_transaction_is_waited_for_while_catching_up() -> None:
    follower = Follower(3)
    follower.run(now=0)
    many = list(range(6, 3 * (2 * ROWS_A_RUN), 3))
    early, late = many[0], many[-5]
    follower.ids += (number for number in many if number not in (early, late))
    counted: list[int] = []
    for run in range(1 + int(SETTLE_SECONDS) // 15):
        if run == 3:
            follower.ids.append(early)
        counted += follower.run(now=1_000 + 15 * run)
    follower.ids.append(late)
    for run in range(3):
        counted += follower.run(now=1_000 + SETTLE_SECONDS + 15 * (run + 1))
    assert sorted(counted) == many


def test_rows_that_come_while_catching_up_have_a_settle_time_of_their_own() -> None:
    """The end that is remembered is of the first long run; what was added later is younger."""
    follower = Follower(1)
    follower.run(now=0)
    follower.ids += range(2, 2 + ROWS_A_RUN)
    follower.run(now=1_000)
    more = 2 + ROWS_A_RUN
    follower.ids += range(more + 1, more + 11)
    assert len(follower.run(now=1_000 + SETTLE_SECONDS)) == 10
    follower.ids.append(more)
    assert follower.run(now=1_015 + SETTLE_SECONDS) == [more]


def test_a_full_last_page_is_followed_by_an_empty_one() -> None:
    follower = Follower(1)
    follower.run()
    follower.ids += range(2, 2 + PAGE)
    follower.asked()
    assert len(follower.run()) == PAGE
    assert follower.asked() == ["t_new", "t_new"]


def test_a_table_that_was_truncated_is_followed_again() -> None:
    follower = Follower(*range(1, 1_001))
    follower.run()
    follower.ids.clear()
    assert follower.run(now=15) == []
    follower.give_again(1, 2, 3)
    assert follower.run(now=30) == [1, 2, 3]


@pytest.mark.parametrize("lost", [1, 100, 999])
def test_a_table_that_was_restored_is_followed_from_there_without_counting_its_history(lost: int) -> None:
    follower = Follower(*range(1, 1_001))
    follower.run(now=0)
    follower.ids = list(range(1, 1_001 - lost))
    assert follower.run(now=15) == []
    again = list(range(1_001 - lost, 1_001))
    for number in again:
        follower.give_again(number)
        assert follower.run(now=30 + number) == [number], "from the first row on"
    follower.ids.append(1_001)
    assert follower.run(now=2_000) == [1_001]


@pytest.mark.parametrize("looks", [(100_000,), (700, 100_000), (40_000, 41_000, 99_500, 100_000)])
@pytest.mark.parametrize("pause", [15.0, 4_000.0, 200_000.0])
def test_a_table_that_is_created_empty_and_filled_later_counts_nothing_of_its_past(
    looks: tuple[int, ...], pause: float
) -> None:
    follower = Follower(*range(1, 100_001))
    follower.run(now=0)
    follower.ids.clear()
    assert follower.run(now=15) == []
    assert follower.run(now=pause) == []
    for look, there in enumerate(looks):
        follower.ids = list(range(1, there + 1))
        assert follower.run(now=pause + 15 * (look + 1)) == []
    follower.ids.append(100_001)
    counted = [follower.run(now=pause + 300 + 15 * look) for look in range(20)]
    assert [rows for rows in counted if rows] == [[100_001]]


def test_a_restore_may_come_at_any_pace_and_new_rows_before_its_end() -> None:
    follower = Follower(*range(1, 801))
    follower.run(now=0)
    follower.ids.clear()
    follower.run(now=15)
    for step in range(1, 79):
        follower.ids = list(range(1, 10 * step + 1))
        assert follower.run(now=15.0 + step) == []
    follower.give_again(781)
    assert follower.run(now=200) == [781]


def test_a_table_that_is_being_filled_when_it_is_first_looked_at_counts_nothing_of_its_past() -> None:
    """It was never seen empty: the first look already found a part of it."""
    follower = Follower(*range(1, 100_001))
    follower.run(now=0)
    counted = []
    for step, there in enumerate((5_000, 20_000, 40_000, 60_000, 80_000, 99_990)):
        follower.ids = list(range(1, there + 1))
        counted += follower.run(now=SETTLE_SECONDS / 2 * (step + 1))
    assert counted == []
    follower.give_again(99_991)
    counted = [follower.run(now=1_000 + 15.0 * look) for look in range(20)]
    assert [rows for rows in counted if rows] == [[99_991]]


def test_rows_that_were_all_deleted_are_no_restore() -> None:
    """The ids go on where they were, so a rush of any size is new."""
    follower = Follower(*range(1, 11))
    follower.run(now=0)
    follower.ids.clear()
    follower.run(now=15)
    follower.ids = list(range(11, 3_011))
    assert follower.run(now=30) == follower.ids


def test_a_last_row_that_was_deleted_is_no_restore_either() -> None:
    follower = Follower(*range(1, 1_001))
    follower.run(now=0)
    follower.ids.pop()
    for moment in (15, 15 + SETTLE_SECONDS):
        assert follower.run(now=moment) == []
    follower.ids += range(1_001, 4_001)
    assert follower.run(now=1_000) == list(range(1_001, 4_001))


def test_a_rush_in_a_table_that_was_emptied_counts() -> None:
    follower = Follower(*range(1, 5_001))
    follower.run(now=0)
    follower.ids.clear()
    follower.run(now=15)
    follower.give_again(*range(1, 5_001))
    assert follower.run(now=30) == follower.ids


def test_a_rush_in_a_table_that_never_had_rows_counts() -> None:
    follower = Follower()
    follower.run()
    follower.ids += range(1, 5_001)
    assert follower.run() == follower.ids


@given(st.lists(st.integers(0, 300), max_size=40), st.integers(1, 5_000))
def test_an_emptied_table_counts_every_row(rows: list[int], before: int) -> None:
    follower = Follower(*range(1, before + 1))
    follower.run(now=0)
    follower.ids.clear()
    follower.created.clear()
    follower.run(now=15)
    counted: list[int] = []
    for run, number in enumerate(rows, 2):
        follower.ids += range(len(follower.ids) + 1, len(follower.ids) + 1 + number)
        counted += follower.run(now=15.0 * run)
    assert counted == follower.ids


def test_a_replica_that_lags_makes_nothing_count_twice() -> None:
    """Two replicas behind one name: every other scrape sees the past of a moment ago."""
    follower = Follower(*range(1, 101))
    follower.run(now=0)
    for step in range(1, 60):
        whole = list(range(1, 101 + step))
        follower.ids = whole if step % 2 else whole[:-3]
        expected = {1: [101], 0: []}.get(step, [99 + step, 100 + step] if step % 2 else [])
        assert follower.run(now=15.0 * step) == expected


@pytest.mark.parametrize("ahead", [8 * 3_600, 10**8], ids=["hours", "years"])
def test_a_row_of_the_future_counts_once_although_it_is_restored(ahead: int) -> None:
    follower = Follower(*range(1, 50))
    follower.run(0)
    follower.ids += [50, 51]
    follower.created[50] = ahead
    assert follower.run(10) == [50, 51]
    follower.ids = [number for number in follower.ids if number < 40]
    assert follower.run(60) == []
    follower.ids = list(range(1, 52))
    assert follower.run(120) == []
    follower.ids.append(52)
    assert follower.run(180) == [52]


def test_a_clock_of_the_shop_that_is_a_little_ahead_loses_no_row_after_a_restore() -> None:
    follower = Follower(*range(1, 51))
    follower.run(0)
    follower.ids = [number for number in follower.ids if number < 40]
    assert follower.run(60) == []
    follower.ids.append(40)
    follower.created[40] = 120 + 90
    assert follower.run(120) == [40]


def test_rows_deleted_from_the_end_are_not_waited_for_longer_than_the_settle_time() -> None:
    follower = Follower(*range(1, 11))
    follower.run()
    follower.ids = [1, 2]
    assert follower.run(now=0) == []
    follower.ids.append(11)
    assert follower.run(now=15) == [11]
    assert follower.run(now=15 + SETTLE_SECONDS) == []
    follower.asked()
    follower.ids.append(12)
    assert follower.run(now=30 + SETTLE_SECONDS) == [12]


def test_an_idle_shop_writes_nothing() -> None:
    follower = Follower(1, 2)
    follower.run()
    memory = Memory(follower.store, "c", 99.0)
    TABLE.read(context(memory, 99.0, database=follower.database))
    assert memory.table("followed").changes() == []


def test_a_gap_is_settled_although_no_row_is_left_to_see() -> None:
    follower = Follower(1)
    follower.run(now=0)
    follower.ids.append(3)
    assert follower.run(now=0) == [3]
    follower.ids = [1]
    follower.ids.append(5)
    assert follower.run(now=SETTLE_SECONDS) == [5]
    assert follower.run(now=3 * SETTLE_SECONDS) == []


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 300)), min_size=1, max_size=40),
    st.integers(0, 100),
)
def test_a_server_that_lags_makes_nothing_count_twice_and_loses_nothing(
    runs: list[tuple[int, int]], open_rows: int
) -> None:
    """Each run reads some server of several, which shows the table as it was some seconds ago.

    Every fifth transaction stays open for ``open_rows`` seconds; a row is created when it begins.
    """
    follower = Follower(*range(-99, 1))
    follower.created = dict.fromkeys(range(-99, 1), 0.0)
    begun = {number: 10.0 * number for number in range(1, 101)}

    def visible(moment: float) -> list[int]:
        return [
            number
            for number, start in begun.items()
            if start + (open_rows if number % 5 == 0 else 0) <= moment
        ]

    counted: list[int] = []
    follower.run(now=0)
    follower.created |= begun
    now = 0.0
    for pause, lag in [*runs, (0, 0), (0, 0)]:
        now += 10.0 * pause + 1
        follower.ids = [*range(-99, 1), *visible(max(0.0, now - lag))]
        counted += follower.run(now=now)
    assert sorted(counted) == sorted(set(counted)), "none twice"
    assert set(counted) >= set(visible(now)) - {n for n in visible(now) if n % 5 == 0 and open_rows > 0}
