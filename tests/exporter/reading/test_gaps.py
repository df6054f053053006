"""Every committed row once: the watermark under any order of commits, rollbacks and crashes."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from exporter.reading.gaps import GapTracker

SETTLE = 120.0


def stored(tracker: GapTracker) -> dict[str, Any]:
    """Return what is found after a crash: only what JSON kept."""
    found: dict[str, Any] = json.loads(json.dumps(tracker.to_json()))
    return found


def take(tracker: GapTracker, *ids: int, now: float = 0.0) -> list[int]:
    return tracker.take(ids, now=now, settle=SETTLE)


def test_rows_in_order_leave_nothing_to_remember() -> None:
    tracker = GapTracker(10)
    assert take(tracker, 11, 12, 13) == [11, 12, 13]
    assert (tracker.settled, tracker.top, tracker.seen, tracker.gaps) == (13, 13, set(), [])
    assert take(tracker) == []


def test_a_row_that_appears_below_a_younger_one_is_counted_once() -> None:
    tracker = GapTracker(0)
    assert take(tracker, 1, 3, now=0) == [1, 3]
    assert tracker.settled == 1
    assert take(tracker, 2, 3, 4, now=15) == [2, 4]
    assert tracker.settled == 4
    assert take(tracker, now=30) == []


def test_a_gap_is_waited_for_until_the_settle_time_is_over() -> None:
    tracker = GapTracker(0)
    take(tracker, 2, now=0)
    assert take(tracker, 2, now=SETTLE - 1) == []
    assert tracker.settled == 0
    take(tracker, 2, now=SETTLE)
    assert tracker.settled == 2


def test_the_last_moment_of_the_settle_time_still_counts() -> None:
    tracker = GapTracker(0)
    take(tracker, 2, now=0)
    assert take(tracker, 1, 2, now=SETTLE) == [1]


def test_an_old_gap_above_a_young_one_waits_for_it() -> None:
    tracker = GapTracker(0)
    take(tracker, 1, 5, now=0)
    assert take(tracker, 3, 5, now=100) == [3]
    assert [(gap.first, gap.last, gap.noticed) for gap in tracker.gaps] == [(2, 2, 0.0), (4, 4, 0.0)]
    take(tracker, 3, 5, now=120)
    assert tracker.settled == 5


def test_a_huge_jump_of_ids_costs_one_gap() -> None:
    tracker = GapTracker(0)
    assert take(tracker, 1, 2**62, now=0) == [1, 2**62]
    assert len(tracker.gaps) == 1
    assert take(tracker, 2**61, 2**62, now=1) == [2**61]
    assert len(tracker.gaps) == 2
    take(tracker, 2**61, 2**62, now=SETTLE)
    assert (tracker.settled, tracker.seen, tracker.gaps) == (2**62, set(), [])


def test_every_third_id_as_a_galera_node_hands_them_out() -> None:
    tracker = GapTracker(0)
    for step in range(100):
        mine = 3 * step + 1
        visible = [number for number in range(1, mine + 1, 3) if number > tracker.settled]
        assert take(tracker, *visible, now=15.0 * step) == [mine]
        assert len(tracker.seen) <= SETTLE / 15 + 1
        assert len(tracker.gaps) <= SETTLE / 15 + 1


def test_ids_that_are_settled_or_repeated_are_ignored() -> None:
    tracker = GapTracker(5)
    assert take(tracker, 3, 5, 6, 6) == [6]


def test_a_tail_survives_json() -> None:
    tracker = GapTracker(0)
    take(tracker, 1, 4, 9, now=12.75)
    assert GapTracker.from_json(stored(tracker)) == tracker


@given(st.lists(st.integers(1, 400), max_size=60, unique=True), st.integers(1, 100))
def test_late_rows_are_cut_out_of_their_gaps_like_a_set_would(ids: list[int], start: int) -> None:
    tracker = GapTracker(0)
    seen: set[int] = set()
    for part in (ids[: len(ids) // 3], ids[len(ids) // 3 : start], ids[start:]):
        visible = seen | set(part)
        assert take(tracker, *visible) == sorted(number for number in part if number not in seen)
        seen |= set(part)
        missing = set(range(1, max(seen, default=0) + 1)) - seen
        assert {n for gap in tracker.gaps for n in range(gap.first, gap.last + 1)} == missing
        assert [gap.first for gap in tracker.gaps] == sorted(gap.first for gap in tracker.gaps)


class AShopUnderLoad(RuleBasedStateMachine):
    """Transactions take ids, commit in any order or roll back; the exporter runs, fails and crashes."""

    @initialize(step=st.sampled_from([1, 3]), start=st.integers(0, 10**12))
    def begin(self, step: int, start: int) -> None:
        self.now, self.step, self.next_id = 1_000.0, step, start + 1
        self.open: dict[int, float] = {}
        self.committed: dict[int, float] = {}
        self.counted: list[int] = []
        self.disk = stored(GapTracker(start))

    @rule()
    def insert(self) -> None:
        self.open[self.next_id] = self.now
        self.next_id += self.step

    @rule(jump=st.integers(1, 10**9))
    def ids_jump(self, jump: int) -> None:
        self.next_id += jump

    @precondition(lambda self: self.open)
    @rule(data=st.data(), rows=st.integers(1, 4))
    def commit(self, data: st.DataObject, rows: int) -> None:
        for number in data.draw(st.permutations(sorted(self.open)))[:rows]:
            del self.open[number]
            self.committed[number] = self.now

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def roll_back(self, data: st.DataObject) -> None:
        del self.open[data.draw(st.sampled_from(sorted(self.open)))]

    @rule(seconds=st.floats(0, 50, allow_nan=False))
    def time_goes_by(self, seconds: float) -> None:
        """No transaction outlives settle: the oldest ones end now, one way or the other."""
        self.now += seconds
        for number, since in sorted(self.open.items()):
            if self.now - since >= SETTLE:
                del self.open[number]
                if number % 2:
                    self.committed[number] = self.now

    @rule(page=st.integers(1, 6))
    def scrape(self, page: int) -> None:
        """Read at most ``page`` rows, as a catch-up after a long absence does."""
        tracker = GapTracker.from_json(self.disk)
        visible = sorted(number for number in self.committed if number > tracker.settled)
        known = [number for number in visible if number in tracker.seen]
        visible = visible[: len(known) + page]
        new = tracker.take(visible, now=self.now, settle=SETTLE)
        self.counted.extend(new)
        self.disk = stored(tracker)

    @rule()
    def crash_before_the_commit(self) -> None:
        """The run's result was never published: nothing is counted, nothing is kept."""
        tracker = GapTracker.from_json(self.disk)
        tracker.take(
            [number for number in self.committed if number > tracker.settled], now=self.now, settle=SETTLE
        )

    @invariant()
    def no_row_is_counted_twice_nor_invented(self) -> None:
        assert len(self.counted) == len(set(self.counted))
        assert set(self.counted) <= self.committed.keys()

    @invariant()
    def settled_never_passes_an_open_transaction(self) -> None:
        assert all(number > self.disk["settled"] for number in self.open)

    @invariant()
    def memory_is_bounded_by_what_is_unsettled(self) -> None:
        unsettled = [number for number in self.counted if number > self.disk["settled"]]
        assert sorted(self.disk["seen"]) == sorted(unsettled)
        assert len(self.disk["gaps"]) <= len(unsettled)

    def teardown(self) -> None:
        """After the load every transaction ends, and every committed row has been counted."""
        if not hasattr(self, "disk"):
            return
        self.time_goes_by(SETTLE + 1)
        tracker = GapTracker.from_json(self.disk)
        for _ in range(3):
            visible = [number for number in self.committed if number > tracker.settled]
            self.counted.extend(tracker.take(visible, now=self.now, settle=SETTLE))
            self.now += SETTLE
        assert sorted(self.counted) == sorted(self.committed)
        assert (tracker.settled, tracker.seen, tracker.gaps) == (tracker.top, set(), [])


TestAShopUnderLoad = AShopUnderLoad.TestCase
TestAShopUnderLoad.settings = settings(max_examples=150, stateful_step_count=50)
