"""The connections to one database server, each lent to one thread at a time.

A thread that gets no connection of its own waits for another's. So an account that
takes no more connections slows the exporter down and does not stop it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, TypeAlias

import pymysql
from pymysql.cursors import DictCursor

from exporter.errors import SourceError
from exporter.sources.database_errors import driver, translated

PooledConnection: TypeAlias = "pymysql.Connection[DictCursor]"

_GRAIN: Final = 0.05
"""Seconds after which a waiting thread looks again whether it may connect."""


class Pool:
    """Opens connections on demand. A failed attempt puts off the next one, not the use of open ones."""

    def __init__(self, connect: Callable[[], PooledConnection], *, pause: float, longest_wait: float) -> None:
        """``pause``: seconds until connecting is tried again; ``longest_wait``: longest wait of a thread."""
        self._connect = connect
        self._pause_seconds = pause
        self._longest_wait = longest_wait
        self._changed = threading.Condition()
        self._idle: list[PooledConnection] = []
        self._lent: set[PooledConnection] = set()
        self._opening = 0
        self._until = 0.0
        # Not the error itself: it would keep the frames of the attempt alive, and their socket.
        self._why: tuple[type[SourceError], str] = (SourceError, "")

    def take(self) -> tuple[PooledConnection, bool]:
        """Return a connection and whether it is new. Raises :exc:`~exporter.errors.SourceError`."""
        deadline = time.monotonic() + self._longest_wait
        while True:
            with self._changed:
                while not self._idle and self._paused():
                    if not self._others() or time.monotonic() >= deadline:
                        raise self._as_before()
                    self._changed.wait(_GRAIN)
                if self._idle:
                    connection = self._idle.pop()
                    self._lent.add(connection)
                    return connection, False
                self._opening += 1
            try:
                return self._open(), True
            except pymysql.err.Error as error:
                failure = self.pause(translated(error))
                failure.common = True  # whatever it is, no thread gets a connection
                with self._changed:
                    if not (self._idle or self._others()) or time.monotonic() >= deadline:
                        raise failure from None

    def _open(self) -> PooledConnection:
        connection = None
        try:
            with driver():
                connection = self._connect()
        finally:
            with self._changed:
                self._opening -= 1
                if connection is not None:
                    self._lent.add(connection)
                self._changed.notify_all()
        return connection

    def _others(self) -> bool:
        """Return whether another thread has a connection, or is about to get one."""
        return bool(self._lent) or self._opening > 0

    def give_back(self, connection: PooledConnection) -> None:
        """Let others use the connection, unless it was dropped."""
        with self._changed:
            if connection in self._lent:
                self._lent.remove(connection)
                self._idle.append(connection)
                self._changed.notify()

    def drop(self, connection: PooledConnection) -> None:
        """Close a connection that is of no use any more."""
        with self._changed:
            self._lent.discard(connection)
            self._changed.notify_all()
        close(connection)

    def drop_idle(self) -> None:
        """Close what nobody uses: where one connection was lost, the others were too, as a rule."""
        with self._changed:
            idle, self._idle = self._idle, []
        for connection in idle:
            close(connection)

    def pause(self, failure: SourceError) -> SourceError:
        """Open no connection for a while: the server is gone, full, or does not let us in."""
        failure.common = True  # a server that hangs in one statement gets no other one meanwhile
        with self._changed:
            self._until = time.monotonic() + self._pause_seconds
            self._why = (type(failure), str(failure))
        return failure

    def close(self) -> None:
        """Close every connection, also those that are lent."""
        with self._changed:
            connections = [*self._idle, *self._lent]
            self._idle, self._lent = [], set()
            self._changed.notify_all()
        for connection in connections:
            close(connection)

    def _paused(self) -> bool:
        return time.monotonic() < self._until

    def _as_before(self) -> SourceError:
        kind, text = self._why
        failure = kind(f"{text} a moment ago")
        failure.common = True
        return failure


def close(connection: PooledConnection) -> None:
    """Close without a goodbye: the peer may be gone, and a worker must not wait for it."""
    connection._force_close()  # type: ignore[attr-defined]  # noqa: SLF001 - close() may block
