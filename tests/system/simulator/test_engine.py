"""The engine says of the same series what Prometheus says: our rules, and hard cases of the language."""

import math
from pathlib import Path

import numpy as np
import pytest

from tests.system.simulator.__main__ import RULES
from tests.system.simulator.prometheus import Answer, ask, at_zero, computed, recorded
from tests.system.simulator.promql import EvaluationError
from tests.system.simulator.rules import Rule, evaluate, load, needed
from tests.system.simulator.series import Series, Store
from tests.system.simulator.shops import DAY, Event, Play, Shop, at

LENGTH = 2 * DAY
FAULT = LENGTH - 5 * 60
STORES = {"de": 0.7, "us": 0.3, "empty": 0.0}
EVENTS = (
    Event(300, 320, closed=True),
    Event(FAULT - 600, FAULT - 500, cards=20),
    Event(FAULT, LENGTH, fail=0.9, stores=("de",)),
    Event(FAULT, LENGTH, dead="paypal", stores=("us",)),
)


def shop_series() -> Store:
    play = Play(Shop(3_000, stores=STORES), at("2026-06-13T00:00:00"), LENGTH, EVENTS, seed=3)
    return at_zero(play.store(), ["magento_last_order_timestamp_seconds"])


def broken(store: Store, seed: int) -> Store:
    """Return the series with gaps, and counters that begin anew."""
    random = np.random.default_rng(seed)
    damaged = Store(store.start, store.length)
    for name, found in store.series.items():
        for labels, one in found.items():
            values, present = one.values.copy(), one.present.copy()
            for _ in range(6):
                begin = int(random.integers(store.length))
                present[begin : begin + int(random.integers(1, 400))] = False
            if name.endswith("_total"):
                again = int(random.integers(store.length))
                values[again:] -= values[again]
            damaged.series.setdefault(name, {})[labels] = Series(values, present)
    return damaged


def differences(real: Answer, ours: Answer) -> list[str]:
    found = []
    for key in sorted(real.keys() | ours.keys()):
        one, other = real.get(key, {}), ours.get(key, {})
        if one.keys() != other.keys():
            found.append(f"{key}: {sorted(one)} is not {sorted(other)}")
            continue
        found += [
            f"{key} {labels}: {value} is not {other[labels]}"
            for labels, value in one.items()
            if not same(value, other[labels])
        ]
    return found


def same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9) or (math.isnan(one) and math.isnan(other))


@pytest.fixture(scope="module")
def rules() -> list[Rule]:
    files = [RULES / name for name in ("selling.yml", "slo.yml", "orders.yml")]
    found = load(file for file in files if file.exists())
    return needed(found, lambda rule: rule.alerts)


@pytest.mark.slow
@pytest.mark.parametrize("damage", [None, 1])
def test_the_generated_rules(rules: list[Rule], damage: int | None, tmp_path: Path) -> None:
    store = shop_series() if damage is None else broken(shop_series(), damage)
    names = recorded(rules)
    minutes = [*range(0, FAULT, 97), *range(FAULT, LENGTH, 7)]
    real = ask(rules, store, names, minutes, tmp_path)
    evaluate(rules, store)
    assert any(name == "ALERTS" for name, _ in real), "nothing fired, so nothing was compared"
    assert not differences(real, computed(store, names, minutes))


HARD = (
    "rate(c[7m])",
    "increase(c[20m] offset 3m)",
    "sum without (b) (g)",
    "count by (a) (g)",
    "avg(g)",
    "min by (b) (g)",
    "max(g) - min(g)",
    "g > bool 0.5",
    "0.5 < g",
    "2 - g * 3 % 2",
    "-g",
    "g ^ 2",
    'g * on (a) group_left (d) label_replace(max by (a) (h), "d", "e", "a", "1.*")',
    "max by (a) (g) * on (a) group_right g",
    "max by (a) (g) / ignoring (b) max by (a) (h)",
    'g == on (a, b) h or g{a="1"} offset 5m',
    'g unless on (b) h{a="2"} > 0.5',
    "g and on (a) (max by (a) (h) > 0.7)",
    'label_replace(g, "d", "$1-$2", "a", "(.)(.*)")',
    'label_replace(g{a="1"}, "a", "", "a", ".*")',
    'absent(g{a="1", b="x"})',
    "absent(nothing)",
    "avg_over_time(g[13m])",
    "count_over_time(g[13m])",
    "last_over_time(g[4m] offset 2m)",
    "last_over_time(g[9m]) == on (__name__, a, b) g",
    "min_over_time(g[13m] offset 2m)",
    "max_over_time((g * 2)[30m:7m])",
    "sum_over_time(g[1h:5m] offset 11m)",
    "max_over_time(rate(c[5m])[20m:])",
    "clamp_max(clamp_min(g, 0.2), 0.8)",
    "ln(g) + sqrt(abs(g - 1)) + exp(g)",
    "time() - 60 * g",
    "vector(3)",
    "g / (g - g)",
    "max by (a) (g / (g - g))",
    "max_over_time((h / clamp_min(h - 0.5, 0))[9m:1m])",
    "max_over_time((0 * h / clamp_min(h - 0.5, 0))[2m:1m])",
    "self or vector(1) unless max_over_time(hard[10m] offset 5m) > 2",
)


def hard_series(seed: int) -> Store:
    random = np.random.default_rng(seed)
    store = Store(0, 300)
    for a in ("1", "2", "33"):
        for b in ("x", "y"):
            for name in ("g", "h", "c"):
                values = random.random(300) if name != "c" else np.cumsum(random.poisson(2.0, 300)) * 1.0
                if name == "c" and b == "y":
                    values[200:] -= values[180]
                    values[200:] = np.maximum.accumulate(np.maximum(values[200:], 0))
                if (name, a, b) == ("g", "2", "y"):
                    values = np.round(values)
                where = random.random(300) < (0.9 if a != "33" else 0.4)
                store.add(name, np.where(where, values, np.nan), a=a, b=b)
    return store


@pytest.mark.parametrize("seed", [1, 2])
def test_the_language(seed: int, tmp_path: Path) -> None:
    store = hard_series(seed)
    rules = [
        Rule("hard", at, f"hard:{at}", text.replace("self", f"hard:{at}").replace("hard[", f"hard:{at}["), {})
        for at, text in enumerate(HARD)
    ]
    names = recorded(rules)[:-1]
    minutes = range(0, 300, 3)
    real = ask(rules, store, names, minutes, tmp_path)
    evaluate(rules, store)
    assert {name for name, _ in real} == set(names), "an expression without any result shows nothing"
    assert not differences(real, computed(store, names, minutes))


def test_what_is_not_supported_is_refused() -> None:
    store = hard_series(1)
    for text in ("topk(1, g)", "quantile_over_time(0.5, g[5m])", "g @ 0", "deriv(g[5m])", "g[1h:90s]"):
        with pytest.raises(EvaluationError):
            evaluate([Rule("g", 0, "r", text, {})], store)


def test_two_series_on_the_side_of_one_are_refused() -> None:
    with pytest.raises(EvaluationError, match="side of one"):
        evaluate([Rule("g", 0, "r", "g * on (a) h", {})], hard_series(1))


def test_an_alert_waits_and_is_kept_firing(tmp_path: Path) -> None:
    store = Store(0, 120)
    values = np.zeros(120)
    for begin, end in ((5, 8), (20, 30), (33, 40), (45, 46), (60, 64), (80, 120)):
        values[begin:end] = 1
    store.add("x", values, a="1")
    rules = [Rule("g", 0, "A", "x > 0", {"severity": "critical"}, alerts=True, hold=3, keep=5)]
    minutes = range(120)
    real = ask(rules, store, ["ALERTS"], minutes, tmp_path)
    evaluate(rules, store)
    assert not differences(real, computed(store, ["ALERTS"], minutes))
