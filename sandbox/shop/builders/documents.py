"""Documents of an order: invoices, shipments, credit memos."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sandbox.shop.builders import grids
from sandbox.shop.builders.order_rows import OrderRows
from sandbox.shop.builders.stock import Stock
from sandbox.shop.database import ShopDatabase


class Documents:
    """Writes what the admin writes when an order is invoiced, shipped or refunded as a whole.

    `grid` and `email` are as in `Orders.place`.
    """

    def __init__(self, database: ShopDatabase, stock: Stock, order_rows: OrderRows) -> None:
        self.database = database
        self.stock = stock
        self.order_rows = order_rows

    def invoice(
        self, order_id: int, *, at: datetime | None = None, grid: bool = True, email: bool = True
    ) -> int:
        """Invoice the whole order; returns the invoice's entity id."""
        when, database = self.database.moment(at), self.database
        with database.transaction():
            order = self.order_rows.read(order_id)
            amounts = self._amounts(order) | {"total_qty": order["total_qty_ordered"]}
            invoice_id = self._insert_document("invoice", order, when, email=email, **amounts)
            database.update(
                "sales_order",
                {"entity_id": order_id},
                base_total_invoiced=order["base_grand_total"],
                base_total_paid=order["base_grand_total"],
                total_paid=order["base_grand_total"],
                base_total_due=0,
                total_due=0,
            )
            database.execute(
                "UPDATE {sales_order_item} SET qty_invoiced = qty_ordered WHERE order_id = %s", (order_id,)
            )
            shipped = order["is_virtual"] or self.has("shipment", order_id)
            state = "complete" if shipped else "processing"
            self.order_rows.set_state(order_id, state, state, at=when, grid=grid)
            if grid:
                grids.copy(database, "invoice", [invoice_id])
        return invoice_id

    def ship(
        self, order_id: int, *, at: datetime | None = None, grid: bool = True, email: bool = True
    ) -> int:
        """Ship the whole order; returns the shipment's entity id."""
        when, database = self.database.moment(at), self.database
        with database.transaction():
            order = self.order_rows.read(order_id)
            shipment_id = self._insert_document(
                "shipment", order, when, email=email, total_qty=order["total_qty_ordered"]
            )
            for sku, quantity in self.order_rows.items(order_id):
                self.order_rows.reserve(sku, quantity, "shipment_created", order_id)
                database.execute(
                    "UPDATE {inventory_source_item} SET quantity = quantity - %s WHERE sku = %s",
                    (quantity, sku),
                )
            database.execute(
                "UPDATE {sales_order_item} SET qty_shipped = qty_ordered WHERE order_id = %s", (order_id,)
            )
            state = "complete" if self.has("invoice", order_id) else "processing"
            self.order_rows.set_state(order_id, state, state, at=when, grid=grid)
            if grid:
                grids.copy(database, "shipment", [shipment_id])
        return shipment_id

    def refund(
        self, order_id: int, *, at: datetime | None = None, grid: bool = True, email: bool = True
    ) -> int:
        """Refund the whole order, which closes it; returns the credit memo's entity id."""
        when, database = self.database.moment(at), self.database
        with database.transaction():
            order = self.order_rows.read(order_id)
            amounts = self._amounts(order)
            creditmemo_id = self._insert_document("creditmemo", order, when, email=email, **amounts)
            database.update(
                "sales_order",
                {"entity_id": order_id},
                base_total_refunded=order["base_grand_total"],
                total_refunded=order["base_grand_total"],
            )
            self.order_rows.set_state(order_id, "closed", "closed", at=when, grid=grid)
            if grid:
                grids.copy(database, "creditmemo", [creditmemo_id])
        return creditmemo_id

    def has(self, kind: str, order_id: int) -> bool:
        """Tell whether the order has an `invoice`, `shipment` or `creditmemo`."""
        return bool(
            self.database.rows(f"SELECT 1 FROM {{sales_{kind}}} WHERE order_id = %s LIMIT 1", (order_id,))
        )

    @staticmethod
    def _amounts(order: Mapping[str, Any]) -> dict[str, object]:
        return {
            "state": 2,
            "base_grand_total": order["base_grand_total"],
            "grand_total": order["base_grand_total"],
            "base_currency_code": order["base_currency_code"],
        }

    def _insert_document(
        self, kind: str, order: Mapping[str, Any], when: datetime, *, email: bool, **values: object
    ) -> int:
        return self.database.insert(
            f"sales_{kind}",
            order_id=order["entity_id"],
            store_id=order["store_id"],
            increment_id=self.stock.next_number(kind, order["store_id"]),
            send_email=1,
            email_sent=1 if email else None,
            created_at=when,
            updated_at=when,
            **values,
        )
