"""The admin's grids: copies of orders and documents, made at once or by the asynchronous jobs."""

from collections.abc import Sequence
from typing import Final

from sandbox.shop.database import ShopDatabase

_COLUMNS: Final = {
    "order": {
        "entity_id": "o.entity_id",
        "status": "o.status",
        "store_id": "o.store_id",
        "store_name": "o.store_name",
        "customer_id": "o.customer_id",
        "base_grand_total": "o.base_grand_total",
        "base_total_paid": "o.base_total_paid",
        "grand_total": "o.grand_total",
        "total_paid": "o.total_paid",
        "increment_id": "o.increment_id",
        "base_currency_code": "o.base_currency_code",
        "order_currency_code": "o.order_currency_code",
        "shipping_name": "CONCAT(o.customer_firstname, ' ', o.customer_lastname)",
        "billing_name": "CONCAT(o.customer_firstname, ' ', o.customer_lastname)",
        "customer_name": "CONCAT(o.customer_firstname, ' ', o.customer_lastname)",
        "created_at": "o.created_at",
        "updated_at": "o.updated_at",
        "billing_address": "'Private Street'",
        "shipping_address": "'Private Street'",
        "shipping_information": "o.shipping_description",
        "customer_email": "o.customer_email",
        "customer_group": "CAST(o.customer_group_id AS CHAR)",
        "subtotal": "o.base_subtotal",
        "shipping_and_handling": "o.base_shipping_amount",
        "payment_method": "p.method",
        "total_refunded": "o.total_refunded",
    },
    "invoice": {
        "entity_id": "d.entity_id",
        "increment_id": "d.increment_id",
        "state": "d.state",
        "store_id": "d.store_id",
        "order_id": "d.order_id",
        "order_increment_id": "o.increment_id",
        "order_created_at": "o.created_at",
        "customer_name": "CONCAT(o.customer_firstname, ' ', o.customer_lastname)",
        "customer_email": "o.customer_email",
        "payment_method": "p.method",
        "base_currency_code": "d.base_currency_code",
        "grand_total": "d.grand_total",
        "base_grand_total": "d.base_grand_total",
        "created_at": "d.created_at",
        "updated_at": "d.updated_at",
    },
    "shipment": {
        "entity_id": "d.entity_id",
        "increment_id": "d.increment_id",
        "store_id": "d.store_id",
        "order_id": "d.order_id",
        "order_increment_id": "o.increment_id",
        "order_created_at": "o.created_at",
        "customer_name": "CONCAT(o.customer_firstname, ' ', o.customer_lastname)",
        "total_qty": "d.total_qty",
        "shipment_status": "d.shipment_status",
        "order_status": "o.status",
        "customer_email": "o.customer_email",
        "payment_method": "p.method",
        "created_at": "d.created_at",
        "updated_at": "d.updated_at",
    },
    "creditmemo": {
        "entity_id": "d.entity_id",
        "increment_id": "d.increment_id",
        "created_at": "d.created_at",
        "updated_at": "d.updated_at",
        "order_id": "d.order_id",
        "order_increment_id": "o.increment_id",
        "order_created_at": "o.created_at",
        "state": "d.state",
        "base_grand_total": "d.base_grand_total",
        "order_status": "o.status",
        "store_id": "d.store_id",
        "customer_name": "CONCAT(o.customer_firstname, ' ', o.customer_lastname)",
        "customer_email": "o.customer_email",
        "payment_method": "p.method",
        "order_base_grand_total": "o.base_grand_total",
    },
}


def copy(database: ShopDatabase, kind: str, entity_ids: Sequence[int]) -> None:
    """Write the grid rows of the given orders or documents, new or refreshed."""
    if entity_ids:
        marks = ", ".join(["%s"] * len(entity_ids))
        database.execute(
            f"{statement(kind)} WHERE {source(kind)}.entity_id IN ({marks}) {refresh(kind)}", entity_ids
        )


def copy_missing(database: ShopDatabase, kind: str, *, limit: int = 100) -> int:
    """Do what the asynchronous grid job does: add and refresh rows; returns how many."""
    table = "sales_order" if kind == "order" else f"sales_{kind}"
    found = database.rows(
        f"SELECT s.entity_id FROM {{{table}}} s LEFT JOIN {{{table}_grid}} g ON g.entity_id = s.entity_id"
        f" WHERE g.entity_id IS NULL OR s.updated_at > g.updated_at ORDER BY s.entity_id DESC LIMIT {limit}"
    )
    copy(database, kind, [row[0] for row in found])
    return len(found)


def statement(kind: str) -> str:
    """Return INSERT ... SELECT of a grid, without condition."""
    columns = _COLUMNS[kind]
    names = ", ".join(columns)
    values = ", ".join(columns.values())
    document = "" if kind == "order" else f"{{sales_{kind}}} d JOIN "
    link = "" if kind == "order" else " ON o.entity_id = d.order_id"
    return (
        f"INSERT INTO {{sales_{kind}_grid}} ({names}) SELECT {values} FROM {document}{{sales_order}} o{link}"
        # Without the hint, a table just filled still counts as empty and is scanned once per order.
        " LEFT JOIN {sales_order_payment} p FORCE INDEX (SALES_ORDER_PAYMENT_PARENT_ID)"
        " ON p.parent_id = o.entity_id"
    )


def source(kind: str) -> str:
    """Return the alias of the table whose entity id the grid shares."""
    return "o" if kind == "order" else "d"


def refresh(kind: str) -> str:
    """Return the clause that overwrites an existing row."""
    names = (name for name in _COLUMNS[kind] if name != "entity_id")
    return "ON DUPLICATE KEY UPDATE " + ", ".join(f"{name} = VALUES({name})" for name in names)
