"""The builders write what Magento writes: carts, placements that fail, orders and their life, histories."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from sandbox.servers.mariadb import MariaDB
from sandbox.shop import Shop, bulk_history, install
from sandbox.shop.builders.people import PERSONAL_MARK


@pytest.fixture(scope="module")
def shop(mariadb: MariaDB) -> Iterator[Shop]:
    name = f"shop_{uuid4().hex[:12]}"
    mariadb.execute(f"CREATE DATABASE {name}")
    try:
        with mariadb.connect(name) as connection:
            yield install(connection)
    finally:
        mariadb.execute(f"DROP DATABASE {name}")


def quote(shop: Shop, quote_id: int, *columns: str) -> tuple[Any, ...]:
    return shop.database.row(f"SELECT {', '.join(columns)} FROM {{quote}} WHERE entity_id = %s", (quote_id,))


def order(shop: Shop, order_id: int, *columns: str) -> tuple[Any, ...]:
    return shop.database.row(
        f"SELECT {', '.join(columns)} FROM {{sales_order}} WHERE entity_id = %s", (order_id,)
    )


def last_number(shop: Shop, store_id: int) -> int:
    return int(
        shop.database.value(f"SELECT COALESCE(MAX(sequence_value), 0) FROM {{sequence_order_{store_id}}}")
    )


def shipping(shop: Shop, quote_id: int) -> tuple[Any, ...]:
    return shop.database.row(
        "SELECT country_id, shipping_method FROM {quote_address}"
        " WHERE quote_id = %s AND address_type = 'shipping'",
        (quote_id,),
    )


def test_a_headless_cart_is_empty_and_masked(shop: Shop) -> None:
    cart = shop.carts.open(headless=True)

    assert quote(shop, cart, "items_count", "is_active", "customer_is_guest") == (0, 1, 1)
    assert shop.database.value("SELECT COUNT(*) FROM {quote_address} WHERE quote_id = %s", (cart,)) == 2
    masked = shop.database.value("SELECT masked_id FROM {quote_id_mask} WHERE quote_id = %s", (cart,))
    assert len(masked) == 32


def test_a_cart_goes_through_the_checkout_step_by_step(shop: Shop) -> None:
    cart = shop.carts.open()
    assert shipping(shop, cart) == (None, None)

    shop.carts.advance(cart, "shipping_address")
    assert shipping(shop, cart) == ("NL", None)

    shop.carts.advance(cart, "shipping_method")
    assert shipping(shop, cart) == ("NL", "flatrate_flatrate")
    assert not shop.database.rows("SELECT 1 FROM {quote_payment} WHERE quote_id = %s", (cart,))

    shop.carts.advance(cart, "payment_method", method="checkmo")
    method = shop.database.value("SELECT method FROM {quote_payment} WHERE quote_id = %s", (cart,))
    assert method == "checkmo"
    assert quote(shop, cart, "is_active", "reserved_order_id") == (1, None)


def test_a_virtual_cart_has_no_shipping(shop: Shop) -> None:
    cart = shop.carts.open(virtual=True)
    shop.carts.advance(cart, "payment_method")

    assert shipping(shop, cart) == (None, None)
    assert quote(shop, cart, "grand_total = subtotal") == (1,)


def test_an_ordinary_decline_loses_a_number_and_leaves_no_trace(shop: Shop) -> None:
    before = last_number(shop, 1)
    cart = shop.carts.open()
    shop.carts.advance(cart, "placement_attempt", method="braintree")
    shop.carts.decline(cart)

    assert last_number(shop, 1) == before + 2
    assert quote(shop, cart, "is_active", "reserved_order_id") == (1, None)


def test_a_method_that_saves_early_keeps_its_number(shop: Shop) -> None:
    before = last_number(shop, 3)
    cart = shop.carts.open("us")
    shop.carts.advance(cart, "placement_attempt", method="paypal_express")
    number = shop.carts.decline(cart)
    bought = shop.orders.buy(cart)

    assert number == f"3{before + 1:09d}"
    assert last_number(shop, 3) == before + 1
    assert order(shop, bought, "increment_id") == (number,)


@pytest.mark.parametrize(
    ("method", "state", "send_email"),
    [
        ("checkmo", "new", 1),
        ("braintree", "processing", 1),
        ("mollie_methods_ideal", "pending_payment", None),
    ],
)
def test_an_order_begins_as_its_method_says(
    shop: Shop, method: str, state: str, send_email: int | None
) -> None:
    bought = shop.orders.place("us", method)

    cart, currency, found_state, wants, sent = order(
        shop, bought, "quote_id", "base_currency_code", "state", "send_email", "email_sent"
    )
    in_grid = shop.database.row(
        "SELECT status, payment_method FROM {sales_order_grid} WHERE entity_id = %s", (bought,)
    )
    assert (currency, found_state, wants, sent) == ("USD", state, send_email, send_email)
    assert in_grid == (order(shop, bought, "status")[0], method)
    assert quote(shop, cart, "is_active") == (0,)
    assert quote(shop, cart, "reserved_order_id") == order(shop, bought, "increment_id")
    reserved = shop.database.value(
        "SELECT SUM(quantity) FROM {inventory_reservation} WHERE metadata LIKE %s",
        (f'%"object_id": "{bought}"%',),
    )
    assert reserved == -2


def test_an_asynchronous_order_waits_for_grid_and_email(shop: Shop) -> None:
    bought = shop.orders.place(grid=False, email=False)

    assert order(shop, bought, "send_email", "email_sent") == (1, None)
    assert not shop.database.rows("SELECT 1 FROM {sales_order_grid} WHERE entity_id = %s", (bought,))


def test_an_order_lives_to_its_end(shop: Shop) -> None:
    bought = shop.orders.place(method="checkmo")
    states = [order(shop, bought, "state")[0]]
    for act in (shop.documents.invoice, shop.documents.ship, shop.documents.refund):
        act(bought)
        states.append(order(shop, bought, "state")[0])

    assert states == ["new", "processing", "complete", "closed"]
    assert order(shop, bought, "base_total_paid = base_grand_total", "base_total_due") == (1, 0)
    grid = shop.database.value("SELECT status FROM {sales_order_grid} WHERE entity_id = %s", (bought,))
    history = shop.database.rows(
        "SELECT status FROM {sales_order_status_change_history} WHERE order_id = %s ORDER BY entity_id",
        (bought,),
    )
    assert grid == "closed"
    assert [status for (status,) in history] == ["pending", "processing", "complete", "closed"]


def test_a_redirected_payment_is_confirmed_or_cancelled(shop: Shop) -> None:
    paid, unpaid = (
        shop.orders.place(method="mollie_methods_ideal"),
        shop.orders.place(method="mollie_methods_ideal"),
    )
    shop.orders.confirm_payment(paid)
    shop.orders.cancel(unpaid)

    assert order(shop, paid, "state", "send_email") == ("processing", 1)
    assert order(shop, unpaid, "state", "base_total_paid") == ("canceled", None)


def test_a_moment_can_be_given_in_any_time_zone(shop: Shop) -> None:
    moment = datetime(2026, 3, 1, 12, tzinfo=UTC).astimezone()

    bought = shop.orders.place(at=moment)

    assert order(shop, bought, "created_at", "updated_at") == (
        datetime(2026, 3, 1, 12),  # noqa: DTZ001 - what the column holds
        datetime(2026, 3, 1, 12),  # noqa: DTZ001
    )


def test_a_failed_transaction_leaves_nothing(shop: Shop) -> None:
    before = shop.database.value("SELECT COUNT(*) FROM {sales_order}")

    with suppress(RuntimeError), shop.database.transaction():
        shop.orders.place()
        raise RuntimeError

    assert shop.database.value("SELECT COUNT(*) FROM {sales_order}") == before


def test_a_forgotten_payment_is_unknown_and_not_zero(shop: Shop) -> None:
    never_paid = shop.orders.place(method="mollie_methods_ideal")
    forgotten = shop.orders.place(method="mollie_methods_ideal")
    shop.orders.confirm_payment(forgotten)
    assert order(shop, forgotten, "state", "base_total_due") == ("processing", 0)

    shop.orders.forget_payment(forgotten)

    sums = ("base_total_paid", "total_paid", "base_total_invoiced", "base_total_due = base_grand_total")
    assert order(shop, forgotten, "state", *sums) == order(shop, never_paid, "state", *sums)
    assert order(shop, forgotten, *sums) == (None, None, None, 1)
    paid = shop.database.row(
        "SELECT base_amount_paid, amount_paid, base_amount_paid_online FROM {sales_order_payment}"
        " WHERE parent_id = %s",
        (forgotten,),
    )
    assert paid == (None, None, None)


def test_searches_count_their_uses(shop: Shop) -> None:
    for results in (4, 0, 7):
        shop.customers.search("kayak", results, store="de")

    row = shop.database.row(
        "SELECT popularity, num_results FROM {search_query} WHERE query_text = 'kayak' AND store_id = 2"
    )
    assert row == (3, 7)


def test_personal_data_is_marked_and_present(shop: Shop) -> None:
    shop.orders.place(customer_id=shop.customers.register())
    for table, column in (
        ("quote", "customer_email"),
        ("quote_address", "street"),
        ("sales_order", "customer_email"),
        ("sales_order_address", "telephone"),
        ("sales_order_grid", "billing_name"),
        ("customer_entity", "email"),
    ):
        values = shop.database.rows(f"SELECT DISTINCT {column} FROM {{{table}}} WHERE {column} IS NOT NULL")
        assert values, table
        assert all(PERSONAL_MARK in value.lower() for (value,) in values), table


def test_a_history_has_its_proportions(mariadb: MariaDB) -> None:
    name = f"shop_{uuid4().hex[:12]}"
    mariadb.execute(f"CREATE DATABASE {name}")
    end = datetime(2026, 11, 22, 12, tzinfo=UTC)
    try:
        with mariadb.connect(name) as connection:
            shop = install(connection)
            shop.orders.place("us", at=end - timedelta(days=30))
            bulk_history(shop, orders=1000, days=14, end=end)
            after = shop.orders.place("us")
            database = shop.database
            counts = {
                table: database.value(f"SELECT COUNT(*) FROM {{{table}}}")
                for table in (
                    "quote",
                    "quote_address",
                    "sales_order",
                    "sales_order_payment",
                    "sales_order_grid",
                )
            }
            outside = database.value(
                "SELECT COUNT(*) FROM {sales_order} WHERE entity_id BETWEEN 2 AND 1001"
                " AND created_at NOT BETWEEN %s AND %s",
                (end - timedelta(days=14), end + timedelta(minutes=5)),
            )
            unordered = database.value(
                "SELECT COUNT(*) FROM {sales_order} a JOIN {sales_order} b ON b.entity_id = a.entity_id + 1"
                " WHERE b.entity_id BETWEEN 3 AND 1001 AND b.created_at < a.created_at"
            )
            orphans = database.value(
                "SELECT COUNT(*) FROM {sales_order} o LEFT JOIN {quote} q ON q.entity_id = o.quote_id"
                " AND q.is_active = 0 AND q.reserved_order_id = o.increment_id WHERE q.entity_id IS NULL"
            )
            sequences = sum(
                database.value(f"SELECT COUNT(*) FROM {{sequence_order_{store_id}}}")
                for store_id in (1, 2, 3)
            )
            by_night, by_evening = (
                database.value("SELECT COUNT(*) FROM {sales_order} WHERE HOUR(created_at) = %s", (hour,))
                for hour in (3, 20)
            )
            wrong_sums = database.value(
                "SELECT COUNT(*) FROM {sales_order} o WHERE NOT (base_grand_total <=>"
                " base_subtotal + base_shipping_amount + base_tax_amount + base_discount_amount)"
                " OR NOT (base_total_due <=> base_grand_total - COALESCE(base_total_paid, 0))"
                " OR NOT (base_total_paid <=> total_paid)"
                " OR base_subtotal <> (SELECT SUM(base_row_total) FROM {sales_order_item} i"
                " WHERE i.order_id = o.entity_id)"
            )
            methods = {
                row[0] for row in database.rows("SELECT DISTINCT payment_method FROM {sales_order_grid}")
            }
            number = order(shop, after, "increment_id")[0]
            highest = last_number(shop, 3)
    finally:
        mariadb.execute(f"DROP DATABASE {name}")

    assert counts["sales_order"] == counts["sales_order_payment"] == counts["sales_order_grid"] == 1002
    assert counts["quote"] == 3002
    assert counts["quote_address"] == 2 * 3002
    assert (outside, unordered, orphans, wrong_sums) == (0, 0, 0, 0)
    assert sequences > 1002
    assert by_evening > 5 * max(1, by_night)
    assert len(methods) == 5
    assert number == f"3{highest:09d}"
