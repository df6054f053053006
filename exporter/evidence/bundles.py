"""Bundles: what was seen of one alert when it fired, kept in the state file."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from exporter.core.ports import StateStore
from exporter.errors import SpecError, StateUnavailable
from exporter.evidence.model import Finding
from exporter.evidence.money import Cost

log: Final = logging.getLogger("exporter.evidence")

NAMESPACE: Final = "evidence/bundles"
MOST: Final = 200
"""Bundles kept at most, the newest ones."""

KEPT_SECONDS: Final = 30 * 86_400.0
"""Age at which a bundle is deleted."""

LARGEST: Final = 65_536
"""Bytes of one bundle at most."""

ID: Final = re.compile(r"[0-9]{10}-[0-9a-f]{16}")
_END: Final = "\U0010ffff"
Change = tuple[str, str, str | None]
"""Namespace, key and value (``None`` deletes) for the state store."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """One alert from firing to resolved. Times are Unix times; ``ended_at`` 0 while it fires."""

    alert: str
    labels: Mapping[str, str]
    fingerprint: str
    started_at: float
    captured_at: float
    findings: Mapping[str, Finding]
    ended_at: float = 0.0
    cost: Cost = field(default_factory=Cost)

    @property
    def id(self) -> str:
        """Sorts by time: ten digits of the start, and Alertmanager's fingerprint of the labels."""
        return bundle_id(self.started_at, self.fingerprint)


def bundle_id(started_at: float, fingerprint: str) -> str:
    """Return the id of the bundle of an alert that started then."""
    return f"{int(started_at):010d}-{fingerprint}"


class Bundles:
    """The bundles of this exporter, in memory and in the state store."""

    def __init__(self, store: StateStore) -> None:
        """Read what the state store has. ``trouble`` says what is wrong with it, or is empty."""
        self._store = store
        self._known: dict[str, Bundle] = {}
        self.trouble = ""
        try:
            stored = store.scan(NAMESPACE, "", _END)
        except StateUnavailable as error:
            self.trouble = str(error)
        else:
            self._known = {bundle.id: bundle for bundle in _read(text for _, text in stored)}

    def all(self) -> list[Bundle]:
        """Return the bundles, the newest first."""
        return [bundle for _, bundle in sorted(self._known.items(), reverse=True)]

    def find(self, wanted: str) -> Bundle | None:
        """Return the bundle with this id."""
        return self._known.get(wanted)

    def latest(self, alert: str, labels: Mapping[str, str]) -> Bundle | None:
        """Return the newest bundle of the alert that has all of these labels."""
        return next(
            (one for one in self.all() if one.alert == alert and labels.items() <= one.labels.items()), None
        )

    def keep(self, bundle: Bundle, now: float) -> list[Change]:
        """Keep the bundle in memory, drop what is too old or too many, and return what to write."""
        self._known[bundle.id] = bundle
        newest = sorted(self._known, reverse=True)
        old = [one for one in newest[:MOST] if self._known[one].started_at < now - KEPT_SECONDS]
        gone = [*old, *newest[MOST:]]
        for one in gone:
            del self._known[one]
        kept = [] if bundle.id in gone else [(NAMESPACE, bundle.id, _text(bundle))]
        return [*kept, *((NAMESPACE, one, None) for one in gone)]

    def write(self, changes: list[Change]) -> None:
        """Write to the state store. If that fails the bundles last as long as the process."""
        try:
            self._store.commit(changes)
        except StateUnavailable as error:
            if not self.trouble:
                log.warning("evidence is not kept over a restart: %s", error)
            self.trouble = str(error)
        else:
            self.trouble = ""


def _text(bundle: Bundle) -> str:
    text = json.dumps(asdict(bundle), separators=(",", ":"))
    if len(text) > LARGEST:
        raise SpecError(f"a bundle of {bundle.alert} has {len(text)} characters")
    return text


def _read(texts: Iterable[str]) -> Iterable[Bundle]:
    for text in texts:
        values: dict[str, Any] = json.loads(text)
        findings = {name: Finding(**found) for name, found in values.pop("findings").items()}
        cost = Cost(**values.pop("cost", {}))
        yield Bundle(findings=findings, cost=cost, **values)


def when(unix_time: float) -> str:
    """Return a Unix time for people: ``2026-11-27 03:02:11 UTC``."""
    return datetime.fromtimestamp(unix_time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
