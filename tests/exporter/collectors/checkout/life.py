"""Carts that take steps towards an order."""

from __future__ import annotations

from datetime import datetime, timedelta

from sandbox.shop import Shop


def past(shop: Shop, now: datetime) -> None:
    cart = shop.carts.open("us", at=now - timedelta(minutes=9))
    shop.carts.advance(cart, "payment_method", at=now - timedelta(minutes=8))


def minute(shop: Shop, at: datetime) -> None:
    cart = shop.carts.open("de", at=at)
    shop.carts.advance(cart, "payment_method", method="checkmo", at=at)
    shop.orders.buy(cart, at=at)
    shop.carts.advance(shop.carts.open("us", at=at), "shipping_method", at=at)
