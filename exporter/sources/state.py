"""The exporter's durable memory: one SQLite file, written in one transaction per collector run."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from exporter.errors import SettingsError, StateUnavailable

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS memory (
    namespace TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (namespace, key)
) WITHOUT ROWID
"""
_VERSION: Final = 1
"""Format of the file, kept in SQLite's user_version."""

_DAMAGED: Final = "damaged; restore it, or move it away: counters then start at 0"

_KEYS_A_STATEMENT: Final = 500
"""Keys read by one statement; SQLite allows 999 parameters before 3.32."""


class SQLiteState:
    """Implements :class:`exporter.core.ports.StateStore` on one file that one process owns.

    Committed means on disk: a counter that was published survives a crash of
    the process and of the machine. A file that cannot be used raises
    :exc:`~exporter.errors.SettingsError` at opening, and
    :exc:`~exporter.errors.StateUnavailable` later.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            path.touch(mode=0o600)  # the shop's numbers are nobody else's business
            if not path.is_file():
                raise SettingsError(f"state file {path}: not a regular file")
        except OSError as error:
            raise SettingsError(f"state file {path}: {error.strerror}") from None
        try:
            self._connection = sqlite3.connect(
                path, check_same_thread=False, timeout=2.0, isolation_level=None
            )
        except sqlite3.Error as error:
            raise SettingsError(f"state file {path}: {in_words(error)}") from None
        try:
            self._open()
        except (sqlite3.Error, SettingsError) as error:
            self._connection.close()
            raise SettingsError(f"state file {path}: {in_words(error)}") from None

    def _open(self) -> None:
        run = self._connection.execute
        run("PRAGMA locking_mode = EXCLUSIVE")
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        version = run("PRAGMA user_version").fetchone()[0]
        if version not in (0, _VERSION):
            raise SettingsError(f"was written by another version (format {version})")
        if run("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise SettingsError(_DAMAGED)
        run("BEGIN IMMEDIATE")
        run(_SCHEMA)
        run(f"PRAGMA user_version = {_VERSION}")
        run("COMMIT")

    def read(self, namespace: str, keys: Sequence[str]) -> dict[str, str]:
        """Return the values of those keys that exist."""
        found: dict[str, str] = {}
        with self._lock, self._usable():
            for start in range(0, len(keys), _KEYS_A_STATEMENT):
                some = keys[start : start + _KEYS_A_STATEMENT]
                marks = ",".join("?" * len(some))
                found.update(
                    self._connection.execute(
                        f"SELECT key, value FROM memory WHERE namespace = ? AND key IN ({marks})",
                        (namespace, *some),
                    )
                )
        return found

    def scan(self, namespace: str, first: str, last: str) -> list[tuple[str, str]]:
        """Return all pairs with ``first <= key < last`` in key order."""
        with self._lock, self._usable():
            return self._connection.execute(
                "SELECT key, value FROM memory WHERE namespace = ? AND key >= ? AND key < ? ORDER BY key",
                (namespace, first, last),
            ).fetchall()

    def commit(self, changes: Sequence[tuple[str, str, str | None]]) -> None:
        """Write the changes in one transaction; ``None`` deletes."""
        final = {(namespace, key): value for namespace, key, value in changes}
        gone = [place for place, value in final.items() if value is None]
        kept = [(*place, value) for place, value in final.items() if value is not None]
        with self._lock, self._usable():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany("DELETE FROM memory WHERE namespace = ? AND key = ?", gone)
                self._connection.executemany("INSERT OR REPLACE INTO memory VALUES (?, ?, ?)", kept)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # a full disk has made SQLite roll back already
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StateUnavailable(f"state file {self._path}: {in_words(error)}") from None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()


def in_words(error: Exception) -> str:
    """Return what is wrong with the file, and what helps. SQLite's texts name no data."""
    text = str(error)
    if "locked" in text:
        return "in use by another process"
    if "malformed" in text or "not a database" in text:
        return _DAMAGED
    return text


def problem_of(path: Path) -> str:
    """Return what would keep the exporter from using this file, empty if nothing. Changes nothing.

    A file with a journal beside it is in use, or is recovered at the next start; it is not opened.
    """
    for file in (path.parent, path, *_neighbours(path)):
        if file.exists() and not os.access(file, os.R_OK | os.W_OK):
            return f"{file}: may not be read and written"
    if not path.parent.is_dir():
        return f"{path.parent}: no such directory"
    if not path.exists():
        return ""
    if not path.is_file():
        return "not a regular file"
    return "" if any(file.exists() for file in _neighbours(path)) else _damage(path)


def _neighbours(path: Path) -> list[Path]:
    """Return the files that SQLite puts beside it."""
    return [path.with_name(f"{path.name}{suffix}") for suffix in ("-wal", "-shm", "-journal")]


def _damage(path: Path) -> str:
    try:
        # Immutable: SQLite neither locks the file nor puts another one beside it.
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as opened:
            version = opened.execute("PRAGMA user_version").fetchone()[0]
            sound = opened.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
    except sqlite3.Error as error:
        return in_words(error)
    if version not in (0, _VERSION):
        return f"was written by another version (format {version})"
    return "" if sound else _DAMAGED
