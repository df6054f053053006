"""Plays series to some alerts together, with the recordings that they need, and asks what is seen."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from alerts.catalogue import Catalogue
from alerts.lib import promtool
from tests.harness.limits import LONG


def fires(name: str) -> str:
    """Return the expression that has a series for each place at which the alert fires."""
    return f'ALERTS{{alertname="{name}", alertstate="firing"}}'


def question(expression: str, minute: int, *, number: int) -> dict[str, Any]:
    """Return what promtool is to ask: how many series the expression has at a minute."""
    samples = [{"labels": "{}", "value": number}] if number else []
    return {"expr": f"count({expression})", "eval_time": f"{minute}m", "exp_samples": samples}


def answers(
    found: Catalogue,
    rules: Mapping[str, str],
    folder: Path,
    names: Sequence[str],
    series: Mapping[str, str],
    *asked: object,
) -> str:
    """Return promtool's complaint if the alerts of these names together do not answer as asked."""
    together = [alert for alert in found.all if alert.name in names]
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
