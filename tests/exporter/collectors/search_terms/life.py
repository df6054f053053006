"""Searches with and without a result."""

from __future__ import annotations

from datetime import datetime, timedelta

from sandbox.shop import Shop
from tests.harness.crowd import crowd


def past(shop: Shop, now: datetime) -> None:
    for text, results in (("chair", 12), ("sofa", 0), ("lamp", 4)):
        shop.customers.search(text, results, at=now - timedelta(hours=3))


def minute(shop: Shop, at: datetime) -> None:
    shop.customers.search("table", 0, store="us", at=at)
    shop.customers.search("bed", 7, store="de", at=at)
    shop.customers.search("sofa", 0, at=at)


def many(shop: Shop, rows: int, before: datetime) -> None:
    columns = {
        "query_text": "CONCAT('private ', seq)",
        "num_results": "seq MOD 7",
        "popularity": "1 + seq MOD 30",
        "store_id": "1 + seq MOD 3",
        "updated_at": "at",
    }
    crowd(shop.database, "search_query", rows, before, columns)
