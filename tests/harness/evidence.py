"""The part of an exporter that looks at the shop when an alert fires, for tests of the other parts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from exporter.core.ports import StateStore
from exporter.core.runner import Runner
from exporter.evidence.bundles import Bundles
from exporter.evidence.capture import Sources
from exporter.evidence.service import EvidenceService


def no_evidence(runner: Runner, store: StateStore) -> EvidenceService:
    """Return a service that is declared nothing and never asked."""
    return EvidenceService({}, Sources(runner, ThreadPoolExecutor(1)), Bundles(store))
