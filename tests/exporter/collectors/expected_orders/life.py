"""Orders at the same hours of other days."""

from __future__ import annotations

from datetime import datetime, timedelta

from sandbox.shop import Shop


def past(shop: Shop, now: datetime) -> None:
    for hours in (24 * 7, 24):
        shop.orders.place("de", at=now - timedelta(hours=hours))


def minute(shop: Shop, at: datetime) -> None:
    shop.orders.place("us", at=at)
