"""Messages from new to done or failed."""

from __future__ import annotations

from datetime import datetime, timedelta

from sandbox.shop import Shop
from tests.harness.crowd import crowd


def past(shop: Shop, now: datetime) -> None:
    first, second, third, *_ = shop.messages.publish("export", 5, at=now - timedelta(minutes=30))
    shop.messages.set_status(first, 3, at=now - timedelta(minutes=20))
    shop.messages.set_status(second, 6, at=now - timedelta(minutes=10))
    shop.messages.set_status(third, 4, at=now - timedelta(minutes=9))


def minute(shop: Shop, at: datetime) -> None:
    first, second, *_ = shop.messages.publish("product_alert.queue", 3, at=at)
    shop.messages.set_status(first, 4, at=at)
    shop.messages.set_status(second, 6, at=at)


def many(shop: Shop, rows: int, before: datetime) -> None:
    columns = {
        "queue_id": "1 + seq MOD 20",
        "message_id": "1000000 + seq",
        "updated_at": "at",
        "status": "IF(seq MOD 50, 4, 6)",
    }
    crowd(shop.database, "queue_message_status", rows, before, columns)
