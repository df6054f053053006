"""Break every alert in small ways and see whether its tests notice: the proof that the tests test.

Each mutant changes one thing of one alert: the comparison turned round, the limit doubled or
halved, `for` or `keep_firing_for` dropped, a label of a join or an aggregation dropped, the guard
or the silence in maintenance dropped, the place's own threshold ignored. The alert's promtool tests
then run against the mutant's rule; a mutant that they accept has survived.

A recording rule that alerts stand on is changed likewise, once for all of them: a label dropped, a
comparison turned round, an `and`, `or` or `unless` dropped with what follows it. It has survived if the
tests of every alert that uses it accept it. Exit status 1 if a mutant survived that is not listed
with a reason in `EXPECTED`.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from alerts.catalogue import Catalogue, catalogue  # noqa: E402 - the repository's root comes first
from alerts.lib import promtool  # noqa: E402
from alerts.lib.links import DEMO  # noqa: E402
from alerts.lib.model import Alert  # noqa: E402
from alerts.lib.prometheus import alerting_rule, recording_rule  # noqa: E402

SECONDS = 300
FIRST = 3
TURNED = {">": "<", "<": ">", "==": "!=", "!=": "==", ">=": "<=", "<=": ">="}
JOIN = re.compile(r"\b(on|by|ignoring) \(([^)]*)\)")
TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\{[^}]*\}|[()\[\]]|\b(?:and|or|unless)\b|[<>=!]=?')
CLAUSES = ("and", "or", "unless")

STAGE_DROPPED = (
    'dropped: or label_replace(magento:checkout_stage_reached:%s{stage="%s"}, "stage", "%s", "", "")'
)
EXPECTED: Mapping[tuple[str, str], str] = {
    ("MagentoOrderDroughtNoTraffic", "maintenance ignored"): (
        "in its short tests a maintenance soon closes the windows as well; the same clause of "
        "MagentoOrderDroughtWithTraffic is killed"
    ),
    **{
        ("magento:checkout_stage_expected:increase1h", STAGE_DROPPED % (span, before, stage)): (
            "one of four alike; MagentoCheckoutStageFailing is tested at the step payment_method"
        )
        for span in ("increase1h", "increase1w")
        for before, stage in (("shipping_address", "shipping_method"), ("payment_method", "order"))
    },
}
"""Mutants that may survive, by alert or recording rule and mutation, with the reason."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One rule with one thing changed, as Prometheus would get it, and the alerts whose tests judge it."""

    name: str
    what: str
    rule: Mapping[str, object]
    judges: Sequence[Alert]


def mutants(alert: Alert, found: Catalogue) -> Iterator[Mutant]:
    """Yield every mutant of an alert."""

    def rule(changed: Alert) -> dict[str, object]:
        return alerting_rule(changed, owners=found.owners, links=DEMO)

    original = rule(alert)
    for what, changed in _changed(alert):
        mutated = rule(changed)
        # A different limit would show in the description: only the behaviour is to be noticed.
        yield Mutant(alert.name, what, {**mutated, "annotations": original["annotations"]}, [alert])
    if not alert.cases.inputs:
        return
    text = str(original["expr"])
    for what, expression in _without_labels(text):
        yield Mutant(alert.name, what, {**original, "expr": expression}, [alert])


def recording_mutants(chosen: Sequence[Alert], found: Catalogue) -> Iterator[Mutant]:
    """Yield every mutant of the recording rules that the chosen alerts stand on."""
    wanted = {name for alert in chosen for name in found.owners.closure(alert)}
    for recording in found.owners.recordings:
        if recording.name in wanted:
            users = [alert for alert in found.all if recording.name in found.owners.closure(alert)]
            judges = sorted(users, key=_effort)
            original = recording_rule(recording)
            text = str(original["expr"])
            for what, expression in (*_without_labels(text), *_without_clauses(text), *_turned(text)):
                yield Mutant(recording.name, what, {**original, "expr": expression}, judges)


def _effort(alert: Alert) -> float:
    """Return how many evaluations the alert's tests take, so that the quickest judge is asked first."""
    times = promtool.Times.of(alert)
    return (len(alert.cases.inputs) + len(alert.cases.silent)) * times.settled / times.step


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


def _without_clauses(expression: str) -> Iterator[tuple[str, str]]:
    """Yield the expression without each ``and``, ``or`` or ``unless`` and its right side."""
    tokens = [(found.start(), found[0], depth) for found, depth in _tokens(expression)]
    for place, (start, word, depth) in enumerate(tokens):
        if word in CLAUSES:
            ends = (s for s, w, d in tokens[place + 1 :] if d < depth or (d == depth and w in CLAUSES))
            end = next(ends, len(expression))
            clause = " ".join(expression[start:end].split())
            yield f"dropped: {clause}", expression[:start] + expression[end:]


def _turned(expression: str) -> Iterator[tuple[str, str]]:
    """Yield the expression with each comparison turned round."""
    found = [token for token, _ in _tokens(expression) if token[0] in TURNED]
    for place, token in enumerate(found):
        turned = expression[: token.start()] + TURNED[token[0]] + expression[token.end() :]
        yield f"{token[0]} no. {place + 1} turned round", turned


def _tokens(expression: str) -> Iterator[tuple[re.Match[str], int]]:
    """Yield brackets, words and comparisons outside texts and matchers, each with its depth in brackets."""
    depth = 0
    for found in TOKEN.finditer(expression):
        depth -= found[0] in {")", "]"}
        yield found, depth
        depth += found[0] in {"(", "["}


def survives(mutant: Mutant, found: Catalogue) -> bool:
    """Tell whether the tests of every judge accept the mutant.

    Most mutants die in the first cases of some judge; only the others are asked all.
    """
    first, rest = slice(FIRST), slice(FIRST, None)
    return all(_spares(alert, mutant, found, part) for part in (first, rest) for alert in mutant.judges)


def _spares(alert: Alert, mutant: Mutant, found: Catalogue, part: slice) -> bool:
    needed = set(found.owners.closure(alert))
    rules = [
        recording_rule(recording)
        for recordings in found.recordings.values()
        for recording in recordings
        if recording.name in needed
    ]
    rules.append(alerting_rule(alert, owners=found.owners, links=DEMO))
    changed = [
        dict(mutant.rule) if mutant.name in {rule.get("record"), rule.get("alert")} else rule
        for rule in rules
    ]
    group = {"name": "mutant", "interval": "1m", "rules": changed}
    document = promtool.unit_tests(alert, "rules.yml", owners=found.owners, links=DEMO)
    tests = document["tests"][part]
    return not tests or _accepted(group, {**document, "tests": tests})


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
    everyone += recording_mutants(chosen, found)
    survivors = unexpected = 0
    with ThreadPoolExecutor(max_workers=options.jobs) as pool:
        verdicts = pool.map(lambda mutant: survives(mutant, found), everyone)
        for mutant, lives in zip(everyone, verdicts, strict=True):
            if lives:
                reason = EXPECTED.get((mutant.name, mutant.what))
                survivors += 1
                unexpected += reason is None
                told = f" ({reason})" if reason else ""
                print(f"survived: {mutant.name}: {mutant.what}{told}", flush=True)
    killed = len(everyone) - survivors
    print(f"{killed} of {len(everyone)} mutants killed, {unexpected} survivors without a reason")
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
