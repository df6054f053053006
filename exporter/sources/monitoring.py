"""The two APIs that a deployment asks: Prometheus' queries, and Alertmanager's silences."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx

from exporter.errors import AccessDenied, SettingsError, SourceTimeout, SourceUnavailable, UnexpectedAnswer

_LIMITS: Final = httpx.Timeout(30.0, connect=5.0)
_REFUSED: Final = (401, 403)


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer: its labels, and the value at the moment of the question."""

    labels: Mapping[str, str]
    value: float


class Api:
    """A server of the Prometheus family. ``token`` is called at every request; empty for none."""

    def __init__(self, name: str, url: str, token: Callable[[], str] = str) -> None:
        """Open nothing yet; raises :exc:`SettingsError` for a URL that is none."""
        self._name = name
        self._token = token
        try:
            self._url = httpx.URL(url.rstrip("/"))
        except httpx.InvalidURL as error:
            raise SettingsError(f"{name}: {url!r}: {error}") from None

    def ask(self, method: str, path: str, **more: Any) -> Any:
        """Return the decoded answer; ``None`` for an empty one."""
        token = self._token()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            with httpx.Client(base_url=self._url, timeout=_LIMITS, trust_env=False) as client:
                response = client.request(method, path, headers=headers, **more)
        except httpx.TimeoutException:
            raise SourceTimeout(f"{self._name} did not answer in time") from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, UnicodeError) as error:
            raise SourceUnavailable(f"cannot reach {self._name}: {type(error).__name__}") from None
        if response.status_code in _REFUSED:
            raise AccessDenied(f"{self._name} refused the login")
        if not response.is_success:
            raise UnexpectedAnswer(f"{self._name} answered with status {response.status_code}")
        if not response.content:
            return None
        try:
            return response.json()
        except ValueError:
            raise UnexpectedAnswer(f"{self._name} answered with something that is not JSON") from None


class Prometheus:
    """Prometheus, or whatever answers its queries."""

    def __init__(self, url: str, token: Callable[[], str] = str) -> None:
        """Open nothing yet."""
        self._api = Api("Prometheus", url, token)

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

    def __init__(self, url: str, token: Callable[[], str] = str) -> None:
        """Open nothing yet."""
        self._api = Api("Alertmanager", url, token)

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
