"""RabbitMQ through its management API: the queues of one virtual host."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import httpx

from exporter.errors import (
    AccessDenied,
    LoginRefused,
    SettingsError,
    SourceUnavailable,
    UnexpectedAnswer,
)
from exporter.sources.http import asking

PAGE: Final = 500
"""Queues in one answer: the most that RabbitMQ gives."""

PAGES: Final = 4
"""Answers read at most. A shop has some thirty queues; of more than PAGE * PAGES the rest is left out."""

_NUMBERS: Final = ("messages_ready", "messages_unacknowledged", "consumers", "head_message_timestamp")
_COUNTERS: Final = ("publish", "ack", "redeliver")
_COLUMNS: Final = ",".join(
    ("name", "auto_delete", "exclusive", *_NUMBERS, *(f"message_stats.{name}" for name in _COUNTERS))
)
_NO_LOGIN: Final = 401
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_RESOURCES: Final = {"disk space": "disk"}
"""What RabbitMQ 3.10 calls a resource in its answer, to what its own code and its log call it."""

_FAILED_CHECK: Final = 503
_NO_SUCH_CHECK: Final = (_NO_LOGIN, _FORBIDDEN, _NOT_FOUND, 405)
"""Before 3.8.10 RabbitMQ has no such check, and a proxy may let nothing but the queues pass."""


@dataclass(frozen=True, slots=True)
class RabbitMQTarget:
    """Where the management API is. ``password`` is called at every request.

    The user needs the tag ``management`` and a permission entry for the virtual
    host; the entry may be empty (``^$`` for configure, write and read).
    """

    url: str
    user: str
    password: Callable[[], str]
    vhost: str = "/"
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class RabbitMQLimits:
    """Seconds to connect, and to wait for the next bytes of an answer."""

    connect: float = 1.0
    read: float = 3.0


class RabbitMQ:
    """Implements :class:`exporter.core.ports.Broker`."""

    def __init__(self, target: RabbitMQTarget, *, limits: RabbitMQLimits | None = None) -> None:
        """Open nothing yet; raises :exc:`~exporter.errors.SettingsError` for a URL that is none."""
        self._target = target
        self._limits = limits or RabbitMQLimits()
        try:
            self._client = httpx.Client(
                base_url=target.url.rstrip("/"),
                verify=target.tls or True,
                timeout=httpx.Timeout(self._limits.read, connect=self._limits.connect),
                trust_env=False,
            )
        except httpx.InvalidURL as error:
            raise SettingsError(f"rabbitmq.url: {target.url!r}: {error}") from None

    def queues(self) -> Sequence[Mapping[str, Any]]:
        """Return the queues as the management API gives them, at most PAGE * PAGES.

        What stands in the place of a number and is none (null, an empty text) is left out.
        """
        queues: list[Mapping[str, Any]] = []
        for page in range(1, PAGES + 1):
            answer = self._page(page)
            queues.extend(_queue(item) for item in answer["items"] if isinstance(item, dict))
            last = answer.get("page_count")
            if not isinstance(last, int) or page >= last:
                break
        return queues

    def alarms(self) -> frozenset[str] | None:
        """Return the resources that are in alarm on any node; ``None`` if the API does not say.

        While an alarm is raised, RabbitMQ takes no message from any publisher of the cluster.
        """
        response = self._get("/api/health/checks/alarms", {})
        if response.status_code in _NO_SUCH_CHECK:
            return None
        answer = _decoded(response)
        if response.status_code == httpx.codes.OK and answer.get("status") == "ok":
            return frozenset()
        alarms = answer.get("alarms")
        if response.status_code == _FAILED_CHECK and isinstance(alarms, list):
            named = (str(alarm.get("resource")) for alarm in alarms if isinstance(alarm, dict))
            return frozenset(_RESOURCES.get(name, name) for name in named)
        if response.is_server_error:
            raise SourceUnavailable(f"RabbitMQ answered with status {response.status_code}")
        raise UnexpectedAnswer(
            f"RabbitMQ answered with status {response.status_code} and not with its alarms"
        )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _page(self, page: int) -> Mapping[str, Any]:
        path = f"/api/queues/{quote(self._target.vhost, safe='')}"
        response = self._get(path, {"page": page, "page_size": PAGE, "columns": _COLUMNS})
        return _checked(response, self._target.vhost)

    def _get(self, path: str, parameters: Mapping[str, str | int]) -> httpx.Response:
        login = (self._target.user, self._target.password())
        with asking("the management API of RabbitMQ"):
            return self._client.get(path, params=parameters, auth=login)


def _checked(response: httpx.Response, vhost: str) -> Mapping[str, Any]:
    """Return the decoded answer, or raise what its status or its shape means."""
    if response.status_code == _NO_LOGIN:
        raise LoginRefused(f"RabbitMQ refused the login, or its right to the virtual host {vhost!r}")
    if response.status_code == _FORBIDDEN:
        raise AccessDenied(f"RabbitMQ does not let the user see the virtual host {vhost!r}")
    if response.status_code == _NOT_FOUND and "error" in _decoded(response):
        # RabbitMQ 4.3 says the same of a virtual host that the user has no permission for.
        raise AccessDenied(f"RabbitMQ has no virtual host {vhost!r}, or the user may not see it")
    if response.status_code == _NOT_FOUND:
        raise UnexpectedAnswer("what answers there is not RabbitMQ's management API")
    if response.is_server_error:
        raise SourceUnavailable(f"RabbitMQ answered with status {response.status_code}")
    answer = _decoded(response)
    if response.status_code != httpx.codes.OK or not isinstance(answer.get("items"), list):
        raise UnexpectedAnswer(
            f"RabbitMQ answered with status {response.status_code} and not with a list of queues"
        )
    return answer


def _queue(item: Mapping[str, Any]) -> Mapping[str, Any]:
    stats = item.get("message_stats")
    known = {name: item[name] for name in ("name", "auto_delete", "exclusive") if name in item}
    counted = _numbers(stats, _COUNTERS) if isinstance(stats, dict) else {}
    return {**known, **_numbers(item, _NUMBERS), **({"message_stats": counted} if counted else {})}


def _numbers(item: Mapping[str, Any], names: Iterable[str]) -> dict[str, int]:
    return {name: item[name] for name in names if type(item.get(name)) is int}


def _decoded(response: httpx.Response) -> Mapping[str, Any]:
    """Return the object in the answer; an empty one if there is none."""
    try:
        answer = response.json()
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
