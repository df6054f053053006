"""Clients of the database that hold what others need: connections, or a row."""

import threading
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any, Final

import pymysql

from sandbox.servers.mariadb import MariaDB

TRIES_A_SECOND: Final = 5
WAITERS: Final = 14
REPORTERS: Final = 40
ROW: Final = "UPDATE sandbox_locks SET touched = touched + 1 WHERE id = 1"


class Clients:
    """Threads that each run `work` again and again, with a connection of the shop's user if there is one."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._ending = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin."""
        self._ending.clear()

    def stop(self) -> None:
        """End, and wait until every connection is closed."""
        self._ending.set()
        for thread in self._threads:
            thread.join(timeout=60)
        self._threads.clear()

    def _run(self, work: Callable[[], None]) -> None:
        self._threads.append(threading.Thread(target=work, daemon=True))
        self._threads[-1].start()


class Crowd(Clients):
    """Takes every free connection and asks for more, as PHP's workers do."""

    def start(self) -> None:
        """Begin to take them."""
        super().start()
        self._run(self._take_all)

    def _take_all(self) -> None:
        held = []
        while not self._ending.is_set():
            try:
                held.append(self._connect())
            except pymysql.MySQLError:
                self._ending.wait(1 / TRIES_A_SECOND)
        for connection in held:
            with suppress(pymysql.MySQLError):
                connection.close()


class Reporters(Clients):
    """Run so many long statements at once that everybody waits for a processor or the disk."""

    def start(self) -> None:
        """Begin to run them."""
        super().start()
        for _ in range(REPORTERS):
            self._run(self._report)

    def _report(self) -> None:
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            while not self._ending.is_set():
                with suppress(pymysql.MySQLError):
                    cursor.execute("DO SLEEP(1)")


class Hoarder(Clients):
    """Holds the lock of a row in an open transaction, for which some others wait."""

    def start(self) -> None:
        """Take the lock, then let the others come."""
        super().start()
        taken = threading.Event()
        self._run(lambda: self._hold(taken))
        taken.wait(10)
        for _ in range(WAITERS):
            self._run(self._wait)

    def _hold(self, taken: threading.Event) -> None:
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS sandbox_locks (id INT PRIMARY KEY, touched INT)")
            cursor.execute("INSERT IGNORE INTO sandbox_locks VALUES (1, 0)")
            connection.commit()
            cursor.execute(ROW)
            taken.set()
            self._ending.wait()
            with suppress(pymysql.MySQLError):  # somebody may have ended it, as the runbook says
                connection.rollback()

    def _wait(self) -> None:
        while not self._ending.is_set():
            try:
                with closing(self._connect()) as connection, connection.cursor() as cursor:
                    cursor.execute(ROW)
                    connection.commit()
            except pymysql.MySQLError:  # the wait ended without the lock
                continue
            self._ending.wait(0.05)


def as_the_shop(mariadb: MariaDB, *, user: str, password: str, database: str) -> Callable[[], Any]:
    """Return how the shop itself connects: without an administrator's spare connection."""
    return lambda: pymysql.connect(
        unix_socket=str(mariadb.socket),
        user=user,
        password=password,
        database=database,
        connect_timeout=5,
        ssl_disabled=True,
    )
