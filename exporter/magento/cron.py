"""Magento's cron: statuses, groups, and the jobs of Magento Open Source with their usual periods.

Source: ``etc/crontab.xml`` and ``etc/cron_groups.xml`` of every core module, 2.4.8-p1.
"""

from __future__ import annotations

from typing import Final

STATUSES: Final = ("pending", "running", "success", "missed", "error")
"""``cron_schedule.status`` (``Magento\\Cron\\Model\\Schedule``)."""

FINAL_STATUSES: Final = ("success", "missed", "error")
"""Statuses that a row never leaves."""

HEARTBEAT_JOB: Final = "indexer_update_all_views"
"""Runs every minute in every shop, whatever is configured; group ``index``."""
