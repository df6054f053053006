"""Builders that write what Magento writes: carts, orders, documents, customers, searches, messages."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from random import Random
from typing import Any, Final

from sandbox.shop import grids, magento
from sandbox.shop.database import ShopDatabase
from sandbox.shop.people import Person

SHIPPING_COST: Final = Decimal("5.0000")
SHIPPING_METHOD: Final = "flatrate_flatrate"
IN_SHOP_CURRENCY: Final = {"EUR": Decimal("1.0000"), "USD": Decimal("0.9000")}
"""Rates to the global currency, written as `base_to_global_rate`."""


@dataclass(frozen=True, slots=True)
class Store:
    """A store as the database has it."""

    store_id: int
    code: str
    website_id: int
    name: str
    currency: str


class Shop:
    """Writes to a shop's database what Magento's storefront, APIs and admin would write.

    All times are UTC; `at` defaults to now. Every method is one transaction, or joins the one opened
    with `database.transaction()`. Choices left open are drawn from `random`.
    """

    def __init__(self, database: ShopDatabase, *, random: Random | None = None) -> None:
        self.database = database
        self.random = random or Random(1)

    # --- stores ---------------------------------------------------------------------------------

    @cached_property
    def stores(self) -> Mapping[str, Store]:
        """The stores by code, without the admin store; read once."""
        currencies = dict(
            self.database.rows(
                "SELECT scope_id, value FROM {core_config_data}"
                " WHERE scope = 'websites' AND path = 'currency/options/base'"
            )
        )
        found = self.database.rows("SELECT store_id, code, website_id, name FROM {store} WHERE store_id > 0")
        return {
            code: Store(store_id, code, website_id, name, currencies.get(website_id, "EUR"))
            for store_id, code, website_id, name in found
        }

    def _store_by_id(self, store_id: int) -> Store:
        return next(store for store in self.stores.values() if store.store_id == store_id)

    @cached_property
    def products(self) -> Sequence[tuple[int, str]]:
        """(id, sku) of what is in stock; read once."""
        return self.database.rows(
            "SELECT p.entity_id, p.sku FROM {catalog_product_entity} p"
            " JOIN {cataloginventory_stock_status} s ON s.product_id = p.entity_id WHERE s.stock_status = 1"
            " ORDER BY p.entity_id"
        )

    # --- carts ----------------------------------------------------------------------------------

    def open_cart(
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
        when, where, database = _utc(at), self.stores[store], self.database
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
        when, database = _utc(at), self.database
        with database.transaction():
            store_id = database.value("SELECT store_id FROM {quote} WHERE entity_id = %s", (quote_id,))
            for product_id, sku in self.random.choices(self.products, k=items):
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

    def advance_cart(
        self, quote_id: int, stage: str, *, method: str = "braintree", at: datetime | None = None
    ) -> None:
        """Take a cart through every step up to `stage` (one of `magento.STAGES`), skipping none.

        A virtual cart has no shipping steps. `placement_attempt` is a declined placement.
        """
        when = _utc(at)
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
        when, database = _utc(at), self.database
        store_id, reserved = database.row(
            "SELECT store_id, reserved_order_id FROM {quote} WHERE entity_id = %s", (quote_id,)
        )
        if reserved:
            return str(reserved)
        number = self._next_number("order", store_id)
        if self._method_of(quote_id).reserves_early:
            database.update("quote", {"entity_id": quote_id}, reserved_order_id=number, updated_at=when)
        return number

    def _method_of(self, quote_id: int) -> magento.PaymentMethod:
        found = self.database.rows("SELECT method FROM {quote_payment} WHERE quote_id = %s", (quote_id,))
        code = found[0][0] if found else "checkmo"
        return magento.PAYMENT_METHODS.get(code, magento.PaymentMethod(code, "new", "pending"))

    def _next_number(self, entity: str, store_id: int) -> str:
        """Take the next value of a sequence, as prefix and nine digits."""
        value = self.database.insert(f"sequence_{entity}_{store_id}")
        return f"{self.number_prefix(entity, store_id)}{value:09d}"

    def number_prefix(self, entity: str, store_id: int) -> str:
        """Return what stands before the nine digits in the store's numbers of orders or documents."""
        key = (entity, store_id)
        if key not in self._number_prefixes:
            self._number_prefixes[key] = self.database.value(
                "SELECT COALESCE(p.prefix, '') FROM {sales_sequence_profile} p"
                " JOIN {sales_sequence_meta} m ON m.meta_id = p.meta_id"
                " WHERE m.entity_type = %s AND m.store_id = %s AND p.is_active = 1",
                key,
            )
        return self._number_prefixes[key]

    @cached_property
    def _number_prefixes(self) -> dict[tuple[str, int], str]:
        return {}

    # --- orders ---------------------------------------------------------------------------------

    def place_order(
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
            quote_id = self.open_cart(store, customer_id=customer_id, items=items, virtual=virtual, at=at)
            self.advance_cart(quote_id, "payment_method", method=method, at=at)
            return self.buy(quote_id, at=at, grid=grid, email=email)

    def buy(self, quote_id: int, *, at: datetime | None = None, grid: bool = True, email: bool = True) -> int:
        """Turn a cart that has a payment method into an order; returns its entity id."""
        when, database = _utc(at), self.database
        quote = self._quote(quote_id)
        method = self._method_of(quote_id)
        number = quote["reserved_order_id"] or self._next_number("order", quote["store_id"])
        person = Person(quote["customer_id"] or quote_id)
        with database.transaction():
            order_id = self._insert_order(quote, number, method, person, when, email=email)
            self._insert_order_parts(order_id, quote, method, person, when)
            self._note_status(order_id, method.status, when)
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
                self.invoice(order_id, at=when, grid=grid, email=email)
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
        store, total = self._store_by_id(quote["store_id"]), quote["base_grand_total"]
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
            self._reserve(sku, -quantity, "order_placed", order_id)

    def _reserve(self, sku: str, quantity: Decimal, event: str, order_id: int) -> None:
        metadata = {"event_type": event, "object_type": "order", "object_id": str(order_id)}
        self.database.insert(
            "inventory_reservation", stock_id=1, sku=sku, quantity=quantity, metadata=json.dumps(metadata)
        )

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
        when = _utc(at)
        with self.database.transaction():
            self.database.update(
                "sales_order", {"entity_id": order_id}, send_email=1, email_sent=1 if email else None
            )
            self._capture(order_id, when)
            self.invoice(order_id, at=when, grid=grid, email=email)

    def forget_payment(self, order_id: int, *, at: datetime | None = None) -> None:
        """Put an order back to `pending_payment`, as if its payment had never been reported.

        What was paid is unknown again, not zero. Invoice and shipment stay where an order has them.
        """
        with self.database.transaction():
            total = self._order(order_id)["base_grand_total"]
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

    def invoice(
        self, order_id: int, *, at: datetime | None = None, grid: bool = True, email: bool = True
    ) -> int:
        """Invoice the whole order; returns the invoice's entity id."""
        when, database = _utc(at), self.database
        with database.transaction():
            order = self._order(order_id)
            invoice_id = self._insert_document(
                "invoice",
                order,
                when,
                email=email,
                state=2,
                base_grand_total=order["base_grand_total"],
                grand_total=order["base_grand_total"],
                base_currency_code=order["base_currency_code"],
                total_qty=order["total_qty_ordered"],
            )
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
            shipped = order["is_virtual"] or self.has_document("shipment", order_id)
            state = "complete" if shipped else "processing"
            self.set_state(order_id, state, state, at=when, grid=grid)
            if grid:
                grids.copy(database, "invoice", [invoice_id])
        return invoice_id

    def ship(
        self, order_id: int, *, at: datetime | None = None, grid: bool = True, email: bool = True
    ) -> int:
        """Ship the whole order; returns the shipment's entity id."""
        when, database = _utc(at), self.database
        with database.transaction():
            order = self._order(order_id)
            shipment_id = self._insert_document(
                "shipment", order, when, email=email, total_qty=order["total_qty_ordered"]
            )
            for sku, quantity in self._items(order_id):
                self._reserve(sku, quantity, "shipment_created", order_id)
                database.execute(
                    "UPDATE {inventory_source_item} SET quantity = quantity - %s WHERE sku = %s",
                    (quantity, sku),
                )
            database.execute(
                "UPDATE {sales_order_item} SET qty_shipped = qty_ordered WHERE order_id = %s", (order_id,)
            )
            state = "complete" if self.has_document("invoice", order_id) else "processing"
            self.set_state(order_id, state, state, at=when, grid=grid)
            if grid:
                grids.copy(database, "shipment", [shipment_id])
        return shipment_id

    def refund(
        self, order_id: int, *, at: datetime | None = None, grid: bool = True, email: bool = True
    ) -> int:
        """Refund the whole order, which closes it; returns the credit memo's entity id."""
        when, database = _utc(at), self.database
        with database.transaction():
            order = self._order(order_id)
            creditmemo_id = self._insert_document(
                "creditmemo",
                order,
                when,
                email=email,
                state=2,
                base_grand_total=order["base_grand_total"],
                grand_total=order["base_grand_total"],
                base_currency_code=order["base_currency_code"],
            )
            database.update(
                "sales_order",
                {"entity_id": order_id},
                base_total_refunded=order["base_grand_total"],
                total_refunded=order["base_grand_total"],
            )
            self.set_state(order_id, "closed", "closed", at=when, grid=grid)
            if grid:
                grids.copy(database, "creditmemo", [creditmemo_id])
        return creditmemo_id

    def cancel(self, order_id: int, *, at: datetime | None = None, grid: bool = True) -> None:
        """Cancel an order that is neither invoiced nor shipped."""
        with self.database.transaction():
            order = self._order(order_id)
            self.database.update(
                "sales_order", {"entity_id": order_id}, base_total_canceled=order["base_grand_total"]
            )
            for sku, quantity in self._items(order_id):
                self._reserve(sku, quantity, "order_canceled", order_id)
            self.set_state(order_id, "canceled", "canceled", at=at, grid=grid)

    def hold(self, order_id: int, *, at: datetime | None = None, grid: bool = True) -> None:
        """Put an order on hold; its state before is kept beside."""
        with self.database.transaction():
            order = self._order(order_id)
            self.database.update(
                "sales_order",
                {"entity_id": order_id},
                hold_before_state=order["state"],
                hold_before_status=order["status"],
            )
            self.set_state(order_id, "holded", "holded", at=at, grid=grid)

    def set_state(
        self, order_id: int, state: str, status: str, *, at: datetime | None = None, grid: bool = True
    ) -> None:
        """Write an order's state and status, with the traces that a change of status leaves."""
        when = _utc(at)
        with self.database.transaction():
            self.database.update(
                "sales_order", {"entity_id": order_id}, state=state, status=status, updated_at=when
            )
            self._note_status(order_id, status, when)
            if grid:
                grids.copy(self.database, "order", [order_id])

    def _note_status(self, order_id: int, status: str, when: datetime) -> None:
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

    def _order(self, order_id: int) -> dict[str, Any]:
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

    def _items(self, order_id: int) -> list[tuple[str, Decimal]]:
        return self.database.rows(
            "SELECT sku, qty_ordered FROM {sales_order_item} WHERE order_id = %s", (order_id,)
        )

    def has_document(self, kind: str, order_id: int) -> bool:
        """Tell whether the order has an `invoice`, `shipment` or `creditmemo`."""
        return bool(
            self.database.rows(f"SELECT 1 FROM {{sales_{kind}}} WHERE order_id = %s LIMIT 1", (order_id,))
        )

    def _insert_document(
        self, kind: str, order: Mapping[str, Any], when: datetime, *, email: bool, **values: object
    ) -> int:
        return self.database.insert(
            f"sales_{kind}",
            order_id=order["entity_id"],
            store_id=order["store_id"],
            increment_id=self._next_number(kind, order["store_id"]),
            send_email=1,
            email_sent=1 if email else None,
            created_at=when,
            updated_at=when,
            **values,
        )

    # --- customers, searches, catalogue -----------------------------------------------------------

    def register_customer(self, store: str = "default", *, at: datetime | None = None) -> int:
        """Create a confirmed customer account; returns its entity id."""
        when, where, database = _utc(at), self.stores[store], self.database
        with database.transaction():
            customer_id = database.insert(
                "customer_entity",
                website_id=where.website_id,
                group_id=1,
                store_id=where.store_id,
                created_at=when,
                updated_at=when,
                is_active=1,
                created_in=where.name,
                password_hash="private-hash",
            )
            person = Person(customer_id)
            database.update(
                "customer_entity",
                {"entity_id": customer_id},
                email=person.email,
                firstname=person.firstname,
                lastname=person.lastname,
                updated_at=when,
            )
            database.insert("customer_log", customer_id=customer_id, last_login_at=when)
            database.insert("customer_visitor", customer_id=customer_id, last_visit_at=when)
        return customer_id

    def search(self, text: str, results: int, *, store: str = "default", at: datetime | None = None) -> None:
        """Record a search: the term's number of uses grows, its number of results is the last search's."""
        self.database.execute(
            "INSERT INTO {search_query}"
            " (query_text, num_results, popularity, store_id, is_active, is_processed, updated_at)"
            " VALUES (%s, %s, 1, %s, 1, 0, %s)"
            " ON DUPLICATE KEY UPDATE num_results = VALUES(num_results), popularity = popularity + 1,"
            " updated_at = VALUES(updated_at)",
            (text, results, self.stores[store].store_id, _utc(at)),
        )

    def save_product(self, product_id: int, *, price: Decimal | None = None) -> None:
        """Save a product with another price; the triggers write it to the changelogs."""
        new_price = price if price is not None else Decimal(self.random.randrange(1000, 9999)) / 100
        with self.database.transaction():
            self.database.execute(
                "UPDATE {catalog_product_entity} SET updated_at = UTC_TIMESTAMP() WHERE entity_id = %s",
                (product_id,),
            )
            self.database.update("catalog_product_entity_decimal", {"entity_id": product_id}, value=new_price)

    # --- messages and bulk operations -------------------------------------------------------------

    def publish(self, queue: str, count: int = 1, *, at: datetime | None = None) -> list[int]:
        """Put messages into a queue of the MySQL transport; returns the ids of their status rows."""
        when, database = _utc(at), self.database
        with database.transaction():
            queue_id = database.value("SELECT id FROM {queue} WHERE name = %s", (queue,))
            return [
                database.insert(
                    "queue_message_status",
                    queue_id=queue_id,
                    message_id=database.insert("queue_message", topic_name=queue, body='{"private": true}'),
                    updated_at=when,
                    status=magento.MESSAGE_NEW,
                )
                for _ in range(count)
            ]

    def set_message_status(self, status_id: int, status: int, *, at: datetime | None = None) -> None:
        """Move a message to another status, as a consumer does."""
        self.database.update("queue_message_status", {"id": status_id}, status=status, updated_at=_utc(at))

    def start_bulk(
        self, operations: int, *, topic: str = "async.V1.products.POST", at: datetime | None = None
    ) -> str:
        """Schedule a bulk of open operations; returns its uuid."""
        when, database = _utc(at), self.database
        value = f"{self.random.getrandbits(128):032x}"
        uuid = "-".join((value[:8], value[8:12], value[12:16], value[16:20], value[20:]))
        with database.transaction():
            database.insert(
                "magento_bulk",
                uuid=uuid,
                user_id=1,
                user_type=2,
                description="private description",
                operation_count=operations,
                start_time=when,
            )
            for key in range(operations):
                operation: dict[str, object] = {"bulk_uuid": uuid, "topic_name": topic}
                if database.has_column("magento_operation", "operation_key"):
                    operation["operation_key"] = key
                database.insert("magento_operation", **operation, status=magento.OPERATION_OPEN)
        return uuid


def _utc(at: datetime | None) -> datetime:
    """Return the moment as the naive UTC time that the driver writes, in the columns' whole seconds."""
    moment = datetime.now(UTC) if at is None else at
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment.replace(microsecond=0)
