"""The listening socket, and a limit for connections that send nothing or too little.

uvicorn waits without end for the head of a request. Each connection gets a time
here in which the next head must be complete. When there are too many connections,
the one that has waited longest makes room.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import resource
import socket
from dataclasses import dataclass
from typing import Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.errors import UsageError

log: Final = logging.getLogger("exporter.web")

HEAD_SECONDS: Final = 10.0
"""Time for a TLS handshake and the first request's head."""

IDLE_SECONDS: Final = 75.0
"""How long a connection is kept for a next request; Prometheus scrapes once a minute or more often."""

MOST_CONNECTIONS: Final = 512
_FULL: Final = (errno.EMFILE, errno.ENFILE)


@dataclass(slots=True)
class _Connection:
    """One accepted connection. ``waiting`` means that the head of a request is awaited."""

    socket: socket.socket
    timer: asyncio.TimerHandle
    waiting: bool = True
    served: bool = False

    def end(self) -> None:
        """Close both directions: asyncio then sees the end and frees the descriptor."""
        self.timer.cancel()
        self.waiting = False
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it has gone already


class Listener(socket.socket):
    """Accepts at most so many connections at once that descriptors are left for everything else."""

    def __init__(self, family: int, *, request_seconds: float) -> None:
        super().__init__(family, socket.SOCK_STREAM)
        self._request_seconds = request_seconds
        self._most = min(MOST_CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
        self._connections: dict[tuple[str, int], _Connection] = {}
        self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection, unless there are too many; asyncio calls this until it raises."""
        self._forget_closed()
        if len(self._connections) >= self._most:
            if self._make_room():
                raise BlockingIOError  # asyncio comes again once it has closed that one
            self._refuse()
        try:
            connection, address = super().accept()
        except OSError as error:
            if error.errno in _FULL:
                self._refuse()
            raise
        timer = asyncio.get_running_loop().call_later(HEAD_SECONDS, self._expire, address[:2])
        self._connections[address[:2]] = _Connection(connection, timer)
        return connection, address

    def begin_request(self, client: tuple[str, int] | None) -> None:
        """Note that the head of a request is complete."""
        self._expect(client, self._request_seconds, waiting=False)

    def end_request(self, client: tuple[str, int] | None) -> None:
        """Note that a request has been answered."""
        self._expect(client, IDLE_SECONDS + HEAD_SECONDS, waiting=True)

    def _expect(self, client: tuple[str, int] | None, seconds: float, *, waiting: bool) -> None:
        connection = self._connections.get(client) if client else None
        if client and connection:
            connection.timer.cancel()
            connection.timer = asyncio.get_running_loop().call_later(seconds, self._expire, client)
            connection.waiting, connection.served = waiting, True

    def _expire(self, client: tuple[str, int]) -> None:
        connection = self._connections.get(client)
        if connection is not None:
            log.debug("closed a connection that took too long")
            connection.end()

    def _forget_closed(self) -> None:
        for client in [c for c, connection in self._connections.items() if connection.socket.fileno() < 0]:
            self._connections.pop(client).timer.cancel()

    def _make_room(self) -> bool:
        """End the connection that has waited longest, first among those that never sent a request."""
        waiting = [connection for connection in self._connections.values() if connection.waiting]
        if not waiting:
            return False
        log.warning("too many connections (%d): closing the one that has waited longest", self._most)
        min(waiting, key=lambda connection: (connection.served, connection.timer.when())).end()
        return True

    def _refuse(self) -> None:
        """Take the next connection only to close it: asyncio would otherwise be called for it without end."""
        log.warning("too many connections: refusing one")
        os.close(self._spare)
        try:
            super().accept()[0].close()
        finally:
            self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        raise ConnectionAbortedError

    def close(self) -> None:
        """Close the socket and the spare descriptor."""
        if self.fileno() >= 0:
            os.close(self._spare)
        super().close()


class Tracked:
    """ASGI application that tells the listener when requests begin and end."""

    def __init__(self, app: ASGIApp, listener: Listener) -> None:
        self._app = app
        self._listener = listener

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        client = scope.get("client")
        self._listener.begin_request(client)
        try:
            await self._app(scope, receive, send)
        finally:
            self._listener.end_request(client)


def listen(host: str, port: int, *, request_seconds: float) -> Listener:
    """Return the listening socket; raises :exc:`UsageError` if the address cannot be used."""
    listener = Listener(socket.AF_INET6 if ":" in host else socket.AF_INET, request_seconds=request_seconds)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if ":" in host:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"cannot listen on {host}:{port}: {reason}") from None
    return listener
