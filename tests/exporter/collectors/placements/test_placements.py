"""Numbers that carts keep, on a simulated shop: irregular scrapes, a replica that lags, mass updates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from exporter.collectors import placements
from exporter.collectors.placements import (
    ATTEMPTS,
    CARTS_A_RUN,
    CARTS_A_STATEMENT,
    FAILED,
    HOLD_SECONDS,
    OBJECTIVE,
    OVERLAP,
    WAITING,
    PlacementsCollector,
)
from exporter.core.collector import Tuning
from exporter.core.memory import VolatileStore
from exporter.magento.objective import DAY, ENOUGH_DAYS, UNKNOWN
from tests.harness.core import NOON, FakeDatabase, run, values

MINUTE = 60
SETTLE = int(Tuning().settle_seconds)


@dataclass
class Cart:
    """A cart that was last changed at a moment, and the number that it keeps."""

    changed: float
    number: str | None = None
    before: Cart | None = None
    """What a replica shows that has not received the change yet."""
    waits: int = 0
    """Seconds for which the change waits for a lock."""

    def seen(self, at: float) -> Cart:
        """Return the cart as it was then."""
        return self if self.changed <= at or self.before is None else self.before.seen(at)


@dataclass
class Shop:
    """A shop in which every number is taken by a cart; read from a replica that is some seconds late."""

    lag: int = 0
    now: int = int(NOON)
    taken: list[int] = field(default_factory=list)
    carts: list[Cart] = field(default_factory=list)
    store: VolatileStore = field(default_factory=VolatileStore)
    collector: PlacementsCollector = field(default_factory=PlacementsCollector)
    read: list[int] = field(default_factory=list)
    orders: dict[int, int] = field(default_factory=dict)

    def order(self) -> None:
        """Take a number and place its order."""
        self.taken.append(self.now)
        self.orders[len(self.taken)] = self.now

    def attempt(self, *, kept: bool) -> None:
        """Take a number without an order; a hosted payment's cart keeps it."""
        self.taken.append(self.now)
        self.carts.append(Cart(self.now, f"{len(self.taken):09d}" if kept else None))

    def scrape(self) -> tuple[int, int, int]:
        """Run the collector; return the attempts, the failed ones, and the numbers that wait."""
        self.read = []
        found = values(run(self.collector, self.store, self.now, database=self._database()))
        attempts, failed, waiting = (int(found[m.name, "default"]) for m in (ATTEMPTS, FAILED, WAITING))
        return attempts, failed, waiting

    def after(self, seconds: int) -> tuple[int, int, int]:
        """Scrape every minute for some time; return what the last scrape shows."""
        for _ in range(seconds // MINUTE):
            self.now += MINUTE
            found = self.scrape()
        return found

    def _database(self) -> FakeDatabase:
        sequence = {"store_id": 1, "prefix": "", "suffix": "", "start": 1, "step": 1}
        return FakeDatabase(
            {
                "placements_sequences": [sequence],
                "placements_tops": lambda **_: [{"store_id": 1, "top": self._top()}],
                "placements_taken_numbers": lambda first, last, limit: [
                    {"number": number} for number in range(first, min(last, self._top()) + 1)
                ][:limit],
                "placements_orders_of_numbers": lambda numbers: [
                    {"store_id": 1, "increment_id": f"{number:09d}"}
                    for number in self._placed()
                    if f"{number:09d}" in numbers
                ],
                "placements_clock": [{"now": self.now}],
                "placements_held_numbers": self._held,
                "placements_orders_newest": lambda: [{"id": max(self._placed(), default=None)}],
                "placements_orders_new": lambda after, limit: [
                    {
                        "id": number,
                        "store_id": 1,
                        "increment_id": f"{number:09d}",
                        "bought": 1,
                        "created": self.orders[number],
                    }
                    for number in self._placed()
                    if number > after
                ][:limit],
            },
            indexes={"quote": [("store_id", "updated_at")]},
        )

    def _placed(self) -> list[int]:
        return [number for number, moment in self.orders.items() if moment <= self.now - self.lag]

    def _top(self) -> int:
        return sum(moment <= self.now - self.lag for moment in self.taken)

    def _held(self, stores: Sequence[int], first: int, end: int, limit: int) -> Sequence[dict[str, Any]]:
        assert stores == (1,)
        seen = [(place, cart.seen(self.now - self.lag)) for place, cart in enumerate(self.carts)]
        rows = [
            {"id": place, "store_id": 1, "changed": cart.changed, "number": cart.number}
            for place, cart in seen
            if first <= cart.changed < end and cart.changed + cart.waits <= self.now - self.lag
        ][:limit]
        self.read.append(len(rows))
        return rows


@pytest.mark.parametrize(
    ("scrapes_every", "lag"), [(15, 0), (15, 20), (15, 100), (25, 0), (45, 0), (50, 60), (300, 0)]
)
def test_every_number_on_a_payment_page_is_waited_for(scrapes_every: int, lag: int) -> None:
    """The runner starts a collector at the first scrape that is a minute after the last run."""
    shop = Shop(lag)
    shop.scrape()
    every = -(-MINUTE // scrapes_every) * scrapes_every
    for second in range(1, 20 * MINUTE + 1):
        shop.now += 1
        shop.attempt(kept=True)
        if second % every == 0:
            assert shop.scrape()[:2] == (0, 0)
    assert shop.scrape()[2] > 400


def test_a_run_that_comes_late_looks_further_back() -> None:
    shop = Shop()
    shop.scrape()
    shop.now += 1
    shop.attempt(kept=True)
    shop.now += 9 * MINUTE
    assert shop.scrape() == (0, 0, 0)
    assert shop.after(2 * MINUTE) == (0, 0, 1)


def test_a_mass_update_of_all_carts_counts_nothing_as_failed_yet() -> None:
    shop = Shop()
    shop.scrape()
    shop.attempt(kept=True)
    shop.attempt(kept=False)
    shop.after(MINUTE)
    for cart in shop.carts:
        cart.changed = shop.now
    shop.carts += [Cart(shop.now) for _ in range(100_000)]
    assert shop.after(2 * MINUTE) == (0, 0, 2), "which of them is kept, nobody can say"
    assert sum(shop.read) <= CARTS_A_RUN
    assert max(shop.read) <= CARTS_A_STATEMENT
    shop.after(3 * MINUTE)
    shop.attempt(kept=False)
    assert shop.after(5 * MINUTE) == (1, 1, 2), "taken when the mass update was past"
    assert shop.after(int(HOLD_SECONDS)) == (3, 3, 0)


def test_more_carts_than_a_run_may_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placements.HELD_NUMBERS, "page", 10)
    monkeypatch.setattr(placements, "CARTS_A_RUN", 50)
    shop = Shop()
    shop.scrape()
    for _ in range(3 * MINUTE):
        shop.now += 1
        shop.carts.append(Cart(shop.now))
        if shop.now % MINUTE == 0:
            shop.attempt(kept=False)
            shop.scrape()
    assert shop.after(3 * MINUTE) == (0, 0, 3)
    assert sum(shop.read) <= 50 + 10


def test_an_ordinary_minute_is_read_by_few_short_statements() -> None:
    shop = Shop()
    shop.scrape()
    for second in range(20 * MINUTE):
        shop.now += 1
        shop.carts += [Cart(shop.now) for _ in range(5)]
        if second % 15 == 0:
            shop.attempt(kept=False)
        if second % MINUTE == 0:
            shop.scrape()
    assert len(shop.read) <= 3
    assert sum(shop.read) <= 5.1 * (MINUTE + OVERLAP + 1), "what has changed since the run before"


@pytest.mark.parametrize("lag", [0, 20, 100])
def test_what_a_run_need_not_read_again_changes_nothing(lag: int) -> None:
    """Beside a collector that remembers no cart; customers come back, try again, give up."""
    remembers, forgets, chance = Shop(lag), Shop(lag), Random(lag)  # noqa: S311 - a story, no secret
    for shop in (remembers, forgets):
        shop.scrape()
    read = [0, 0]
    for second in range(1, 40 * MINUTE):
        happens, which = chance.random(), chance.random()
        for shop in (remembers, forgets):
            shop.now += 1
            if happens < 0.1 and shop.carts:
                place = int(which * len(shop.carts))
                cart = shop.carts[place]
                shop.carts[place] = Cart(shop.now, None if happens < 0.05 else cart.number, cart)
            elif happens < 0.6:
                shop.attempt(kept=happens < 0.5)
        if second % MINUTE == 0 and not 20 < second // MINUTE < 27:
            forgets.collector = PlacementsCollector()
            assert remembers.scrape() == forgets.scrape()
            read = [read[0] + sum(remembers.read), read[1] + sum(forgets.read)]
    assert read[0] < 0.8 * read[1]


@pytest.mark.parametrize("second", range(0, MINUTE, 7))
def test_a_cart_that_waits_for_a_lock_is_found_however_many_were_read_meanwhile(second: int) -> None:
    shop = Shop()
    shop.scrape()
    for passed in range(1, 10 * MINUTE + 1):
        shop.now += 1
        if passed % 5 == 0:
            shop.attempt(kept=False)
        if passed == 3 * MINUTE + second:
            shop.attempt(kept=True)
            shop.carts[-1].waits = 50
        if passed % MINUTE == 0:
            waiting = shop.scrape()[2]
    assert waiting == 1


def test_a_span_that_an_earlier_version_remembered() -> None:
    shop = Shop()
    shop.scrape()
    shop.attempt(kept=True)
    old = {"top": 1, "open": [[1, 1, shop.now]], "held": {}, "misses": 0}
    shop.store.commit([("placements/sequences", "1", str(old).replace("'", '"'))])
    assert shop.after(3 * MINUTE) == (0, 0, 1)


def test_failed_placements_are_seen_after_a_restore_by_a_few_hundred_numbers() -> None:
    shop = Shop()
    shop.scrape()
    for _ in range(400):
        shop.now += 1
        shop.order()
    assert shop.after(10 * MINUTE) == (400, 0, 0)
    shop.taken = shop.taken[:100]
    shop.orders = {number: moment for number, moment in shop.orders.items() if number <= 100}
    assert shop.after(5 * MINUTE) == (400, 0, 0)
    for number in range(100):
        shop.now += 1
        shop.attempt(kept=False) if number % 2 else shop.order()
    assert shop.after(10 * MINUTE) == (500, 50, 0)


@pytest.mark.parametrize("lag", [60, 150, 600, 1_500])
def test_a_replica_that_takes_over_and_lags_counts_no_number_twice_and_loses_none(lag: int) -> None:
    shop = Shop()
    shop.scrape()
    for second in range(1, 3_601):
        shop.now += 1
        if second % 4 == 0:
            shop.attempt(kept=False) if second % 20 == 0 else shop.order()
        # The lag is made up for within ten minutes.
        shop.lag = 0 if second < 1_000 else max(0, lag - max(0, second - 1_600) * lag // 600)
        if second % MINUTE == 0:
            shop.scrape()
    shop.lag = 0
    assert shop.after(40 * MINUTE) == (900, 180, 0)


def objective(shop: Shop, tuning: Tuning | None = None) -> float:
    """Return the objective after a run."""
    found = run(shop.collector, shop.store, shop.now, database=shop._database(), tuning=tuning or Tuning())
    return values(found)[OBJECTIVE.name, "default"]


def test_the_objective_is_learned_from_the_days_that_were_counted_and_outlives_a_restart() -> None:
    shop = Shop()
    shop.scrape()
    for _ in range(ENOUGH_DAYS):
        assert objective(shop) == UNKNOWN
        for number in range(20):
            if number < 18:
                shop.order()
            else:
                shop.attempt(kept=False)
        shop.after(10 * MINUTE)
        shop.now += DAY - 10 * MINUTE
    shop.collector = PlacementsCollector()
    assert objective(shop) == pytest.approx(0.85)


def test_the_objective_of_the_settings_comes_first() -> None:
    assert objective(Shop(), Tuning(checkout_objective=0.97)) == 0.97
