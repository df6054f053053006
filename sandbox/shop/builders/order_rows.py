"""The rows that belong to an order whatever happens to it: its state and history, its reservations."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

from sandbox.shop.builders import grids
from sandbox.shop.database import ShopDatabase


class OrderRows:
    """Reads and changes an order that is there."""

    def __init__(self, database: ShopDatabase) -> None:
        self.database = database

    def read(self, order_id: int) -> dict[str, Any]:
        """Return an order's columns that its documents copy."""
        columns = (
            "entity_id",
            "store_id",
            "state",
            "status",
            "is_virtual",
            "base_grand_total",
            "base_currency_code",
            "total_qty_ordered",
        )
        row = self.database.row(
            f"SELECT {', '.join(columns)} FROM {{sales_order}} WHERE entity_id = %s", (order_id,)
        )
        return dict(zip(columns, row, strict=True))

    def items(self, order_id: int) -> list[tuple[str, Decimal]]:
        """Return what was ordered, as (sku, quantity)."""
        return self.database.rows(
            "SELECT sku, qty_ordered FROM {sales_order_item} WHERE order_id = %s", (order_id,)
        )

    def set_state(
        self, order_id: int, state: str, status: str, *, at: datetime | None = None, grid: bool = True
    ) -> None:
        """Write an order's state and status, with the traces that a change of status leaves."""
        when = self.database.moment(at)
        with self.database.transaction():
            self.database.update(
                "sales_order", {"entity_id": order_id}, state=state, status=status, updated_at=when
            )
            self.note_status(order_id, status, when)
            if grid:
                grids.copy(self.database, "order", [order_id])

    def note_status(self, order_id: int, status: str, when: datetime) -> None:
        """Add a status to the order's history."""
        self.database.insert(
            "sales_order_status_history",
            parent_id=order_id,
            status=status,
            entity_name="order",
            comment="private comment",
            created_at=when,
        )
        if self.database.has_table("sales_order_status_change_history"):
            self.database.insert(
                "sales_order_status_change_history", order_id=order_id, status=status, created_at=when
            )

    def reserve(self, sku: str, quantity: Decimal, event: str, order_id: int) -> None:
        """Book a quantity on the stock (negative), or give it back."""
        metadata = {"event_type": event, "object_type": "order", "object_id": str(order_id)}
        self.database.insert(
            "inventory_reservation", stock_id=1, sku=sku, quantity=quantity, metadata=json.dumps(metadata)
        )
