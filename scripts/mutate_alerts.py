"""Break every alert in small ways and see whether its tests notice: the proof that the tests test.

Each mutant changes one thing of one alert: the comparison turned round, the limit doubled or
halved, `for` or `keep_firing_for` dropped, a label of a join or an aggregation dropped, the guard
or the silence in maintenance dropped, the place's own threshold ignored. The alert's promtool tests
then run against the mutant's rule; a mutant that they accept has survived. Exit status 1 if one
survived that is not listed with a reason in `EXPECTED`.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from alerts.catalogue import Catalogue, catalogue  # noqa: E402 - the repository's root comes first
from alerts.lib import promtool  # noqa: E402
from alerts.lib.links import Links  # noqa: E402
from alerts.lib.model import Alert  # noqa: E402
from alerts.lib.prometheus import alerting_rule, recording_rule  # noqa: E402

SECONDS = 300
FIRST = 3
TURNED = {">": "<", "<": ">", "==": "!=", "!=": "==", ">=": "<=", "<=": ">="}
JOIN = re.compile(r"\b(on|by) \(([^)]*)\)")
TARGET = ("job", "instance")

EXPECTED: Mapping[tuple[str, str], str] = {}
"""Mutants that may survive, by alert and mutation, with the reason."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One alert with one thing changed: the rule that Prometheus would get."""

    alert: Alert
    what: str
    rule: Mapping[str, object]


def mutants(alert: Alert, found: Catalogue) -> Iterator[Mutant]:
    """Yield every mutant of an alert."""

    def rule(changed: Alert) -> dict[str, object]:
        return alerting_rule(changed, owners=found.owners, links=Links())

    original = rule(alert)
    for what, changed in _changed(alert):
        mutated = rule(changed)
        # A different limit would show in the description: only the behaviour is to be noticed.
        yield Mutant(alert, what, {**mutated, "annotations": original["annotations"]})
    if not alert.cases.inputs:
        return
    text = str(original["expr"])
    for what, expression in _without_labels(text):
        yield Mutant(alert, what, {**original, "expr": expression})


def _changed(alert: Alert) -> Iterator[tuple[str, Alert]]:
    if alert.cases.inputs:
        yield "comparison turned round", replace(alert, op=TURNED[alert.op])
    if alert.threshold and alert.op != "==":
        yield "limit doubled", replace(alert, threshold=alert.threshold * 2)
        yield "limit halved", replace(alert, threshold=alert.threshold / 2)
    if alert.for_:
        yield "for dropped", replace(alert, for_=0)
    if alert.keep_firing_for:
        yield "keep_firing_for dropped", replace(alert, keep_firing_for=0)
    if alert.guard:
        yield from _without_guards(alert)
    if alert.maintenance:
        yield "maintenance ignored", replace(alert, maintenance=False)
    if alert.scope is not None:
        yield "own threshold ignored", replace(alert, scope=None)


def _without_guards(alert: Alert) -> Iterator[tuple[str, Alert]]:
    clauses = alert.guard.splitlines()
    for place, clause in enumerate(clauses):
        rest = "\n".join(clauses[:place] + clauses[place + 1 :])
        yield f"guard dropped: {clause}", replace(alert, guard=rest)


def _without_labels(expression: str) -> Iterator[tuple[str, str]]:
    for place, found in enumerate(JOIN.finditer(expression)):
        labels = [label.strip() for label in found[2].split(",")]
        for label in labels:
            rest = ", ".join(other for other in labels if other != label)
            changed = f"{expression[: found.start(2)]}{rest}{expression[found.end(2) :]}"
            yield f"{label} dropped from {found[1]} no. {place + 1}", changed


def survives(mutant: Mutant, found: Catalogue) -> bool:
    """Tell whether the alert's tests accept the mutant."""
    needed = set(found.owners.closure(mutant.alert))
    rules = [
        recording_rule(recording)
        for recordings in found.recordings.values()
        for recording in recordings
        if recording.name in needed
    ]
    group = {"name": "mutant", "interval": "1m", "rules": [*rules, dict(mutant.rule)]}
    document = promtool.unit_tests(mutant.alert, "rules.yml", owners=found.owners, links=Links())
    tests = document["tests"]
    # Most mutants die in the first cases; the others are asked only of those that outlive them.
    return all(
        _accepted(group, {**document, "tests": part}) for part in (tests[:FIRST], tests[FIRST:]) if part
    )


def _accepted(group: Mapping[str, object], document: Mapping[str, object]) -> bool:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "rules.yml").write_text(yaml.safe_dump({"groups": [group]}, sort_keys=False))
        (folder / "tests.yml").write_text(yaml.safe_dump(document, sort_keys=False))
        outcome = subprocess.run(
            ["promtool", "test", "rules", str(folder / "tests.yml")],
            capture_output=True,
            check=False,
            timeout=SECONDS,
        )
    return outcome.returncode == 0


def main() -> int:
    """Run all mutants, or those of the alerts named; print the score and the survivors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("alerts", nargs="*", help="names of alerts; all by default")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="promtool processes at a time")
    options = parser.parse_args()
    found = catalogue()
    chosen = [alert for alert in found.all if not options.alerts or alert.name in options.alerts]
    everyone = [mutant for alert in chosen for mutant in mutants(alert, found)]
    survivors = unexpected = 0
    with ThreadPoolExecutor(max_workers=options.jobs) as pool:
        verdicts = pool.map(lambda mutant: survives(mutant, found), everyone)
        for mutant, lives in zip(everyone, verdicts, strict=True):
            if lives:
                reason = EXPECTED.get((mutant.alert.name, mutant.what))
                survivors += 1
                unexpected += reason is None
                told = f" ({reason})" if reason else ""
                print(f"survived: {mutant.alert.name}: {mutant.what}{told}", flush=True)
    killed = len(everyone) - survivors
    print(f"{killed} of {len(everyone)} mutants killed, {unexpected} survivors without a reason")
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
