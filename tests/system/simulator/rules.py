"""Rule groups: recording rules written back into the store, alerts with ``for`` and ``keep_firing_for``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import promql_parser as ast
import yaml

from tests.system.simulator.promql import MINUTE, Evaluation, EvaluationError, conditions, merged, parse
from tests.system.simulator.series import NAME, Bools, Labels, Series, Store, Vector, labels_of, matches, runs

ALERTS: Final = "ALERTS"
CHUNK: Final = 200_000
"""Series times minutes are evaluated by pieces of so many minutes, which bounds the memory."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A recording rule or an alert of a group."""

    group: str
    position: int
    name: str
    expression: str
    labels: Mapping[str, str]
    alerts: bool = False
    hold: int = 0
    keep: int = 0

    @property
    def severity(self) -> str:
        """The severity of an alert."""
        return self.labels.get("severity", "")


@dataclass(frozen=True, slots=True)
class Firing:
    """An alert that fired from the minute ``first`` up to, without, ``end``."""

    labels: Labels
    first: int
    end: int

    @property
    def alert(self) -> str:
        """The alert's name."""
        return dict(self.labels)["alertname"]


def load(paths: Iterable[Path]) -> list[Rule]:
    """Return the rules of the files; every group is evaluated once a minute."""
    found: list[Rule] = []
    for path in paths:
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            if group.get("interval", "1m") != "1m":
                raise EvaluationError(f"group {group['name']} is not evaluated once a minute")
            found += [_rule(group["name"], at, rule) for at, rule in enumerate(group["rules"])]
    return found


def _rule(group: str, position: int, rule: Mapping[str, Any]) -> Rule:
    labels = dict(rule.get("labels", {}))
    if "record" in rule:
        return Rule(group, position, rule["record"], rule["expr"], labels)
    hold, keep = (_length(rule.get(key)) for key in ("for", "keep_firing_for"))
    return Rule(group, position, rule["alert"], rule["expr"], labels, alerts=True, hold=hold, keep=keep)


def _length(text: str | None) -> int:
    if not text:
        return 0
    seconds = ast.parse_duration(text).total_seconds()
    if seconds % MINUTE:
        raise EvaluationError(f"not a whole number of minutes: {text}")
    return int(seconds) // MINUTE


# --- in which order ----------------------------------------------------------------------------------


def selectors(node: Any) -> Iterator[tuple[Any, int]]:
    """Return every selector of an expression, with the least offset in minutes at which it is read."""
    yield from _selectors(node, 0)


def _selectors(node: Any, offset: int) -> Iterator[tuple[Any, int]]:
    kind = type(node).__name__
    if kind == "VectorSelector":
        yield node, offset + _offset(node)
    elif kind == "MatrixSelector":
        yield from _selectors(node.vector_selector, offset)
    elif kind == "SubqueryExpr":
        yield from _selectors(node.expr, offset + _offset(node))
    elif kind == "BinaryExpr":
        yield from _selectors(node.lhs, offset)
        yield from _selectors(node.rhs, offset)
    elif kind == "Call":
        for argument in node.args:
            yield from _selectors(argument, offset)
    elif kind in ("ParenExpr", "UnaryExpr", "AggregateExpr"):
        yield from _selectors(node.expr, offset)


def _offset(node: Any) -> int:
    return 0 if node.offset is None else int(node.offset.total_seconds()) // MINUTE


def _reads(rule: Rule, by_name: Mapping[str, Sequence[Rule]]) -> Iterator[tuple[Rule, int]]:
    """Return the rules whose results the rule reads, with the offset."""
    for node, offset in selectors(parse(rule.expression)):
        if node.name == ALERTS:
            wanted = matches(one for one in conditions(node) if one[0] == "alertname")
            named = [one for some in by_name.values() for one in some if one.alerts]
            yield from ((one, offset) for one in named if wanted({"alertname": one.name}))
        else:
            yield from ((one, offset) for one in by_name.get(node.name or "", ()) if not one.alerts)


def in_order(rules: Sequence[Rule]) -> list[Rule]:
    """Return the rules so that each comes after those that it reads. Only itself may a rule read as well."""
    by_name: dict[str, list[Rule]] = {}
    for rule in rules:
        by_name.setdefault(rule.name, []).append(rule)
    done: dict[int, bool] = {}
    ordered: list[Rule] = []

    def visit(rule: Rule) -> None:
        if id(rule) in done:
            if not done[id(rule)]:
                raise EvaluationError(f"rules read each other in a circle: {rule.name}")
            return
        done[id(rule)] = False
        for other, _ in _reads(rule, by_name):
            if other is not rule:
                visit(other)
        done[id(rule)] = True
        ordered.append(rule)

    for rule in rules:
        visit(rule)
    return ordered


def _delayed(rule: Rule, rules: Sequence[Rule]) -> frozenset[str]:
    """Return what the rule's own group writes after it, or with it."""
    later = [one for one in rules if one.group == rule.group and one.position >= rule.position]
    names = {one.name for one in later if not one.alerts}
    wanted = [
        matches(conditions(node)) for node, _ in selectors(parse(rule.expression)) if node.name == ALERTS
    ]
    states = ({"alertname": one.name, "alertstate": "firing", **one.labels} for one in later if one.alerts)
    if any(want(labels) for labels in states for want in wanted):
        names.add(ALERTS)
    return frozenset(names)


# --- evaluation --------------------------------------------------------------------------------------


def evaluate(rules: Sequence[Rule], store: Store, begin: int = 0) -> list[Firing]:
    """Evaluate the rules in every minute from ``begin`` on; return when which alert fired."""
    firings: list[Firing] = []
    for rule in in_order(rules):
        evaluation = Evaluation(store, _delayed(rule, rules))
        if rule.alerts:
            firings += _alert(rule, store, evaluation, begin)
        else:
            _record(rule, store, evaluation, begin)
    return sorted(firings, key=lambda one: (one.first, one.labels))


def _pieces(rule: Rule, store: Store, begin: int) -> Iterator[tuple[int, int]]:
    """Return the stretches of time that can be evaluated at once."""
    own = [max(1, offset) for node, offset in selectors(parse(rule.expression)) if node.name == rule.name]
    size = min([CHUNK, *own])
    for lo in range(begin, store.length, size):
        yield lo, min(lo + size, store.length)


def _record(rule: Rule, store: Store, evaluation: Evaluation, begin: int) -> None:
    store.series.setdefault(rule.name, {})
    fixed = {**rule.labels, NAME: rule.name}
    for lo, hi in _pieces(rule, store, begin):
        found = evaluation.vector(rule.expression, lo, hi)
        store.write(rule.name, lo, _labelled(found, fixed))


def _labelled(found: Vector, fixed: Mapping[str, str]) -> Vector:
    return merged((labels_of({**dict(labels), **fixed}), one) for labels, one in found.items())


def _alert(rule: Rule, store: Store, evaluation: Evaluation, begin: int) -> list[Firing]:
    fixed = {**rule.labels, "alertname": rule.name}
    whole: dict[Labels, Bools] = {}
    for lo, hi in _pieces(rule, store, begin):
        for labels, one in evaluation.vector(rule.expression, lo, hi).items():
            if not one.present.any():
                continue
            named = labels_of({**{key: text for key, text in labels if key != NAME}, **fixed})
            state = whole.setdefault(named, np.zeros(store.length, dtype=np.bool_))
            state[lo:hi] |= one.present
    firings: list[Firing] = []
    for labels, state in whole.items():
        pending, firing = states(state, rule.hold, rule.keep)
        for name, stretches in (("pending", pending), ("firing", firing)):
            where = np.zeros(store.length, dtype=np.bool_)
            for first, end in stretches:
                where[first:end] = True
            key = labels_of({**dict(labels), NAME: ALERTS, "alertstate": name})
            store.series.setdefault(ALERTS, {})[key] = Series(np.ones(store.length), where)
        firings += [Firing(labels, first, end) for first, end in firing]
    return firings


Stretches = list[tuple[int, int]]


def states(condition: Bools, hold: int, keep: int) -> tuple[Stretches, Stretches]:
    """Return the stretches in which an alert is pending, and in which it fires."""
    pending: Stretches = []
    firing: Stretches = []
    length = len(condition)
    for first, end in runs(condition):
        if firing and first <= firing[-1][1]:  # it has been kept firing until now
            firing[-1] = (firing[-1][0], min(end + keep, length))
        elif end - first > hold:
            pending += [(first, first + hold)] if hold else []
            firing.append((first + hold, min(end + keep, length)))
        else:
            pending.append((first, end))
    return pending, firing


Chosen = Callable[[Rule], bool]


def needed(rules: Sequence[Rule], wanted: Chosen) -> list[Rule]:
    """Return the alerts wanted and every rule that they read, in their files' order."""
    by_name: dict[str, list[Rule]] = {}
    for rule in rules:
        by_name.setdefault(rule.name, []).append(rule)
    kept: dict[int, Rule] = {}
    waiting = [rule for rule in rules if wanted(rule)]
    while waiting:
        rule = waiting.pop()
        if id(rule) not in kept:
            kept[id(rule)] = rule
            waiting += [one for one, _ in _reads(rule, by_name)]
    return [rule for rule in rules if id(rule) in kept]
