"""Placements that fail: before, with a number that the cart keeps, and then without."""

from __future__ import annotations

from datetime import datetime, timedelta

from sandbox.shop import Shop


def past(shop: Shop, now: datetime) -> None:
    declined = shop.carts.open("us", at=now - timedelta(minutes=7))
    shop.carts.advance(declined, "placement_attempt", method="paypal_express", at=now - timedelta(minutes=6))


def minute(shop: Shop, at: datetime) -> None:
    shop.carts.advance(shop.carts.open("us", at=at), "placement_attempt", method="braintree", at=at)
