"""Run promtool on the cases of single alerts, and say readably which of them fail."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import digits
from typing import Any, Final

import yaml

from alerts.catalogue import Catalogue
from alerts.lib import promtool
from alerts.lib.links import DEMO
from alerts.lib.model import Alert
from exporter.errors import SpecError

FOLDER: Final = Path(__file__).resolve().parent.parent / "build" / "alerts"
_SECONDS: Final = 1800
"""Only a promtool that hangs takes so long, however busy the machine is."""
_RANGE: Final = re.compile(r"\[(?P<length>(?:\d+[smhdw])+)(?P<steps>:[^\]]*)?\]")
_ABOVE: Final = re.compile(r"> (\d+(?:\.\d+)?)$")
_FRAME: Final = ("Unit Testing:", "FAILED:", "name:")
"""How the lines begin that only frame a complaint."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What promtool said about the cases of an alert: its complaints by the name of the case."""

    alert: str
    cases: int
    complaints: Mapping[str, str]

    def report(self) -> str:
        """Return one line if all cases hold, else what was expected and what came instead."""
        if not self.complaints:
            return f"{self.alert}: {self.cases} cases hold\n"
        parts = [f"{self.alert}: {len(self.complaints)} of {self.cases} cases fail (- expected, + got)\n"]
        parts += [f"\n--- {name}\n{text}\n" for name, text in self.complaints.items()]
        return "".join(parts)


def judge(alert: Alert, found: Catalogue, rules: Sequence[str], folder: Path = FOLDER) -> Verdict:
    """Run the alert's cases on its rule in the rule files, whose texts are given."""
    folder.mkdir(parents=True, exist_ok=True)
    document = _document(alert, found, rules, folder)
    tests = {test["name"].removeprefix(f"{alert.name}: "): test for test in document["tests"]}
    complaint = _complaint(document, folder / f"{alert.name}.test.yml")
    if not complaint:
        return Verdict(alert.name, len(tests), {})
    # Older promtools do not say which case a complaint is about, so each runs alone.
    alone = folder / f"{alert.name}.single.test.yml"
    complaints = {name: _complaint({**document, "tests": [test]}, alone) for name, test in tests.items()}
    failed = {name: text for name, text in complaints.items() if text}
    return Verdict(alert.name, len(tests), failed or {"all together": complaint})


def _document(alert: Alert, found: Catalogue, rules: Sequence[str], folder: Path) -> dict[str, Any]:
    """Write the rules that the alert needs, and return the tests of them."""
    groups = [group for text in rules for group in promtool.only(text, alert, found.owners)["groups"]]
    if _leaves_out_the_edge():
        for rule in (rule for group in groups for rule in group["rules"]):
            rule["expr"] = as_if_no_sample_lay_on_an_edge(rule["expr"])
            if "alert" in rule:
                rule["expr"] = a_little_above(rule["expr"])
            texts = rule.get("annotations", {})  # their templates ask as well
            texts.update({name: as_if_no_sample_lay_on_an_edge(text) for name, text in texts.items()})
    file = folder / f"{alert.name}.rules.yml"
    file.write_text(yaml.safe_dump({"groups": groups}, sort_keys=False), encoding="utf-8")
    # The alert's own group last: what it reads from another group is then of the same moment.
    order = sorted((group["name"] for group in groups), key=f"magento_{found.subject(alert)}".__eq__)
    return promtool.unit_tests(alert, file.name, owners=found.owners, links=DEMO, groups=order)


def as_if_no_sample_lay_on_an_edge(expression: str) -> str:
    """Return the expression with each range a millisecond longer."""
    return _RANGE.sub(r"[\g<length>1ms\g<steps>]", expression)


def a_little_above(condition: str) -> str:
    """Return the condition with its limit raised by a hundred-thousandth.

    The millisecond makes an increase that lies on the limit 30.00005 instead of 30.
    """
    return _ABOVE.sub(lambda found: f"> {float(found[1]) * 1.00001:.12g}", condition)


@cache
def _leaves_out_the_edge() -> bool:
    """Return whether promtool leaves out the sample that is as old as a range is long, as Prometheus 3 does.

    A case's samples lie on that edge, those of real scrapes never do. So there its ranges are a millisecond
    longer, and the case is the same on both sides.
    """
    command = ["promtool", "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - fixed
    version = re.search(r"version (\d+)", said.stdout + said.stderr)
    return version is not None and int(version[1]) >= 3  # noqa: PLR2004


def _complaint(document: Mapping[str, Any], file: Path) -> str:
    """Return what promtool complains of; empty if all tests of the document pass."""
    file.write_text(yaml.safe_dump(document, sort_keys=False, width=1000), encoding="utf-8")
    command = ["promtool", "test", "rules", str(file)]
    try:
        outcome = subprocess.run(  # noqa: S603 - a fixed command, on a file of ours
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
            env={**os.environ, "TZ": "UTC"},  # annotations say the time of day
        )
    except FileNotFoundError as error:
        raise SpecError("promtool is not installed; it comes with Prometheus") from error
    if outcome.returncode == 0:
        return ""
    return _readable(outcome.stdout + outcome.stderr) or f"promtool ended with {outcome.returncode}"


def _readable(text: str) -> str:
    """Return promtool's complaint without its frame, and of alerts only what differs: - expected, + got."""
    found: list[str] = []
    fields: dict[str, list[str]] = {"exp:[": [], "got:[": []}
    side = ""
    for line in (line.strip() for line in text.splitlines() if line.strip()):
        if line[:5] in fields:
            side = line[:5]
        elif line.startswith(("Labels:{", "Annotations:{")):
            fields[side] += line.replace('", ', '",\n').splitlines()
        elif not line.startswith((*_FRAME, *digits, "]")):
            found += [*_differences(fields), line]
    return "\n".join([*found, *_differences(fields)])


def _differences(fields: Mapping[str, list[str]]) -> list[str]:
    """Return what only one side has, and forget both."""
    expected, got = (list(side) for side in fields.values())
    for side in fields.values():
        side.clear()
    return [f"- {field}" for field in expected if field not in got] + [
        f"+ {field}" for field in got if field not in expected
    ]
