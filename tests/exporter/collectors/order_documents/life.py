"""Orders that are invoiced, shipped and refunded."""

from __future__ import annotations

from datetime import datetime, timedelta

from sandbox.shop import Shop
from tests.harness.crowd import crowd


def past(shop: Shop, now: datetime) -> None:
    paid = shop.orders.place("de", "braintree", at=now - timedelta(hours=7))
    shop.documents.ship(paid, at=now - timedelta(hours=6))


def minute(shop: Shop, at: datetime) -> None:
    paid = shop.orders.place("us", "braintree", at=at)
    shop.documents.ship(paid, at=at)
    shop.documents.refund(paid, at=at)


def many(shop: Shop, rows: int, before: datetime) -> None:
    columns = {
        "order_id": "seq",
        "store_id": "1 + seq MOD 3",
        "increment_id": "CONCAT('old ', seq)",
        "base_grand_total": "10",
        "base_currency_code": "'EUR'",
        "send_email": "1",
        "email_sent": "1",
        "created_at": "at",
        "updated_at": "at",
    }
    for table in ("sales_invoice", "sales_shipment", "sales_creditmemo"):
        # Older than a day, so that the first run still comes to the documents of the past() of order_emails.
        crowd(shop.database, table, rows, before - timedelta(days=1), columns)
