"""Every alert and recording rule of the pack, collected by subject."""

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

SUBJECTS: Final[Mapping[str, Sequence[str]]] = {
    "probe": ("probe",),
    "selling": (
        "selling.stopped",
        "selling.nobody_comes",
        "selling.orders_low",
        "selling.payment_methods",
        "selling.stages",
        "selling.customers",
        "selling.card_testing",
        "selling.order_value",
        "selling.maintenance",
        "selling.glance",
    ),
    "slo": ("payments_fail", "slo"),
    "orders": ("orders",),
    "cron": ("cron",),
    "indexers": ("indexers",),
    "queues": ("queues",),
    "page_cache": ("page_cache",),
    "platform": (
        "platform.web",
        "platform.database",
        "platform.redis",
        "platform.search",
        "platform.host",
    ),
    "security": ("security",),
    "exporter": ("exporter",),
}
"""The modules of each subject, in the order in which an engineer would ask."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The alerts and recording rules by subject, and where their metrics come from."""

    alerts: Mapping[str, Sequence[Alert]]
    recordings: Mapping[str, Sequence[Recording]]
    files: Mapping[str, str]
    """The file that declares each alert, by the alert's name."""
    owners: Owners

    @property
    def all(self) -> list[Alert]:
        """Every alert, in order."""
        return [alert for alerts in self.alerts.values() for alert in alerts]

    def subject(self, alert: Alert) -> str:
        """Return the subject of the alert, which names its group of rules."""
        return next(subject for subject, alerts in self.alerts.items() if alert in alerts)


def catalogue() -> Catalogue:
    """Return the whole catalogue; raise :exc:`SpecError` if a name is used twice."""
    declared = {module: _alerts(module) for modules in SUBJECTS.values() for module in modules}
    alerts = {
        subject: [alert for module in modules for alert in declared[module]]
        for subject, modules in SUBJECTS.items()
    }
    rules = (*RECORDINGS, *(rule for module in declared for rule in _recordings(module)))
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
    files = {
        alert.name: f"alerts/{module.replace('.', '/')}.py"
        for module, group in declared.items()
        for alert in group
    }
    return Catalogue(alerts, recordings, files, Owners(all_collectors(), rules))


def _alerts(module: str) -> tuple[Alert, ...]:
    return tuple(getattr(importlib.import_module(f"alerts.{module}"), "ALERTS", ()))


def _recordings(module: str) -> tuple[Recording, ...]:
    return tuple(getattr(importlib.import_module(f"alerts.{module}"), "RECORDINGS", ()))
