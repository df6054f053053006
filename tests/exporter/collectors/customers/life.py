"""Accounts that are made."""

from __future__ import annotations

from datetime import datetime, timedelta

from sandbox.shop import Shop
from tests.harness.crowd import crowd


def past(shop: Shop, now: datetime) -> None:
    shop.customers.register("de", at=now - timedelta(minutes=80))


def minute(shop: Shop, at: datetime) -> None:
    shop.customers.register("us", at=at)


def many(shop: Shop, rows: int, before: datetime) -> None:
    columns = {
        "website_id": "1",
        "email": "CONCAT(seq, '@private.invalid')",
        "group_id": "1",
        "store_id": "1 + seq MOD 3",
        "created_at": "at",
        "updated_at": "at",
    }
    crowd(shop.database, "customer_entity", rows, before, columns)
