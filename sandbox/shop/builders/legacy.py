"""What old shops bring along: rows with zero dates, and the changelog of somebody's extension."""

from sandbox.shop import magento
from sandbox.shop.builders.shop import Shop

ZERO = "0000-00-00 00:00:00"
FOREIGN_VIEW = "vendor_feed"


def add_legacy(shop: Shop) -> None:
    """Leave a cart, an order and a failed message without a date, as a shop that began on 2.3.0 keeps them.

    The extension's changelog has a column of its own instead of `entity_id`.
    """
    database = shop.database
    cart = shop.carts.open()
    order = shop.orders.place("default", "checkmo")
    (message,) = shop.messages.publish("export")
    shop.messages.set_status(message, magento.MESSAGE_ERROR)
    strict = database.value("SELECT @@sql_mode")
    database.execute("SET sql_mode = ''")
    database.execute("UPDATE {quote} SET updated_at = %s WHERE entity_id = %s", (ZERO, cart))
    database.execute(
        "UPDATE {sales_order} SET created_at = %s, state = 'processing', status = 'processing'"
        " WHERE entity_id = %s",
        (ZERO, order),
    )
    database.execute("UPDATE {queue_message_status} SET updated_at = %s WHERE id = %s", (ZERO, message))
    database.execute("SET sql_mode = %s", (strict,))
    database.execute(
        f"CREATE TABLE {{{FOREIGN_VIEW}_cl}} (`version_id` int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,"
        " `product_id` int NOT NULL) ENGINE=InnoDB"
    )
    database.insert_many(f"{FOREIGN_VIEW}_cl", ("product_id",), [(1,), (2,)])
    database.execute(
        "INSERT INTO {mview_state} (view_id, mode, status, updated, version_id)"
        " VALUES (%s, 'enabled', 'idle', UTC_TIMESTAMP(), 0)",
        (FOREIGN_VIEW,),
    )
