"""Orders in several states."""

from __future__ import annotations

from datetime import datetime, timedelta

from sandbox.shop import Shop


def past(shop: Shop, now: datetime) -> None:
    held = shop.orders.place("us", at=now - timedelta(minutes=200))
    shop.orders.set_state(held, "holded", "holded", at=now - timedelta(minutes=190))


def minute(shop: Shop, at: datetime) -> None:
    shop.orders.place("us", "braintree", at=at)
