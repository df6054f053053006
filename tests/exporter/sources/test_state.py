"""A state file that cannot be used: one line at the start, a reason of its own later, a finding."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from exporter.cli import main
from exporter.core.collector import Collector, Context
from exporter.core.memory import Memory
from exporter.core.metrics import Sample
from exporter.core.runner import Runner
from exporter.doctor.examination import Status
from exporter.doctor.operation import _state_file
from exporter.errors import StateUnavailable
from exporter.sources.state import SQLiteState

BIG = "x" * 100_000


def sound(path: Path) -> None:
    with closing(SQLiteState(path)) as state:
        state.commit([("a", f"key {number}", BIG) for number in range(5)])


def no_database(path: Path) -> None:
    path.write_bytes(b"this is no database, but long enough to be looked at" * 100)


def damaged(path: Path) -> None:
    sound(path)
    content = bytearray(path.read_bytes())
    content[4096 : 2 * 4096] = b"\xff" * 4096
    path.write_bytes(content)


def newer(path: Path) -> None:
    sound(path)
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 99")


def within_a_file(path: Path) -> None:
    path.parent.rmdir()
    path.parent.write_text("a file where the directory should be")


BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "a directory": (Path.mkdir, "not a regular file"),
    "a pipe": (os.mkfifo, "not a regular file"),
    "no database": (no_database, "damaged; restore it, or move it away"),
    "damaged": (damaged, "damaged; restore it, or move it away"),
    "newer": (newer, "was written by another version (format 99)"),
    "within a file": (within_a_file, ""),
    "no directory": (lambda path: path.parent.rmdir(), ""),
}
each = pytest.mark.parametrize("case", BROKEN)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home" / "state.db"


@each
def test_one_line_and_exit_code_2_before_anything_is_served(
    case: str, path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    spoil, text = BROKEN[case]
    spoil(path)
    assert main(["serve", "--state-file", str(path), "--listen", "127.0.0.1:0"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"magento-exporter: state file {path}: ")
    assert text in said
    assert said.count("\n") == 1
    assert "serving" not in said + caplog.text


@each
def test_the_doctor_looks_at_it_and_changes_nothing(case: str, path: Path) -> None:
    spoil, text = BROKEN[case]
    spoil(path)
    before = sorted(path.parent.iterdir()) if path.parent.is_dir() else []
    finding = _state_file(path)
    assert finding.status is Status.ERROR
    assert text in finding.seen
    assert (sorted(path.parent.iterdir()) if path.parent.is_dir() else []) == before


def test_the_doctor_accepts_a_sound_one_an_absent_one_and_one_in_use(path: Path) -> None:
    assert _state_file(path).status is Status.OK
    assert not path.exists()
    sound(path)
    assert _state_file(path).status is Status.OK
    with closing(SQLiteState(path)) as state:
        state.commit([("a", "b", "c")])
        assert _state_file(path).status is Status.OK
        state.commit([("a", "b", "d")])
    assert _state_file(None).status is Status.NOTE


@pytest.fixture
def full(path: Path) -> Iterator[SQLiteState]:
    """A file that may not grow any more, as on a full disk."""
    with closing(SQLiteState(path)) as state:
        pages = state._connection.execute("PRAGMA page_count").fetchone()[0]
        state._connection.execute(f"PRAGMA max_page_count = {pages}")
        yield state


def test_a_full_disk_is_a_state_that_cannot_be_written_and_heals(full: SQLiteState) -> None:
    for _ in range(3):
        with pytest.raises(StateUnavailable, match="full"):
            full.commit([("a", "b", BIG)])
    full._connection.execute("PRAGMA max_page_count = 1000")
    full.commit([("a", "b", BIG)])
    assert full.read("a", ["b"]) == {"b": BIG}


def test_a_file_that_is_damaged_under_way_says_so(path: Path) -> None:
    with closing(SQLiteState(path)) as state:
        state._connection.execute("PRAGMA cache_size = 0")
        state.commit([("a", f"key {number}", BIG) for number in range(20)])
        state._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * 4096 * 30)
        for use in (lambda: state.read("a", ["key 1"]), lambda: state.scan("a", "", "z")):
            with pytest.raises(StateUnavailable, match="damaged; restore it"):
                use()


class Growing(Collector):
    name, help, source, metrics = "growing", "Remembers much.", "database", ()

    def collect(self, context: Context) -> Iterable[Sample]:
        context.memory.table("notes").put("b", BIG)
        return ()


async def test_a_collector_fails_with_the_reason_state(full: SQLiteState) -> None:
    def context(memory: Memory, now: float) -> Context:
        return Context(*[None] * 10, memory=memory, now=now)  # type: ignore[arg-type]

    with ThreadPoolExecutor(1) as pool:
        runner = Runner([Growing()], context=context, store=full, executors={"database": pool})
        (state,) = await runner.scrape(deadline=60)
    assert state.reason == "state"
    assert runner.source_up() == {"database": True}
