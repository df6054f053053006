"""The checkout funnel against the truth: an independent query on the same database."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from exporter.collectors import checkout
from exporter.collectors.checkout import CheckoutCollector, by_id, by_time
from exporter.collectors.checkout import funnel as counting
from exporter.collectors.placements import PlacementsCollector
from exporter.core.memory import VolatileStore
from exporter.core.ports import StateStore
from exporter.core.query import Query
from exporter.errors import SourceUnavailable
from exporter.sources.state import SQLiteState
from sandbox.servers.mariadb import MariaDB
from tests.harness import truth
from tests.harness.shop import NOW, ShopInMariaDB, add_stores, shop_in_mariadb

NAME = "magento_checkout_stage_reached_total"
STEPS = ("cart", "shipping_address", "shipping_method", "payment_method", "placement_attempt")
BOUGHT = (*STEPS, "order")


@dataclass
class ShiftedClock:
    """The collector's database, with a clock that can be put forward; counts what is read."""

    database: Any
    seconds: float = 0.0
    fail: bool = False
    rows_returned: dict[str, int] = field(default_factory=dict)

    def rows(self, query: Query, /, **parameters: object) -> Sequence[Mapping[str, Any]]:
        found = self.database.rows(query, **parameters)
        self.rows_returned[query.name] = self.rows_returned.get(query.name, 0) + len(found)
        if query.name == checkout.ORDERS.above.name and self.fail:
            raise SourceUnavailable("gone")
        if query.name == by_time.CLOCK.query.name:
            return [{"now": found[0]["now"] + self.seconds}]
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self.database, name)


class Funnel:
    """Runs the collector on a shop and tells what has been counted since it began."""

    def __init__(
        self, observed: ShopInMariaDB, state: StateStore | None = None, *, begin: bool = True
    ) -> None:
        self.observed = observed
        self.state = state or VolatileStore()
        self.start = int(observed.shop.database.value("SELECT COALESCE(MAX(entity_id), 0) FROM {quote}"))
        self.since: dict[tuple[str, ...], float] = {}
        self.clock = ShiftedClock(observed.open(CheckoutCollector.queries))
        observed.read_through(CheckoutCollector(), self.clock)
        if begin:
            self.run()

    def run(self, *, forward: float = 0.0) -> dict[tuple[str, str, str], int]:
        """Scrape, after putting the clock forward; return (store, stage, customer) to carts, if any."""
        self.clock.seconds += forward
        found = self.observed.run(CheckoutCollector(), NOW.timestamp() + self.clock.seconds, state=self.state)
        self.since = {key: value for key, value in found.items() if key[0] != NAME}
        return {key[1:4]: int(value) for key, value in found.items() if key[0] == NAME and value}

    def settled(self) -> dict[tuple[str, str, str], int]:
        """Scrape until every look has been taken at what has been written so far."""
        self.run()
        self.run(forward=125)
        return self.run(forward=by_time.LATE_LOOK)

    def truth(self) -> dict[tuple[str, str, str], int]:
        """Return what an independent query says of the carts since the beginning."""
        return truth.funnel(self.observed.shop, self.start)


def of(store: str, customer: str, stages: Sequence[str], number: int = 1) -> dict[tuple[str, str, str], int]:
    return {(store, stage, customer): number for stage in stages}


@pytest.fixture
def funnel(observed: ShopInMariaDB) -> Funnel:
    return Funnel(observed)


def test_a_guest_of_luma_is_counted_once_at_each_step(funnel: Funnel) -> None:
    shop = funnel.observed.shop
    assert funnel.run() == {}
    cart = shop.carts.open("de")
    for reached, step in enumerate(STEPS[:4], start=1):
        shop.carts.advance(cart, step)
        for _ in range(2):
            assert funnel.run() == of("de", "guest", STEPS[:reached])
    shop.orders.buy(cart)
    assert funnel.run() == funnel.settled() == of("de", "guest", BOUGHT) == funnel.truth()


def test_a_whole_checkout_between_two_scrapes(funnel: Funnel) -> None:
    shop = funnel.observed.shop
    shop.orders.place("us")
    shop.orders.place("us", customer_id=shop.customers.register())
    expected = of("us", "guest", BOUGHT) | of("us", "registered", BOUGHT)
    assert funnel.run() == funnel.settled() == expected == funnel.truth()


def test_carts_since_the_last_order(funnel: Funnel) -> None:
    shop, name, whole = funnel.observed.shop, checkout.CARTS_SINCE_ORDER.name, checkout.SHOP_CARTS_SINCE_ORDER
    shop.carts.open("us")
    funnel.run()
    assert funnel.since == {}, "no order is known"
    shop.orders.place("us")
    shop.carts.open("us", headless=True)
    funnel.run()
    assert funnel.since == {(name, "us"): 0, (whole.name,): 0}
    carts = [shop.carts.open("us") for _ in range(3)]
    shop.carts.open("de")
    funnel.run()
    assert funnel.since == {(name, "us"): 3, (whole.name,): 4}
    shop.orders.place("de")
    shop.carts.advance(carts[0], "payment_method")
    funnel.run()
    assert funnel.since == {(name, "us"): 3, (name, "de"): 0, (whole.name,): 0}
    for quote_id in (carts[0], None):
        shop.carts.open("us")
        funnel.run()
        order = shop.orders.buy(carts[0]) if quote_id else shop.orders.place("us")
        shop.database.update("sales_order", {"entity_id": order}, quote_id=quote_id)
        funnel.run()
        assert funnel.since == {(name, "us"): 0, (name, "de"): 0, (whole.name,): 0}, "an imported one, too"
    shop.database.update("store", {"code": "us"}, is_active=0)
    funnel.run()
    assert funnel.since == {(name, "de"): 0, (whole.name,): 0}
    shop.database.update("store", {"code": "us"}, is_active=1)


def test_a_headless_cart_counts_when_it_has_items(funnel: Funnel) -> None:
    shop = funnel.observed.shop
    empty = [shop.carts.open("default", headless=True) for _ in range(3)]
    assert funnel.run() == {}
    shop.carts.advance(empty[0], "payment_method")
    assert funnel.run() == {}, "steps of a cart without items"
    shop.carts.add_items(empty[0])
    assert funnel.run() == of("default", "guest", STEPS[:1]), "steps of a cart that was not seen before"
    assert funnel.settled() == of("default", "guest", STEPS[:4]) == funnel.truth()


def test_steps_count_in_any_order_of_writes(funnel: Funnel) -> None:
    shop, database = funnel.observed.shop, funnel.observed.shop.database
    cart = shop.carts.open("default", customer_id=shop.customers.register())
    database.insert("quote_payment", quote_id=cart, method="paypal_express")
    shop.carts.add_items(cart)
    assert funnel.run() == of("default", "registered", ("cart",))
    expected = of("default", "registered", ("cart", "payment_method"))
    assert funnel.run() == expected
    database.execute(
        "UPDATE {quote_address} SET shipping_method = 'freeshipping_freeshipping'"
        " WHERE quote_id = %s AND address_type = 'shipping'",
        (cart,),
    )
    shop.carts.add_items(cart)
    expected |= of("default", "registered", ("shipping_method",))
    assert funnel.run() == expected
    shop.carts.decline(cart)
    expected |= of("default", "registered", ("placement_attempt",))
    assert funnel.run() == expected == funnel.truth()
    shop.carts.advance(cart, "shipping_address")
    expected |= of("default", "registered", ("shipping_address",))
    assert funnel.run() == expected == funnel.truth()


def test_a_billing_address_and_empty_strings_are_no_step(funnel: Funnel) -> None:
    shop, database = funnel.observed.shop, funnel.observed.shop.database
    cart = shop.carts.open("default")
    database.update("quote_address", {"quote_id": cart, "address_type": "billing"}, country_id="NL")
    database.update(
        "quote_address", {"quote_id": cart, "address_type": "shipping"}, country_id="", shipping_method=""
    )
    database.insert("quote_payment", quote_id=cart, method="")
    database.update("quote", {"entity_id": cart}, reserved_order_id="")
    assert funnel.settled() == of("default", "guest", ("cart",)) == funnel.truth()


def test_a_virtual_cart_skips_shipping(funnel: Funnel) -> None:
    shop = funnel.observed.shop
    shop.orders.place("default", virtual=True)
    waiting = shop.carts.open("default", virtual=True, customer_id=shop.customers.register())
    shop.carts.advance(waiting, "payment_method")
    expected = of("default", "guest", ("cart", "payment_method", "placement_attempt", "order"))
    expected |= of("default", "registered", ("cart", "payment_method"))
    assert funnel.settled() == expected == funnel.truth()


def test_declines_are_attempts_only_where_the_number_stays(funnel: Funnel) -> None:
    shop = funnel.observed.shop
    ordinary = shop.carts.open("default")
    shop.carts.advance(ordinary, "payment_method", method="braintree")
    hosted = shop.carts.open("default")
    shop.carts.advance(hosted, "payment_method", method="paypal_express")
    for _ in range(3):
        shop.carts.decline(ordinary)
        shop.carts.decline(hosted)
        found = funnel.run()
    assert found[("default", "placement_attempt", "guest")] == 1
    assert found[("default", "payment_method", "guest")] == 2
    shop.orders.buy(ordinary)
    assert funnel.run() == funnel.settled() == funnel.truth()


@pytest.mark.parametrize(
    ("registered", "virtual"),
    [(False, False), (True, False), (False, True)],
    ids=["guest", "registered", "virtual"],
)
def test_what_is_refused_before_a_number_is_taken_is_a_cart_that_stays_at_its_payment(
    funnel: Funnel, *, registered: bool, virtual: bool
) -> None:
    """Sold out, below the least amount: no attempt and no failure, but a step that the cart does not take."""
    shop, placements = funnel.observed.shop, PlacementsCollector()
    customer_id = shop.customers.register() if registered else None
    state = VolatileStore()
    funnel.observed.run(placements, state=state)
    cart = shop.carts.open("de", virtual=virtual, customer_id=customer_id)
    shop.carts.advance(cart, "payment_method")
    who = "registered" if registered else "guest"
    stages = ("cart", "payment_method") if virtual else STEPS[:4]
    assert funnel.settled() == of("de", who, stages) == funnel.truth()
    found = funnel.observed.run(placements, NOW.timestamp() + 600, state=state)
    assert found["magento_checkout_placement_attempts_total", "de"] == 0
    assert found["magento_checkout_failed_placements_total", "de"] == 0


def test_several_orders_of_one_cart_are_one(funnel: Funnel) -> None:
    shop = funnel.observed.shop
    cart = shop.carts.open("default", multishipping=True, customer_id=shop.customers.register())
    shop.carts.advance(cart, "payment_method")
    shop.orders.buy(cart)
    assert funnel.run() == of("default", "registered", BOUGHT)
    shop.database.update("quote", {"entity_id": cart}, reserved_order_id=None)
    shop.orders.buy(cart)
    assert shop.database.value("SELECT COUNT(*) FROM {sales_order} WHERE quote_id = %s", (cart,)) == 2
    assert funnel.run() == funnel.settled() == of("default", "registered", BOUGHT) == funnel.truth()


def test_a_cart_that_comes_back_after_a_cancelled_payment_counts_no_more(funnel: Funnel) -> None:
    shop = funnel.observed.shop
    order = shop.orders.place("default", "mollie_methods_ideal")
    funnel.run()
    cart = shop.database.value("SELECT quote_id FROM {sales_order} WHERE entity_id = %s", (order,))
    shop.orders.cancel(order)
    shop.database.update("quote", {"entity_id": cart}, is_active=1, reserved_order_id=None)
    assert funnel.run() == of("default", "guest", BOUGHT)
    shop.orders.buy(cart)
    assert funnel.run() == funnel.settled() == of("default", "guest", BOUGHT)


def test_merged_carts(funnel: Funnel) -> None:
    shop, database = funnel.observed.shop, funnel.observed.shop.database
    theirs, guests, unseen = (
        shop.carts.open(customer_id=shop.customers.register()),
        shop.carts.open(),
        shop.carts.open(),
    )
    database.update("quote", {"entity_id": unseen}, is_active=0)
    expected = of("default", "registered", ("cart",)) | of("default", "guest", ("cart",))
    assert funnel.run() == expected, "a cart that is inactive when it is first seen was never one"
    shop.carts.add_items(theirs)
    database.execute("DELETE FROM {quote} WHERE entity_id = %s", (guests,))
    assert funnel.run() == funnel.settled() == expected, (
        "the guest's cart stays counted, the other counts once"
    )


def test_an_order_without_cart_is_not_in_the_funnel(funnel: Funnel) -> None:
    funnel.observed.shop.database.insert("sales_order", store_id=1, increment_id="IMPORTED-1", quote_id=None)
    assert funnel.settled() == {}


def test_an_order_whose_cart_is_gone_passed_every_step(funnel: Funnel) -> None:
    shop = funnel.observed.shop
    order = shop.orders.place("default")
    cart = shop.database.value("SELECT quote_id FROM {sales_order} WHERE entity_id = %s", (order,))
    shop.database.execute("DELETE FROM {quote} WHERE entity_id = %s", (cart,))
    assert funnel.run() == funnel.settled() == of("default", "guest", BOUGHT)


def test_a_rolled_back_cart_never_counts(funnel: Funnel) -> None:
    with funnel.observed.connection() as other:
        other.connection.begin()
        other.insert("quote", store_id=1, items_count=1)
        funnel.run()
        other.connection.rollback()
    funnel.observed.shop.carts.open()
    assert funnel.settled() == of("default", "guest", ("cart",)) == funnel.truth()


def test_a_change_that_is_committed_late_counts_at_the_settled_look(funnel: Funnel) -> None:
    shop = funnel.observed.shop
    cart = shop.carts.open("default")
    assert funnel.run() == of("default", "guest", ("cart",))
    with funnel.observed.connection() as other:
        other.connection.begin()
        other.insert("quote_payment", quote_id=cart, method="checkmo")
        other.update("quote", {"entity_id": cart}, updated_at=NOW, coupon_code="PRIVATE")
        late = other.insert("quote", store_id=1, items_count=1, updated_at=NOW)
        assert funnel.run(forward=60) == of("default", "guest", ("cart",))
        other.connection.commit()
    assert late
    assert funnel.run() == of("default", "guest", ("cart",)), "both are older than the first look's span"
    expected = of("default", "guest", ("cart",), 2) | of("default", "guest", ("payment_method",))
    assert funnel.run(forward=70) == expected
    assert funnel.settled() == expected == funnel.truth()


def test_a_step_that_leaves_the_quote_alone_counts_at_the_late_look(funnel: Funnel) -> None:
    shop = funnel.observed.shop
    cart = shop.carts.open("default")
    funnel.run()
    funnel.run(forward=125)
    shop.database.insert("quote_payment", quote_id=cart, method="checkmo")
    assert funnel.run(forward=60) == of("default", "guest", ("cart",))
    assert funnel.run(forward=by_time.LATE_LOOK) == of("default", "guest", ("cart", "payment_method"))


def test_what_was_reached_before_the_first_run_is_not_counted(observed: ShopInMariaDB) -> None:
    shop, now = observed.shop, NOW
    recent = shop.carts.open("de", at=now - timedelta(minutes=40))
    shop.carts.advance(recent, "shipping_address", at=now - timedelta(minutes=40))
    forgotten = shop.carts.open("de", at=now - timedelta(days=3))
    bought = shop.carts.open("de", at=now - timedelta(days=3))
    headless = shop.carts.open("us", headless=True, at=now - timedelta(days=3))
    funnel = Funnel(observed)
    assert funnel.run() == {}
    shop.carts.advance(recent, "shipping_method")
    assert funnel.run() == of("de", "guest", ("shipping_method",)), "known from the hour before"
    shop.carts.advance(forgotten, "shipping_method")
    assert funnel.run() == of("de", "guest", ("shipping_method",)), "what it shows when first seen is history"
    shop.carts.advance(forgotten, "payment_method")
    expected = of("de", "guest", ("shipping_method", "payment_method"))
    assert funnel.run() == expected
    shop.carts.add_items(headless)
    assert funnel.run() == expected, "an old cart; stated in the module"
    shop.carts.advance(bought, "payment_method")
    shop.orders.buy(bought)
    assert funnel.run()[("de", "order", "guest")] == 1
    assert funnel.settled()[("de", "placement_attempt", "guest")] == 1


def test_a_store_that_is_deleted(observed: ShopInMariaDB) -> None:
    shop, database = observed.shop, observed.shop.database
    gone = database.insert("store", code="gone", website_id=1, group_id=1, name="Gone", is_active=1)
    funnel = Funnel(observed)
    database.insert("quote", store_id=gone, items_count=1)
    assert funnel.run() == of("gone", "guest", ("cart",))
    cart = shop.carts.open("us")
    database.execute("DELETE FROM {store} WHERE store_id = %s", (gone,))
    assert funnel.run() == of("us", "guest", ("cart",)), "its series are gone"
    database.insert("sales_order", store_id=None, increment_id="G1", quote_id=cart, customer_is_guest=1)
    found = funnel.run()
    assert found == of("us", "guest", ("cart",)), "the series starts at 0"
    assert funnel.run() == found | of("(deleted)", "guest", BOUGHT[1:])


def test_every_series_of_every_store_is_born_at_zero(observed: ShopInMariaDB) -> None:
    found = observed.run(CheckoutCollector())
    assert {key[1:]: value for key, value in found.items()} == {
        (store, stage, customer): 0
        for store in ("default", "de", "us")
        for stage in BOUGHT
        for customer in ("guest", "registered")
    }


def test_a_restart_counts_nothing_twice_and_loses_nothing(observed: ShopInMariaDB, tmp_path: Path) -> None:
    with closing(SQLiteState(tmp_path / "state")) as state:
        funnel = Funnel(observed, state)
        cart = observed.shop.carts.open("us")
        assert funnel.run() == of("us", "guest", ("cart",))
    observed.shop.carts.advance(cart, "payment_method")
    observed.shop.orders.place("de")
    with closing(SQLiteState(tmp_path / "state")) as state:
        funnel.state = state
        assert funnel.run() == funnel.settled() == funnel.truth()
        assert funnel.truth() == of("us", "guest", STEPS[:4]) | of("de", "guest", BOUGHT)


def test_a_failed_run_leaves_no_trace(funnel: Funnel) -> None:
    funnel.observed.shop.orders.place("de")
    funnel.clock.fail = True
    with pytest.raises(SourceUnavailable):
        funnel.run()
    funnel.clock.fail = False
    assert funnel.run() == funnel.settled() == of("de", "guest", BOUGHT)


def test_a_long_absence_is_caught_up_in_bounded_steps(
    funnel: Funnel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_time.CHANGED_QUOTES, "page", 5)
    monkeypatch.setattr(by_time, "CARTS_A_LOOK", 20)
    shop, now = funnel.observed.shop, NOW
    for back in range(1, 101):
        when = now - timedelta(minutes=15 * back)
        cart = shop.carts.open("us", at=when)
        shop.carts.advance(cart, STEPS[back % 4], at=when)
    looks = funnel.state.read("checkout/looks", ["done_until"])
    day_ago = int(NOW.timestamp()) - 93_600
    assert looks
    funnel.state.commit([("checkout/looks", "done_until", f"[{day_ago},{day_ago},{day_ago}]")])
    counted: list[int] = []
    while not counted or counted[-1] < 100:
        before = dict(funnel.clock.rows_returned)
        counted.append(funnel.run().get(("us", "cart", "guest"), 0))
        name = by_time.CHANGED_QUOTES.query.name
        assert funnel.clock.rows_returned[name] - before.get(name, 0) <= 3 * (20 + 5)
        assert len(counted) < 20, counted
    assert counted == sorted(counted)
    assert len(counted) > 2
    assert funnel.settled() == funnel.truth()


def test_a_mass_update_in_one_second_does_not_stop_the_count(
    funnel: Funnel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_time.CHANGED_QUOTES, "page", 20)
    shop = funnel.observed.shop
    same_second = NOW + timedelta(seconds=2)
    shop.database.insert_many("quote", ("store_id", "items_count", "updated_at"), [(1, 1, same_second)] * 100)
    found = funnel.run(forward=10)
    assert found[("default", "cart", "guest")] == 20, "as many as one statement may read"
    cart = shop.carts.open("us", at=same_second + timedelta(seconds=5))
    assert cart
    assert funnel.run(forward=1)[("us", "cart", "guest")] == 1


def test_old_carts_are_forgotten_and_not_counted_again(
    observed: ShopInMariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "KEEP_IDS", 20)
    monkeypatch.setattr(counting, "FORGET_IDS", 5)
    funnel, shop = Funnel(observed), observed.shop
    first = shop.carts.open("us")
    funnel.run()
    for _ in range(40):
        shop.carts.open("us")
    assert funnel.run() == of("us", "guest", ("cart",), 41)
    remembered = funnel.state.scan("checkout/stages", "", "9")
    assert len(remembered) < 30
    shop.carts.advance(first, "shipping_method")
    assert funnel.run() == of("us", "guest", ("cart",), 41), (
        "forgotten: what it shows counts as reached before"
    )
    shop.carts.advance(first, "payment_method")
    assert funnel.run() == of("us", "guest", ("cart",), 41) | of("us", "guest", ("payment_method",))


@pytest.mark.parametrize("version", ["2.4.9", "2.4.6"])
def test_carts_count_again_after_a_restore(mariadb: MariaDB, version: str) -> None:
    """Their ids are those of carts that were counted before it."""
    with shop_in_mariadb(mariadb, version=version) as observed:
        funnel, shop = Funnel(observed), observed.shop
        for _ in range(30):
            shop.orders.place("us")
        assert funnel.run() == of("us", "guest", BOUGHT, 30)
        assert funnel.run(forward=200) == of("us", "guest", BOUGHT, 30)
        for table in ("quote", "quote_address", "quote_payment", "sales_order"):
            shop.database.execute(f"DELETE FROM {{{table}}}")
            shop.database.execute(f"ALTER TABLE {{{table}}} AUTO_INCREMENT = 1")
        shop.carts.open("us", headless=True)
        for _ in range(3):
            funnel.run(forward=130)
        # The time of its creation tells a new cart from one that was read before.
        shop.database.set_clock(NOW + timedelta(seconds=funnel.clock.seconds))
        for _ in range(30):
            shop.orders.place("us")
        assert funnel.run(forward=1) == funnel.settled() == of("us", "guest", BOUGHT, 60)


def test_carts_that_a_restore_brings_back_count_once(mariadb: MariaDB) -> None:
    with shop_in_mariadb(mariadb) as observed:
        funnel = Funnel(observed)
        shop, database = funnel.observed.shop, funnel.observed.shop.database
        filled = shop.carts.open("us")
        database.insert_many("quote", ("store_id", "items_count"), [(3, 0)] * 300)
        assert funnel.run() == of("us", "guest", ("cart",))
        for table in ("quote", "quote_address"):
            database.execute(f"CREATE TEMPORARY TABLE saved_{table} SELECT * FROM {{{table}}}")
            database.execute(f"DELETE FROM {{{table}}}")
        funnel.run(forward=15)
        for table in ("quote", "quote_address"):
            database.execute(f"INSERT INTO {{{table}}} SELECT * FROM saved_{table}")
        changed = NOW + timedelta(seconds=funnel.clock.seconds)
        database.update("quote", {"entity_id": filled}, updated_at=changed)
        assert funnel.run(forward=15) == of("us", "guest", ("cart",)), "it was counted before"
        last = database.value("SELECT MAX(entity_id) FROM {quote}")
        shop.carts.add_items(last)
        assert funnel.run(forward=125) == of("us", "guest", ("cart",), 2), "it had no items before"


def walk_through(funnel: Funnel) -> None:
    """Carts to every stage, and some of each further, seen at every point."""
    shop = funnel.observed.shop
    carts: list[int] = []
    for number in range(24):
        cart = shop.carts.open(
            ("default", "de", "us")[number % 3],
            customer_id=shop.customers.register() if number % 2 else None,
            virtual=number % 5 == 4,
        )
        shop.carts.advance(cart, STEPS[number % 5], method="paypal_express" if number % 4 else "checkmo")
        carts.append(cart)
        if number % 6 == 0:
            funnel.run()
    for cart in carts[::3]:
        shop.carts.advance(cart, "payment_method")
        shop.orders.buy(cart)
    assert funnel.settled() == funnel.truth()


@pytest.mark.parametrize("version", ["2.4.6", "2.3.7"])
def test_before_the_index_by_time(
    mariadb: MariaDB, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with shop_in_mariadb(mariadb, version=version, prefix="old_") as observed:
        old = observed.shop.carts.open("de")
        with closing(SQLiteState(tmp_path / "state")) as state:
            funnel = Funnel(observed, state)
            walk_through(funnel)
            observed.shop.carts.advance(old, "shipping_method")
            assert funnel.run()[("de", "shipping_method", "guest")] == (
                funnel.truth()[("de", "shipping_method", "guest")] + 1
            )
            assert by_time.CHANGED_QUOTES.query.name not in funnel.clock.rows_returned
        with closing(SQLiteState(tmp_path / "state")) as state:
            monkeypatch.setattr(by_id, "OPEN_A_RUN", 4)
            monkeypatch.setattr(by_id, "MAX_OPEN", 30)
            funnel.state = state
            carts = [observed.shop.carts.open("us") for _ in range(10)]
            funnel.run()
            for cart in carts:
                observed.shop.carts.advance(cart, "payment_method")
            before = dict(funnel.clock.rows_returned)
            rounds = 0
            while (
                funnel.run()[("us", "payment_method", "guest")]
                != (funnel.truth()[("us", "payment_method", "guest")])
            ):
                rounds += 1
                assert rounds < 12
            name = by_id.OPEN_QUOTES.name
            assert rounds > 1
            assert funnel.clock.rows_returned[name] - before[name] <= 4 * (rounds + 1)


def test_an_upgrade_to_the_index_by_time_counts_on(mariadb: MariaDB) -> None:
    with shop_in_mariadb(mariadb, version="2.4.6") as observed:
        funnel, shop = Funnel(observed), observed.shop
        cart = shop.carts.open("de")
        funnel.run()
        shop.database.execute("ALTER TABLE {quote} ADD INDEX by_time (store_id, updated_at)")
        funnel.clock.database = observed.open(CheckoutCollector.queries)
        shop.carts.advance(cart, "payment_method")
        assert funnel.run() == funnel.settled() == of("de", "guest", STEPS[:4]) == funnel.truth()


@pytest.mark.slow
def test_five_hundred_stores(mariadb: MariaDB) -> None:
    with shop_in_mariadb(mariadb) as observed:
        codes = add_stores(observed, 497, numbered=range(0, 497, 50))
        funnel = Funnel(observed, begin=False)
        found = observed.run(CheckoutCollector(), state=funnel.state)
        assert found == {}, "so many series are not shown before they are needed"
        for code in codes[::50]:
            observed.shop.orders.place(code)
        funnel.run()
        assert funnel.run() == funnel.settled() == funnel.truth()
        assert (
            len(observed.run(CheckoutCollector(), NOW.timestamp() + 2_000, state=funnel.state)) == 10 * 13 + 1
        )


def test_only_indexes_are_used(observed: ShopInMariaDB) -> None:
    parameters: dict[str, Callable[[], dict[str, object]]] = {
        by_time.CHANGED_QUOTES.query.name: lambda: {
            "stores": (0, 1, 2, 3),
            "first": int(NOW.timestamp()) - 5,
            "end": int(NOW.timestamp()),
            "limit": 2_000,
        },
    }
    database = observed.shop.database
    database.insert_many(
        "quote",
        ("store_id", "items_count", "updated_at"),
        [(1 + n % 3, 1, NOW - timedelta(hours=5, seconds=n)) for n in range(5_000)],
    )
    database.rows("ANALYZE TABLE {quote}")
    with observed.connection() as other, other.connection.cursor() as cursor:
        for query in (by_time.CHANGED_QUOTES.query,):
            cursor.execute(f"EXPLAIN {query.text()}", parameters[query.name]())
            kind = [column[0] for column in cursor.description].index("type")
            plan = cursor.fetchall()
            assert [row[kind] for row in plan] == ["range"], plan
