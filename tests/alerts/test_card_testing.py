"""Several alerts together while stolen cards are tried out: nobody is called as long as customers buy."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts.catalogue import Catalogue
from alerts.lib import promtool
from alerts.lib.alertmanager import CRITICAL_DURING_CARDING, ORDERS_HOLD
from promql.metrics import STORE
from tests.harness.limits import LONG

PLACE = 'job="magento", instance="shop:9816", env="prod", store="de"'
"""A store of a target that carries a label of its owner's, too, which no join may stumble over."""
QUIET, TESTING, AFTER = 6 * 60, 2 * 60, 2 * 60
"""Minutes before the cards are tried out, while they are, and afterwards."""
LENGTH = QUIET + TESTING + AFTER
WINDOWS = {"30m": 0.5, "2h": 2, "6h": 6, "1d": 24}
"""The windows of the orders in hours."""
PAGES = f'ALERTS{{alertname=~"{"|".join(CRITICAL_DURING_CARDING)}", alertstate="firing"}}'
SAME_STORE = ", ".join(STORE)
NOTIFIED = f'{PAGES} unless on ({SAME_STORE}) ALERTS{{alertname="{ORDERS_HOLD}", alertstate="firing"}}'


def attempts(orders: float, tested: float) -> dict[str, str]:
    """Return the attempts to place an order: so many an hour by customers, and those of testers."""
    return {
        f"magento_checkout_failed_placements_total{{{PLACE}}}": counter(orders / 30, tested),
        f"magento_checkout_placement_attempts_total{{{PLACE}}}": counter(orders, orders + tested),
    }


def counter(usual: float, meanwhile: float) -> str:
    """Return a counter that grows by so many an hour, and by others while the cards are tried out."""
    tested = usual * QUIET / 60
    ended = tested + meanwhile * TESTING / 60
    return (
        f"0+{usual / 60!r}x{QUIET} {tested + meanwhile / 60!r}+{meanwhile / 60!r}x{TESTING - 1} "
        f"{ended + usual / 60!r}+{usual / 60!r}x{AFTER}"
    )


def question(expression: str, minute: int, *, number: int) -> dict[str, Any]:
    """Return what promtool is to ask: how many series the expression has at a minute."""
    samples = [{"labels": "{}", "value": number}] if number else []
    return {"expr": f"count({expression})", "eval_time": f"{minute}m", "exp_samples": samples}


def answers(
    found: Catalogue, rules: Mapping[str, str], folder: Path, series: Mapping[str, str], *asked: object
) -> str:
    """Return promtool's complaint if the alerts together do not answer as asked."""
    together = [alert for alert in found.all if alert.name in {ORDERS_HOLD, *CRITICAL_DURING_CARDING}]
    needed: dict[str, object] = {}
    for alert in together:
        for text in rules.values():
            for group in promtool.only(text, alert, found.owners)["groups"]:
                needed |= {rule.get("record") or rule["alert"]: rule for rule in group["rules"]}
    order = [r.name for recordings in found.recordings.values() for r in recordings]
    order += [alert.name for alert in together]
    body = [needed[name] for name in order if name in needed]
    groups = [{"name": "together", "interval": "1m", "rules": body}]
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": groups}, sort_keys=False))
    inputs = [{"series": name, "values": values} for name, values in series.items()]
    test = {"interval": "1m", "input_series": inputs, "promql_expr_test": list(asked)}
    document = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [test]}
    (folder / "tests.yml").write_text(yaml.safe_dump(document, width=1000))
    arguments = ["promtool", "test", "rules", str(folder / "tests.yml")]
    outcome = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=LONG)
    return "" if outcome.returncode == 0 else outcome.stdout + outcome.stderr


@pytest.mark.parametrize("orders", [1, 30])
@pytest.mark.parametrize("tested", [200, 3_000])
def test_nobody_is_called_while_cards_are_tried_out_and_customers_buy(
    found: Catalogue, rules: Mapping[str, str], tmp_path: Path, orders: float, tested: float
) -> None:
    series = attempts(orders, tested)
    for name in ("magento_orders_recent", "magento_orders_expected"):
        for window, hours in WINDOWS.items():
            series[f'{name}{{{PLACE}, window="{window}"}}'] = f"{orders * hours!r}x{LENGTH}"
    never_told = question(f"count_over_time(({NOTIFIED})[{LENGTH}m:1m])", LENGTH, number=0)
    would_be = question(PAGES, QUIET + TESTING, number=2)
    assert not answers(found, rules, tmp_path, series, never_told, would_be)


def test_somebody_is_called_when_the_gateway_has_blocked_a_small_shop_for_the_cards(
    found: Catalogue, rules: Mapping[str, str], tmp_path: Path
) -> None:
    orders, blocked = 3.8, QUIET + 20
    series = attempts(orders, 200)
    for window, hours in WINDOWS.items():
        usual, falls = orders * hours, round(hours * 60)
        labels = f'{PLACE}, window="{window}"'
        series[f"magento_orders_expected{{{labels}}}"] = f"{usual!r}x{LENGTH}"
        series[f"magento_orders_recent{{{labels}}}"] = (
            f"{usual!r}x{blocked - 1} {usual!r}-{usual / falls!r}x{falls} 0x{LENGTH}"
        )
    in_time = question(NOTIFIED, blocked + 90, number=2)
    assert not answers(found, rules, tmp_path, series, in_time)
