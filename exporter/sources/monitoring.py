"""The APIs that deployments and evidence ask: Prometheus' queries, and Alertmanager's silences."""

from __future__ import annotations

import math
import ssl
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx

from exporter.errors import AccessDenied, SettingsError, SourceTimeout, UnexpectedAnswer
from exporter.sources.http import asking

LARGEST: Final = 16 * 1024 * 1024
"""Bytes of an answer read at most."""
_REFUSED: Final = (401, 403)


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server is. ``secret`` is called at every request; without ``user`` it is a bearer token.

    ``connect``, ``read`` and ``whole`` are seconds: to connect, to the next bytes, and to the last one. As
    they are, a person or a pipeline waits.
    """

    url: str
    secret: Callable[[], str] = str
    user: str = ""
    tls: ssl.SSLContext | None = None
    connect: float = 5.0
    read: float = 30.0
    whole: float = math.inf

    def auth(self) -> httpx.Auth | None:
        """Return who asks; ``None`` without a login."""
        secret = self.secret()
        if self.user:
            return httpx.BasicAuth(self.user, secret)
        return _Bearer(secret) if secret else None


class _Bearer(httpx.Auth):
    """A token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Put the token into the request."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer: its labels, and the value at the moment of the question."""

    labels: Mapping[str, str]
    value: float


class Api:
    """A server that answers in JSON: one of the Prometheus family, or a search engine."""

    def __init__(self, name: str, server: Server, *, largest: int | None = None) -> None:
        """Open nothing yet; raises :exc:`SettingsError` for a URL that is none."""
        self._name = name
        self._largest = largest or LARGEST
        self._server = server
        try:
            self._url = httpx.URL(server.url.rstrip("/"))
        except httpx.InvalidURL as error:
            raise SettingsError(f"{name}: {server.url!r}: {error}") from None

    def ask(self, method: str, path: str, **more: Any) -> Any:
        """Return the decoded answer; ``None`` for an empty one."""
        server = self._server
        auth = server.auth()
        with (
            asking(self._name),
            httpx.Client(
                base_url=self._url,
                timeout=httpx.Timeout(server.read, connect=server.connect),
                # Without TLS no certificate is needed, and loading them all takes longer than asking.
                verify=server.tls or self._url.scheme == "https",
                trust_env=False,
            ) as client,
        ):
            response = self._answer(client, method, path, auth=auth, **more)
        if response.status_code in _REFUSED:
            raise AccessDenied(f"{self._name} refused the login")
        if response.is_redirect:
            raise UnexpectedAnswer(f"{self._name} sends us elsewhere (status {response.status_code})")
        if not response.is_success:
            raise UnexpectedAnswer(f"{self._name} answered with status {response.status_code}")
        if not response.content:
            return None
        try:
            return response.json()
        except ValueError:
            raise UnexpectedAnswer(f"{self._name} answered with something that is not JSON") from None

    def _answer(self, client: httpx.Client, method: str, path: str, **more: Any) -> httpx.Response:
        """Return the answer with its whole body, as far as it is not too large."""
        body = bytearray()
        end = time.monotonic() + self._server.whole
        with client.stream(method, path, **more) as response:
            for part in response.iter_bytes():
                body += part
                if len(body) > self._largest:
                    raise UnexpectedAnswer(f"{self._name} answered with more than {self._largest} bytes")
                if time.monotonic() > end:
                    raise SourceTimeout(f"{self._name} did not finish its answer in time")
        return httpx.Response(response.status_code, content=bytes(body))


class Prometheus:
    """Prometheus, or whatever answers its queries."""

    def __init__(self, server: Server) -> None:
        """Open nothing yet."""
        self._api = Api("Prometheus", server)

    def series(self, query: str, at: float) -> Sequence[Series]:
        """Return the vector that a query has at a moment."""
        answer = self._api.ask("POST", "/api/v1/query", data={"query": query, "time": f"{at:.3f}"})
        try:
            if answer["status"] != "success" or answer["data"]["resultType"] != "vector":
                raise UnexpectedAnswer("Prometheus answered with something that is not a vector")
            return [Series(found["metric"], float(found["value"][1])) for found in answer["data"]["result"]]
        except (KeyError, TypeError, ValueError, IndexError):
            raise UnexpectedAnswer("Prometheus answered in a form that is not its own") from None

    def value(self, query: str, at: float) -> float | None:
        """Return the one number that a query has; ``None`` where it has none."""
        found = [series.value for series in self.series(query, at) if not math.isnan(series.value)]
        return found[0] if found else None


@dataclass(frozen=True, slots=True)
class Silence:
    """A silence as Alertmanager has it; times in RFC 3339."""

    id: str
    starts: str
    ends: str
    state: str
    comment: str
    creator: str


class Alertmanager:
    """Alertmanager's silences."""

    def __init__(self, server: Server) -> None:
        """Open nothing yet."""
        self._api = Api("Alertmanager", server)

    def silences(self) -> Sequence[Silence]:
        """Return every silence that it remembers, expired ones too."""
        answer = self._api.ask("GET", "/api/v2/silences")
        if not isinstance(answer, list):
            raise UnexpectedAnswer("Alertmanager answered with something that is not a list of silences")
        try:
            return [
                Silence(
                    id=str(found["id"]),
                    starts=str(found["startsAt"]),
                    ends=str(found["endsAt"]),
                    state=str(found["status"]["state"]),
                    comment=str(found["comment"]),
                    creator=str(found["createdBy"]),
                )
                for found in answer
            ]
        except (KeyError, TypeError):
            raise UnexpectedAnswer("Alertmanager answered in a form that is not its own") from None

    def silence(
        self, matchers: Sequence[Mapping[str, object]], *, starts: str, ends: str, creator: str, comment: str
    ) -> str:
        """Make a silence and return its id."""
        wanted = {
            "matchers": list(matchers),
            "startsAt": starts,
            "endsAt": ends,
            "createdBy": creator,
            "comment": comment,
        }
        answer = self._api.ask("POST", "/api/v2/silences", json=wanted)
        try:
            return str(answer["silenceID"])
        except (KeyError, TypeError):
            raise UnexpectedAnswer("Alertmanager did not say which silence it made") from None

    def expire(self, identity: str) -> None:
        """End a silence now."""
        self._api.ask("DELETE", f"/api/v2/silence/{identity}")
