"""Orders that are missing in the grid."""

from __future__ import annotations

from datetime import datetime, timedelta

from sandbox.shop import Shop


def past(shop: Shop, now: datetime) -> None:
    shop.orders.place("us", grid=False, at=now - timedelta(minutes=230))


def minute(shop: Shop, at: datetime) -> None:
    shop.orders.place("default", grid=False, at=at)
