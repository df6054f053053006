"""The simulated shop shows what the exporter would show of it."""

from datetime import UTC, datetime
from random import Random
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from exporter.collectors.expected_orders.baseline import (
    BUCKET,
    WEEKS,
    WINDOWS,
    expected,
    in_windows,
    weeks_ago,
)
from tests.system.simulator.series import NAME, Series, Store
from tests.system.simulator.shops import DAY, PAST, Event, Past, Play, Shop, at

ZONE = ZoneInfo("Europe/Berlin")


def one(series_of: Store, name: str, /, **labels: str) -> Series:
    found = [
        series
        for key, series in series_of.series[name].items()
        if all(dict(key).get(label) == value for label, value in labels.items())
    ]
    assert len(found) == 1, f"{name} {labels}: {len(found)}"
    return found[0]


@pytest.mark.parametrize("day", ["2026-03-31T10:20:00", "2026-06-10T00:00:00", "2026-10-27T18:41:00"])
def test_the_expectation_is_the_one_of_the_exporter(day: str) -> None:
    play = Play(Shop(200), at(day), 2 * DAY)
    placed = np.random.default_rng(1).poisson(0.3, PAST + play.minutes)
    past = Past(placed, play.clock)
    quarters: dict[int, int] = {}
    for moment, number in zip(play.clock.times.tolist(), placed.tolist(), strict=True):
        quarters[moment - moment % BUCKET] = quarters.get(moment - moment % BUCKET, 0) + number
    buckets = [(start, {"de": number}) for start, number in quarters.items()]
    random = Random(day)  # noqa: S311 - a simulation, to be repeated exactly
    for _ in range(20):
        now = float(play.begin + random.randrange(play.minutes) * 60)
        weeks = [in_windows(buckets, weeks_ago(now, week, ZONE)) for week in range(1, WEEKS + 1)]
        for window, length in WINDOWS.items():
            usual = expected([week[window]["de"] for week in weeks])
            ours = past.usual(np.array([now - length]), np.array([now]))[0]
            clocks_changed = {
                datetime.fromtimestamp(end - length, UTC).astimezone(ZONE).utcoffset()
                == datetime.fromtimestamp(end, UTC).astimezone(ZONE).utcoffset()
                for end in (weeks_ago(now, week, ZONE) for week in range(WEEKS + 1))
            }
            if clocks_changed == {True}:
                assert ours == pytest.approx(usual)


def test_sizes_and_shares_are_those_asked_for() -> None:
    shop = Shop(5_000, stores={"de": 0.8, "us": 0.2, "empty": 0.0}, declines=0.08)
    store = Play(shop, at("2026-06-01T00:00:00"), 28 * DAY, seed=2).store()
    attempts = one(store, "magento_checkout_placement_attempts_total", store="de").values
    failed = one(store, "magento_checkout_failed_placements_total", store="de").values
    assert (failed[-1] - failed[0]) / (attempts[-1] - attempts[0]) == pytest.approx(0.08, rel=0.1)
    recent = {
        code: one(store, "magento_orders_recent", store=code, window="1d").values for code in shop.stores
    }
    assert recent["de"].mean() == pytest.approx(4_000, rel=0.15)
    assert not recent["empty"].any()
    assert {dict(key)["store"] for key in store.series["magento_orders_expected"]} == {"de", "us"}
    usual = one(store, "magento_orders_expected", store="us", window="1d").values
    assert usual.mean() == pytest.approx(1_000, rel=0.15)


def test_what_happens_in_a_fault() -> None:
    begin, fault = at("2026-06-08T10:00:00"), 300
    shop = Shop(5_000, stores={"de": 0.5, "us": 0.5})
    events = (
        Event(fault, 420, fail=1.0, stores=("de",)),
        Event(fault, 420, dead="card", stores=("us",)),
        Event(420, 430, closed=True),
        Event(430, 600, stop=1.0),
    )
    store = Play(shop, begin, 600, events).store()

    def grown(name: str, first: int, end: int, /, **labels: str) -> float:
        values = one(store, name, **labels).values
        return float(values[end] - values[first])

    tries, failures = "magento_checkout_placement_attempts_total", "magento_checkout_failed_placements_total"
    assert grown(tries, fault + 5, 410, store="de") == grown(failures, fault + 5, 410, store="de") > 50
    assert one(store, "magento_last_order_timestamp_seconds", store="de").values[410] <= begin + fault * 60
    assert grown("magento_orders_placed_total", fault + 2, 410, store="us", method="card") == 0
    assert grown("magento_orders_placed_total", fault + 2, 410, store="us", method="paypal") > 20
    carts = {"store": "us", "stage": "cart"}
    assert grown("magento_checkout_stage_reached_total", 421, 430, **carts) == 0
    assert grown("magento_checkout_stage_reached_total", 432, 590, **carts) > 50
    assert grown(tries, 440, 590, store="us") == 0
    closed = one(store, "magento_maintenance_mode").values
    assert closed.sum() == 10


def test_orders_expected_since_the_last_one_grow_until_there_is_one() -> None:
    fault = 3 * DAY
    events = (Event(fault, fault + 100, stop=1.0),)
    store = Play(Shop(2_000), at("2026-06-08T10:00:00"), fault + 300, events).store()
    missed = one(store, "magento_orders_expected_since_last").values
    window = one(store, "magento_orders_expected", window="30m").values
    assert missed[fault + 31] == pytest.approx(window[fault + 30], rel=0.15)
    assert (np.diff(missed[fault + 3 : fault + 100]) >= 0).all()
    assert missed[fault + 110 :].max() < 15
    carts = one(store, "magento_checkout_carts_since_last_order").values
    reached = one(store, "magento_checkout_stage_reached_total", stage="cart").values
    assert carts[fault + 90] - carts[fault + 30] == reached[fault + 90] - reached[fault + 30] > 50
    others = one(store, "magento_orders_since_last_by_method", method="checkmo").values
    assert others[: fault - 1].mean() == pytest.approx(1 / 0.03, rel=0.5)


def test_every_metric_of_the_exporter_has_its_labels() -> None:
    store = Play(Shop(100), at("2026-06-08T10:00:00"), 60).store()
    for name, found in store.series.items():
        for key in found:
            labels = dict(key)
            assert labels.pop(NAME) == name
            assert labels.pop("job") == "magento"
            assert labels.pop("instance") == "exporter:9816"
            assert labels.pop("shop") == "acme"


def test_of_a_holiday_no_more_is_expected_than_of_a_sunday() -> None:
    begin = at("2026-06-09T22:00:00")  # the Wednesday begins in Berlin
    events = (Event(DAY, 2 * DAY, holiday=True),)
    for shape, least, most in (("offices", 0.0, 1.0), ("consumers", 90.0, 110.0)):
        shop = Shop(100, shape=shape, sundays=True, weekly_spread=0.0, hourly_variance=0.0)
        store = Play(shop, begin, 3 * DAY, events).store()
        usual = one(store, "magento_orders_expected", store="de", window="1d").values
        assert least <= usual[2 * DAY - 5] <= most
        assert usual[3 * DAY - 5] == pytest.approx(usual[DAY - 5], rel=0.2)


def test_customers_with_an_account_are_the_share_asked_for() -> None:
    no_login = Event(28 * DAY, 29 * DAY, accounts=0.0)
    store = Play(Shop(5_000, accounts=0.4), at("2026-06-01T00:00:00"), 29 * DAY, (no_login,), seed=3).store()
    name = "magento_checkout_stage_reached_total"
    kinds = {kind: one(store, name, stage="order", customer=kind).values for kind in ("guest", "registered")}
    grown = {kind: values[28 * DAY] - values[0] for kind, values in kinds.items()}
    assert grown["registered"] / sum(grown.values()) == pytest.approx(0.4, rel=0.15)
    assert kinds["registered"][-1] - kinds["registered"][28 * DAY + 5] == 0
    assert kinds["guest"][-1] - kinds["guest"][28 * DAY + 5] > 1_000
    placed = [one(store, "magento_orders_placed_total", method=method).values for method in Shop(1).methods]
    assert sum(values[28 * DAY] - values[0] for values in placed) == sum(grown.values())
