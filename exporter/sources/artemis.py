r"""ActiveMQ Artemis through its console's Jolokia: the queues of one broker.

Source: ``org.apache.activemq.artemis.api.core.management.QueueControl`` for the attributes,
``Magento\Framework\Stomp\Jolokia\ArtemisClient`` for the queues that Magento makes (ANYCAST, one address of
the same name).
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import httpx

from exporter.errors import AccessDenied, SettingsError, SourceUnavailable, UnexpectedAnswer
from exporter.sources.http import asking

QUEUES: Final = 2000
"""Queues read at most. A shop has some thirty; of more the rest is left out."""

_API: Final = "the Jolokia of Artemis"
_PATTERN: Final = (
    "org.apache.activemq.artemis:broker=*,component=addresses,address=*,subcomponent=queues,"
    'routing-type="anycast",queue=*'
)
_ATTRIBUTES: Final = (
    "MessageCount",
    "DeliveringCount",
    "ScheduledCount",
    "ConsumerCount",
    "MessagesAdded",
    "MessagesAcknowledged",
    "FirstMessageAge",
    "DeadLetterAddress",
    "ExpiryAddress",
    "Temporary",
)
_NAMES: Final = re.compile(r'[:,](address|queue)="((?:[^"\\]|\\.)*)"')
_ESCAPED: Final = re.compile(r"\\(.)")
_REFUSED: Final = (401, 403)
_NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class ArtemisTarget:
    """Where Jolokia is. ``password`` is called at every request."""

    url: str
    user: str
    password: Callable[[], str]
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class ArtemisLimits:
    """Seconds to connect, and to wait for the next bytes of an answer."""

    connect: float = 1.0
    read: float = 3.0


class Artemis:
    """Implements :class:`exporter.core.ports.Artemis`."""

    def __init__(self, target: ArtemisTarget, *, limits: ArtemisLimits | None = None) -> None:
        """Open nothing yet; raises :exc:`~exporter.errors.SettingsError` for a URL that is none."""
        self._target = target
        limits = limits or ArtemisLimits()
        self._with_origin = False
        try:
            self._client = httpx.Client(
                verify=target.tls or True,
                timeout=httpx.Timeout(limits.read, connect=limits.connect),
                trust_env=False,
            )
            self._url = httpx.URL(f"{target.url.rstrip('/')}/")
        except httpx.InvalidURL as error:
            raise SettingsError(f"artemis.url: {target.url!r}: {error}") from None

    def queues(self) -> Sequence[Mapping[str, Any]]:
        """Return the attributes of every ANYCAST queue, with its ``name`` and ``address``."""
        answer = self._read({"type": "read", "mbean": _PATTERN, "attribute": list(_ATTRIBUTES)})
        found = [
            {**attributes, **names}
            for bean, attributes in answer.items()
            if isinstance(attributes, dict) and "name" in (names := _names(str(bean)))
        ]
        return found[:QUEUES]

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _read(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the value in the answer to a request.

        Jolokia may refuse a request without ``Origin`` (``<strict-checking/>``), or one with an origin
        that it does not know. The way that is not refused is kept.
        """
        answer = self._post(request)
        if answer.refused:
            self._with_origin = not self._with_origin
            answer = self._post(request)
        return answer.value()

    def _post(self, request: Mapping[str, Any]) -> _Answer:
        headers = {"Origin": _origin(self._url)} if self._with_origin else {}
        body = {**request, "config": {"ignoreErrors": "true"}}
        login = (self._target.user, self._target.password())
        with asking(_API):
            response = self._client.post(self._url, json=body, headers=headers, auth=login)
        return _Answer.of(response)


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer of Jolokia. Its errors come with HTTP's status 200, those of the login with HTTP's own."""

    http: int
    status: int
    content: Any

    @classmethod
    def of(cls, response: httpx.Response) -> Self:
        try:
            decoded = response.json()
        except ValueError:
            decoded = {}
        known = decoded if isinstance(decoded, dict) else {}
        status = known.get("status", 0)
        return cls(response.status_code, status if isinstance(status, int) else 0, known.get("value"))

    @property
    def refused(self) -> bool:
        return self.http in _REFUSED or self.status in _REFUSED

    def value(self) -> Mapping[str, Any]:
        if self.refused:
            raise AccessDenied(
                f"{_API} refused the login, or this machine: see etc/jolokia-access.xml of the broker"
            )
        if self.http >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise SourceUnavailable(f"{_API} answered with status {self.http}")
        if self.http == httpx.codes.OK and self.status == _NOT_FOUND:
            raise UnexpectedAnswer(f"{_API} shows no queue: the broker is not there, or the login sees none")
        if self.http != httpx.codes.OK or self.status != httpx.codes.OK or not isinstance(self.content, dict):
            raise UnexpectedAnswer(f"{_API} answered with status {self.http} and not with its queues")
        return self.content


def _origin(url: httpx.URL) -> str:
    """Return scheme, host and port, as a browser would at the console itself."""
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def _names(bean: str) -> dict[str, str]:
    """Return address and name of the queue that an object name stands for, without the quotes of JMX."""
    found = {key: _ESCAPED.sub(r"\1", value) for key, value in _NAMES.findall(bean)}
    return {"name": found["queue"], "address": found.get("address", "")} if "queue" in found else {}
