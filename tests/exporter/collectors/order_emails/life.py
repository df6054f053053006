"""Orders and documents whose e-mail is not sent."""

from __future__ import annotations

from datetime import datetime, timedelta

from sandbox.shop import Shop


def past(shop: Shop, now: datetime) -> None:
    silent = shop.orders.place("default", "braintree", at=now - timedelta(minutes=248), email=False)
    shop.documents.ship(silent, at=now - timedelta(minutes=247), email=False)
    shop.documents.refund(silent, at=now - timedelta(minutes=246), email=False)


def minute(shop: Shop, at: datetime) -> None:
    shop.orders.place("default", "banktransfer", virtual=True, email=False, at=at)
