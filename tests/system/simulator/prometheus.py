"""The same rules and series in the real promtool, to hold the engine to what Prometheus says."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import yaml

from tests.system.simulator.rules import ALERTS, Rule
from tests.system.simulator.series import NAME, Labels, Series, Store, labels_of

_ASKED: Final = re.compile(r'expr: "(?P<name>.*)", time: (?P<time>\S+),')
_SAMPLE: Final = re.compile(r"\{(?P<labels>[^}]*)\} (?P<value>[^\s,]+)")
_PAIR: Final = re.compile(r'(\w+)="([^"]*)"')
_DURATION: Final = re.compile(r"(\d+)([dhms])")
_MINUTES: Final = {"d": 1440.0, "h": 60.0, "m": 1.0, "s": 1 / 60}

Answer = dict[tuple[str, int], dict[Labels, float]]
"""The samples of a metric in a minute."""


def ask(
    rules: Iterable[Rule], store: Store, names: Iterable[str], minutes: Iterable[int], folder: Path
) -> Answer:
    """Return what promtool finds for the metrics in some minutes. The grid must begin at time 0."""
    if store.start:
        raise ValueError("promtool's time begins at 0")
    groups: dict[str, list[dict[str, object]]] = {}
    for rule in rules:
        groups.setdefault(rule.group, []).append(_rule(rule))
    grouped = [{"name": name, "interval": "1m", "rules": found} for name, found in groups.items()]
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": grouped}))
    asked = [
        {"expr": name, "eval_time": f"{minute}m", "exp_samples": []} for name in names for minute in minutes
    ]
    series = [
        {"series": _written(labels), "values": " ".join(_values(one))}
        for found in store.series.values()
        for labels, one in found.items()
    ]
    test = {"interval": "1m", "input_series": series, "promql_expr_test": asked}
    document = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "group_eval_order": list(groups),
        "tests": [test],
    }
    path = folder / "tests.yml"
    path.write_text(yaml.safe_dump(document, width=10_000_000))
    run = subprocess.run(
        ["promtool", "test", "rules", str(path)], capture_output=True, text=True, check=False
    )
    if "FAILED" not in run.stdout + run.stderr:
        raise ValueError(f"promtool found nothing: {run.stdout}{run.stderr}")
    return dict(_answers(run.stdout + run.stderr))


def _rule(rule: Rule) -> dict[str, object]:
    if not rule.alerts:
        return {"record": rule.name, "expr": rule.expression, "labels": dict(rule.labels)}
    found: dict[str, object] = {"alert": rule.name, "expr": rule.expression, "labels": dict(rule.labels)}
    found |= {"for": f"{rule.hold}m"} if rule.hold else {}
    return found | ({"keep_firing_for": f"{rule.keep}m"} if rule.keep else {})


def _written(labels: Labels) -> str:
    pairs = dict(labels)
    name = pairs.pop(NAME)
    return name + "{" + ",".join(f'{key}="{value}"' for key, value in pairs.items()) + "}"


def _values(one: Series) -> Iterator[str]:
    there = False
    for value, present in zip(one.values.tolist(), one.present.tolist(), strict=True):
        if present:
            yield repr(value) if value != int(value) else str(int(value))
        else:
            yield "stale" if there else "_"
        there = present


def _answers(text: str) -> Iterator[tuple[tuple[str, int], dict[Labels, float]]]:
    key = ("", 0)
    for line in text.splitlines():
        asked = _ASKED.search(line)
        if asked:
            key = (asked["name"], _minute(asked["time"]))
        elif line.strip().startswith("got:"):
            yield key, dict(_samples(line))
        elif "err" in line.lower():
            raise ValueError(line)


def _samples(line: str) -> Iterator[tuple[Labels, float]]:
    for found in _SAMPLE.finditer(line):
        yield labels_of(dict(_PAIR.findall(found["labels"]))), float(found["value"])


def _minute(text: str) -> int:
    return round(sum(int(number) * _MINUTES[unit] for number, unit in _DURATION.findall(text)))


def computed(store: Store, names: Iterable[str], minutes: Iterable[int]) -> Answer:
    """Return what is in the store for the same questions."""
    asked = list(minutes)
    found: Answer = {}
    for name in names:
        for labels, one in store.series.get(name, {}).items():
            for minute in asked:
                if one.present[minute]:
                    found.setdefault((name, minute), {})[labels] = float(one.values[minute])
    return found


def at_zero(store: Store, times: Iterable[str]) -> Store:
    """Return the store moved to time 0. ``times`` are the metrics whose values are Unix times."""
    moved = Store(0, store.length, {name: dict(found) for name, found in store.series.items()})
    for name in times:
        moved.series[name] = {
            labels: Series(one.values - store.start, one.present)
            for labels, one in moved.series.get(name, {}).items()
        }
    return moved


def recorded(rules: Iterable[Rule]) -> list[str]:
    """Return the metrics that rules write, the alerts' state included."""
    found = {rule.name for rule in rules if not rule.alerts}
    return [*sorted(found), ALERTS]


def inputs(store: Store, rules: Iterable[Rule]) -> Mapping[str, dict[Labels, Series]]:
    """Return the series that no rule has written."""
    written = set(recorded(rules))
    return {name: dict(found) for name, found in store.series.items() if name not in written}
