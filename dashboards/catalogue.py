"""Every dashboard of the pack, in the order of the ladder."""

from __future__ import annotations

from typing import Final

from dashboards import checkout, cron, exporter, indexers, overview, page_cache, queues, slo
from dashboards.lib.page import Dashboard

DASHBOARDS: Final[tuple[Dashboard, ...]] = (
    overview.DASHBOARD,
    checkout.DASHBOARD,
    cron.DASHBOARD,
    indexers.DASHBOARD,
    queues.DASHBOARD,
    page_cache.DASHBOARD,
    slo.DASHBOARD,
    exporter.DASHBOARD,
)
