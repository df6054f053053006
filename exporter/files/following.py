"""Following files: what they say is read again when one of them has changed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

from exporter.errors import UsageError
from exporter.files.reading import LARGEST, read_bytes

log: Final = logging.getLogger("exporter.files")

Value = TypeVar("Value")
Stamp = tuple[int, ...]

_TICK_NS: Final = 100_000_000
"""Changes closer together than this may get the same time from the file system's clock."""


class Reader:
    """Reads files and remembers how each was at that time."""

    def __init__(self) -> None:
        self._stamps: dict[Path, Stamp | None] = {}

    def bytes(self, path: Path, *, limit: int = LARGEST) -> bytes:
        """Return the file's content; raises :exc:`OSError`."""
        # None until the reading has succeeded: what could not be read is tried again every time.
        self._stamps[path] = None
        before = _stamp(path)
        content = read_bytes(path, limit=limit)
        if before is not None and not 0 <= time.time_ns() - before[0] <= _TICK_NS:
            self._stamps[path] = before
        return content

    def changed(self) -> bool:
        """Return whether a file that was read is another one now, or has to be read again in any case."""
        return any(stamp is None or _stamp(path) != stamp for path, stamp in self._stamps.items())


class Followed(Generic[Value]):
    """What some files say. While they cannot be used, their last good reading stays in force."""

    def __init__(self, name: str, read: Callable[[Reader, Value | None], Value]) -> None:
        """Read for the first time: an error is raised.

        ``read`` reads every file with the reader that it is given, and gets the reading in force.
        It raises :exc:`~exporter.errors.UsageError` where a file cannot be used.
        """
        self._name = name
        self._read = read
        self._complaint = ""
        reader = Reader()
        # One assignment for both: several threads may follow at once.
        self._state = (read(reader, None), reader)

    def current(self) -> Value:
        """Return what the files say now."""
        value, reader = self._state
        if not reader.changed():
            return value
        again = Reader()
        try:
            value = self._read(again, value)
        except UsageError as error:
            self._complain(str(error))
        else:
            self._complain("")
        self._state = (value, again)
        return value

    def _complain(self, text: str) -> None:
        """Log a complaint once, and its end."""
        if text and text != self._complaint:
            log.warning("%s not taken over: %s", self._name, text)
        elif self._complaint and not text:
            log.info("%s read again", self._name)
        self._complaint = text


def _stamp(path: Path) -> Stamp | None:
    """Return what changes when the file does. The change time also moves with owner and permissions."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ctime_ns, status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev
