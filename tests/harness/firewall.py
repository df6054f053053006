"""A firewall between a client and a server: it can lose packets, forget connections, and lead elsewhere."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from selectors import EVENT_READ, DefaultSelector

from sandbox.process import LOOPBACK


class Firewall:
    """Forwards connections to a server. After a blip it forwards new ones and has forgotten the old ones."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._away = False
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._forgotten: list[socket.socket] = []
        self._selector = DefaultSelector()
        for work in (self._accept, self._forward):
            threading.Thread(target=work, daemon=True).start()

    def blip(self, seconds: float) -> None:
        """Lose every packet for a while. What was connected stays connected, and nothing arrives any more."""
        with self._lock:
            self._away = True
            for one in list(self._pairs):
                self._selector.unregister(one)
            self._forgotten += self._pairs
            self._pairs = {}
        time.sleep(seconds)
        with self._lock:
            self._away = False

    def lead_to(self, port: int) -> None:
        """Lead to another server from now on, as a name that moved; end what was connected."""
        with self._lock:
            self._target = port
            for one in list(self._pairs):
                self._selector.unregister(one)
                one.close()
            self._pairs = {}

    def close(self) -> None:
        """Close what is left."""
        self._listener.close()
        for one in (*self._forgotten, *self._pairs):
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._away:
                    self._forgotten.append(client)
                    continue
                server = socket.create_connection((LOOPBACK, self._target))
                self._pairs |= {client: server, server: client}
                for one in (client, server):
                    self._selector.register(one, EVENT_READ)

    def _forward(self) -> None:
        while True:
            for key, _ in self._selector.select(timeout=0.05):
                one = key.fileobj
                with self._lock:
                    other = self._pairs.get(one)  # type: ignore[call-overload]
                    if other is not None:
                        self._move(one, other)  # type: ignore[arg-type]

    def _move(self, one: socket.socket, other: socket.socket) -> None:
        try:
            content = one.recv(65_536)
            if content:
                other.sendall(content)
                return
        except OSError:
            pass
        for end in (one, other):
            del self._pairs[end]
            with suppress(KeyError):
                self._selector.unregister(end)
            end.close()
