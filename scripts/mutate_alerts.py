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
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from promql.labels import SET_OPERATORS, Matching  # noqa: E402
from promql.nodes import Aggregation, Binary, Expr  # noqa: E402
from promql.render import following, layout, render  # noqa: E402

SECONDS = 300
FIRST = 3
TURNED = {">": "<", "<": ">", "==": "!=", "!=": "==", ">=": "<=", "<=": ">="}

Change = Callable[[Expr], Iterator[tuple[str, Expr]]]
"""What a kind of mutation makes of one node: what is different, and the node instead."""

STAGE_DROPPED = (
    'dropped: or label_replace(magento:checkout_stage_reached:%s{stage="%s"}, "stage", "%s", "", "")'
)
EXPECTED: Mapping[tuple[str, str], str] = {
    ("MagentoPaymentsFail", "limit halved"): "magento:placements_failed:limit is never below it",
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
    for what, expr in _numbered(variants(alert.expr, _without_label)):
        yield Mutant(alert.name, what, {**original, "expr": layout(expr)}, [alert])


def recording_mutants(chosen: Sequence[Alert], found: Catalogue) -> Iterator[Mutant]:
    """Yield every mutant of the recording rules that the chosen alerts stand on."""
    wanted = {name for alert in chosen for name in found.owners.closure(alert)}
    for recording in found.owners.recordings:
        if recording.name in wanted:
            users = [alert for alert in found.all if recording.name in found.owners.closure(alert)]
            judges = sorted(users, key=_effort)
            original = recording_rule(recording)
            found_here = [
                *_numbered(variants(recording.expr, _without_label)),
                *variants(recording.expr, _without_clause),
                *_numbered(variants(recording.expr, _turned)),
            ]
            for what, expr in found_here:
                yield Mutant(recording.name, what, {**original, "expr": layout(expr)}, judges)


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
    for place, clause in enumerate(alert.guard):
        rest = alert.guard[:place] + alert.guard[place + 1 :]
        required = "and" if clause.required else "unless"
        yield f"guard dropped: {required} {render(clause.other)}", replace(alert, guard=rest)


def variants(expr: Expr, change: Change) -> Iterator[tuple[str, Expr]]:
    """Yield the tree with one node changed, for every node and everything that ``change`` makes of it."""
    yield from change(expr)
    for place, part in enumerate(expr.parts):
        for what, changed in variants(part, change):
            yield what, expr.with_parts([*expr.parts[:place], changed, *expr.parts[place + 1 :]])


def _numbered(found: Iterator[tuple[str, Expr]]) -> Iterator[tuple[str, Expr]]:
    """Number what is called the same."""
    times: Counter[str] = Counter()
    for what, expr in found:
        times[what] += 1
        yield f"{what} no. {times[what]}", expr


def _without_label(node: Expr) -> Iterator[tuple[str, Expr]]:
    match node:
        case Binary(matching=Matching(on=on) as matching):
            for label in on:
                rest = tuple(other for other in on if other != label)
                yield f"{label} dropped from on", replace(node, matching=replace(matching, on=rest))
        case Aggregation(by=by):
            for label in by:
                yield (
                    f"{label} dropped from by",
                    replace(node, by=tuple(other for other in by if other != label)),
                )


def _without_clause(node: Expr) -> Iterator[tuple[str, Expr]]:
    """Yield the left side of an ``and``, ``or`` or ``unless``."""
    if isinstance(node, Binary) and node.operator in SET_OPERATORS:
        yield f"dropped: {following(node)}", node.left


def _turned(node: Expr) -> Iterator[tuple[str, Expr]]:
    """Yield a comparison turned round."""
    if isinstance(node, Binary) and node.operator in TURNED:
        yield f"{node.operator} turned round", replace(node, operator=TURNED[node.operator])


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
                why = f" ({reason})" if reason else ""
                print(f"survived: {mutant.name}: {mutant.what}{why}", flush=True)
    killed = len(everyone) - survivors
    print(f"{killed} of {len(everyone)} mutants killed, {unexpected} survivors without a reason")
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
