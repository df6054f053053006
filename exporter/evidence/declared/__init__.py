"""The evidence of each alert, one module a subject; the titles and fixes are those of its runbook."""

from __future__ import annotations

from collections.abc import Mapping

from exporter.evidence.declared import (
    backends,
    cron,
    indexers,
    machines,
    orders,
    outside,
    page_cache,
    queues,
    redis,
    security,
    selling,
    servers,
)
from exporter.evidence.model import Evidence


def declared() -> Mapping[str, Evidence]:
    """Return the evidence of every alert that has some, by the alert's name."""
    parts = (
        backends,
        cron,
        indexers,
        machines,
        orders,
        outside,
        page_cache,
        queues,
        redis,
        security,
        selling,
        servers,
    )
    return {evidence.alert: evidence for part in parts for evidence in part.EVIDENCE}
