"""Orders: placed, paid, paid late, cancelled."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from random import Random
from typing import Any, Final

from sandbox.shop import magento
from sandbox.shop.builders import grids
from sandbox.shop.builders.carts import SHIPPING_COST, SHIPPING_METHOD, Carts
from sandbox.shop.builders.documents import Documents
from sandbox.shop.builders.order_rows import OrderRows
from sandbox.shop.builders.people import Person
from sandbox.shop.builders.stock import Stock
from sandbox.shop.database import ShopDatabase

IN_SHOP_CURRENCY: Final = {"EUR": Decimal("1.0000"), "USD": Decimal("0.9000")}
"""Rates to the global currency, written as `base_to_global_rate`."""


class Orders(OrderRows):
    """Writes what the checkout, payment providers and the admin write to the tables of orders."""

    def __init__(
        self,
        database: ShopDatabase,
        stock: Stock,
        random: Random,
        *,
        carts: Carts,
        documents: Documents,
    ) -> None:
        super().__init__(database)
        self.stock = stock
        self.random = random
        self.carts = carts
        self.documents = documents

    def place(
        self,
        store: str = "default",
        method: str = "checkmo",
        *,
        customer_id: int | None = None,
        items: int = 2,
        virtual: bool = False,
        at: datetime | None = None,
        grid: bool = True,
        email: bool = True,
    ) -> int:
        """Open a cart, take it through the checkout and buy; returns the order's entity id.

        `grid` and `email` say whether the order is in the admin grid and its e-mail sent at once; without
        them both wait for the cron, as in asynchronous mode.
        """
        with self.database.transaction():
            quote_id = self.carts.open(store, customer_id=customer_id, items=items, virtual=virtual, at=at)
            self.carts.advance(quote_id, "payment_method", method=method, at=at)
            return self.buy(quote_id, at=at, grid=grid, email=email)

    def buy(self, quote_id: int, *, at: datetime | None = None, grid: bool = True, email: bool = True) -> int:
        """Turn a cart that has a payment method into an order; returns its entity id."""
        when, database = self.database.moment(at), self.database
        quote = self._quote(quote_id)
        method = self.carts.method_of(quote_id)
        number = quote["reserved_order_id"] or self.stock.next_number("order", quote["store_id"])
        person = Person(quote["customer_id"] or quote_id)
        with database.transaction():
            order_id = self._insert_order(quote, number, method, person, when, email=email)
            self._insert_order_parts(order_id, quote, method, person, when)
            self.note_status(order_id, method.status, when)
            guest = {"checkout_method": "guest"} if quote["customer_id"] is None else {}
            database.update(
                "quote",
                {"entity_id": quote_id},
                is_active=0,
                reserved_order_id=number,
                customer_email=person.email,
                customer_is_guest=int(quote["customer_id"] is None),
                updated_at=when,
                **guest,
            )
            if method.captures:
                self._capture(order_id, when)
                self.documents.invoice(order_id, at=when, grid=grid, email=email)
            if grid:
                grids.copy(database, "order", [order_id])
        return order_id

    def _quote(self, quote_id: int) -> dict[str, Any]:
        columns = (
            "entity_id",
            "store_id",
            "customer_id",
            "is_virtual",
            "items_count",
            "subtotal",
            "base_grand_total",
            "reserved_order_id",
            "remote_ip",
        )
        row = self.database.row(
            f"SELECT {', '.join(columns)} FROM {{quote}} WHERE entity_id = %s", (quote_id,)
        )
        return dict(zip(columns, row, strict=True))

    def _insert_order(
        self,
        quote: Mapping[str, Any],
        number: str,
        method: magento.PaymentMethod,
        person: Person,
        when: datetime,
        *,
        email: bool,
    ) -> int:
        store, total = self.stock.store_of(quote["store_id"]), quote["base_grand_total"]
        shipping = Decimal(0) if quote["is_virtual"] else SHIPPING_COST
        wants_email = method.state != "pending_payment"
        return self.database.insert(
            "sales_order",
            state=method.state,
            status=method.status,
            protect_code=f"{self.random.getrandbits(64):016x}",
            shipping_description=None if quote["is_virtual"] else "Flat Rate - Fixed",
            shipping_method=None if quote["is_virtual"] else SHIPPING_METHOD,
            is_virtual=quote["is_virtual"],
            store_id=store.store_id,
            store_name=store.name,
            customer_id=quote["customer_id"],
            customer_is_guest=int(quote["customer_id"] is None),
            customer_group_id=0 if quote["customer_id"] is None else 1,
            customer_email=person.email,
            customer_firstname=person.firstname,
            customer_lastname=person.lastname,
            remote_ip=quote["remote_ip"],
            base_grand_total=total,
            grand_total=total,
            base_total_due=total,
            total_due=total,
            base_subtotal=quote["subtotal"],
            subtotal=quote["subtotal"],
            base_shipping_amount=shipping,
            shipping_amount=shipping,
            base_discount_amount=0,
            base_tax_amount=0,
            base_to_global_rate=IN_SHOP_CURRENCY.get(store.currency, Decimal(1)),
            base_to_order_rate=1,
            total_qty_ordered=quote["items_count"],
            total_item_count=quote["items_count"],
            base_currency_code=store.currency,
            order_currency_code=store.currency,
            store_currency_code=store.currency,
            global_currency_code="EUR",
            send_email=1 if wants_email else None,
            email_sent=1 if wants_email and email else None,
            quote_id=quote["entity_id"],
            increment_id=number,
            created_at=when,
            updated_at=when,
        )

    def _insert_order_parts(
        self,
        order_id: int,
        quote: Mapping[str, Any],
        method: magento.PaymentMethod,
        person: Person,
        when: datetime,
    ) -> None:
        database, total = self.database, quote["base_grand_total"]
        database.insert(
            "sales_order_payment",
            parent_id=order_id,
            method=method.code,
            base_amount_ordered=total,
            amount_ordered=total,
            cc_last_4="0000" if method.captures else None,
            additional_information='{"token": "private-token"}',
        )
        for kind in ("billing",) if quote["is_virtual"] else ("billing", "shipping"):
            database.insert("sales_order_address", parent_id=order_id, address_type=kind, **person.address())
        items = database.rows(
            "SELECT item_id, product_id, sku, name, qty, base_price FROM {quote_item} WHERE quote_id = %s",
            (quote["entity_id"],),
        )
        for item_id, product_id, sku, name, quantity, price in items:
            database.insert(
                "sales_order_item",
                order_id=order_id,
                quote_item_id=item_id,
                store_id=quote["store_id"],
                created_at=when,
                updated_at=when,
                product_id=product_id,
                product_type="simple",
                sku=sku,
                name=name,
                qty_ordered=quantity,
                price=price,
                base_price=price,
                row_total=price * quantity,
                base_row_total=price * quantity,
            )
            self.reserve(sku, -quantity, "order_placed", order_id)

    def _capture(self, order_id: int, when: datetime) -> None:
        payment_id, total = self.database.row(
            "SELECT entity_id, base_amount_ordered FROM {sales_order_payment} WHERE parent_id = %s",
            (order_id,),
        )
        transaction = f"private-{order_id}"
        self.database.update(
            "sales_order_payment",
            {"entity_id": payment_id},
            base_amount_paid=total,
            amount_paid=total,
            base_amount_paid_online=total,
            last_trans_id=transaction,
        )
        self.database.insert(
            "sales_payment_transaction",
            order_id=order_id,
            payment_id=payment_id,
            txn_id=transaction,
            txn_type="capture",
            is_closed=0,
            created_at=when,
        )

    def confirm_payment(
        self, order_id: int, *, at: datetime | None = None, grid: bool = True, email: bool = True
    ) -> None:
        """Let the payment provider report success for an order in `pending_payment`."""
        when = self.database.moment(at)
        with self.database.transaction():
            self.database.update(
                "sales_order", {"entity_id": order_id}, send_email=1, email_sent=1 if email else None
            )
            self._capture(order_id, when)
            self.documents.invoice(order_id, at=when, grid=grid, email=email)

    def forget_payment(self, order_id: int, *, at: datetime | None = None) -> None:
        """Put an order back to `pending_payment`, as if its payment had never been reported.

        What was paid is unknown again, not zero. Invoice and shipment stay where an order has them.
        """
        with self.database.transaction():
            total = self.read(order_id)["base_grand_total"]
            self.database.update(
                "sales_order",
                {"entity_id": order_id},
                base_total_invoiced=None,
                base_total_paid=None,
                total_paid=None,
                base_total_due=total,
                total_due=total,
            )
            self.database.update(
                "sales_order_payment",
                {"parent_id": order_id},
                base_amount_paid=None,
                amount_paid=None,
                base_amount_paid_online=None,
            )
            self.set_state(order_id, "pending_payment", "pending_payment", at=at)

    def cancel(self, order_id: int, *, at: datetime | None = None, grid: bool = True) -> None:
        """Cancel an order that is neither invoiced nor shipped."""
        with self.database.transaction():
            order = self.read(order_id)
            self.database.update(
                "sales_order", {"entity_id": order_id}, base_total_canceled=order["base_grand_total"]
            )
            for sku, quantity in self.items(order_id):
                self.reserve(sku, quantity, "order_canceled", order_id)
            self.set_state(order_id, "canceled", "canceled", at=at, grid=grid)
