"""PHP-FPM over FastCGI: the status of each pool, and OPcache through a small script of ours.

FastCGI is written here in the few records that one request needs (FastCGI 1.0, sections 3 to 5).
"""

from __future__ import annotations

import json
import logging
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from exporter.errors import AccessDenied, SourceError, SourceTimeout, SourceUnavailable, UnexpectedAnswer

log: Final = logging.getLogger("exporter.sources")

LARGEST: Final = 256 * 1024
"""Bytes of an answer read at most."""

_BEGIN, _END, _PARAMS, _STDIN, _STDOUT, _STDERR = 1, 3, 4, 5, 6, 7
_HEADER: Final = struct.Struct("!BBHHBx")
_RESPONDER: Final = struct.pack("!HB5x", 1, 0)
_LONG: Final = 0x80
_OK: Final = "200"


@dataclass(frozen=True, slots=True)
class PhpTarget:
    """The pools by their names: a Unix socket's path, or host:port. ``script`` is on PHP's machine."""

    pools: Mapping[str, str]
    status_path: str
    script: Path | None = None
    seconds: float = 3.0


class PhpFpm:
    """Implements :class:`exporter.core.ports.Php`."""

    def __init__(self, target: PhpTarget) -> None:
        """Open nothing yet."""
        self._target = target

    def pools(self) -> Mapping[str, Mapping[str, Any] | None]:
        """Return, per pool, the fields of its status page; ``None`` if it did not answer."""
        return self._each(self._status)

    def opcache(self) -> Mapping[str, Mapping[str, Any] | None]:
        """Return, per pool, what OPcache says of itself; empty without a script."""
        return self._each(self._opcache) if self._target.script is not None else {}

    def _each(self, ask: Any) -> Mapping[str, Mapping[str, Any] | None]:
        found: dict[str, Mapping[str, Any] | None] = {}
        failure: SourceError | None = None
        for pool, address in self._target.pools.items():
            try:
                found[pool] = ask(pool, address)
            except SourceError as error:
                found[pool], failure = None, error
                log.warning("php-fpm: %s", error)
        if failure is not None and not any(answer is not None for answer in found.values()):
            raise failure
        return found

    def _status(self, pool: str, address: str) -> Mapping[str, Any]:
        path = self._target.status_path
        answer = _asked(pool, address, path, path, self._target.seconds)
        if "listen queue" not in answer:
            raise UnexpectedAnswer(f"pool {pool}: {path} is not its status page (pm.status_path)")
        return answer

    def _opcache(self, pool: str, address: str) -> Mapping[str, Any]:
        script = str(self._target.script)
        answer = _asked(pool, address, script, "/opcache", self._target.seconds)
        if "memory_usage" not in answer:
            raise UnexpectedAnswer(f"pool {pool}: {script} says nothing of OPcache, or it is off")
        return answer


def _asked(pool: str, address: str, script: str, name: str, seconds: float) -> Mapping[str, Any]:
    """Return the JSON that a script answers with."""
    parameters = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_FILENAME": script,
        "SCRIPT_NAME": name,
        "REQUEST_URI": f"{name}?json",
        "QUERY_STRING": "json",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REMOTE_ADDR": "127.0.0.1",
    }
    where = f"pool {pool} at {address}"
    try:
        body = _request(address, parameters, time.monotonic() + seconds)
    except TimeoutError:
        raise SourceTimeout(f"{where} did not answer in time: it is full, or hangs") from None
    except PermissionError:
        raise AccessDenied(f"{where}: the exporter's user may not use the socket (listen.group)") from None
    except OSError as error:
        raise SourceUnavailable(f"cannot reach {where}: {error.strerror or type(error).__name__}") from None
    head, _, content = body.partition(b"\r\n\r\n")
    status = _status_of(head)
    if status != _OK:
        raise UnexpectedAnswer(f"{where} answered {name} with status {status}")
    try:
        answer = json.loads(content)
    except ValueError:
        raise UnexpectedAnswer(f"{where} answered {name} with something that is not JSON") from None
    if not isinstance(answer, dict):
        raise UnexpectedAnswer(f"{where} answered {name} with something that is not an object")
    return answer


def _status_of(head: bytes) -> str:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"status":
            return value.strip().decode("ascii", "replace")[:3]
    return _OK


def _request(address: str, parameters: Mapping[str, str], end: float) -> bytes:
    host, _, port = address.rpartition(":")
    path = address.startswith("/")
    with socket.socket(socket.AF_UNIX) if path else _connected(host, port, end) as connection:
        connection.settimeout(_left(end))
        if path:
            connection.connect(address)
        encoded = b"".join(map(_pair, *zip(*parameters.items(), strict=True)))
        connection.sendall(
            _record(_BEGIN, _RESPONDER) + _record(_PARAMS, encoded) + _record(_PARAMS) + _record(_STDIN)
        )
        return b"".join(_answer(connection, end))


def _connected(host: str, port: str, end: float) -> socket.socket:
    return socket.create_connection((host.strip("[]") or "127.0.0.1", int(port)), timeout=_left(end))


def _answer(connection: socket.socket, end: float) -> Iterator[bytes]:
    """Yield what a script writes, until it ends."""
    length = 0
    while True:
        _, kind, _, size, padding = _HEADER.unpack(_exactly(connection, _HEADER.size, end))
        content = _exactly(connection, size + padding, end)[:size]
        if kind == _END:
            return
        length += size
        if length > LARGEST:
            raise UnexpectedAnswer(f"PHP-FPM answered with more than {LARGEST} bytes")
        if kind == _STDOUT:
            yield content


def _exactly(connection: socket.socket, size: int, end: float) -> bytes:
    found = bytearray()
    while len(found) < size:
        connection.settimeout(_left(end))
        part = connection.recv(size - len(found))
        if not part:
            raise ConnectionResetError(0, "the connection was closed")
        found += part
    return bytes(found)


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _record(kind: int, content: bytes = b"") -> bytes:
    return _HEADER.pack(1, kind, 1, len(content), 0) + content


def _pair(name: str, value: str) -> bytes:
    key, word = name.encode(), value.encode()
    return _size(key) + _size(word) + key + word


def _size(text: bytes) -> bytes:
    return bytes([len(text)]) if len(text) < _LONG else struct.pack("!I", len(text) | 0x80000000)
