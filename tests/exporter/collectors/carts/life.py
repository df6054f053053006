"""Carts in use, and one that is left."""

from __future__ import annotations

from datetime import datetime, timedelta

from sandbox.shop import Shop


def past(shop: Shop, now: datetime) -> None:
    """Open carts of several ages. One was touched 55 minutes ago: ten minutes later it is abandoned."""
    for minutes in (500, 90, 55, 12):
        shop.carts.open("default", at=now - timedelta(minutes=minutes))
        shop.carts.open("us", headless=True, at=now - timedelta(minutes=minutes + 1))
    filled = shop.carts.open("us", headless=True, at=now - timedelta(minutes=91))
    shop.carts.add_items(filled, 3, at=now - timedelta(minutes=90))


def minute(shop: Shop, at: datetime) -> None:
    shop.carts.open("de", at=at)
