"""Small stores of one shop stop together: none of them has enough orders to say so alone."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts.catalogue import Catalogue
from alerts.lib import promtool
from alerts.selling.stopped import ALL_STORES
from tests.harness.limits import LONG

SHOP = 'job="magento", instance="shop:9816", env="prod"'
HOURS = 28
END = HOURS * 60
FIRING = 'ALERTS{alertname="MagentoOrdersStopped", alertstate="firing"}'


def shop(stores: Mapping[str, float]) -> dict[str, str]:
    """Return a shop in which so many orders are overdue at each store, and at all of them together."""
    found = {
        f"magento_shop_orders_expected_since_last{{{SHOP}}}": f"{sum(stores.values())}x{END}",
        f"magento_shop_carts_since_last_order{{{SHOP}}}": f"600x{END}",
    }
    for store, overdue in stores.items():
        place = f'{SHOP}, store="{store}"'
        found[f"magento_orders_expected_since_last{{{place}}}"] = f"{overdue}x{END}"
        found[f"magento_checkout_carts_since_last_order{{{place}}}"] = f"200x{END}"
        for stage, a_minute in (("cart", 6), ("order", 1)):
            name = f'magento_checkout_stage_reached_total{{{place}, stage="{stage}", customer="guest"}}'
            found[name] = f"0+{a_minute}x{END}"
    return found


def firing(found: Catalogue, rules: Mapping[str, str], folder: Path, series: Mapping[str, str]) -> str:
    """Return promtool's report of the stores of which the alert fires at the end."""
    alert = next(alert for alert in found.all if alert.name == "MagentoOrdersStopped")
    groups: list[Any] = []
    for text in rules.values():
        groups += [group for group in promtool.only(text, alert, found.owners)["groups"] if group["rules"]]
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": groups}, sort_keys=False))
    asked = {"expr": f"count by (store) ({FIRING})", "eval_time": f"{END}m", "exp_samples": []}
    inputs = [{"series": name, "values": values} for name, values in series.items()]
    test = {"interval": "1m", "input_series": inputs, "promql_expr_test": [asked]}
    document = {"rule_files": ["rules.yml"], "evaluation_interval": "5m", "tests": [test]}
    (folder / "tests.yml").write_text(yaml.safe_dump(document, width=1000))
    arguments = ["promtool", "test", "rules", str(folder / "tests.yml")]
    outcome = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=LONG)
    return outcome.stdout + outcome.stderr


@pytest.mark.parametrize(
    ("stores", "expected"),
    [
        ({"de": 7, "at": 7, "ch": 7}, {ALL_STORES}),
        ({"de": 5, "at": 5, "ch": 4}, set()),
        ({"de": 21}, {"de"}),
        ({"de": 16, "at": 5}, {"de", ALL_STORES}),
    ],
)
def test_stores_that_stop_together(
    found: Catalogue,
    rules: Mapping[str, str],
    tmp_path: Path,
    stores: Mapping[str, float],
    expected: set[str],
) -> None:
    report = firing(found, rules, tmp_path, shop(stores))
    said = {store for store in ("de", "at", "ch", ALL_STORES) if f'{{store="{store}"}}' in report}
    assert said == expected, report
