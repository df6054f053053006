"""A product gets a price in a second customer group, which guests do not see."""

from __future__ import annotations

from datetime import datetime

from sandbox.shop import Shop
from tests.harness.crowd import crowd


def past(shop: Shop, now: datetime) -> None:
    """The products of the installation have their prices."""


def minute(shop: Shop, _at: datetime) -> None:
    shop.database.update("catalog_product_index_price", {"entity_id": 1, "website_id": 1}, min_price=0)


def many(shop: Shop, rows: int, before: datetime) -> None:
    columns = {
        "entity_id": "1000 + seq",
        "customer_group_id": "seq MOD 4",
        "website_id": "1",
        "min_price": "seq",
    }
    crowd(shop.database, "catalog_product_index_price", rows, before, columns)
