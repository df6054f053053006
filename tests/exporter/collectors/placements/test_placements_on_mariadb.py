"""Failed placements against the truth: numbers of the sequences that no order has."""

from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from exporter.collectors import placements
from exporter.collectors.placements import HOLD_SECONDS, PlacementsCollector
from exporter.core.memory import VolatileStore
from exporter.core.ports import StateStore
from exporter.magento.checkout import OrderSequence
from exporter.rights.statements import Account
from exporter.sources.state import SQLiteState
from sandbox.servers.mariadb import MariaDB
from tests.harness import truth
from tests.harness.shop import LIMITS, NOW, ShopInMariaDB, add_stores, shop_in_mariadb

SETTLED = 181.0
"""A scrape that notices a number, and the one at which it is old enough."""


class Placements:
    """Runs the collector on a shop, at times of its own, and tells the truth beside it."""

    def __init__(
        self, observed: ShopInMariaDB, state: StateStore | None = None, *, begin: bool = True
    ) -> None:
        self.observed = observed
        self.state = state or VolatileStore()
        self.now = NOW.timestamp()
        self.collector = PlacementsCollector()
        observed.read_through(self.collector, observed.open(self.collector.queries))
        self.not_observed: set[str] = set()
        self.start = truth.sequence_tops(observed.shop)
        if begin:
            self.run()

    def run(self, *, forward: float = 0.0) -> dict[str, tuple[int, int, int]]:
        """Scrape; return per store the attempts, the failed ones, and the numbers that wait."""
        self.now += forward
        found = self.observed.run(self.collector, self.now, state=self.state)
        self.not_observed = {key[-1] for key in found if key[0] == placements.NOT_OBSERVED.name}
        found = {key: value for key, value in found.items() if key[0] != placements.NOT_OBSERVED.name}
        names = (placements.ATTEMPTS.name, placements.FAILED.name, placements.WAITING.name)
        stores = {store for name, store in found if name in names}
        return {store: tuple(int(found[name, store]) for name in names) for store in stores}  # type: ignore[misc]

    def settled(self) -> dict[str, tuple[int, int, int]]:
        """Scrape until the numbers taken so far are decided."""
        self.run()
        return self.run(forward=SETTLED)

    def truth(self) -> dict[str, tuple[int, int, int]]:
        """Return the same by an anti-join over everything, once no number is waited for any more."""
        found = truth.placements(self.observed.shop, self.start)
        return {store: (tries + kept, failed + kept, 0) for store, (tries, failed, kept) in found.items()}


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


@pytest.fixture
def taken(observed: ShopInMariaDB) -> Placements:
    return Placements(observed)


def cart_at_payment(observed: ShopInMariaDB, store: str = "default", method: str = "braintree") -> int:
    cart = observed.shop.carts.open(store)
    observed.shop.carts.advance(cart, "payment_method", method=method)
    return cart


def test_a_decline_is_a_failed_placement_when_it_has_settled(taken: Placements) -> None:
    shop = taken.observed.shop
    assert taken.run() == {"default": (0, 0, 0), "de": (0, 0, 0), "us": (0, 0, 0)}
    shop.carts.decline(cart_at_payment(taken.observed))
    shop.orders.place("us")
    assert taken.run()["default"] == (0, 0, 0)
    assert taken.run(forward=60)["default"] == (0, 0, 0)
    found = taken.run(forward=60)
    assert found == {"default": (1, 1, 0), "de": (0, 0, 0), "us": (1, 0, 0)} == taken.truth()
    assert taken.run(forward=600) == found


def test_every_try_of_an_ordinary_method_takes_a_number(taken: Placements) -> None:
    shop, cart = taken.observed.shop, cart_at_payment(taken.observed, "de")
    for _ in range(3):
        shop.carts.decline(cart)
    shop.orders.buy(cart)
    assert taken.settled()["de"] == (4, 3, 0)
    assert taken.run() == taken.truth()


def test_a_hosted_payment_is_waited_for(taken: Placements) -> None:
    shop, observed = taken.observed.shop, taken.observed
    returns, stays, never = (cart_at_payment(observed, "us", "paypal_express") for _ in range(3))
    for cart in (returns, stays, never):
        shop.carts.decline(cart)
        shop.carts.decline(cart)
    assert taken.run()["us"] == (0, 0, 0), "noticed"
    assert taken.run(forward=121)["us"] == (0, 0, 3)
    shop.orders.buy(returns)
    assert taken.run(forward=60)["us"] == (1, 0, 2)
    shop.orders.buy(stays)
    found = taken.run(forward=HOLD_SECONDS)
    assert found["us"] == (3, 1, 0)
    assert found == taken.truth()


def test_a_hosted_payment_is_waited_for_at_slow_scrapes(taken: Placements) -> None:
    """A minute's collector runs every 90 s when it is scraped every 45 s."""
    shop, database = taken.observed.shop, taken.observed.shop.database
    cart = cart_at_payment(taken.observed, "us", "paypal_express")
    shop.carts.decline(cart)
    taken.run(forward=90)
    database.update("quote", {"entity_id": cart}, updated_at=ago(180 + 85))
    assert taken.run(forward=180)["us"] == (0, 0, 1), "taken just after the run before it was noticed"


def test_when_too_many_carts_were_changed_every_number_waits(
    taken: Placements, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a price rule marks all carts: one statement changes them all, in one second."""
    monkeypatch.setattr(placements.HELD_NUMBERS, "page", 50)
    monkeypatch.setattr(placements, "CARTS_A_RUN", 200)
    shop, database = taken.observed.shop, taken.observed.shop.database
    shop.carts.decline(cart_at_payment(taken.observed, "us", "paypal_express"))
    shop.carts.decline(cart_at_payment(taken.observed))
    database.insert_many("quote", ("store_id", "is_active"), [(1 + n % 3, 1) for n in range(300)])
    database.execute("UPDATE {quote} SET trigger_recollect = 1, updated_at = UTC_TIMESTAMP() WHERE is_active")
    taken.run()
    read: list[int] = []
    taken.observed.reader(taken.collector)._observer = lambda query, rows, _: (
        read.append(rows) if query is placements.HELD_NUMBERS.query else None
    )
    found = taken.run(forward=SETTLED)
    assert (found["us"], found["default"]) == ((0, 0, 1), (0, 0, 1))
    assert max(read) <= 50
    assert sum(read) <= 300
    database.execute("UPDATE {quote} SET updated_at = updated_at - INTERVAL 1 HOUR")
    shop.carts.decline(cart_at_payment(taken.observed))
    taken.run()
    assert taken.run(forward=SETTLED)["default"] == (1, 1, 1), "later ones are told apart again"
    assert taken.run(forward=HOLD_SECONDS) == taken.truth()


def test_a_slow_placement_that_settles_in_time(taken: Placements) -> None:
    shop, cart = taken.observed.shop, cart_at_payment(taken.observed)
    number = shop.carts.decline(cart)
    taken.run()
    taken.run(forward=100)
    shop.database.update("quote", {"entity_id": cart}, reserved_order_id=number)
    shop.orders.buy(cart)
    assert taken.run(forward=30)["default"] == (1, 0, 0)


def test_a_number_that_was_rolled_back_is_none(taken: Placements) -> None:
    with taken.observed.connection() as other:
        other.connection.begin()
        other.insert("sequence_order_1")
        other.connection.rollback()
    taken.observed.shop.orders.place("default")
    assert taken.settled()["default"] == (1, 0, 0)
    assert taken.run() == taken.truth()


def test_a_number_that_becomes_visible_after_a_larger_one(taken: Placements) -> None:
    with taken.observed.connection() as other:
        other.connection.begin()
        other.insert("sequence_order_1")
        taken.observed.shop.orders.place("default")
        taken.run()
        other.connection.commit()
    assert taken.run(forward=SETTLED)["default"] == (2, 1, 0)
    assert taken.run() == taken.truth()


def test_step_start_value_prefix_and_suffix(observed: ShopInMariaDB) -> None:
    database = observed.shop.database
    database.execute(
        "UPDATE {sales_sequence_profile} p JOIN {sales_sequence_meta} m ON m.meta_id = p.meta_id"
        " SET p.prefix = 'NL-', p.suffix = '-X', p.start_value = 2, p.step = 5"
        " WHERE m.entity_type = 'order' AND m.store_id = 2"
    )
    try:
        place_numbered(observed, placed=True)
        taken = Placements(observed)
        for placed in (True, False, True):
            place_numbered(observed, placed=placed)
        assert taken.settled()["de"] == (3, 1, 0)
    finally:
        database.execute("DELETE FROM {sales_order} WHERE increment_id LIKE 'NL-%%'", ())
        database.execute(
            "UPDATE {sales_sequence_profile} p JOIN {sales_sequence_meta} m ON m.meta_id = p.meta_id"
            " SET p.prefix = '2', p.suffix = NULL, p.start_value = 1, p.step = 1"
            " WHERE m.entity_type = 'order' AND m.store_id = 2"
        )


def place_numbered(observed: ShopInMariaDB, *, placed: bool) -> None:
    value = observed.shop.database.insert("sequence_order_2")
    if placed:
        number = f"NL-{(value - 2) * 5 + 2:09d}-X"
        observed.shop.database.insert("sales_order", store_id=2, increment_id=number, quote_id=1)


def test_the_numbers_of_magento() -> None:
    plain = OrderSequence(1, "", "", 1, 1)
    assert plain.increment_id(42) == "000000042"
    assert plain.increment_id(1_234_567_890) == "1234567890"
    assert plain.made("000000042", top=42)
    assert plain.made("000000042-2", top=42), "an edited order"
    for foreign in ("000000043", "42", "ORD-000000042", "000000042-X", "000000000", ""):
        assert not plain.made(foreign, top=42), foreign
    stepped = OrderSequence(3, "3", "-EU", 100, 10)
    assert stepped.increment_id(103) == "3000000130-EU"
    assert stepped.made("3000000130-EU", top=103)
    assert not stepped.made("3000000131-EU", top=103), "between two steps"
    assert not stepped.made("3000000130-EU", top=102)


def test_a_store_whose_orders_are_numbered_otherwise_has_no_series(taken: Placements) -> None:
    shop, database = taken.observed.shop, taken.observed.shop.database
    for _ in range(3):
        order = shop.orders.place("us")
        database.update("sales_order", {"entity_id": order}, increment_id=f"CUSTOM-{order}")
    found = taken.settled()
    assert set(found) == {"default", "de"}
    shop.carts.decline(cart_at_payment(taken.observed, "us"))
    assert set(taken.settled()) == {"default", "de"}
    shop.orders.place("us")
    assert taken.run()["us"] == (0, 0, 0), "a number of the sequence: counted from now on"
    shop.carts.decline(cart_at_payment(taken.observed, "us"))
    assert taken.settled()["us"] == (1, 1, 0)


def test_imported_orders_do_not_make_a_failing_checkout_disappear(taken: Placements) -> None:
    database = taken.observed.shop.database
    for number in range(5):
        database.insert("sales_order", store_id=3, increment_id=f"MARKET-{number}", quote_id=None)
        taken.observed.shop.carts.decline(cart_at_payment(taken.observed, "us"))
    assert taken.settled()["us"] == (5, 5, 0)


def test_a_sequence_that_is_restored_from_a_backup(taken: Placements) -> None:
    database = taken.observed.shop.database
    top = truth.sequence_tops(taken.observed.shop)["de"]
    database.execute("INSERT INTO {sequence_order_2} (sequence_value) VALUES (%s)", (top + 50_000,))
    assert taken.settled()["de"] == (1, 1, 0), "a jump of the numbers is one number"
    database.execute("DELETE FROM {sequence_order_2} WHERE sequence_value > %s", (top,))
    database.execute("ALTER TABLE {sequence_order_2} AUTO_INCREMENT = 1")
    assert taken.settled()["de"] == (1, 1, 0)
    taken.observed.shop.carts.decline(cart_at_payment(taken.observed, "de"))
    assert taken.settled()["de"] == (2, 2, 0)


def test_a_restart_decides_every_number_once(observed: ShopInMariaDB, tmp_path: Path) -> None:
    with closing(SQLiteState(tmp_path / "state")) as state:
        taken = Placements(observed, state)
        observed.shop.carts.decline(cart_at_payment(observed))
        observed.shop.carts.decline(cart_at_payment(observed, "us", "paypal_express"))
        taken.settled()
        observed.shop.orders.place("de")
        taken.run()
    with closing(SQLiteState(tmp_path / "state")) as state:
        taken.state, taken.collector = state, PlacementsCollector()
        found = taken.run(forward=SETTLED)
        assert found == {"default": (1, 1, 0), "de": (1, 0, 0), "us": (0, 0, 1)}
        assert taken.run(forward=HOLD_SECONDS) == taken.truth()


def test_many_numbers_are_decided_in_bounded_steps(
    taken: Placements, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placements, "NUMBERS_A_RUN", 7)
    monkeypatch.setattr(placements, "_NUMBERS_A_STATEMENT", 3)
    database = taken.observed.shop.database
    for store_id in (1, 2):
        database.insert_many(f"sequence_order_{store_id}", ("sequence_value",), [(None,)] * 10)
    taken.observed.shop.orders.place("default")
    taken.run()
    attempts = [sum(store[0] for store in taken.run(forward=SETTLED).values()) for _ in range(3)]
    assert attempts == [7, 14, 21]
    assert taken.run() == taken.truth() == {"default": (11, 10, 0), "de": (10, 10, 0), "us": (0, 0, 0)}


def test_a_store_without_its_sequence_table_has_no_series(mariadb: MariaDB) -> None:
    with shop_in_mariadb(mariadb) as observed:
        taken = Placements(observed)
        observed.shop.database.execute("DROP TABLE {sequence_order_2}")
        for _ in range(2):
            assert set(taken.run()) == {"default", "us"}
            assert taken.not_observed == {"de"}


def test_a_store_whose_sequence_may_not_be_read_is_named_and_the_others_count(mariadb: MariaDB) -> None:
    """A store view that was opened after the rights were given."""
    with shop_in_mariadb(mariadb) as observed:
        taken = Placements(observed)
        user = Account(observed.login(taken.collector.queries))
        table = f"{observed.name}.sequence_order_2"
        observed.server.execute(f"REVOKE SELECT (sequence_value) ON {table} FROM {user}")
        for _ in range(2):
            assert set(taken.run()) == {"default", "us"}
            assert taken.not_observed == {"de"}
        anew = Placements(observed, taken.state, begin=False)
        forgets = replace(LIMITS, remember_absence=0)
        observed.read_through(anew.collector, observed.open(anew.collector.queries, limits=forgets))
        assert set(anew.run()) == {"default", "us"}
        assert anew.not_observed == {"de"}
        observed.server.execute(f"GRANT SELECT (sequence_value) ON {table} TO {user}")
        assert set(anew.run(forward=placements.REREAD_SEQUENCES)) == {"default", "us", "de"}
        assert anew.not_observed == set()


def test_a_store_whose_sequence_is_locked_is_named_and_the_others_count(mariadb: MariaDB) -> None:
    with shop_in_mariadb(mariadb) as observed:
        taken = Placements(observed)
        limits = replace(LIMITS, lock_wait=1)
        observed.read_through(taken.collector, observed.open(taken.collector.queries, limits=limits))
        with observed.connection() as other:
            other.execute("LOCK TABLES {sequence_order_2} WRITE")
            assert set(taken.run()) == {"default", "us"}
            assert taken.not_observed == {"de"}
            other.execute("UNLOCK TABLES")
        assert set(taken.run()) == {"default", "us", "de"}


def test_a_new_store_and_a_deleted_one(mariadb: MariaDB) -> None:
    with shop_in_mariadb(mariadb) as observed:
        taken, database = Placements(observed), observed.shop.database
        database.execute("DELETE FROM {store} WHERE store_id = 3")
        assert set(taken.run()) == {"default", "de"}
        database.execute("DROP TABLE {sequence_order_3}")
        assert set(taken.run()) == {"default", "de"}
        new = database.insert("store", code="new", website_id=1, group_id=1, name="New", is_active=1)
        assert set(taken.run()) == {"default", "de"}, "its sequence is not there yet"
        database.execute(
            f"CREATE TABLE {{sequence_order_{new}}}"
            " (sequence_value int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY)"
        )
        meta = database.insert(
            "sales_sequence_meta",
            entity_type="order",
            store_id=new,
            sequence_table=f"sequence_order_{new}",
        )
        database.insert(
            "sales_sequence_profile",
            meta_id=meta,
            start_value=1,
            step=1,
            max_value=9,
            warning_value=8,
            is_active=1,
        )
        observed.tables_were_made()
        assert taken.run()["new"] == (0, 0, 0)
        database.insert(f"sequence_order_{new}")
        assert taken.settled()["new"] == (1, 1, 0)


@pytest.mark.parametrize(
    "arguments",
    [
        {"prefix": "m2_"},
        {"split": True},
        {"prefix": "x", "split": True},
        {"version": "2.3.7", "prefix": "old_"},
    ],
)
def test_prefix_split_databases_and_an_old_version(mariadb: MariaDB, arguments: dict[str, Any]) -> None:
    with shop_in_mariadb(mariadb, **arguments) as observed:
        taken, shop = Placements(observed), observed.shop
        for store in ("default", "de", "us"):
            shop.orders.place(store)
            shop.carts.decline(cart_at_payment(observed, store))
            shop.carts.decline(cart_at_payment(observed, store, "paypal_express"))
        waits = 0 if "version" in arguments else 1
        assert taken.settled() == dict.fromkeys(("default", "de", "us"), (3 - waits, 2 - waits, waits))
        assert taken.run(forward=HOLD_SECONDS) == taken.truth()


@pytest.mark.slow
def test_five_hundred_stores_take_few_statements(mariadb: MariaDB) -> None:
    with shop_in_mariadb(mariadb) as observed:
        add_stores(observed, 497, numbered=range(497))
        taken = Placements(observed)
        observed.shop.carts.decline(cart_at_payment(observed, "s77"))
        asked: list[str] = []
        reader = observed.reader(taken.collector)
        reader._observer = lambda query, _rows, _seconds: asked.append(query.name)
        taken.run()
        assert len(asked) <= 8, asked
        found = taken.run(forward=SETTLED)
        assert found["s77"] == (1, 1, 0)
        assert sum(store[0] for store in found.values()) == 1
        assert len(found) == 500
