"""The band on top of the Overview: red within five minutes of an outage, and calm while customers buy."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest
import yaml

from alerts import payments_fail
from alerts.lib.recording import Recording
from alerts.recording import ATTEMPTS, FAILED, LEAST, REVENUE, STAGES
from alerts.selling import glance, stopped
from promql.render import render
from tests.harness.limits import LONG

PLACE: Final = 'job="magento", instance="shop:9816"'
BEFORE: Final = 2 * 60
"""Minutes of an ordinary evening before anything happens."""
LENGTH: Final = 60
SHOWN: Final = 1
"""Minutes after which an order shows: a run of the exporter and a scrape."""
SETTLED: Final = 3
"""The same for an attempt, which is settled after two minutes."""
VALUE: Final = 50
WINDOWS: Final = {"30m": 30, "2h": 120, "6h": 360, "1d": 1440}
_READ: Final = (
    *(named[window] for named in (ATTEMPTS, FAILED) for window in ("5m", "10m", "30m", "1h", "2h", "3d")),
    *LEAST.values(),
    *payments_fail.RECORDINGS,
    *(
        one
        for one in stopped.RECORDINGS
        if one not in (stopped.ORDERS_PER_CART, stopped.SHOP_ORDERS_PER_CART)
    ),
    STAGES,
    REVENUE,
)
CARTS: Final = 4
"""Carts that are filled for each order."""
"""The recordings that the band reads."""
SELLS, DOUBT, STOPPED = 0, 1, 2


def counter(usual: float, meanwhile: float, seen_after: int = 0) -> str:
    """Return a counter that grows by so many a minute, and by another number from the incident on."""
    before = BEFORE + seen_after
    return grows((before, usual), (LENGTH + 1 - seen_after, meanwhile))


def grows(*parts: tuple[int, float]) -> str:
    """Return a counter that grows for so many minutes by so many each."""
    total, values = 0.0, ["0"]
    for minutes, number in parts:
        values.append(f"{total + number!r}+{number!r}x{minutes - 1}")
        total += number * minutes
    return " ".join(values)


def store(
    name: str, *, usual: float, fail: float, bought: float, failed: float, expected: float | None = None
) -> Mapping[str, str]:
    """Return a store's series: orders and failures a minute before, and from the incident on."""
    here = f'{PLACE}, store="{name}"'
    stop = f"{60 * BEFORE}+0x{LENGTH}" if not bought else f"{60 * BEFORE}+60x{LENGTH}"
    return {
        f"magento_checkout_placement_attempts_total{{{here}}}": counter(
            usual + fail, bought + failed, SETTLED
        ),
        f"magento_checkout_failed_placements_total{{{here}}}": counter(fail, failed, SETTLED),
        f'magento_checkout_stage_reached_total{{{here}, stage="order"}}': counter(usual, bought, SHOWN),
        f'magento_orders_revenue_base_total{{{here}, currency="EUR"}}': counter(
            usual * VALUE, bought * VALUE, SHOWN
        ),
        f"magento_last_order_timestamp_seconds{{{here}}}": f"0+60x{BEFORE} {stop}",
        **since_last_order(here, ORDERS_PER_CART, bought, usual),
        f'magento_orders_recent{{{here}, window="2h"}}': f"{usual * 120!r}x{BEFORE + LENGTH}",
        **{
            f'magento_orders_expected{{{here}, window="{window}"}}': (
                f"{(usual if expected is None else expected) * minutes!r}x{BEFORE + LENGTH}"
            )
            for window, minutes in WINDOWS.items()
        },
    }


ORDERS_PER_CART: Final = "magento:checkout_orders_per_cart:ratio1w"
SHOP_ORDERS_PER_CART: Final = "magento:shop_orders_per_cart:ratio1w"


def since_last_order(place: str, ratio: str, bought: float, usual: float, word: str = "") -> dict[str, str]:
    """Return the orders due and the carts filled since the last order, if none come from the incident on."""
    due, carts = (f"0x{BEFORE} 0+{0 if bought else number!r}x{LENGTH}" for number in (usual, CARTS * usual))
    return {
        f"{ratio}{{{place}}}": f"{1 / CARTS}x{BEFORE + LENGTH}",
        f"magento_{word}orders_expected_since_last{{{place}}}": due,
        f"magento_{word or 'checkout_'}carts_since_last_order{{{place}}}": carts,
    }


def together(*stores: Mapping[str, str], bought: float, usual: float) -> Mapping[str, str]:
    """Return the series of a shop with these stores."""
    series = since_last_order(PLACE, SHOP_ORDERS_PER_CART, bought, usual, "shop_")
    return {**series, **{name: values for store in stores for name, values in store.items()}}


def complaint(
    folder: Path,
    series: Mapping[str, str],
    asked: Sequence[tuple[int, str]],
    recordings: Sequence[Recording] = (*_READ, *glance.RECORDINGS),
) -> str:
    """Return promtool's complaint unless each expression has one series at its minute of the incident."""
    rules = [{"record": rule.name, "expr": render(rule.expr)} for rule in recordings]
    groups = [{"name": "selling", "interval": "1m", "rules": rules}]
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": groups}))
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f"count({expression})",
                "eval_time": f"{BEFORE + minute}m",
                "exp_samples": [{"labels": "{}", "value": 1}],
            }
            for minute, expression in asked
        ],
    }
    file = folder / "test.json"
    document = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [test]}
    file.write_text(json.dumps(document))
    done = subprocess.run(
        ["promtool", "test", "rules", file], capture_output=True, text=True, check=False, timeout=LONG
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def state(value: int, name: str = "de") -> str:
    return f'magento:selling:state{{store="{name}"}} == {value}'


def one_store(*, usual: float, fail: float, bought: float, failed: float, **more: float) -> Mapping[str, str]:
    """Return the series of a shop with one store."""
    only = store("de", usual=usual, fail=fail, bought=bought, failed=failed, **more)
    return together(only, bought=bought, usual=usual)


def alert(name: str, first: int, lasts: int, **labels: str) -> Mapping[str, str]:
    """Return the series of a critical alert that fires from a minute on for so long."""
    places = "".join(f', {label}="{value}"' for label, value in labels.items())
    fired = f'ALERTS{{alertname="{name}", alertstate="firing", severity="critical", {PLACE}{places}}}'
    return {fired: f"_x{BEFORE + first} 1x{lasts} _x{LENGTH}"}


CALM: Final = one_store(usual=4, fail=0.2, bought=4, failed=0.2)
OUTAGE: Final = one_store(usual=4, fail=0.2, bought=0, failed=4)


def quiet_minutes_while_cards_are_tried(orders: float = 1, quiet: int = 5) -> Mapping[str, str]:
    """Return a shop in which nobody orders for some minutes, an hour after testers began."""
    series, here = dict(one_store(usual=orders, fail=0, bought=orders, failed=0)), f'{PLACE}, store="de"'
    testers, hour, rest = 20, 60, LENGTH - quiet
    tries = ((hour, orders), (hour + SETTLED, orders + testers), (quiet, testers), (rest, orders + testers))
    series[f"magento_checkout_placement_attempts_total{{{here}}}"] = grows(*tries)
    series[f"magento_checkout_failed_placements_total{{{here}}}"] = grows((hour, 0), (2 * hour, testers))
    for name, number in (("orders_expected", orders), ("checkout_carts", CARTS * orders)):
        word = "last" if name == "orders_expected" else "last_order"
        series[f"magento_{name}_since_{word}{{{here}}}"] = (
            f"0x{BEFORE + SHOWN} {number}+{number}x{quiet - 1} 0x{LENGTH}"
        )
    return series


CASES: Final[Mapping[str, tuple[Mapping[str, str], Sequence[tuple[int, str]]]]] = {
    "all payments fail": (
        OUTAGE,
        (
            (0, state(SELLS)),
            (5, state(STOPPED)),
            (5, state(STOPPED, "(all)")),
            (20, state(STOPPED)),
            (60, state(STOPPED)),
        ),
    ),
    **{
        f"all payments fail, {orders} a minute, {tries} tries each": (
            one_store(usual=orders, fail=0, bought=0, failed=orders * tries),
            (
                *((minute, state(SELLS)) for minute in range(3)),
                (red, state(STOPPED)),
                (red, state(STOPPED, "(all)")),
                *((minute, state(STOPPED)) for minute in range(red, LENGTH)),
            ),
        )
        for orders, tries, red in ((4, 1, 5), (3, 1, 5), (4, 4, 4), (1, 4, 5), (1, 1, 11))
    },
    "nobody orders for a quarter of an hour": (
        one_store(usual=1, fail=0.1, bought=0, failed=0.2),
        ((5, state(SELLS)), (8, state(SELLS)), (14, state(DOUBT))),
    ),
    "nobody orders for five minutes while cards are tried out": (
        quiet_minutes_while_cards_are_tried(),
        tuple((minute, state(SELLS)) for minute in range(LENGTH)),
    ),
    "since the last order": (
        OUTAGE,
        ((20, f'magento:not_selling:since{{store="de"}} == {60 * BEFORE}'),),
    ),
    "what it costs": (
        OUTAGE,
        (
            (20, 'magento:orders_missing:count{store="de"} > 70 < 90'),
            (20, f'magento:revenue_missing:sum{{store="de", currency="EUR"}} > {70 * VALUE} < {90 * VALUE}'),
            (60, 'magento:orders_missing:count{store="de"} > 220 < 260'),
        ),
    ),
    "orders stop, and nothing fails": (
        one_store(usual=4, fail=0.2, bought=0, failed=0),
        ((3, state(DOUBT)), (5, state(STOPPED))),
    ),
    "all payments fail in a busy shop that is new": (
        {
            name: values
            for name, values in one_store(usual=10, fail=0.5, bought=0, failed=10).items()
            if "expected" not in name
        },
        ((-50, state(SELLS)), (5, state(STOPPED)), (5, state(STOPPED, "(all)"))),
    ),
    "orders stop, and no week of carts is known": (
        {name: values for name, values in OUTAGE.items() if "orders_per_cart" not in name},
        ((5, state(STOPPED)), (5, state(STOPPED, "(all)"))),
    ),
    "three of five attempts fail": (
        one_store(usual=4, fail=0.2, bought=1.6, failed=2.6),
        ((15, state(DOUBT)), (55, state(DOUBT))),
    ),
    "three of five fail on a day with five times the orders": (
        one_store(usual=20, fail=1, bought=8, failed=13, expected=4),
        ((10 + SETTLED, state(STOPPED)), (55, state(STOPPED)), (55, state(STOPPED, "(all)"))),
    ),
    "cards are tried out": (
        one_store(usual=4, fail=0.2, bought=4, failed=36),
        ((5, state(SELLS)), (20, state(SELLS)), (60, state(SELLS))),
    ),
    "nothing is expected yet of a new shop": (
        {name: values for name, values in OUTAGE.items() if "expected" not in name},
        ((-50, state(SELLS)), (0, state(SELLS)), (5, state(STOPPED)), (30, state(STOPPED))),
    ),
    "three small stores together": (
        together(
            *(store(name, usual=0.2, fail=0, bought=0, failed=0) for name in ("at", "ch", "de")),
            bought=0,
            usual=0.6,
        ),
        ((15, state(DOUBT, "(all)")), (28, state(STOPPED, "(all)")), (28, state(SELLS))),
    ),
    "a shop with a few orders an hour has a quiet hour": (
        one_store(usual=0.1, fail=0, bought=0, failed=0),
        ((60, state(SELLS)),),
    ),
    "nobody comes": (
        {
            name: "0x180" if "carts_since" in name else values
            for name, values in one_store(usual=4, fail=0.2, bought=0, failed=0).items()
        },
        ((5, state(SELLS)), (9, state(STOPPED, "(all)"))),
    ),
    "somebody is called about the store": (
        {**CALM, **alert("MagentoPaymentMethodDead", 10, 20, store="de")},
        ((9, state(SELLS)), (11, state(DOUBT)), (40, state(SELLS))),
    ),
    "somebody is called about what all stores stand on": (
        {**CALM, **alert("MagentoSessionStoreDown", 10, 20)},
        ((11, state(DOUBT)), (11, state(DOUBT, "(all)")), (40, state(SELLS))),
    ),
    "somebody is called about all stores": (
        {**CALM, **alert("MagentoOrdersStopped", 10, 20, store="all-stores")},
        ((11, state(DOUBT, "(all)")), (11, 'absent(magento:selling:state{store="all-stores"})')),
    ),
    "maintenance": (
        {**CALM, f"magento_maintenance_mode{{{PLACE}}}": f"0x{BEFORE + 10} 1x20 0x{LENGTH}"},
        ((9, state(SELLS)), (12, state(STOPPED)), (12, state(STOPPED, "(all)")), (40, state(SELLS))),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_band_says_whether_the_shop_sells(case: str, tmp_path: Path) -> None:
    series, asked = CASES[case]
    assert complaint(tmp_path, series, asked) == ""


def test_it_is_over_when_the_orders_are_back(tmp_path: Path) -> None:
    rates = {"attempts": (4.2, 4), "failed_placements": (0.2, 4), "revenue": (4 * VALUE, 0), "stage": (4, 0)}
    series = dict(OUTAGE)
    for name, values in OUTAGE.items():
        for word in (word for word in rates if word in name):
            well, ill = rates[word]
            series[name] = grows((BEFORE, well), (30, ill), (30, well))
        if "last_order_t" in name:
            series[name] = f"0+60x{BEFORE} {60 * BEFORE}+0x29 {60 * (BEFORE + 31)}+60x29"
        elif "since_last" in name:
            series[name] = values.replace(f"x{LENGTH}", "x30 0x29")
    asked = (
        (30, state(STOPPED)),
        (45, state(SELLS)),
        (45, "absent(magento:not_selling:since)"),
        (45, "absent(magento:orders_missing:count)"),
    )
    assert complaint(tmp_path, series, asked) == ""


@pytest.mark.parametrize("minute", [5, 20, 35, 60])
def test_the_budget_of_a_month_has_the_newest_failures(tmp_path: Path, minute: int) -> None:
    counters = {name: values for name, values in OUTAGE.items() if "failed_placements" in name}
    spent = (
        f'magento:placements_failed:increase30d{{store="de"}} > {4 * minute * 0.1 + 24} < {4 * minute + 30}'
    )
    recordings = [FAILED["30m"], FAILED["30d"]]
    assert complaint(tmp_path, counters, [(minute, spent)], recordings) == ""
