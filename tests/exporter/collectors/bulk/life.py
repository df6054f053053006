"""Bulk operations that wait, work, fail and succeed."""

from __future__ import annotations

from datetime import datetime, timedelta

from sandbox.shop import Shop
from tests.harness.crowd import crowd


def past(shop: Shop, now: datetime) -> None:
    bulk = shop.messages.start_bulk(4, at=now - timedelta(minutes=25))
    shop.messages.process(bulk, (4, 3), at=now - timedelta(minutes=20))


def minute(shop: Shop, at: datetime) -> None:
    bulk = shop.messages.start_bulk(2, at=at)
    shop.messages.process(bulk, (1, 2), at=at)


def many(shop: Shop, rows: int, before: datetime) -> None:
    columns = {
        "uuid": "UUID()",
        "user_id": "1",
        "user_type": "2",
        "description": "'private'",
        "operation_count": "10",
        "start_time": "at",
    }
    crowd(shop.database, "magento_bulk", rows, before, columns)
    columns = {
        "bulk_uuid": "(SELECT uuid FROM {magento_bulk} LIMIT 1)",
        "topic_name": "'topic'",
        "status": "IF(seq MOD 100, 1, 3)",
        "started_at": "at",
        "operation_key": "1000 + seq",
    }
    crowd(shop.database, "magento_operation", rows, before, columns)
