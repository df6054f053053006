"""Carts: opened, filled, taken through the steps of the checkout, declined."""

from datetime import datetime
from decimal import Decimal
from random import Random
from typing import Final

from sandbox.shop import magento
from sandbox.shop.builders.people import Person
from sandbox.shop.builders.stock import Stock
from sandbox.shop.database import ShopDatabase

SHIPPING_COST: Final = Decimal("5.0000")
SHIPPING_METHOD: Final = "flatrate_flatrate"


class Carts:
    """Writes what Luma and the API write to the tables of carts."""

    def __init__(self, database: ShopDatabase, stock: Stock, random: Random) -> None:
        self.database = database
        self.stock = stock
        self.random = random

    def open(
        self,
        store: str = "default",
        *,
        customer_id: int | None = None,
        items: int = 2,
        headless: bool = False,
        virtual: bool = False,
        multishipping: bool = False,
        ip: str | None = None,
        at: datetime | None = None,
    ) -> int:
        """Create a cart and return its id.

        As Luma does it the cart begins with its first item. `headless` is the API's way: the cart is
        empty at first, belongs to a guest and has a masked id; `add_items` fills it.
        """
        when, where, database = self.database.moment(at), self.stock.stores[store], self.database
        with database.transaction():
            quote_id = database.insert(
                "quote",
                store_id=where.store_id,
                created_at=when,
                updated_at=when,
                is_active=1,
                is_virtual=int(virtual),
                is_multi_shipping=int(multishipping),
                items_count=0,
                items_qty=0,
                base_currency_code=where.currency,
                quote_currency_code=where.currency,
                store_currency_code=where.currency,
                global_currency_code="EUR",
                customer_id=customer_id,
                customer_group_id=0 if customer_id is None else 1,
                customer_email=None if customer_id is None else Person(customer_id).email,
                customer_is_guest=int(customer_id is None),
                remote_ip=None if headless else ip or Person(self.random.randrange(250)).ip,
            )
            for address_type in ("billing", "shipping"):
                database.insert(
                    "quote_address",
                    quote_id=quote_id,
                    address_type=address_type,
                    customer_id=customer_id,
                    email=None if customer_id is None else Person(customer_id).email,
                    created_at=when,
                    updated_at=when,
                )
            if customer_id is None:
                masked = f"{self.random.getrandbits(128):032x}"
                database.insert("quote_id_mask", quote_id=quote_id, masked_id=masked)
            if not headless:
                self.add_items(quote_id, items, at=when)
        return quote_id

    def add_items(self, quote_id: int, items: int = 1, *, at: datetime | None = None) -> None:
        """Put products into a cart and total it."""
        when, database = self.database.moment(at), self.database
        with database.transaction():
            store_id = database.value("SELECT store_id FROM {quote} WHERE entity_id = %s", (quote_id,))
            for product_id, sku in self.random.choices(self.stock.products, k=items):
                price = Decimal(10 + product_id)
                database.insert(
                    "quote_item",
                    quote_id=quote_id,
                    created_at=when,
                    updated_at=when,
                    product_id=product_id,
                    store_id=store_id,
                    sku=sku,
                    name=f"Product {sku}",
                    qty=1,
                    price=price,
                    base_price=price,
                    row_total=price,
                    base_row_total=price,
                    product_type="simple",
                )
            self._total(quote_id, when)

    def _total(self, quote_id: int, when: datetime) -> None:
        database = self.database
        count, subtotal = database.row(
            "SELECT COUNT(*), COALESCE(SUM(base_row_total), 0) FROM {quote_item} WHERE quote_id = %s",
            (quote_id,),
        )
        shipping = database.value(
            "SELECT COALESCE(SUM(shipping_amount), 0) FROM {quote_address} WHERE quote_id = %s", (quote_id,)
        )
        database.update(
            "quote",
            {"entity_id": quote_id},
            items_count=count,
            items_qty=count,
            subtotal=subtotal,
            base_subtotal=subtotal,
            grand_total=subtotal + shipping,
            base_grand_total=subtotal + shipping,
            updated_at=when,
        )

    def advance(
        self, quote_id: int, stage: str, *, method: str = "braintree", at: datetime | None = None
    ) -> None:
        """Take a cart through every step up to `stage` (one of `magento.STAGES`), skipping none.

        A virtual cart has no shipping steps. `placement_attempt` is a declined placement.
        """
        when = self.database.moment(at)
        virtual = self.database.value("SELECT is_virtual FROM {quote} WHERE entity_id = %s", (quote_id,))
        steps = magento.STAGES[: magento.STAGES.index(stage) + 1]
        with self.database.transaction():
            if "shipping_address" in steps and not virtual:
                self._set_shipping_address(quote_id, when)
            if "shipping_method" in steps and not virtual:
                self._set_shipping_method(quote_id, when)
            if "payment_method" in steps:
                self._set_payment_method(quote_id, method, when)
            if "placement_attempt" not in steps:
                self.database.update("quote", {"entity_id": quote_id}, updated_at=when)
        if "placement_attempt" in steps:
            self.decline(quote_id, at=when)

    def _set_shipping_address(self, quote_id: int, when: datetime) -> None:
        database = self.database
        customer_id = database.value("SELECT customer_id FROM {quote} WHERE entity_id = %s", (quote_id,))
        address = Person(customer_id or quote_id).address()
        if customer_id is None:
            address.pop("email")  # Luma sends a guest's e-mail address with the payment
        database.update(
            "quote_address", {"quote_id": quote_id, "address_type": "shipping"}, **address, updated_at=when
        )
        address_id = database.value(
            "SELECT address_id FROM {quote_address} WHERE quote_id = %s AND address_type = 'shipping'",
            (quote_id,),
        )
        database.execute("DELETE FROM {quote_shipping_rate} WHERE address_id = %s", (address_id,))
        database.insert(
            "quote_shipping_rate",
            address_id=address_id,
            created_at=when,
            updated_at=when,
            carrier="flatrate",
            carrier_title="Flat Rate",
            code=SHIPPING_METHOD,
            method="flatrate",
            price=SHIPPING_COST,
        )

    def _set_shipping_method(self, quote_id: int, when: datetime) -> None:
        self.database.update(
            "quote_address",
            {"quote_id": quote_id, "address_type": "shipping"},
            shipping_method=SHIPPING_METHOD,
            shipping_description="Flat Rate - Fixed",
            shipping_amount=SHIPPING_COST,
            updated_at=when,
        )
        self._total(quote_id, when)

    def _set_payment_method(self, quote_id: int, method: str, when: datetime) -> None:
        database = self.database
        customer_id = database.value("SELECT customer_id FROM {quote} WHERE entity_id = %s", (quote_id,))
        database.update(
            "quote_address",
            {"quote_id": quote_id, "address_type": "billing"},
            **Person(customer_id or quote_id).address(),
            updated_at=when,
        )
        changed = database.update("quote_payment", {"quote_id": quote_id}, method=method, updated_at=when)
        if not changed:
            database.insert(
                "quote_payment",
                quote_id=quote_id,
                created_at=when,
                updated_at=when,
                method=method,
                additional_information='{"token": "private-token"}',
            )

    def decline(self, quote_id: int, *, at: datetime | None = None) -> str:
        """Try to place the order and fail; returns the order number that is lost.

        The number is gone from the sequence in any case. Only a method that saves the cart right after
        taking the number leaves it in `reserved_order_id`.
        """
        when, database = self.database.moment(at), self.database
        store_id, reserved = database.row(
            "SELECT store_id, reserved_order_id FROM {quote} WHERE entity_id = %s", (quote_id,)
        )
        if reserved:
            return str(reserved)
        number = self.stock.next_number("order", store_id)
        if self.method_of(quote_id).reserves_early:
            database.update("quote", {"entity_id": quote_id}, reserved_order_id=number, updated_at=when)
        return number

    def method_of(self, quote_id: int) -> magento.PaymentMethod:
        """Return the payment method of a cart."""
        found = self.database.rows("SELECT method FROM {quote_payment} WHERE quote_id = %s", (quote_id,))
        code = found[0][0] if found else "checkmo"
        return magento.PAYMENT_METHODS.get(code, magento.PaymentMethod(code, "new", "pending"))
