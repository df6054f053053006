"""Every dashboard of the pack."""

from __future__ import annotations

from typing import Final

from dashboards import cron, indexers
from dashboards.lib.page import Dashboard

DASHBOARDS: Final[tuple[Dashboard, ...]] = (cron.DASHBOARD, indexers.DASHBOARD)
