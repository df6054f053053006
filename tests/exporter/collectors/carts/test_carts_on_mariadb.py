"""Carts in use and carts left, against an independent query."""

from contextlib import closing
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from exporter.collectors import carts
from exporter.collectors.carts import CartsCollector
from exporter.core.collector import Tuning
from exporter.core.memory import VolatileStore
from exporter.core.ports import StateStore
from exporter.sources.state import SQLiteState
from sandbox.servers.mariadb import MariaDB
from tests.harness.shop import NOW, ShopInMariaDB, shop_in_mariadb

Found = dict[tuple[str, ...], float]
ACTIVE, ABANDONED, VALUE, ROWS, OLDEST = (metric.name for metric in CartsCollector.metrics)


@pytest.fixture(autouse=True)
def _no_carts(observed: ShopInMariaDB) -> None:
    observed.empty("sales_order", "quote")


def collect(observed: ShopInMariaDB, state: StateStore, *, after: float = 3_600.0) -> Found:
    found = observed.run(CartsCollector(), state=state, tuning=Tuning(abandoned_after_seconds=after))
    return {key: value for key, value in found.items() if value and key[0] not in (ROWS, OLDEST)}


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def begin(observed: ShopInMariaDB, state: StateStore, *, hours: float) -> None:
    """Let the collector have begun some hours ago."""
    assert not {key for key in collect(observed, state) if key[0] != ACTIVE}
    state.commit([("carts/looks", "done_until", str(int(NOW.timestamp() - hours * 3_600)))])


def abandoned(observed: ShopInMariaDB, found: Found) -> tuple[Found, Found]:
    """Return what was found of abandonment, and the truth of the last five hours."""
    rows = observed.shop.database.rows(
        "SELECT s.code, q.base_currency_code, COUNT(*), SUM(q.base_grand_total) FROM {quote} q"
        " JOIN {store} s ON s.store_id = q.store_id WHERE q.is_active = 1 AND q.items_count > 0"
        " AND q.updated_at < %s AND q.updated_at >= %s GROUP BY 1, 2",
        (ago(3_600), ago(5 * 3_600)),
    )
    truth = {(ABANDONED, code): float(number) for code, _, number, _ in rows}
    truth |= {(VALUE, code, currency): float(total) for code, currency, _, total in rows if total}
    return {key: value for key, value in found.items() if key[0] != ACTIVE}, truth


def test_active_carts_by_age(observed: ShopInMariaDB) -> None:
    shop = observed.shop
    for seconds, store in ((0, "de"), (800, "de"), (1_000, "us"), (3_500, "us"), (3_700, "us")):
        shop.carts.open(store, at=ago(seconds))
    shop.carts.open("de", headless=True)
    shop.orders.place("de")
    found = observed.run(CartsCollector())
    assert {key[1:]: value for key, value in found.items() if key[0] == ACTIVE} == {
        ("default", "lt_15m"): 0,
        ("de", "lt_15m"): 2,
        ("us", "lt_15m"): 0,
        ("default", "lt_1h"): 0,
        ("de", "lt_1h"): 0,
        ("us", "lt_1h"): 2,
    }


def test_every_counter_is_born_at_zero(observed: ShopInMariaDB) -> None:
    found = observed.run(CartsCollector())
    zeros = {(ABANDONED, store) for store in ("default", "de", "us")}
    zeros |= {(VALUE, "default", "EUR"), (VALUE, "de", "EUR"), (VALUE, "us", "USD")}
    assert {key: value for key, value in found.items() if key[0] in (ABANDONED, VALUE)} == dict.fromkeys(
        zeros, 0.0
    )


def test_abandoned_carts_count_once_with_their_value(observed: ShopInMariaDB) -> None:
    shop, state = observed.shop, VolatileStore()
    begin(observed, state, hours=5)
    for minutes in (30, 59, 61, 70, 120, 290):
        for store in ("default", "us"):
            shop.carts.open(store, at=ago(60 * minutes))
    zero = shop.carts.open("de", at=ago(4_000))
    shop.database.update("quote", {"entity_id": zero}, base_grand_total=0, updated_at=ago(4_000))
    found, truth = abandoned(observed, collect(observed, state))
    assert found == truth
    assert found[ABANDONED, "us"] == 4
    assert found[ABANDONED, "de"] == 1
    assert abandoned(observed, collect(observed, state))[0] == truth, "only once"


def test_what_is_no_abandonment(observed: ShopInMariaDB) -> None:
    shop, state, then = observed.shop, VolatileStore(), ago(7_000)
    begin(observed, state, hours=5)
    shop.carts.open("de", headless=True, at=then)
    shop.orders.place("de", at=then)
    merged, deleted, negative = (shop.carts.open("de", at=then) for _ in range(3))
    shop.database.update("quote", {"entity_id": merged}, is_active=0, updated_at=then)
    shop.database.execute("DELETE FROM {quote} WHERE entity_id = %s", (deleted,))
    shop.database.update("quote", {"entity_id": negative}, base_grand_total=Decimal(-5), updated_at=then)
    found, _ = abandoned(observed, collect(observed, state))
    assert found == {(ABANDONED, "de"): 1}, "the cart with a negative total has no value"


def test_a_cart_that_is_taken_up_again(observed: ShopInMariaDB) -> None:
    shop, state = observed.shop, VolatileStore()
    begin(observed, state, hours=5)
    cart = shop.carts.open("de", at=ago(7_000))
    assert collect(observed, state)[ABANDONED, "de"] == 1
    shop.carts.add_items(cart)
    found = collect(observed, state)
    assert (found[ABANDONED, "de"], found[ACTIVE, "de", "lt_15m"]) == (1, 1)
    shop.database.update("quote", {"entity_id": cart}, updated_at=ago(3_601))
    state.commit([("carts/looks", "done_until", str(int(NOW.timestamp() - 3_660)))])
    assert collect(observed, state)[ABANDONED, "de"] == 2, "and left again"


def test_the_time_after_which_a_cart_is_abandoned_is_a_setting(observed: ShopInMariaDB) -> None:
    state = VolatileStore()
    collect(observed, state, after=600)
    state.commit([("carts/looks", "done_until", str(int(NOW.timestamp() - 1_200)))])
    observed.shop.carts.open("de", at=ago(700))
    assert collect(observed, state, after=600)[ABANDONED, "de"] == 1


def test_a_restart_and_a_long_absence(
    observed: ShopInMariaDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carts.CHANGED, "page", 5)
    monkeypatch.setattr(carts, "CARTS_A_RUN", 10)
    with closing(SQLiteState(tmp_path / "state")) as state:
        begin(observed, state, hours=5)
    for minutes in range(62, 290, 6):
        observed.shop.carts.open("us", at=ago(60 * minutes))
    counted: list[float] = []
    while not counted or counted[-1] < 38:
        with closing(SQLiteState(tmp_path / "state")) as state:
            counted.append(collect(observed, state).get((ABANDONED, "us"), 0.0))
        assert len(counted) < 12, counted
    assert len(counted) > 2
    assert counted == sorted(counted)
    assert counted[-1] == 38


def test_a_band_with_too_many_carts_is_absent(
    observed: ShopInMariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carts, "CARTS_A_BAND", 5)
    for number in range(12):
        observed.shop.carts.open("de", at=ago(2_000 + 10 * number))
    observed.shop.carts.open("us", at=ago(100))
    found = observed.run(CartsCollector())
    assert {key[2] for key in found if key[0] == ACTIVE} == {"lt_15m"}


def test_a_band_with_a_mass_update_is_absent(
    observed: ShopInMariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More carts in one second than a statement reads: they cannot be told apart any further."""
    monkeypatch.setattr(carts.CHANGED, "page", 5)
    then = ago(2_000)
    for _ in range(6):
        observed.shop.carts.open("de", at=then)
    observed.shop.carts.open("us", at=ago(100))
    found = observed.run(CartsCollector())
    assert {key[2] for key in found if key[0] == ACTIVE} == {"lt_15m"}


@pytest.mark.parametrize("version", ["2.4.6", "2.3.7"])
def test_before_the_index_by_time_there_is_nothing(mariadb: MariaDB, version: str) -> None:
    with shop_in_mariadb(mariadb, version=version) as observed:
        observed.shop.carts.open("de")
        found = observed.run(CartsCollector())
        assert [key for key in found if key[0] != ROWS] == []


def test_the_table_and_its_oldest_row(observed: ShopInMariaDB) -> None:
    shop, then = observed.shop, ago(40 * 86_400)
    shop.carts.open("us", at=then)
    shop.database.insert_many(
        "quote", ("store_id", "updated_at"), [(1 + n % 2, ago(5_000 + n)) for n in range(2_000)]
    )
    shop.database.rows("ANALYZE TABLE {quote}")
    found = observed.run(CartsCollector())
    assert found[ROWS,] == pytest.approx(2_001, rel=0.4)
    assert found[OLDEST, "us"] == int(then.timestamp())
    assert {key[1] for key in found if key[0] == OLDEST} == {"default", "de", "us"}
    plan = shop.database.row(f"EXPLAIN {carts.OLDEST_CHANGES.sql}")
    assert "Using index for group-by" in plan[-1]


def test_the_carts_of_stores_that_are_gone_share_one_label(observed: ShopInMariaDB) -> None:
    """No foreign key reaches from another database to ``store``, and an import may check none."""
    database, oldest = observed.shop.database, ago(40 * 86_400)
    database.execute("SET foreign_key_checks = 0")
    database.insert_many("quote", ("store_id", "updated_at"), [(902, ago(90)), (901, oldest), (903, ago(80))])
    found = observed.run(CartsCollector())
    assert {key[1]: value for key, value in found.items() if key[0] == OLDEST} == {
        "(deleted)": int(oldest.timestamp())
    }
