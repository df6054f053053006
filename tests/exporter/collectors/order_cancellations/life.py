"""Orders that are cancelled."""

from __future__ import annotations

from datetime import datetime, timedelta

from sandbox.shop import Shop


def past(shop: Shop, now: datetime) -> None:
    shop.orders.cancel(shop.orders.place("us", at=now - timedelta(hours=9)), at=now - timedelta(hours=8))


def minute(shop: Shop, at: datetime) -> None:
    shop.orders.cancel(shop.orders.place("default", "checkmo", at=at), at=at)
