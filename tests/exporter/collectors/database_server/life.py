"""Cron plans the jobs of the group index, and does not get on."""

from __future__ import annotations

from datetime import datetime

from sandbox.shop import Shop


def past(_shop: Shop, _now: datetime) -> None:
    """Nobody holds a lock."""


def minute(shop: Shop, _at: datetime) -> None:
    """Take the group's lock, and keep it."""
    shop.database.execute("DO GET_LOCK(CONCAT(DATABASE(), '|CRON_index'), 0)")
