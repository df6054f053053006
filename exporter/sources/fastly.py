"""Fastly's real-time statistics of one service."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from exporter.errors import UnexpectedAnswer
from exporter.sources.monitoring import Api, Server

LARGEST: Final = 8 * 1024 * 1024
"""Bytes of an answer read at most. A second of a busy service has numbers of a hundred places."""

FIELDS: Final = ("hits", "miss", "pass")
_NAME: Final = "Fastly"


@dataclass(frozen=True, slots=True)
class FastlyTarget:
    """Which service, and who asks. ``token`` is called at every request."""

    url: str
    service: str
    token: Callable[[], str]
    tls: ssl.SSLContext | None = None
    connect: float = 2.0
    read: float = 3.0


class FastlyStatistics:
    """Implements :class:`exporter.core.ports.Fastly`."""

    def __init__(self, target: FastlyTarget) -> None:
        """Open nothing yet."""
        self._target = target
        server = Server(
            target.url, tls=target.tls, connect=target.connect, read=target.read, whole=target.read
        )
        self._api = Api(_NAME, server, largest=LARGEST)

    def report(self, since: int) -> tuple[int, Sequence[tuple[int, Mapping[str, int]]]]:
        """Return where the next report begins, and each reported second with its numbers, the oldest first.

        Fastly answers with the seconds from ``since`` on, or with the last one alone if that is 0.
        """
        path = f"/v1/channel/{self._target.service}/ts/{since}"
        answer = self._api.ask("GET", path, headers={"Fastly-Key": self._target.token()})
        try:
            after = int(answer.get("Timestamp") or since)
            seconds = [_second(entry) for entry in answer.get("Data") or ()]
        except (AttributeError, KeyError, TypeError, ValueError):
            raise UnexpectedAnswer(f"{_NAME} answered in a form that is not its own") from None
        return after, sorted(seconds, key=lambda second: second[0])


def _second(entry: Mapping[str, Any]) -> tuple[int, Mapping[str, int]]:
    """Return a second and its numbers: what was 0 is left out by Fastly."""
    numbers = {field: int(entry["aggregated"].get(field, 0)) for field in FIELDS}
    if min(numbers.values()) < 0:
        raise ValueError(numbers)
    return int(entry["recorded"]), numbers
