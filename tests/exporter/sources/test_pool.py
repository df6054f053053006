"""Connections that are lent to threads: who gets one, who waits, and for how long nobody tries."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pymysql
import pytest

from exporter.errors import LoginRefused, SourceLimited, SourceUnavailable
from exporter.sources.pool import Pool
from tests.harness.limits import LONG


class Connection:
    def __init__(self) -> None:
        self.closed = False

    def _force_close(self) -> None:
        self.closed = True


class Server:
    """Lets in as many as `limit` says, or fails with `code`."""

    def __init__(self, limit: int = 100) -> None:
        self.limit = limit
        self.code = 0
        self.opened: list[Connection] = []
        self.asked = 0
        self._lock = threading.Lock()

    def connect(self) -> Any:
        with self._lock:
            self.asked += 1
            if self.code:
                raise pymysql.err.OperationalError(self.code, "planted text")
            if sum(not one.closed for one in self.opened) >= self.limit:
                raise pymysql.err.OperationalError(1226, "planted text")
            self.opened.append(Connection())
            return self.opened[-1]


def pool(server: Server, *, pause: float = 3_600.0, longest_wait: float = LONG) -> Pool:
    return Pool(server.connect, pause=pause, longest_wait=longest_wait)


def test_a_connection_that_was_given_back_is_lent_again() -> None:
    server = Server()
    made = pool(server)
    first, new = made.take()
    assert new
    made.give_back(first)
    assert made.take() == (first, False)
    assert made.take() == (server.opened[1], True)


def test_who_is_refused_waits_for_the_connection_of_another() -> None:
    server = Server(limit=1)
    made = pool(server)
    busy, rest = threading.Semaphore(0), threading.Semaphore(0)

    def work(_: int) -> Any:
        connection, _new = made.take()
        busy.release()
        assert rest.acquire(timeout=LONG)
        made.give_back(connection)
        return connection

    with ThreadPoolExecutor(4) as threads:
        done = threads.map(work, range(4))
        for _ in range(4):
            assert busy.acquire(timeout=LONG), "one after the other"
            rest.release()
        assert len(set(done)) == 1
    assert server.asked == 2, "the pause holds for everybody, and only for connecting"


def test_who_is_refused_waits_for_another_who_is_about_to_be_let_in() -> None:
    """The server counts a connection before its thread has it."""
    server = Server(limit=1)
    made = pool(server)
    inside, refused = threading.Event(), threading.Event()
    connect = server.connect

    def slow() -> Any:
        try:
            connection = connect()
        except pymysql.err.Error:
            refused.set()
            raise
        inside.set()
        assert refused.wait(LONG)
        return connection

    made._connect = slow
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(made.take)
        assert inside.wait(LONG)
        second = threads.submit(made.take)
        made.give_back(first.result(LONG)[0])
        assert second.result(LONG)[0] is first.result(LONG)[0]


def test_a_failure_keeps_nothing_of_the_attempt_alive() -> None:
    """Else the socket of a refused connection stays open as long as the source lives."""

    class Socket:
        pass

    alive: list[weakref.ref[Socket]] = []

    def connect() -> Any:
        socket = Socket()
        alive.append(weakref.ref(socket))
        raise pymysql.err.OperationalError(2003, "planted text")

    made = Pool(connect, pause=3_600.0, longest_wait=LONG)
    with pytest.raises(SourceUnavailable):
        made.take()
    gc.collect()
    assert alive[0]() is None


def test_nobody_waits_where_nobody_has_a_connection() -> None:
    server = Server(limit=0)
    made = pool(server)
    for text in ("1226", "a moment ago"):
        with pytest.raises(SourceLimited, match=text) as refused:
            made.take()
        assert refused.value.common
    assert server.asked == 1


def test_a_wait_ends() -> None:
    server = Server(limit=1)
    made = pool(server, longest_wait=0.1)
    made.take()
    with pytest.raises(SourceLimited):
        made.take()


@pytest.mark.parametrize(("code", "kind"), [(2003, SourceUnavailable), (1045, LoginRefused)])
def test_an_open_connection_is_used_while_no_other_can_be_had(code: int, kind: type[Exception]) -> None:
    server = Server()
    made = pool(server)
    first, _ = made.take()
    server.code = code
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(made.take)
        made.give_back(first)
        assert waiting.result(LONG) == (first, False)
    made.drop(first)
    with pytest.raises(kind, match="a moment ago"):
        made.take()


def test_a_dropped_connection_is_closed_and_not_lent_again() -> None:
    server = Server()
    made = pool(server)
    connection: Any = made.take()[0]
    made.drop(connection)
    made.give_back(connection)
    assert connection.closed
    assert made.take() == (server.opened[1], True)


@pytest.mark.parametrize("end", [Pool.drop_idle, Pool.close])
def test_what_lies_idle_is_closed(end: Callable[[Pool], None]) -> None:
    server = Server()
    made = pool(server)
    lent, idle = made.take()[0], made.take()[0]
    made.give_back(idle)
    end(made)
    assert [one.closed for one in server.opened] == [end is Pool.close, True]
    made.give_back(lent)
    assert made.take()[1] is (end is Pool.close)


def test_after_the_pause_it_is_tried_again() -> None:
    server = Server()
    server.code = 2003
    made = pool(server, pause=0.0)
    with pytest.raises(SourceUnavailable):
        made.take()
    server.code = 0
    assert made.take()[1]
