"""Magento's cron: what the rows of ``cron_schedule`` can end in."""

from __future__ import annotations

from typing import Final

FINAL_STATUSES: Final = ("success", "missed", "error")
"""Values of ``cron_schedule.status`` that a row never leaves (``Magento\\Cron\\Model\\Schedule``)."""
