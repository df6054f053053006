"""The carts of an hour are read in steps while the shop goes on; at the end all is as it is then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from exporter.collectors import carts
from exporter.collectors.carts import ACTIVE, BANDS, CARTS_A_STEP, CartsCollector
from exporter.core.memory import VolatileStore
from exporter.core.metrics import Sample
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


def test_a_large_shop_is_read_in_steps_and_the_end_is_exact() -> None:
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
            shop.now += 60
            for number in chance.sample(range(9_000), 300):  # changed, bought, or taken up again
                shop.carts[number] = (
                    shop.carts[number][0],
                    shop.now - chance.randrange(60),
                    chance.random() < 0.5,
                )
    assert found == shop.truth()
    assert len(steps) > 3
    assert max(steps) <= 2 * CARTS_A_STEP


def test_a_small_shop_is_read_once_in_ten_minutes() -> None:
    shop = Shop()
    shop.carts = {number: (1, shop.now - 8 * number, True) for number in range(100)}
    collector, state, database = CartsCollector(), VolatileStore(), shop.database()
    first = active(run(collector, state, shop.now, database=database))
    assert first == shop.truth()
    read = shop.read
    for _ in range(9):
        shop.now += 60
        assert active(run(collector, state, shop.now, database=database)) == first
    assert shop.read == read, "nothing was abandoned either: no cart is an hour old"
    shop.now += 60
    assert active(run(collector, state, shop.now, database=database)) == shop.truth() != first
