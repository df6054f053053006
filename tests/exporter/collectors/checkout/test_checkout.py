"""The looks of the checkout collector, on a simulated database with late commits and irregular scrapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.collectors import checkout
from exporter.collectors.checkout import CheckoutCollector, by_id, by_time
from exporter.collectors.checkout import funnel as counting
from exporter.core.collector import Tuning
from exporter.core.memory import VolatileStore
from exporter.reading import time_slices
from tests.harness.core import NOON, FakeDatabase, run

SETTLE = 120
STEPS = ("cart", "shipping_address", "shipping_method", "payment_method", "placement_attempt")


@dataclass(frozen=True)
class Change:
    """A transaction on one cart: when it began, when it was committed, and what the cart then shows."""

    began: float
    committed: float
    steps: frozenset[str]


@dataclass
class Carts:
    """The carts of a shop as a replica shows them, ``lag`` seconds late, though its clock is right."""

    changes: dict[int, list[Change]]
    now: float = NOON
    lag: float = 0.0
    read: Counter[str] = field(default_factory=Counter)

    def visible(self) -> dict[int, Change]:
        """Return the last committed change of every cart."""
        committed = {
            number: [change for change in changes if change.committed <= self.now - self.lag]
            for number, changes in self.changes.items()
        }
        return {number: changes[-1] for number, changes in committed.items() if changes}

    def newest_change(self, **_: Any) -> Sequence[Mapping[str, Any]]:
        shown = self.visible().values()
        return [{"store_id": 1, "newest": max(int(change.began) for change in shown)}] if shown else []

    def changed(self, *, first: int, end: int, limit: int, **_: Any) -> Sequence[Mapping[str, Any]]:
        rows = [
            {
                "id": number,
                "created": int(self.changes[number][0].began),
                "changed": int(change.began),
                "store_id": 1 + number % 2,
                "active": 1,
                "filled": int("cart" in change.steps),
                "is_virtual": 0,
                "guest": number % 3 != 0,
                "reserved": int("placement_attempt" in change.steps),
            }
            for number, change in self.visible().items()
            if first <= int(change.began) < end
        ][:limit]
        self.read["carts"] += len(rows)
        return rows

    def shipping(self, *, ids: Sequence[int]) -> Sequence[Mapping[str, Any]]:
        self.read["steps"] += len(ids)
        return [
            {
                "id": number,
                "address": int("shipping_address" in change.steps),
                "method": int("shipping_method" in change.steps),
            }
            for number, change in self.visible().items()
            if number in ids
        ]

    def payments(self, *, ids: Sequence[int]) -> Sequence[Mapping[str, Any]]:
        return [
            {"id": number}
            for number, change in self.visible().items()
            if number in ids and "payment_method" in change.steps
        ]

    def database(self) -> FakeDatabase:
        return FakeDatabase(
            answers={
                by_time.CLOCK.query.name: lambda: [{"now": int(self.now)}],
                by_id.QUOTES.newest.name: lambda: [{"id": max(self.visible(), default=None)}],
                by_time.NEWEST_CHANGES.query.name: self.newest_change,
                by_time.CHANGED_QUOTES.query.name: self.changed,
                counting.SHIPPING_STEPS.name: self.shipping,
                counting.PAYMENT_STEPS.name: self.payments,
                checkout.ORDERS.newest.name: [{"id": None}],
                checkout.ORDERS.above.name: [],
            },
            indexes={"quote": [("store_id", "updated_at")]},
        )

    def truth(self) -> Counter[str]:
        """Return how many carts show each step; a cart without items has none."""
        return Counter(
            step for change in self.visible().values() if "cart" in change.steps for step in change.steps
        )


def counted(samples: Sequence[Any]) -> Counter[str]:
    found: Counter[str] = Counter()
    for sample in samples:
        if sample.metric is not checkout.STAGE_REACHED:
            continue
        found[sample.labels[1]] += int(sample.value)
    return +found


@st.composite
def carts(draw: st.DrawFn) -> Carts:
    """Draw carts whose steps come in any order, in transactions that wait for each other as row locks do."""
    changes: dict[int, list[Change]] = {}
    for number in range(1, draw(st.integers(1, 6)) + 1):
        at, shown, history = NOON + draw(st.floats(1, 1_500)), frozenset[str](), []
        for some in draw(st.lists(st.sets(st.sampled_from(STEPS), max_size=3), min_size=1, max_size=5)):
            shown = shown | some
            committed = at + draw(st.floats(0, SETTLE - 3))
            history.append(Change(at, committed, shown))
            at = committed + draw(st.floats(0, 900))
        changes[number] = history
    return Carts(changes)


@given(
    shop=carts(),
    pauses=st.lists(st.floats(1, 900), min_size=1, max_size=40),
    budget=st.sampled_from((1, 3, 3_000)),
)
def test_every_cart_counts_once_per_stage(shop: Carts, pauses: list[float], budget: int) -> None:
    state, database, before = VolatileStore(), shop.database(), Counter[str]()

    def scrape() -> Counter[str]:
        tuning = Tuning(settle_seconds=SETTLE)
        return counted(run(CheckoutCollector(), state, shop.now, database=database, tuning=tuning))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(by_time, "CARTS_A_LOOK", budget)
        # A budget of one row reads one slice a run: it must be wider than the time between two runs.
        patch.setattr(time_slices, "FIRST_WIDTH", 300)
        scrape()
        for pause in pauses:
            shop.now += pause
            found = scrape()
            assert found <= shop.truth(), "never more than there is"
            assert before <= found, "and never less than before"
            before = found
        ended = max(change.committed for history in shop.changes.values() for change in history)
        shop.now = max(shop.now, ended) + SETTLE + 5
        for _ in range(2 + 40 // budget):
            shop.now += by_time.LATER_LOOKS_EVERY
            found = scrape()
    assert found == shop.truth()
    by_label = {
        sample.labels
        for sample in run(CheckoutCollector(), state, shop.now, database=database)
        if sample.value
    }
    assert {(labels[0], labels[2]) for labels in by_label} <= {
        (("default", "german")[number % 2], "guest" if number % 3 else "registered")
        for number in shop.changes
    }


def test_a_cart_costs_two_or_three_looks_however_often_the_shop_is_scraped() -> None:
    shop = Carts({number: [Change(NOON + 10, NOON + 10, frozenset({"cart"}))] for number in range(1, 51)})
    state, database = VolatileStore(), shop.database()
    for second in range(0, 7_200, 15):
        shop.now = NOON + second
        run(CheckoutCollector(), state, shop.now, database=database)
    assert 150 <= shop.read["carts"] <= 200, "now, settled and late; once more within the overlap"


def test_a_second_change_within_the_second_that_is_committed_late_counts_when_it_is_settled() -> None:
    """The first change was seen at once. The time of the cart's last change does not tell the two apart."""
    first, second = NOON + 10.1, NOON + 10.9
    shop = Carts(
        {
            1: [
                Change(first, first, frozenset({"cart"})),
                Change(second, second + 60, frozenset({"cart", "payment_method"})),
            ]
        }
    )
    state, database, collector = VolatileStore(), shop.database(), CheckoutCollector()
    for second_of_day in range(0, 10 + SETTLE + 2 * by_time.LATER_LOOKS_EVERY, 30):
        shop.now = NOON + second_of_day
        found = counted(
            run(collector, state, shop.now, database=database, tuning=Tuning(settle_seconds=SETTLE))
        )
    assert found == {"cart": 1, "payment_method": 1}


@pytest.mark.parametrize("lag", [0, 200, 1_000, 7_200])
def test_a_replica_that_lags_loses_no_cart(lag: int) -> None:
    shop = Carts(
        {
            number: [Change(NOON + 30 * number, NOON + 30 * number, frozenset({"cart", "payment_method"}))]
            for number in range(1, 101)
        },
        lag=lag,
    )
    state, database = VolatileStore(), shop.database()
    while shop.now <= NOON + 3_600 + lag:
        found = counted(run(CheckoutCollector(), state, shop.now, database=database))
        if shop.now > NOON + 600 + lag:
            assert found, "not only when the change is half an hour old"
        shop.now += 15
    assert found == {"cart": 100, "payment_method": 100}


def shop_of(*numbers: int, began: float, every: float) -> Carts:
    """Return a shop with carts that were opened one after the other, each with items at once."""
    opened = {number: began + every * place for place, number in enumerate(numbers)}
    return Carts({n: [Change(at, at, frozenset({"cart"}))] for n, at in opened.items()})


def test_a_server_that_lags_counts_no_cart_twice_and_loses_none() -> None:
    """A replica takes over that shows the shop as it was, for longer than the settle time."""
    shop, state = shop_of(*range(1, 61), began=NOON + 10, every=10), VolatileStore()
    for pause, lag in ((0, 0), (300, 0), (15, 200), (150, 200), (15, 60), (150, 10), (300, 0), (200, 0)):
        shop.now, shop.lag = shop.now + pause, lag
        found = counted(run(CheckoutCollector(), state, shop.now, database=shop.database()))
    assert found["cart"] == len(shop.visible()) == 60


def test_carts_with_ids_of_before_a_restore_count() -> None:
    state = VolatileStore()
    shop = shop_of(*range(1, 31), began=NOON + 10, every=10)
    for pause in (0, 200, 200):
        shop.now += pause
        counted(run(CheckoutCollector(), state, shop.now, database=shop.database()))
    backup = {number: shop.changes[number] for number in range(1, 21)}
    restored = Carts(backup, now=shop.now + 60)
    counted(run(CheckoutCollector(), state, restored.now, database=restored.database()))
    restored.changes = backup | shop_of(*range(21, 41), began=restored.now + 30, every=10).changes
    for _ in range(3):
        restored.now += 200
        found = counted(run(CheckoutCollector(), state, restored.now, database=restored.database()))
    assert found["cart"] == 30 + 20
