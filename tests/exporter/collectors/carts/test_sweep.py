"""The carts of an hour are read in steps while the shop goes on, and then kept up to date by the changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import pytest

from exporter.collectors import carts
from exporter.collectors.carts import ACTIVE, BANDS, CARTS_A_RUN, CartsCollector
from exporter.core.memory import VolatileStore
from exporter.core.metrics import Sample
from exporter.errors import AccessDenied
from tests.harness.core import NOON, FakeDatabase, run

STORES = (1, 2)
CODES = {1: "default", 2: "german"}


@dataclass
class Shop:
    """Carts by id: store, time of the last change, and whether they are in use."""

    now: int = int(NOON)
    carts: dict[int, tuple[int, int, bool]] = field(default_factory=dict)
    read: int = 0

    def changed(self, *, first: int, end: int, limit: int, **_: Any) -> Sequence[Mapping[str, Any]]:
        rows = [
            {"id": number, "store_id": store, "changed": at, "currency": "USD", "total": 1, "in_use": in_use}
            for number, (store, at, in_use) in self.carts.items()
            if first <= at < end
        ][:limit]
        self.read += len(rows)
        return rows

    def database(self) -> FakeDatabase:
        return FakeDatabase(
            answers={
                carts.CLOCK.query.name: lambda: [{"now": self.now}],
                carts.CHANGED.query.name: self.changed,
                carts.OLDEST_CHANGES.name: [],
            },
            indexes={"quote": [("store_id", "updated_at")]},
            estimates={"quote": 7},
        )

    def truth(self) -> Counter[tuple[str, str]]:
        return Counter(
            (CODES[store], band)
            for store, at, in_use in self.carts.values()
            for band, youngest, oldest in BANDS
            if in_use and self.now - oldest <= at and (not youngest or at < self.now - youngest)
        )


def active(samples: Sequence[Sample]) -> Counter[tuple[str, str]]:
    return +Counter({(s.labels[0], s.labels[1]): int(s.value) for s in samples if s.metric is ACTIVE})


def goes_on(shop: Shop, chance: Random, *, deleted: bool = False) -> None:
    """Let a minute pass: carts are changed, bought, taken up again, and some are new."""
    shop.now += 60
    for number in chance.sample(sorted(shop.carts), min(300, len(shop.carts))):
        store, before, _ = shop.carts[number]
        shop.carts[number] = (store, shop.now - chance.randrange(60), chance.random() < 0.5)
        if deleted and before > shop.now - 900:
            del shop.carts[number]
    for number in range(len(shop.carts) * 2, len(shop.carts) * 2 + 20):
        shop.carts.setdefault(number, (chance.choice(STORES), shop.now, True))


def test_a_large_shop_is_read_in_steps_and_is_exact_from_then_on() -> None:
    shop, chance = Shop(), Random(7)  # noqa: S311 - a story, no secret
    for number in range(9_000):
        shop.carts[number] = (
            chance.choice(STORES),
            shop.now - chance.randrange(3_600),
            chance.random() < 0.9,
        )
    collector, state, database = CartsCollector(), VolatileStore(), shop.database()
    steps = []
    found: Counter[tuple[str, str]] = Counter()
    while not found:
        before = shop.read
        found = active(run(collector, state, shop.now, database=database))
        steps.append(shop.read - before)
        if not found:
            goes_on(shop, chance)
    assert found == shop.truth()
    assert len(steps) > 3
    assert max(steps) <= 2 * CARTS_A_RUN
    for _ in range(70):
        goes_on(shop, chance)
        before = shop.read
        assert active(run(collector, state, shop.now, database=database)) == shop.truth()
        assert shop.read - before <= 3 * 320 + 100, "the changed ones at three ages, and an overlap"


def test_a_deleted_cart_is_forgotten_when_it_comes_into_the_next_band() -> None:
    shop, chance = Shop(), Random(8)  # noqa: S311 - a story, no secret
    shop.carts = {number: (1, shop.now - number, True) for number in range(600)}
    collector, state, database = CartsCollector(), VolatileStore(), shop.database()
    for _ in range(10):
        goes_on(shop, chance)
        assert active(run(collector, state, shop.now, database=database)) == shop.truth()
    goes_on(shop, chance, deleted=True)
    run(collector, state, shop.now, database=database)
    shop.now += 900
    for _ in range(2):
        shop.now += 1
        found = active(run(collector, state, shop.now, database=database))
    assert found == shop.truth()


def test_changes_that_a_replica_shows_late_are_counted() -> None:
    shop, chance = Shop(), Random(9)  # noqa: S311 - a story, no secret
    shop.carts = {number: (1, shop.now - 8 * number, True) for number in range(400)}
    database, collector, state = shop.database(), CartsCollector(), VolatileStore()
    for _ in range(10):
        shown = {number: cart for number, cart in shop.carts.items() if cart[1] <= shop.now - 90}
        all_of_them, shop.carts = shop.carts, shown
        found = active(run(collector, state, shop.now, database=database))
        assert found == shop.truth()
        shop.carts = all_of_them
        shop.now += 60
        for number in range(len(all_of_them), len(all_of_them) + 30):
            shop.carts[number] = (2, shop.now - chance.randrange(60), True)


def test_a_small_shop_reads_only_what_has_changed() -> None:
    shop = Shop()
    shop.carts = {number: (1, shop.now - 8 * number, True) for number in range(100)}
    collector, state, database = CartsCollector(), VolatileStore(), shop.database()
    assert active(run(collector, state, shop.now, database=database)) == shop.truth()
    read = shop.read
    for _ in range(20):
        shop.now += 60
        assert active(run(collector, state, shop.now, database=database)) == shop.truth()
    assert shop.read - read <= 20 * 8 + 20, "what comes into the next band, and the newest one again"


def test_a_shop_that_changes_more_than_can_be_read_shows_nothing_false(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(carts, "CARTS_A_RUN", 200)
    shop, chance = Shop(), Random(10)  # noqa: S311 - a story, no secret
    shop.carts = {number: (1, shop.now - 3 * number, True) for number in range(1_200)}
    collector, state, database = CartsCollector(), VolatileStore(), shop.database()
    while not active(run(collector, state, shop.now, database=database)):
        shop.now += 60
    for number in range(8_000):  # a price rule marks every cart
        shop.carts[number] = (1, shop.now - chance.randrange(60), True)
    known = []
    for _ in range(90):
        shop.now += 60
        found = active(run(collector, state, shop.now, database=database))
        known.append({band for _, band in found})
    assert set() in known
    assert active(run(collector, state, shop.now, database=database)) == shop.truth()


def test_a_table_that_may_not_be_read_is_no_old_version() -> None:
    """The server's catalogue hides it, its indexes included."""
    shop = Shop()
    database = replace(shop.database(), indexes={}, tables={"sales_order": ("entity_id",)}, estimates={})
    with pytest.raises(AccessDenied, match="quote cannot be seen"):
        run(CartsCollector(), VolatileStore(), shop.now, database=database)
