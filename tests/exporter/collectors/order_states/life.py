"""Orders in several states, one late, one without a time: PHP makes 1970 of a zero date."""

from __future__ import annotations

from datetime import datetime, timedelta

from sandbox.shop import Shop


def past(shop: Shop, now: datetime) -> None:
    late = shop.orders.place("de", at=now - timedelta(hours=60))
    shop.orders.set_state(late, "payment_review", "payment_review", at=now - timedelta(hours=60))
    held = shop.orders.place("us", at=now - timedelta(minutes=200))
    shop.orders.set_state(held, "holded", "holded", at=now - timedelta(minutes=190))
    shop.database.update("sales_order", {"entity_id": held}, created_at=datetime(1970, 1, 2))  # noqa: DTZ001 - UTC


def minute(shop: Shop, at: datetime) -> None:
    shop.orders.place("us", "braintree", at=at)
