"""A deployment as Alertmanager remembers it: a silence that begins and ends with it.

It needs no file, so that the steps of a pipeline can run on different machines. After its end Alertmanager
keeps it for five days: the gate takes the times of the deployment from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from exporter.errors import UnexpectedAnswer, UsageError
from exporter.sources.monitoring import Alertmanager, Silence

CREATOR: Final = "magento-exporter deploy"
_ACTIVE: Final = ("active", "pending")


@dataclass(frozen=True, slots=True)
class Deployment:
    """When a release was deployed; ``ended`` is in the future while it is going on."""

    release: str
    began: float
    ended: float
    silences: tuple[str, ...]


def start(alertmanager: Alertmanager, release: str, *, shop: str, now: float, longest: float) -> str:
    """Silence what a deployment causes, and return the silence's id.

    Critical alerts are never silenced: they say that nobody can buy.
    """
    if find(alertmanager, release, shop=shop, active=True):
        raise UsageError(f"the deployment of {release} has begun already; end it first")
    matchers = [
        _matcher("alertname", "Magento.+", regex=True),
        _matcher("severity", "urgent|warning", regex=True),
    ]
    matchers += [_matcher("shop", shop)] if shop else []
    return alertmanager.silence(
        matchers,
        starts=_text(now),
        ends=_text(now + longest),
        creator=CREATOR,
        comment=_comment(release, shop),
    )


def end(alertmanager: Alertmanager, release: str, *, shop: str) -> Deployment:
    """End every silence of the deployment; raises :exc:`UsageError` if there is none."""
    found = find(alertmanager, release, shop=shop, active=True)
    if found is None:
        raise UsageError(f"no deployment of {release} is going on: it was ended, or its time is over")
    for identity in found.silences:
        alertmanager.expire(identity)
    return found


def find(alertmanager: Alertmanager, release: str, *, shop: str, active: bool = False) -> Deployment | None:
    """Return the newest deployment of the release that Alertmanager remembers."""
    comment = _comment(release, shop)
    ours = [s for s in alertmanager.silences() if s.creator == CREATOR and s.comment == comment]
    ours = [silence for silence in ours if silence.state in _ACTIVE] if active else ours
    return _deployment(release, ours) if ours else None


def _deployment(release: str, silences: Sequence[Silence]) -> Deployment:
    newest = max(silences, key=lambda silence: _moment(silence.starts))
    began, ended = _moment(newest.starts), _moment(newest.ends)
    return Deployment(release, began, ended, tuple(silence.id for silence in silences))


def _comment(release: str, shop: str) -> str:
    return f"deployment of {release}" + (f" to {shop}" if shop else "")


def _matcher(name: str, value: str, *, regex: bool = False) -> dict[str, object]:
    return {"name": name, "value": value, "isRegex": regex, "isEqual": True}


def _text(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()


def _moment(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise UnexpectedAnswer(f"Alertmanager wrote a time that is none: {text}") from None
