"""A TCP proxy that can do to a connection what networks and servers do to it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from enum import Enum, auto
from typing import Any, Final, TypeVar

from sandbox.process import free_port

T = TypeVar("T")

TRICKLE_SECONDS: Final = 0.25
RESET_AFTER: Final = 30
"""Bytes of an answer that still arrive: more than a greeting's header, less than any answer."""

GREETING: Final = b"220 mail.example.com ESMTP\r\n"
"""What a server of another kind says first."""

FILLERS: Final = 3
TURNS_UNTIL_SERVED: Final = 4
"""Turns of the loop from the accept of a connection to :meth:`FaultProxy._serve`."""

_NOW: Final = struct.pack("ii", 1, 0)


class Mode(Enum):
    """What happens to connections."""

    PASS = auto()
    REFUSE = auto()
    BLACK_HOLE = auto()
    TRICKLE = auto()
    RESET = auto()
    FOREIGN = auto()


class Proxies:
    """All proxies of a test, in one thread with an event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxies", daemon=True)
        self._thread.start()
        self._all: list[FaultProxy] = []

    def before(
        self, port: int, *, host: str = "127.0.0.1", at: int | None = None, tls: ssl.SSLContext | None = None
    ) -> FaultProxy:
        """Return a proxy before the server on a port of 127.0.0.1."""
        proxy = FaultProxy(self.run, port, host=host, at=at or free_port(), tls=tls)
        self._all.append(proxy)
        proxy.set(Mode.PASS)
        return proxy

    def run(self, work: Awaitable[T]) -> T:
        """Run something in the loop and wait for it."""

        async def awaited() -> T:
            return await work

        future: Future[T] = asyncio.run_coroutine_threadsafe(awaited(), self._loop)
        return future.result()

    def close(self) -> None:
        """End every connection, every listener and the thread."""
        for proxy in self._all:
            proxy.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class FaultProxy:
    """One listener before one server. It begins in no mode; see :meth:`set`."""

    def __init__(
        self,
        run: Callable[[Awaitable[Any]], Any],
        target: int,
        *,
        host: str,
        at: int,
        tls: ssl.SSLContext | None,
    ) -> None:
        self.target = target
        self.host = host
        self.port = at
        self.tls = tls
        self.mode = Mode.REFUSE
        self._run = run
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._hole: list[socket.socket] = []

    def set(self, mode: Mode) -> None:
        """Change what happens; to connections that there are as well."""
        self._run(self._set(mode))

    def cut(self) -> None:
        """Reset every connection; new ones are served as the mode says."""
        self._run(self._cut())

    def close(self) -> None:
        """Be gone."""
        self.set(Mode.REFUSE)

    async def _set(self, mode: Mode) -> None:
        self.mode = mode
        await self._stop_listening()
        if mode is not Mode.BLACK_HOLE:  # there, connections stay open and nothing arrives any more
            await self._cut()
        if mode is Mode.BLACK_HOLE:
            self._fill_the_queue()
        elif mode is not Mode.REFUSE:
            self._server = await asyncio.start_server(self._serve, self.host, self.port, ssl=self.tls)

    async def _stop_listening(self) -> None:
        if self._server is not None:
            # asyncio leaves a connection open that arrives between the last accept and close().
            for listening in self._server.sockets:
                asyncio.get_running_loop().remove_reader(listening)
            for _ in range(TURNS_UNTIL_SERVED):
                await asyncio.sleep(0)
            self._server.close()
            self._server = None
        for filler in self._hole:
            filler.close()
        self._hole = []

    def _fill_the_queue(self) -> None:
        """Listen without accepting: once the queue is full the kernel drops what arrives."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self.host, self.port))
        listener.listen(0)
        self._hole = [listener]
        for _ in range(FILLERS):
            filler = socket.socket()
            filler.setblocking(False)
            with suppress(BlockingIOError):
                filler.connect((self.host, self.port))
            self._hole.append(filler)

    async def _cut(self) -> None:
        for writer in list(self._writers):
            _reset(writer)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with self._known(writer), suppress(OSError, asyncio.CancelledError):
                await self._served(reader, writer)
        finally:
            self._tasks.discard(task)

    async def _served(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mode is Mode.FOREIGN:
            writer.write(GREETING)
            await writer.drain()
            while await reader.read(1 << 16):
                writer.write(b"500 unrecognized command\r\n")
            return
        back, there = await _connected(self.target)
        with self._known(there):
            pumps = [
                asyncio.ensure_future(self._pump(reader, there, answers=False)),
                asyncio.ensure_future(self._pump(back, writer, answers=True)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)

    @contextmanager
    def _known(self, writer: asyncio.StreamWriter) -> Iterator[None]:
        self._writers.add(writer)
        try:
            yield
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answers: bool) -> None:
        while content := await source.read(1 << 16):
            if self.mode is Mode.BLACK_HOLE:
                await asyncio.Event().wait()  # until the connection is cut
            elif answers and self.mode is Mode.RESET:
                sink.write(content[:RESET_AFTER])
                await sink.drain()
                _reset(sink)
                return
            elif answers and self.mode is Mode.TRICKLE:
                for place in range(len(content)):
                    sink.write(content[place : place + 1])
                    await sink.drain()
                    await asyncio.sleep(TRICKLE_SECONDS)
            else:
                sink.write(content)
                await sink.drain()


async def _connected(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to the server. asyncio loses a connection that is made while its task is cancelled."""
    connecting = asyncio.ensure_future(asyncio.open_connection("127.0.0.1", port))
    try:
        return await asyncio.shield(connecting)
    except asyncio.CancelledError:
        connecting.add_done_callback(_give_up)
        raise


def _give_up(connecting: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]) -> None:
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.result()[1].transport.abort()


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST instead of FIN."""
    plain = writer.get_extra_info("socket")
    if plain is not None:
        with suppress(OSError):
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NOW)
    writer.transport.abort()
