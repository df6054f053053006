"""How the history of orders is backfilled, and when there is nothing to say."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from exporter.collectors.expected_orders import ExpectedOrdersCollector, history
from exporter.collectors.expected_orders.baseline import BUCKET
from exporter.core.collector import SETTLE_SECONDS, Tuning
from exporter.core.memory import VolatileStore
from exporter.core.ports import Stores
from tests.harness import core
from tests.harness.core import FakeDatabase, run, values

NOON = core.NOON // BUCKET * BUCKET
"""At the edge of a bucket, so that past windows hold whole buckets."""
HOUR = 3_600
DAY = 86_400
WEEK = 7 * DAY


class Orders:
    """An order table that answers the collector's queries as the database would."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.database = FakeDatabase(
            {
                "expected_orders_newest": lambda: [
                    {"id": max((row["id"] for row in self.rows), default=None)}
                ],
                "expected_orders_new": self._new,
                "expected_orders_history": self._history,
            }
        )

    def add(self, created: float, store: int | None = 1, number: int = 1) -> None:
        for _ in range(number):
            self.rows.append({"id": len(self.rows) + 1, "store_id": store, "created": int(created)})

    def _new(self, after: int, limit: int) -> list[Mapping[str, Any]]:
        return [row for row in self.rows if row["id"] > after][:limit]

    def _history(self, horizon: int, before: int, before_id: int, limit: int) -> list[Mapping[str, Any]]:
        found = [
            row
            for row in self.rows
            if horizon <= row["created"] <= before and (row["created"] < before or row["id"] < before_id)
        ]
        return sorted(found, key=lambda row: (row["created"], row["id"]), reverse=True)[:limit]

    def collect(
        self,
        state: VolatileStore,
        now: float = NOON,
        *,
        collector: ExpectedOrdersCollector | None = None,
        stores: Stores = core.STORES,
        tuning: Tuning | None = None,
    ) -> dict[tuple[str, ...], float]:
        collector = collector or ExpectedOrdersCollector()
        return values(run(collector, state, now, database=self.database, stores=stores, tuning=tuning))


def test_two_weeks_of_history_let_expect_something() -> None:
    orders = Orders()
    orders.add(NOON - 2 * WEEK - 2 * DAY)
    for week, number in ((2, 10), (1, 14), (0, 3)):
        orders.add(NOON - week * WEEK - 600, number=number)
    found = orders.collect(VolatileStore())
    assert found["magento_orders_expected", "default", "30m"] == 12
    assert found["magento_orders_recent", "default", "30m"] == 3
    assert found["magento_orders_baseline_seconds", "default"] == 2 * WEEK + 2 * DAY


def test_a_young_store_expects_nothing() -> None:
    orders = Orders()
    orders.add(NOON - 1.9 * WEEK)
    orders.add(NOON - WEEK - 600, number=50)
    found = orders.collect(VolatileStore())
    assert not any(key[0] == "magento_orders_expected" for key in found)
    assert found["magento_orders_recent", "default", "1d"] == 0
    assert found["magento_orders_baseline_seconds", "german"] == 0


def test_weeks_before_the_first_order_are_no_weeks_of_silence() -> None:
    orders = Orders()
    orders.add(NOON - 3 * WEEK - 2 * DAY)
    for week in (1, 2, 3):
        orders.add(NOON - week * WEEK - 60, number=8)
    found = orders.collect(VolatileStore())
    assert found["magento_orders_expected", "default", "2h"] == 8


def test_stores_do_not_mix_and_orders_of_deleted_stores_are_nobodys() -> None:
    orders = Orders()
    for store, number in ((1, 3), (2, 5), (None, 7), (99, 9)):
        orders.add(NOON - 60, store, number)
    found = orders.collect(VolatileStore())
    assert found["magento_orders_recent", "default", "30m"] == 3
    assert found["magento_orders_recent", "german", "30m"] == 5
    assert {key[1] for key in found} == {"default", "german"}


def test_a_view_that_is_switched_off_expects_nothing_and_has_its_past_when_it_is_back() -> None:
    orders, state, collector = Orders(), VolatileStore(), ExpectedOrdersCollector()
    for store in (1, 2):
        orders.add(NOON - 2 * WEEK - 2 * DAY, store)
        for week in (2, 1, 0):
            orders.add(NOON - week * WEEK - 600, store, number=10)
    before = orders.collect(state, collector=collector)
    assert before["magento_orders_expected", "german", "30m"] == 10
    off = core.stores(off={"german"})
    orders.add(NOON - 10, store=2)
    found = orders.collect(state, NOON + 30, collector=collector, stores=off)
    assert {key[1] for key in found if key[1:]} == {"default"}
    assert found["magento_orders_expected", "default", "30m"] == 10
    found = orders.collect(state, NOON + 60, collector=collector)
    assert found.keys() == before.keys()
    assert found["magento_orders_expected", "german", "30m"] == 10
    assert found["magento_orders_recent", "german", "30m"] == 11


def berlin(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp()


def german(weekday: int, sunday: int, until: str) -> Orders:
    """Return a shop that sold so much an hour from 8 to 18, four weeks long, on weekdays and on Sundays."""
    orders, end = Orders(), berlin(until)
    at = end - 4 * WEEK - 2 * DAY
    while at < end:
        local = datetime.fromtimestamp(at, ZoneInfo("Europe/Berlin"))
        if 8 <= local.hour < 18 and local.weekday() != 5:
            orders.add(at, store=2, number=sunday if local.weekday() == 6 else weekday)
        at += HOUR
    return orders


B2B: Final = {"weekday": 10, "sunday": 0}


@pytest.mark.parametrize(
    ("shop", "last", "now", "window", "expected"),
    [
        (B2B, "2026-05-22T18:00", "2026-05-25T15:00", "2h", 0),  # Whit Monday
        (B2B, "2026-05-22T18:00", "2026-05-25T15:00", "1d", 0),
        (B2B, "2026-05-26T08:00", "2026-05-26T12:00", "1d", 40),  # the morning after
        (B2B, "2026-05-26T08:00", "2026-05-26T12:00", "2h", 20),
        (B2B, "2026-05-18T08:00", "2026-05-18T15:00", "2h", 20),  # a usual Monday
        ({"weekday": 10, "sunday": 4}, "2026-05-25T08:00", "2026-05-25T15:00", "2h", 8),
        ({"weekday": 10, "sunday": 14}, "2026-05-25T08:00", "2026-05-25T15:00", "2h", 20),
    ],
)
def test_a_holiday_lets_expect_no_more_than_a_sunday(
    shop: Mapping[str, int], last: str, now: str, window: str, expected: float
) -> None:
    orders = german(**shop, until=last)
    found = orders.collect(VolatileStore(), berlin(now))
    assert found["magento_orders_expected", "german", window] == expected
    assert found["magento_calendar_holiday", "german"] == (now.startswith("2026-05-25"))
    assert found["magento_calendar_holiday", "default"] == (now.startswith("2026-05-25"))  # Memorial Day


def test_a_b2b_shop_is_not_overdue_on_a_holiday_and_is_on_the_day_after() -> None:
    orders = german(**B2B, until="2026-05-22T18:00")
    state = VolatileStore()
    during = orders.collect(state, berlin("2026-05-25T17:00"))
    assert (during[SINCE, "german"], during[TOGETHER]) == (10, 10), "those of Friday's last hour"
    after = orders.collect(state, berlin("2026-05-26T09:30"))
    assert after[SINCE, "german"] == 30, "and those of Tuesday's first two"
    usual = orders.collect(VolatileStore(), berlin("2026-05-25T17:00"), tuning=Tuning(holidays=False))
    assert usual[SINCE, "german"] == 100


SINCE = "magento_orders_expected_since_last"
TOGETHER = ("magento_shop_orders_expected_since_last",)


def shop_of_two(orders: Orders) -> None:
    """Let a store sell four an hour and another eight, on the quarter, for three weeks until an hour ago."""
    for at in range(int(NOON - 3 * WEEK - 2 * DAY), int(NOON - HOUR), BUCKET):
        orders.add(at)
        orders.add(at, store=2, number=2)


def test_what_was_to_be_expected_grows_from_the_last_order_on_and_begins_anew_with_the_next() -> None:
    orders, state, collector = Orders(), VolatileStore(), ExpectedOrdersCollector()
    shop_of_two(orders)
    for _ in range(8):
        found = orders.collect(state, collector=collector)
    assert found[SINCE, "default"] == 5
    assert found[SINCE, "german"] == 10
    assert found[TOGETHER] == 15
    found = orders.collect(state, NOON + 90, collector=collector)
    assert found[SINCE, "default"] == pytest.approx(5.1)
    orders.add(NOON + 100)
    found = orders.collect(state, NOON + 101, collector=collector)
    assert found[SINCE, "default"] == pytest.approx(0, abs=0.01)
    assert found[SINCE, "german"] == pytest.approx(10.2, abs=0.05)
    assert found[TOGETHER] == pytest.approx(0, abs=0.01)


def test_zero_and_unknown_and_never_sold_are_three_things() -> None:
    orders = Orders()
    for week in (1, 2):
        orders.add(NOON - week * WEEK + HOUR)
    orders.add(NOON - 2 * WEEK - 2 * DAY)
    orders.add(NOON - 600)
    orders.add(NOON - 600, store=None)
    found = orders.collect(VolatileStore())
    assert found[SINCE, "default"] == 0, "nothing is expected at this hour"
    assert (SINCE, "german") not in found, "it has never sold"
    orders = Orders()
    orders.add(NOON - 3 * DAY)
    found = orders.collect(VolatileStore())
    assert (SINCE, "default") not in found, "its past is too short"
    assert TOGETHER not in found


def test_a_long_silence_counts_a_week_at_most_and_is_not_computed_at_each_run() -> None:
    orders, state, collector = Orders(), VolatileStore(), ExpectedOrdersCollector()
    for at in range(int(NOON - 5 * WEEK), int(NOON - 9 * DAY), HOUR):
        orders.add(at)
    found = orders.collect(state, collector=collector)
    assert found[SINCE, "default"] == pytest.approx(7 * 24)
    looked: list[float] = []
    usual = history.History.between
    with pytest.MonkeyPatch.context() as patch:

        def between(self: history.History, stores: Any, start: float, end: float) -> float:
            looked.append(end)
            return usual(self, stores, start, end)

        patch.setattr(history.History, "between", between)
        orders.collect(state, NOON + 1, collector=collector)
        assert looked == []
        orders.add(NOON + 2)
        assert orders.collect(state, NOON + 3, collector=collector)[SINCE, "default"] < 1
        assert looked


def test_a_state_of_before_the_last_orders_were_noted_knows_them_from_the_buckets() -> None:
    orders, state, collector = Orders(), VolatileStore(), ExpectedOrdersCollector()
    shop_of_two(orders)
    for _ in range(8):
        orders.collect(state, collector=collector)
    state.commit([("expected_orders/last", store, None) for store in ("1", "2")])
    orders.add(NOON, store=2)
    found = orders.collect(state, collector=collector)
    assert found[SINCE, "default"] == 4, "since the end of the quarter"
    assert found[SINCE, "german"] == 0


def test_the_history_is_backfilled_in_pages_and_recent_windows_wait_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(history, "HISTORY_PAGE", 5)
    monkeypatch.setattr(history, "HISTORY_PAGES", 2)
    orders, state = Orders(), VolatileStore()
    for hour in range(24, 0, -1):
        orders.add(NOON - hour * HOUR + 60)
    found = orders.collect(state)
    assert found["magento_orders_recent", "default", "6h"] == 6
    assert ("magento_orders_recent", "default", "1d") not in found
    orders.collect(state)
    found = orders.collect(state)
    assert found["magento_orders_recent", "default", "1d"] == 24
    asked = len(orders.database.asked)
    orders.collect(state)
    assert [name for name, _ in orders.database.asked[asked:]] == [
        "expected_orders_new",
        "expected_orders_newest",
    ]


def test_equal_creation_times_are_not_lost_at_the_edge_of_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "HISTORY_PAGE", 2)
    monkeypatch.setattr(history, "HISTORY_PAGES", 2)
    orders, state = Orders(), VolatileStore()
    orders.add(NOON - 600, number=11)
    for _ in range(5):
        found = orders.collect(state)
    assert found["magento_orders_recent", "default", "30m"] == 11


def test_new_orders_count_once_and_leave_the_window_again() -> None:
    orders, state = Orders(), VolatileStore()
    orders.collect(state)
    orders.add(NOON + 10, number=2)
    assert orders.collect(state, NOON + 30)["magento_orders_recent", "default", "30m"] == 2
    assert orders.collect(state, NOON + 60)["magento_orders_recent", "default", "30m"] == 2
    found = orders.collect(state, NOON + 2 * HOUR)
    assert found["magento_orders_recent", "default", "30m"] == 0
    assert found["magento_orders_recent", "default", "6h"] == 2


def test_an_exporter_that_was_away_says_nothing_until_it_has_caught_up() -> None:
    orders, state = Orders(), VolatileStore()
    orders.collect(state)
    orders.add(NOON + HOUR, number=12_000)
    assert orders.collect(state, NOON + HOUR + 60) == {}
    found = orders.collect(state, NOON + HOUR + 120)
    assert found["magento_orders_recent", "default", "30m"] == 12_000


def test_nor_does_it_when_the_ids_have_gaps_and_the_same_orders_are_read_again() -> None:
    orders, state = Orders(), VolatileStore()
    orders.collect(state)
    orders.add(NOON + HOUR, number=12_000)
    for row in orders.rows:
        row["id"] *= 3
    for seconds in (0, 30, 60, 90):
        assert orders.collect(state, NOON + HOUR + seconds) == {}
    found = orders.collect(state, NOON + HOUR + SETTLE_SECONDS)
    assert found == {}, "the gaps are passed over only now"
    found = orders.collect(state, NOON + HOUR + SETTLE_SECONDS + 30)
    assert found["magento_orders_recent", "default", "30m"] == 12_000


def test_old_buckets_are_forgotten() -> None:
    orders, state = Orders(), VolatileStore()
    orders.add(NOON - 5 * WEEK)
    orders.collect(state)
    assert len(state.scan("expected_orders/quarters", "", "z")) == 1
    orders.collect(state, NOON + 4 * WEEK)
    assert state.scan("expected_orders/quarters", "", "z") == []


def test_imported_orders_of_last_year_and_of_the_future_do_no_harm() -> None:
    orders, state = Orders(), VolatileStore()
    orders.collect(state)
    orders.add(NOON - 400 * DAY)
    orders.add(NOON + 3 * DAY)
    found = orders.collect(state, NOON + 60)
    assert found["magento_orders_recent", "default", "1d"] == 0
    assert len(state.scan("expected_orders/quarters", "", "z")) == 1
