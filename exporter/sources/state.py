"""The exporter's durable memory: one SQLite file, written in one transaction per collector run."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from exporter.errors import SettingsError

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

_KEYS_A_STATEMENT: Final = 500
"""Keys read by one statement; SQLite allows 999 parameters before 3.32."""


class SQLiteState:
    """Implements :class:`exporter.core.ports.StateStore` on one file that one process owns.

    Committed means on disk: a counter that was published survives a crash of
    the process and of the machine. Raises :exc:`~exporter.errors.SettingsError`
    if the file cannot be used, at opening only.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        try:
            path.touch(mode=0o600)  # the shop's numbers are nobody else's business
        except OSError as error:
            raise SettingsError(f"state file {path}: {error.strerror}") from None
        try:
            self._connection = sqlite3.connect(
                path, check_same_thread=False, timeout=2.0, isolation_level=None
            )
        except sqlite3.Error as error:
            raise SettingsError(f"state file {path}: {error}") from None
        try:
            self._open()
        except (sqlite3.Error, SettingsError) as error:
            self._connection.close()
            raise SettingsError(f"state file {path}: {error}") from None

    def _open(self) -> None:
        run = self._connection.execute
        run("PRAGMA locking_mode = EXCLUSIVE")
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        version = run("PRAGMA user_version").fetchone()[0]
        if version not in (0, _VERSION):
            raise SettingsError(f"was written by another version (format {version})")
        run("BEGIN IMMEDIATE")
        run(_SCHEMA)
        run(f"PRAGMA user_version = {_VERSION}")
        run("COMMIT")

    def read(self, namespace: str, keys: Sequence[str]) -> dict[str, str]:
        """Return the values of those keys that exist."""
        found: dict[str, str] = {}
        with self._lock:
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
        with self._lock:
            return self._connection.execute(
                "SELECT key, value FROM memory WHERE namespace = ? AND key >= ? AND key < ? ORDER BY key",
                (namespace, first, last),
            ).fetchall()

    def commit(self, changes: Sequence[tuple[str, str, str | None]]) -> None:
        """Write the changes in one transaction; ``None`` deletes."""
        final = {(namespace, key): value for namespace, key, value in changes}
        gone = [place for place, value in final.items() if value is None]
        kept = [(*place, value) for place, value in final.items() if value is not None]
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany("DELETE FROM memory WHERE namespace = ? AND key = ?", gone)
                self._connection.executemany("INSERT OR REPLACE INTO memory VALUES (?, ?, ?)", kept)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # a full disk has made SQLite roll back already
                    self._connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
