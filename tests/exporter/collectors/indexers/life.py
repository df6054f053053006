"""Products that are saved: triggers write the changelogs, of which a module has built one in its own way."""

from __future__ import annotations

from datetime import datetime

from sandbox.shop import Shop
from tests.harness.crowd import crowd


def past(shop: Shop, now: datetime) -> None:  # noqa: ARG001 - a trigger writes at the shop's own time
    shop.customers.save_product(3)
    shop.database.insert("mview_state", view_id="foreign", mode="enabled", status="idle", version_id=0)
    shop.database.execute("CREATE TABLE {foreign_cl} (version_id int PRIMARY KEY, product_id int)")
    rows = [(number, 3) for number in range(1, 1_201)]
    shop.database.insert_many("foreign_cl", ("version_id", "product_id"), rows)


def minute(shop: Shop, at: datetime) -> None:  # noqa: ARG001
    shop.customers.save_product(4)


def many(shop: Shop, rows: int, before: datetime) -> None:
    """Fill the changelogs that the installer has made, and index most of them."""
    for (name,) in shop.database.rows("SHOW TABLES LIKE '%%\\_cl'", ()):
        if (table := name.removeprefix(shop.database.prefix)) != "foreign_cl":
            crowd(shop.database, table, rows, before, {"entity_id": "seq"})
    shop.database.execute("UPDATE {mview_state} SET version_id = %s WHERE mode = 'enabled'", (rows - 1_000,))
