"""Orders of several methods and customers, one with a coupon and one edited."""

from __future__ import annotations

from datetime import datetime, timedelta

from sandbox.shop import Shop


def past(shop: Shop, now: datetime) -> None:
    for minutes, method in ((150, "checkmo"), (120, "mollie_methods_ideal"), (100, "braintree")):
        shop.orders.place("de", method, at=now - timedelta(minutes=minutes))


def minute(shop: Shop, at: datetime) -> None:
    customer = shop.customers.register("de", at=at)
    shop.orders.place("de", "paypal_express", customer_id=customer, at=at)
    edited = shop.orders.place("us", at=at)
    shop.database.update(
        "sales_order",
        {"entity_id": edited},
        relation_parent_id=edited - 1,
        coupon_code="private coupon",
        base_discount_amount=-7,
    )
