"""Every alert and recording rule of the pack, collected from one file a subject."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from alerts.lib.model import Alert
from alerts.lib.owners import Owners
from alerts.lib.prometheus import in_order
from alerts.lib.recording import Recording
from alerts.recording import RECORDINGS
from exporter.collectors import all_collectors
from exporter.errors import SpecError

SUBJECTS: Final = (
    "selling",
    "slo",
    "orders",
    "cron",
    "indexers",
    "queues",
    "page_cache",
    "exporter",
)
"""The files of the catalogue, in the order in which an engineer would ask."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The alerts and recording rules by subject, and where their metrics come from."""

    alerts: Mapping[str, Sequence[Alert]]
    recordings: Mapping[str, Sequence[Recording]]
    owners: Owners

    @property
    def all(self) -> list[Alert]:
        """Every alert, in order."""
        return [alert for alerts in self.alerts.values() for alert in alerts]

    def subject(self, alert: Alert) -> str:
        """Return the file that declares the alert."""
        return next(subject for subject, alerts in self.alerts.items() if alert in alerts)


def catalogue() -> Catalogue:
    """Return the whole catalogue; raise :exc:`SpecError` if a name is used twice."""
    alerts = {subject: _alerts(subject) for subject in SUBJECTS}
    rules = (*RECORDINGS, *(rule for subject in SUBJECTS for rule in _recordings(subject)))
    found = [alert.name for group in alerts.values() for alert in group]
    found += [recording.name for recording in rules]
    for name in found:
        if found.count(name) > 1:
            raise SpecError(f"{name} is declared twice")
    recordings = {
        subject: in_order(recording for recording in rules if recording.group == subject)
        for subject in SUBJECTS
    }
    lost = {recording.group for recording in rules} - set(SUBJECTS)
    if lost:
        raise SpecError(f"recording rules in unknown groups: {', '.join(sorted(lost))}")
    return Catalogue(alerts, recordings, Owners(all_collectors(), rules))


def _alerts(subject: str) -> tuple[Alert, ...]:
    return tuple(importlib.import_module(f"alerts.{subject}").ALERTS)


def _recordings(subject: str) -> tuple[Recording, ...]:
    """Return the recording rules that this subject declares beside its alerts."""
    return tuple(getattr(importlib.import_module(f"alerts.{subject}"), "RECORDINGS", ()))
