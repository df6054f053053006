import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from exporter.core.memory import NEW_SERIES_SECONDS, Counters, Memory, Table, VolatileStore
from exporter.core.metrics import counter, summary
from exporter.core.ports import StateStore
from exporter.errors import SettingsError, SpecError
from exporter.sources.state import SQLiteState
from tests.harness.core import NOON

LATER = NOON + NEW_SERIES_SECONDS
ORDERS = counter("magento_orders_placed_total", "Orders.", "store")
DURATION = summary("magento_cron_job_duration_seconds", "Duration.", "job_code")


@pytest.fixture(params=["volatile", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StateStore]:
    if request.param == "volatile":
        yield VolatileStore()
        return
    with closing(SQLiteState(tmp_path / "state.db")) as opened:
        yield opened


def shown(counters: Counters) -> dict[tuple[str, ...], float]:
    return {(*s.labels, s.suffix) if s.suffix else s.labels: s.value for s in counters.samples()}


def test_nothing_is_stored_before_the_commit(store: StateStore) -> None:
    memory = Memory(store, "cron", NOON)
    memory.table("jobs").put("a", 1)
    assert memory.table("jobs").get("a") == 1
    assert Memory(store, "cron", NOON).table("jobs").get("a") is None
    memory.commit()
    assert Memory(store, "cron", NOON).table("jobs").get("a") == 1


def test_a_run_that_fails_leaves_no_trace(store: StateStore) -> None:
    first = Memory(store, "cron", NOON)
    first.counters(ORDERS).add(5, store="de")
    first.table("followed").put("tail", {"settled": 1})
    first.commit()
    failed = Memory(store, "cron", NOON)
    failed.counters(ORDERS).add(7, store="de")
    failed.table("followed").delete(["tail"])
    after = Memory(store, "cron", LATER)
    assert shown(after.counters(ORDERS)) == {("de",): 5.0}
    assert after.table("followed").get("tail") == {"settled": 1}


def test_collectors_and_tables_do_not_see_each_other(store: StateStore) -> None:
    for collector, table in (("cron", "a"), ("cron", "b"), ("orders", "a")):
        memory = Memory(store, collector, NOON)
        memory.table(table).put("k", f"{collector} {table}")
        memory.commit()
    assert Memory(store, "cron", NOON).table("a").scan() == {"k": "cron a"}
    assert Memory(store, "orders", NOON).table("a").scan() == {"k": "orders a"}


def at(store: StateStore, seconds: float, *, orders: float = 0, keep: bool = True) -> float:
    """Run so many seconds after noon, count some orders, and return what is shown."""
    memory = Memory(store, "orders", NOON + seconds)
    if orders:
        memory.counters(ORDERS).add(orders, store="de")
    value = shown(memory.counters(ORDERS))["de",]
    if keep:
        memory.commit()
    return value


def test_a_label_set_is_shown_as_0_for_a_minute_and_then_with_all_that_was_counted(store: StateStore) -> None:
    """Two Prometheus servers that scrape once a minute, seven seconds apart, have both seen the 0."""
    assert at(store, 0, orders=3) == 0
    assert at(store, 7) == 0
    assert at(store, 59.9, orders=2) == 0
    assert at(store, NEW_SERIES_SECONDS) == 5
    assert at(store, NEW_SERIES_SECONDS + 7, orders=1) == 6


def test_a_value_that_was_shown_is_never_hidden_again_although_the_clock_is_set_back(
    store: StateStore,
) -> None:
    at(store, 0, orders=3)
    assert at(store, NEW_SERIES_SECONDS) == 3
    assert at(store, 30) == 3
    assert at(store, 0, orders=1) == 4


def test_a_clock_that_is_set_back_below_the_birth_shows_the_value(store: StateStore) -> None:
    at(store, 0, orders=3)
    assert at(store, -3_600) == 3
    assert at(store, 10) == 3


def test_a_run_that_fails_shows_no_value_that_the_next_would_hide(store: StateStore) -> None:
    at(store, 0, orders=3)
    assert at(store, NEW_SERIES_SECONDS, keep=False) == 3
    assert at(store, NEW_SERIES_SECONDS + 15) == 3


def test_a_label_set_touched_a_minute_ago_shows_its_first_event_at_once(store: StateStore) -> None:
    first = Memory(store, "orders", NOON)
    first.counters(ORDERS).initialise(store="de")
    first.commit()
    assert at(store, NEW_SERIES_SECONDS, orders=1) == 1


def test_a_counter_cannot_fall_and_a_summary_may(store: StateStore) -> None:
    memory = Memory(store, "x", NOON)
    with pytest.raises(ValueError, match="fall"):
        memory.counters(ORDERS).add(-1, store="de")
    memory.counters(DURATION).add(-1, job_code="a")


def test_counters_check_labels(store: StateStore) -> None:
    with pytest.raises(SpecError):
        Memory(store, "x", NOON).counters(ORDERS).add(1, shop="de")


def test_a_summary_keeps_sum_and_count(store: StateStore) -> None:
    for amount in (1.5, 2.25):
        memory = Memory(store, "cron", NOON)
        memory.counters(DURATION).add(amount, job_code="a")
        memory.commit()
    assert shown(Memory(store, "cron", LATER).counters(DURATION)) == {
        ("a", "_sum"): 3.75,
        ("a", "_count"): 2.0,
    }


def test_a_metric_that_changes_its_labels_starts_anew(store: StateStore) -> None:
    old = Memory(store, "orders", NOON)
    old.counters(ORDERS).add(3, store="de")
    old.commit()
    renamed = counter(ORDERS.name, "Orders.", "store", "method")
    assert shown(Memory(store, "orders", NOON).counters(renamed)) == {}


@given(st.lists(st.decimals(min_value=0, max_value=10**9, places=4), max_size=30))
def test_money_adds_up_exactly(amounts: list[Decimal]) -> None:
    store = VolatileStore()
    for amount in amounts:
        memory = Memory(store, "orders", NOON)
        memory.counters(ORDERS).add(amount, store="de")
        memory.commit()
    if amounts:
        assert shown(Memory(store, "orders", LATER).counters(ORDERS)) == {("de",): float(sum(amounts))}


def test_a_run_sees_its_own_changes_over_what_is_stored(store: StateStore) -> None:
    first = Memory(store, "x", NOON)
    first.table("t").put_many({"a": 1, "b": 2, "c": 3})
    first.commit()
    table = Memory(store, "x", NOON).table("t")
    table.put("b", 20)
    table.delete(["c", "unknown"])
    table.put("d", [4])
    assert table.scan() == {"a": 1, "b": 20, "d": [4]}
    assert list(table.scan()) == ["a", "b", "d"]
    assert table.scan("b", "d") == {"b": 20}
    assert table.get_many(["a", "b", "c", "d", "e"]) == {"a": 1, "b": 20, "d": [4]}
    assert table.get("c", "gone") == "gone"


def test_what_is_there_already_is_not_written_again(store: StateStore) -> None:
    first = Memory(store, "x", NOON)
    first.table("t").put_many({"a": [1, 2], "b": None})
    first.commit()
    table = Memory(store, "x", NOON).table("t")
    table.put_many({"a": [1, 2], "b": None})
    table.delete(["unknown"])
    assert table.changes() == []
    table.put("a", [1, 3])
    table.delete(["b"])
    assert sorted(table.changes()) == [("x/t", "a", "[1,3]"), ("x/t", "b", None)]


keys = st.text(st.characters(exclude_categories=["Cs"]), max_size=3) | st.sampled_from(["a", "b", "ab", ""])
payloads = st.integers() | st.text(max_size=3) | st.none() | st.lists(st.floats(allow_nan=False), max_size=2)


class TheTwoStoresBehaveAlike(RuleBasedStateMachine):
    """The same runs on both stores, the file closed and opened again now and then."""

    @initialize()
    def open(self) -> None:
        self.directory = TemporaryDirectory()
        self.path = Path(self.directory.name) / "state.db"
        self.volatile = VolatileStore()
        self.sqlite = SQLiteState(self.path)
        self.begin()

    def begin(self) -> None:
        self.runs = [Memory(store, "c", NOON) for store in (self.volatile, self.sqlite)]

    def tables(self, name: str) -> list[Table]:
        return [memory.table(name) for memory in self.runs]

    @rule(name=st.sampled_from("tu"), key=keys, value=payloads)
    def put(self, name: str, key: str, value: object) -> None:
        for table in self.tables(name):
            table.put(key, value)

    @rule(name=st.sampled_from("tu"), gone=st.lists(keys, max_size=3))
    def delete(self, name: str, gone: list[str]) -> None:
        for table in self.tables(name):
            table.delete(gone)

    @rule(name=st.sampled_from("tu"), wanted=st.lists(keys, max_size=4))
    def read(self, name: str, wanted: list[str]) -> None:
        one, other = (table.get_many(wanted) for table in self.tables(name))
        assert one == other

    @rule(name=st.sampled_from("tu"), first=keys, last=keys)
    def scan(self, name: str, first: str, last: str) -> None:
        one, other = (list(table.scan(first, last).items()) for table in self.tables(name))
        assert one == other

    @rule()
    def commit(self) -> None:
        for memory in self.runs:
            memory.commit()
        self.begin()

    @rule()
    def fail(self) -> None:
        self.begin()

    @rule()
    def restart(self) -> None:
        self.sqlite.close()
        self.sqlite = SQLiteState(self.path)
        self.begin()

    @rule()
    def compare(self) -> None:
        for name in ("c/t", "c/u"):
            assert self.volatile.scan(name, "", "\U0010ffff") == self.sqlite.scan(name, "", "\U0010ffff")

    def teardown(self) -> None:
        self.sqlite.close()
        self.directory.cleanup()


TestTheTwoStoresBehaveAlike = TheTwoStoresBehaveAlike.TestCase
TestTheTwoStoresBehaveAlike.settings = settings(max_examples=40, stateful_step_count=30)


def test_more_keys_than_one_statement_takes(store: StateStore) -> None:
    store.commit([("n", f"{number:05}", json.dumps(number)) for number in range(1234)])
    found = store.read("n", [f"{number:05}" for number in range(2000)])
    assert len(found) == 1234


def test_the_last_of_several_changes_of_one_key_wins(store: StateStore) -> None:
    store.commit([("n", "a", "1"), ("n", "a", None), ("n", "b", "1"), ("n", "b", "2")])
    assert store.scan("n", "", "z") == [("b", "2")]


def test_a_commit_that_fails_changes_nothing_and_the_next_one_works(tmp_path: Path) -> None:
    with closing(SQLiteState(tmp_path / "state.db")) as store:
        with pytest.raises(UnicodeEncodeError):
            store.commit([("n", "good", "1"), ("n", "\ud800", "1")])
        assert store.scan("n", "", "z") == []
        store.commit([("n", "good", "2")])
        assert store.scan("n", "", "z") == [("good", "2")]


def test_what_was_committed_is_there_after_a_crash(tmp_path: Path) -> None:
    store = SQLiteState(tmp_path / "state.db")
    store.commit([("n", "a", "1")])
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in tmp_path.glob("state.db*"):  # what a crash leaves: no checkpoint, no goodbye
        (copy / file.name).write_bytes(file.read_bytes())
    store.close()
    with closing(SQLiteState(copy / "state.db")) as reopened:
        assert reopened.scan("n", "", "z") == [("a", "1")]


def test_a_second_process_on_the_same_file_is_refused_in_one_line(tmp_path: Path) -> None:
    with (
        closing(SQLiteState(tmp_path / "state.db")),
        pytest.raises(SettingsError, match="in use by another process"),
    ):
        SQLiteState(tmp_path / "state.db")


@pytest.mark.parametrize("trouble", ["no directory", "a directory", "garbage", "newer"])
def test_a_file_that_cannot_be_used_is_refused_in_one_line(tmp_path: Path, trouble: str) -> None:
    path = tmp_path / "state.db"
    if trouble == "no directory":
        path = tmp_path / "missing" / "state.db"
    elif trouble == "a directory":
        path.mkdir()
    elif trouble == "garbage":
        path.write_bytes(b"this is no database " * 100)
    else:
        with closing(sqlite3.connect(path)) as other:
            other.execute("PRAGMA user_version = 99")
    with pytest.raises(SettingsError) as refused:
        SQLiteState(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_state_file_is_for_its_owner_only(tmp_path: Path) -> None:
    with closing(SQLiteState(tmp_path / "state")) as store:
        store.commit([("a", "b", "c")])
        for file in tmp_path.iterdir():
            assert file.stat().st_mode & 0o077 == 0, file
