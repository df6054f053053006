"""Every row is read once, when it is old enough, whatever commits when."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from exporter.core.collector import SETTLE_SECONDS
from exporter.core.memory import Memory, VolatileStore
from exporter.reading.delayed import Delayed, DelayedCursor
from tests.harness.core import FakeDatabase, context

AGE = 100.0
START = 1_790_000_000
"""The Unix time from which the seconds of a shop's rows count."""

TERMS = Delayed("terms", "terms", key="id", columns=("store_id",), age=AGE)


def test_an_id_is_due_once_it_was_seen_long_enough_ago() -> None:
    cursor = DelayedCursor(10)
    cursor.note(15, 1000.0, settle=SETTLE_SECONDS)
    assert cursor.due(1099.0, AGE) == 10
    assert cursor.due(1100.0, AGE) == 15
    cursor.note(20, 1050.0, settle=SETTLE_SECONDS)
    assert cursor.due(1149.0, AGE) == 15
    assert cursor.due(1150.0, AGE) == 20


def test_what_was_read_is_not_read_again() -> None:
    cursor = DelayedCursor(0, [(0.0, 5), (10.0, 9)])
    cursor.finish(5)
    assert cursor.done == 5
    assert cursor.marks == [(10.0, 9)]
    cursor.finish(3)
    assert cursor.done == 5


def test_a_table_that_shrinks_changes_nothing() -> None:
    cursor = DelayedCursor(10, [(0.0, 20)])
    cursor.note(7, 50.0, settle=SETTLE_SECONDS)
    assert cursor.due(1000.0, AGE) == 20


@given(
    st.lists(st.tuples(st.floats(0, 500), st.floats(0, AGE - 1), st.booleans()), min_size=1, max_size=30),
    st.lists(st.floats(1, 60), min_size=5, max_size=40),
    st.integers(1, 5),
)
def test_every_committed_row_is_read_exactly_once(
    transactions: list[tuple[float, float, bool]], pauses: list[float], page: int
) -> None:
    """Rows get ids in the order of their start, become visible at their end, or never."""
    ordered = sorted(transactions)
    visible_at = {
        number: start + length for number, (start, length, commits) in enumerate(ordered, 1) if commits
    }
    cursor, now, read = DelayedCursor(0), 0.0, []

    def run() -> None:
        nonlocal cursor
        visible = sorted(number for number, moment in visible_at.items() if moment <= now)
        cursor.note(max(visible, default=0), now, settle=SETTLE_SECONDS)
        upto = cursor.due(now, AGE)
        rows = [number for number in visible if cursor.done < number <= upto][:page]
        read.extend(rows)
        if upto > cursor.done:
            cursor.finish(upto if len(rows) < page else rows[-1])
        cursor = DelayedCursor.from_json(cursor.to_json())

    for pause in pauses:
        now += pause
        run()
    for _ in range(len(ordered) + 2):
        now += 1000.0
        run()
    assert read == sorted(visible_at)


def test_a_table_that_was_emptied_is_read_from_its_first_row() -> None:
    emptied = DelayedCursor(1_000)
    emptied.note(0, 0.0, settle=SETTLE_SECONDS)
    assert (emptied.done, emptied.marks) == (0, [])
    emptied.note(3, 15.0, settle=SETTLE_SECONDS)
    assert emptied.due(15.0 + AGE, AGE) == 3


def test_a_table_that_was_restored_is_read_from_its_newest_row() -> None:
    restored = DelayedCursor(1_000)
    restored.note(900, 0.0, settle=SETTLE_SECONDS)
    assert DelayedCursor.from_json(restored.to_json()).done == 1_000, "it may be a replica that lags"
    restored.note(910, 119.0, settle=SETTLE_SECONDS)
    assert restored.done == 1_000
    restored.note(920, 120.0, settle=SETTLE_SECONDS)
    assert (restored.done, restored.marks) == (920, [])


def test_a_replica_may_lag_for_as_long_as_transactions_may_stay_open() -> None:
    lags = DelayedCursor(1_000)
    for now in (0.0, 800.0, 899.0):
        lags.note(900, now, settle=900.0)
    assert lags.done == 1_000
    lags.note(900, 900.0, settle=900.0)
    assert lags.done == 900


def test_a_replica_that_lags_changes_nothing() -> None:
    lags = DelayedCursor(1_000)
    for now in range(0, 1_000, 15):
        lags.note(990 if now % 2 else 1_000, float(now), settle=SETTLE_SECONDS)
    assert lags == DelayedCursor(1_000)


def test_a_table_that_is_restored_before_our_eyes_is_not_read_again() -> None:
    cursor = DelayedCursor(100_000)
    for now, newest in ((0.0, 0), (4_000.0, 700), (4_015.0, 60_000), (4_030.0, 99_900), (4_045.0, 99_950)):
        cursor.note(newest, now, settle=SETTLE_SECONDS)
        cursor = DelayedCursor.from_json(cursor.to_json())
    assert cursor.due(10_000.0, AGE) == cursor.done == 99_950
    cursor.note(99_951, 4_300.0, settle=SETTLE_SECONDS)
    assert cursor.due(10_000.0, AGE) == 99_951


@dataclass
class Terms:
    """A table whose rows are read when they are ``AGE`` old, on a server that lags for a while."""

    rows: dict[int, float] = field(default_factory=dict)
    store: VolatileStore = field(default_factory=VolatileStore)

    def read(self, now: float, *, lag: float = 0.0) -> list[int]:
        shown = {number: moment for number, moment in self.rows.items() if moment <= now - lag}
        answers: dict[str, Any] = {
            "terms_newest": [{"id": max(shown, default=None)}],
            "terms_new": lambda after, upto, limit: [
                {"id": number, "created": START + moment}
                for number, moment in shown.items()
                if after < number <= upto
            ][:limit],
        }
        memory = Memory(self.store, "terms", START + now)
        found = TERMS.read(context(memory, START + now, database=FakeDatabase(answers)))
        memory.commit()
        return [row["id"] for row in found]


def test_a_server_that_lags_makes_no_row_be_read_twice_or_never() -> None:
    terms = Terms({number: 10.0 * number for number in range(1, 101)})
    read = terms.read(0.0)
    for now in range(15, 2_400, 15):
        read += terms.read(float(now), lag=300.0 if 700 < now < 1_000 else 0.0)
    assert read == list(range(1, 101))


def test_rows_with_ids_of_before_a_restore_are_read() -> None:
    terms = Terms({number: 10.0 * number for number in range(1, 51)})
    read = terms.read(0.0)
    for now in range(15, 1_200, 15):
        read += terms.read(float(now))
    terms.rows = {number: moment for number, moment in terms.rows.items() if number <= 30}
    for now in range(1_200, 1_500, 15):
        read += terms.read(float(now))
    terms.rows |= {number: 1_500.0 + number for number in range(31, 41)}
    for now in range(1_500, 2_000, 15):
        read += terms.read(float(now))
    assert read == [*range(1, 51), *range(31, 41)]
