"""Several alerts together while somebody tries out stolen cards: nobody is paged as long as customers buy."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from alerts.catalogue import Catalogue
from alerts.lib import promtool
from alerts.lib.alertmanager import HOLD, PAGES_SET_OFF_BY_CARDING

PLACE = 'job="magento", instance="shop:9816", store="de"'
QUIET, TESTING, AFTER = 6 * 60, 2 * 60, 2 * 60
"""Minutes before the cards are tried out, while they are, and afterwards."""
WINDOWS = {"30m": 0.5, "2h": 2, "6h": 6, "1d": 24}
"""The windows of the orders in hours."""


def counter(usual: float, meanwhile: float) -> str:
    """Return a counter that grows by so many an hour, and by others while the cards are tried out."""
    tested = usual * QUIET / 60
    ended = tested + meanwhile * TESTING / 60
    return (
        f"0+{usual / 60!r}x{QUIET} {tested + meanwhile / 60!r}+{meanwhile / 60!r}x{TESTING - 1} "
        f"{ended + usual / 60!r}+{usual / 60!r}x{AFTER}"
    )


def paged(found: Catalogue, rules: Mapping[str, str], folder: Path, series: Mapping[str, str]) -> str:
    """Return what promtool says unless there are pages, all kept back at every minute."""
    together = [a for a in found.all if a.name in {HOLD, *PAGES_SET_OFF_BY_CARDING}]
    group: dict[str, dict[str, object]] = {}
    for alert in together:
        for text in rules.values():
            for part in promtool.only(text, alert, found.owners)["groups"]:
                group |= {str(rule.get("record") or rule.get("alert")): rule for rule in part["rules"]}
    order = [r.name for rs in found.recordings.values() for r in rs] + [a.name for a in together]
    body = {
        "name": "all",
        "interval": "1m",
        "rules": sorted(
            group.values(), key=lambda rule: order.index(str(rule.get("record") or rule.get("alert")))
        ),
    }
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": [body]}, sort_keys=False))
    pages = "|".join(PAGES_SET_OFF_BY_CARDING)
    told = (
        f'ALERTS{{alertname=~"{pages}", alertstate="firing"}} '
        f'unless on (job, instance, store) ALERTS{{alertname="{HOLD}", alertstate="firing"}}'
    )
    length = QUIET + TESTING + AFTER
    question = {"expr": f"count_over_time(({told})[{length}m:1m])", "eval_time": f"{length}m"}
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {**question, "exp_samples": []},
            {
                "expr": f'count(ALERTS{{alertname=~"{pages}", alertstate="firing"}}) > bool 0',
                "eval_time": f"{QUIET + TESTING}m",
                "exp_samples": [{"labels": "{}", "value": 1}],
            },
        ],
    }
    document = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [test]}
    (folder / "tests.yml").write_text(yaml.safe_dump(document, width=1000))
    arguments = ["promtool", "test", "rules", str(folder / "tests.yml")]
    outcome = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=120)
    return "" if outcome.returncode == 0 else outcome.stdout + outcome.stderr


@pytest.mark.parametrize("orders", [1, 30])
@pytest.mark.parametrize("tested", [200, 3_000])
def test_nobody_is_paged_while_cards_are_tried_out_and_customers_buy(
    found: Catalogue, rules: Mapping[str, str], tmp_path: Path, orders: float, tested: float
) -> None:
    length = QUIET + TESTING + AFTER
    series = {
        f"magento_checkout_failed_placements_total{{{PLACE}}}": counter(orders / 30, tested),
        f"magento_checkout_placement_attempts_total{{{PLACE}}}": counter(orders, orders + tested),
    }
    for name in ("magento_orders_recent", "magento_orders_expected"):
        for window, hours in WINDOWS.items():
            series[f'{name}{{{PLACE}, window="{window}"}}'] = f"{orders * hours!r}x{length}"
    assert not paged(found, rules, tmp_path, series)
