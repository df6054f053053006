"""The band on top of the Overview: red within five minutes of an outage, and calm while customers buy."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest
import yaml

from alerts.recording import ATTEMPTS, FAILED, REVENUE, STAGES
from alerts.selling import glance
from promql.render import render
from tests.harness.limits import LONG

PLACE: Final = 'job="magento", instance="shop:9816"'
BEFORE: Final = 2 * 60
"""Minutes of an ordinary evening before anything happens."""
LENGTH: Final = 60
VALUE: Final = 50
WINDOWS: Final = {"30m": 30, "2h": 120, "6h": 360, "1d": 1440}
_READ: Final = (*(named[window] for named in (ATTEMPTS, FAILED) for window in ("5m", "10m")), STAGES, REVENUE)
"""The recordings that the band reads."""
SELLS, DOUBT, STOPPED = 0, 1, 2


def counter(usual: float, meanwhile: float) -> str:
    """Return a counter that grows by so many a minute, and by another number from the incident on."""
    start = usual * BEFORE
    return f"0+{usual!r}x{BEFORE} {start + meanwhile!r}+{meanwhile!r}x{LENGTH}"


def store(
    name: str, *, usual: float, fail: float, bought: float, failed: float, expected: float | None = None
) -> Mapping[str, str]:
    """Return a store's series: orders and failures a minute before, and from the incident on."""
    here = f'{PLACE}, store="{name}"'
    stop = f"{60 * BEFORE}+0x{LENGTH}" if not bought else f"{60 * BEFORE}+60x{LENGTH}"
    return {
        f"magento_checkout_placement_attempts_total{{{here}}}": counter(usual + fail, bought + failed),
        f"magento_checkout_failed_placements_total{{{here}}}": counter(fail, failed),
        f'magento_checkout_stage_reached_total{{{here}, stage="order"}}': counter(usual, bought),
        f'magento_orders_revenue_base_total{{{here}, currency="EUR"}}': counter(
            usual * VALUE, bought * VALUE
        ),
        f"magento_last_order_timestamp_seconds{{{here}}}": f"0+60x{BEFORE} {stop}",
        **{
            f'magento_orders_expected{{{here}, window="{window}"}}': (
                f"{(usual if expected is None else expected) * minutes!r}x{BEFORE + LENGTH}"
            )
            for window, minutes in WINDOWS.items()
        },
    }


def complaint(folder: Path, series: Mapping[str, str], asked: Sequence[tuple[int, str]]) -> str:
    """Return promtool's complaint unless each expression has one series at its minute of the incident."""
    rules = [{"record": rule.name, "expr": render(rule.expr)} for rule in (*_READ, *glance.RECORDINGS)]
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


OUTAGE: Final = store("de", usual=4, fail=0.2, bought=0, failed=4)
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
        store("de", usual=4, fail=0.2, bought=0, failed=0),
        ((2, state(DOUBT)), (5, state(STOPPED))),
    ),
    "three of five attempts fail": (
        store("de", usual=4, fail=0.2, bought=1.6, failed=2.6),
        ((15, state(DOUBT)), (55, state(DOUBT))),
    ),
    "three of five fail on a day with five times the orders": (
        store("de", usual=20, fail=1, bought=8, failed=13, expected=4),
        ((10, state(STOPPED)), (55, state(STOPPED))),
    ),
    "cards are tried out": (
        store("de", usual=4, fail=0.2, bought=4, failed=36),
        ((5, state(SELLS)), (20, state(SELLS)), (60, state(SELLS))),
    ),
    "nothing is expected yet of a new shop": (
        {name: values for name, values in OUTAGE.items() if "expected" not in name},
        ((-60, state(SELLS)), (5, state(STOPPED))),
    ),
    "three small stores together": (
        {
            key: value
            for name in ("at", "ch", "de")
            for key, value in store(name, usual=0.2, fail=0, bought=0, failed=0).items()
        },
        ((21, state(STOPPED, "(all)")), (21, state(SELLS))),
    ),
    "a shop with a few orders an hour has a quiet hour": (
        store("de", usual=0.1, fail=0, bought=0, failed=0),
        ((60, state(SELLS)),),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_band_says_whether_the_shop_sells(case: str, tmp_path: Path) -> None:
    series, asked = CASES[case]
    assert complaint(tmp_path, series, asked) == ""


def test_it_is_over_when_the_orders_are_back(tmp_path: Path) -> None:
    series = {
        name: values.replace(f"x{LENGTH}", "x29") + " " + _back(name)
        if "_total" in name or "last_order" in name
        else values
        for name, values in OUTAGE.items()
    }
    asked = (
        (30, state(STOPPED)),
        (45, state(SELLS)),
        (45, "absent(magento:not_selling:since)"),
        (45, "absent(magento:orders_missing:count)"),
    )
    assert complaint(tmp_path, series, asked) == ""


def _back(name: str) -> str:
    """Return what a series of the outage does from its thirtieth minute on."""
    if "last_order" in name:
        return f"{60 * (BEFORE + 31)}+60x29"
    rate = {"attempts": 4.2, "failed_placements": 0.2, "revenue": 4.0 * VALUE, "stage": 4.0}
    grows = next(value for word, value in rate.items() if word in name)
    during = {"attempts": 4.0, "failed_placements": 4.0, "revenue": 0.0, "stage": 0.0}
    before = {"attempts": 4.2, "failed_placements": 0.2, "revenue": 4.0 * VALUE, "stage": 4.0}
    word = next(word for word in rate if word in name)
    start = before[word] * BEFORE + during[word] * 30
    return f"{start + grows!r}+{grows!r}x29"
