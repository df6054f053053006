"""Reading a span of time in slices: whole, in order, and within a budget."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from exporter.reading.time_slices import FIRST_WIDTH, sliced, whole

PAGE = 10


class Changes:
    """Rows by the second of their change, and what was read of them."""

    def __init__(self, seconds: Sequence[int]) -> None:
        self.seconds = sorted(seconds)
        self.pages: list[int] = []

    def read(self, first: int, end: int) -> Sequence[dict[str, Any]]:
        rows = [{"at": second} for second in self.seconds if first <= second < end][:PAGE]
        self.pages.append(len(rows))
        return rows

    def found(self, end: int, budget: int = 10_000) -> tuple[int, list[int]]:
        done, seconds = 0, list[int]()
        for until, rows in sliced(self.read, 0, end, page=PAGE, budget=budget):
            assert until > done
            done, seconds = until, seconds + [row["at"] for row in rows]
        return done, seconds


@given(st.lists(st.integers(0, 9_999), max_size=200))
def test_every_row_is_read_once_unless_a_second_has_more_than_a_page(seconds: list[int]) -> None:
    done, found = Changes(seconds).found(10_000)
    assert done == 10_000
    assert Counter(found) == {second: min(number, PAGE) for second, number in Counter(seconds).items()}


@given(st.lists(st.integers(0, 9_999), max_size=200), st.integers(1, 100))
def test_the_budget_bounds_what_is_read_and_every_run_comes_further(seconds: list[int], budget: int) -> None:
    changes = Changes(seconds)
    done, found = changes.found(10_000, budget)
    thrown_away = 4 * PAGE
    assert sum(changes.pages) <= max(budget, thrown_away) + PAGE
    assert done > 0
    assert all(second < done for second in found)


def test_a_quiet_month_takes_few_statements() -> None:
    changes = Changes([])
    assert changes.found(30 * 86_400) == (30 * 86_400, [])
    assert len(changes.pages) < 20


def test_an_empty_span_is_not_read() -> None:
    changes = Changes([1])
    assert list(sliced(changes.read, 5, 5, page=PAGE, budget=1)) == []
    assert changes.pages == []


def test_a_busy_slice_is_read_again_in_parts() -> None:
    changes = Changes([second for second in range(FIRST_WIDTH) if second % 5 == 0])
    done, found = changes.found(FIRST_WIDTH)
    assert (done, len(found)) == (FIRST_WIDTH, FIRST_WIDTH // 5)
    assert changes.pages[0] == PAGE
    assert max(changes.pages[1:]) < PAGE


@given(st.lists(st.integers(0, 999), max_size=60), st.integers(1, 200))
def test_rows_are_whole_or_none(seconds: list[int], budget: int) -> None:
    changes = Changes(seconds)
    found = whole(sliced(changes.read, 0, 1_000, page=PAGE, budget=budget), 1_000, page=PAGE)
    if found is not None:
        assert [row["at"] for row in found] == sorted(seconds)
    else:
        spent = sum(max(rows, 1) for rows in changes.pages)
        assert spent >= budget or max(Counter(seconds).values()) >= PAGE


def test_a_second_with_a_page_of_rows_ends_the_reading() -> None:
    changes = Changes([5] * PAGE + [900])
    assert whole(sliced(changes.read, 0, 1_000, page=PAGE, budget=10_000), 1_000, page=PAGE) is None
    assert len(changes.pages) <= 10
