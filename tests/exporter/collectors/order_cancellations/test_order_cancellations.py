"""Cancellations behind a replica that lags, on a simulated database with late commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.collectors import order_cancellations as cancellations
from exporter.collectors.order_cancellations import OrderCancellationsCollector
from exporter.core.collector import Tuning
from exporter.core.memory import VolatileStore
from exporter.reading import changes
from tests.harness.core import NOON, FakeDatabase, run

SETTLE = 120
START = int(NOON)


@dataclass(frozen=True)
class Order:
    """An order that was placed, and cancelled in a transaction that takes a while."""

    number: int
    placed: int
    canceled: int
    takes: int = 0

    def row(self, moment: float) -> Mapping[str, Any] | None:
        """Return what was committed by a moment."""
        canceled = self.canceled + self.takes <= moment
        if self.placed > moment:
            return None
        return {
            "id": self.number,
            "store_id": 1,
            "state": "canceled" if canceled else "new",
            "value": Decimal(1),
            "currency": "USD",
            "created": self.placed,
            "changed": self.canceled if canceled else self.placed,
        }


@dataclass
class Replica:
    """The orders of a shop as a replica shows them that is some seconds behind, but for its clock."""

    orders: Sequence[Order]
    lag: float
    now: int = START

    def visible(self) -> list[Mapping[str, Any]]:
        rows = (order.row(self.now - self.lag) for order in self.orders)
        return [row for row in rows if row is not None]

    def recent(self, *, after: int, limit: int) -> list[Mapping[str, Any]]:
        return [row for row in self.visible() if row["id"] > after][:limit]

    def changed(self, *, since: int, after: int, limit: int) -> list[Mapping[str, Any]]:
        rows = sorted(self.visible(), key=lambda row: (row["changed"], row["id"]))
        return [
            row for row in rows if row["changed"] > since or (row["changed"] == since and row["id"] > after)
        ][:limit]

    def database(self) -> FakeDatabase:
        return FakeDatabase(
            answers={
                cancellations.CLOCK.query.name: lambda: [{"now": self.now}],
                cancellations.ORDERS.newest.name: lambda: [
                    {"id": max((row["id"] for row in self.visible()), default=None)}
                ],
                cancellations.ORDERS.above.name: self.recent,
                cancellations.CHANGED.query.name: self.changed,
            }
        )


def counted(replica: Replica, until: int, every: int = 60) -> float:
    """Return how many cancellations have been counted by then."""
    state, database, found = VolatileStore(), replica.database(), 0.0
    while replica.now <= until:
        samples = run(
            OrderCancellationsCollector(),
            state,
            replica.now,
            database=database,
            tuning=Tuning(settle_seconds=SETTLE),
        )
        found = sum(sample.value for sample in samples if sample.metric is cancellations.CANCELLATIONS)
        replica.now += every
    return found


@pytest.mark.parametrize("lag", [0, 200, 300, 7_200])
def test_a_replica_that_lags_loses_no_cancellation(lag: int) -> None:
    """One order a minute, each cancelled half an hour later."""
    orders = [Order(n + 1, START - 86_400 + 60 * n, START - 84_600 + 60 * n) for n in range(1_500)]
    replica = Replica(orders, lag)
    ended = START + 3_600
    expected = sum(START - lag < order.canceled <= ended - lag for order in orders)
    assert counted(replica, ended) == expected > 0


@given(
    lag=st.integers(0, 5_000),
    gaps=st.lists(st.integers(0, 1_000), min_size=1, max_size=30),
    takes=st.integers(0, SETTLE - 2),
    page=st.integers(1, 5),
)
def test_every_cancellation_counts_once(lag: int, gaps: list[int], takes: int, page: int) -> None:
    """The first order was there before; the others are cancelled at any time, each other one late."""
    at, orders = START, [Order(1, START - 10_000, START - 9_000)]
    for number, gap in enumerate(gaps, 2):
        at += gap
        orders.append(Order(number, at - 2_000, at, takes if number % 2 else 0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(changes, "PAGE", page)
        patch.setattr(changes, "PAGES_A_RUN", 100)
        visible_at_first = sum(o.canceled + o.takes <= START - lag for o in orders)
        found = counted(Replica(orders, lag), at + lag + 3_600)
    assert found == len(orders) - visible_at_first


def test_a_restore_that_is_seen_half_done_counts_no_cancellation_of_the_past() -> None:
    orders = [Order(n + 1, START - 86_400 + n, START - 80_000 + n) for n in range(20_000)]
    replica, state = Replica(orders, 0), VolatileStore()
    database = replica.database()
    for there in (20_000, 6_000, 12_000, 20_000):
        replica.orders = orders[:there]
        found = run(OrderCancellationsCollector(), state, replica.now, database=database)
        replica.now += 60
    assert sum(sample.value for sample in found if sample.metric is cancellations.CANCELLATIONS) == 0
