"""The Prometheus server that watches the shop, asked for evidence; no scrape needs it."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import httpx

from exporter.errors import AccessDenied, SettingsError, SourceTimeout, SourceUnavailable, UnexpectedAnswer

LARGEST_ANSWER: Final = 65_536
"""Bytes of an answer read at most: every query asked here has one result."""

_REFUSED: Final = (401, 403)


@dataclass(frozen=True, slots=True)
class PrometheusTarget:
    """Where Prometheus is. ``password`` is called at every request; without ``user`` it is a bearer token."""

    url: str
    user: str
    password: Callable[[], str]
    tls: ssl.SSLContext | None = None


class Prometheus:
    """Asks one instant query at a time."""

    def __init__(self, target: PrometheusTarget, *, connect: float = 1.0, read: float = 2.0) -> None:
        """Open nothing yet; raises :exc:`~exporter.errors.SettingsError` for a URL that is none."""
        self._target = target
        try:
            self._client = httpx.Client(
                base_url=target.url.rstrip("/"),
                verify=target.tls or True,
                timeout=httpx.Timeout(read, connect=connect),
                trust_env=False,
            )
        except httpx.InvalidURL as error:
            raise SettingsError(f"prometheus.url: {target.url!r}: {error}") from None

    def value(self, query: str) -> float | None:
        """Return the value of a query that has one result, ``None`` if it has none.

        Raises :exc:`~exporter.errors.SourceError`.
        """
        try:
            with self._client.stream(
                "GET", "/api/v1/query", params={"query": query, "timeout": "2s"}, headers=self._login()
            ) as response:
                body = _bounded(response)
                status = response.status_code
        except httpx.TimeoutException:
            raise SourceTimeout("Prometheus did not answer in time") from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, UnicodeError) as error:
            raise SourceUnavailable(f"cannot reach Prometheus: {type(error).__name__}") from None
        if status in _REFUSED:
            raise AccessDenied("Prometheus refused the login")
        return _value(httpx.Response(status, content=body))

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _login(self) -> dict[str, str]:
        password = self._target.password()
        if self._target.user:
            request = httpx.Request("GET", "http://prometheus")
            signed = next(httpx.BasicAuth(self._target.user, password).auth_flow(request))
            return {"Authorization": signed.headers["Authorization"]}
        return {"Authorization": f"Bearer {password}"} if password else {}


def _bounded(response: httpx.Response) -> bytes:
    body = b""
    for part in response.iter_bytes():
        body += part
        if len(body) > LARGEST_ANSWER:
            raise UnexpectedAnswer("Prometheus answered with more than one result")
    return body


def _value(response: httpx.Response) -> float | None:
    try:
        answer = response.json()
        result = answer["data"]["result"]
        if not result:
            return None
        (series,) = result
        return float(series["value"][1])
    except (ValueError, KeyError, TypeError, IndexError):
        raise UnexpectedAnswer(
            f"Prometheus answered with status {response.status_code} and not with one result"
        ) from None
