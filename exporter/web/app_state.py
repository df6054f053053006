"""What the routes share: the runner and the few numbers they need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from exporter.core.runner import Runner
from exporter.evidence.events import Events
from exporter.evidence.service import EvidenceService
from exporter.pack.addresses import NOWHERE, Addresses
from exporter.web.commands import Commands


@dataclass(frozen=True, slots=True)
class AppState:
    """Kept in ``app.state.exporter`` from start to stop of the server."""

    runner: Runner
    off: Mapping[str, str]
    scrape_seconds: float
    offset_seconds: float
    runbooks: Path | None = None
    grafana: str = ""
    alertmanager: str = ""
    evidence: EvidenceService | None = None
    events: Events | None = None
    evidence_token: Callable[[], bytes] | None = None
    links: Addresses = NOWHERE
    commands: Commands = field(default_factory=Commands)
