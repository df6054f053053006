"""Products that are saved: the triggers write the changelogs."""

from __future__ import annotations

from datetime import datetime

from sandbox.shop import Shop
from tests.harness.crowd import crowd


def past(shop: Shop, now: datetime) -> None:  # noqa: ARG001 - a trigger writes at the shop's own time
    shop.customers.save_product(3)


def minute(shop: Shop, at: datetime) -> None:  # noqa: ARG001
    shop.customers.save_product(4)


def many(shop: Shop, rows: int, before: datetime) -> None:
    """Fill the changelogs that the installer has made, and index most of them."""
    for (table,) in shop.database.rows("SHOW TABLES LIKE '%%\\_cl'", ()):
        crowd(shop.database, table.removeprefix(shop.database.prefix), rows, before, {"entity_id": "seq"})
    shop.database.execute("UPDATE {mview_state} SET version_id = %s WHERE mode = 'enabled'", (rows - 1_000,))
