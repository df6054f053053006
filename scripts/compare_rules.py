"""Compare the expressions of rules and dashboards of two revisions as trees.

`scripts/compare_rules.py OLD [NEW]` reads both with a parser of PromQL that is not this project's own, so
brackets and line breaks do not count. NEW is the working tree if it is not given. With `--ignore-label shop`
the label is left out of `by`, `on`, `group_left` and matchers, and out of `equal` and `group_by` of
Alertmanager. Exit status 1 if anything differs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import promql_parser
import yaml

ROOT = Path(__file__).resolve().parent.parent
RULES = "alerts/generated/*.yml"
GRAFANA_RULES = "deploy/grafana/provisioning/alerting/magento.yaml"
ALERTMANAGER = "deploy/alertmanager/alertmanager.yml"
DASHBOARDS = "dashboards/generated/*.json"
MACROS = {"$__rate_interval": "61s", "$__interval": "62s", "$__range": "63s"}
"""What Grafana fills in; each a length of its own, so that none passes for another."""

Tree = tuple[Any, ...]
Read = Callable[[str], Mapping[str, str]]


def git(revision: str) -> Read:
    """Return the reader of the files of a revision that match a pattern."""

    def read(pattern: str) -> Mapping[str, str]:
        listed = _git("ls-tree", "-r", "--name-only", revision).splitlines()
        return {path: _git("show", f"{revision}:{path}") for path in listed if Path(path).match(pattern)}

    return read


def working_tree(pattern: str) -> Mapping[str, str]:
    """Return the files of the working tree that match a pattern."""
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in ROOT.glob(pattern)}


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def expressions(read: Read) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of every expression: of rules, Grafana's copy, panels, marks, variables."""
    for path, text in read(RULES).items():
        for group in yaml.safe_load(text)["groups"]:
            for rule in group["rules"]:
                yield f"{Path(path).name} {rule.get('alert') or rule['record']}", rule["expr"]
    for text in read(GRAFANA_RULES).values():
        for group in yaml.safe_load(text)["groups"]:
            for rule in group["rules"]:
                yield f"grafana {rule['title']}", rule["data"][0]["model"]["expr"]
    for text in read(DASHBOARDS).values():
        yield from _of_dashboard(json.loads(text))


def _of_dashboard(page: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for panel in page["panels"]:
        for shown in (panel, *panel.get("panels", ())):
            for target in shown.get("targets", ()):
                yield f"{page['uid']} {shown['id']} {target['refId']}", target["expr"]
    for mark in page["annotations"]["list"]:
        if "expr" in mark:
            yield f"{page['uid']} mark {mark['name']}", mark["expr"]
    for variable in page["templating"]["list"]:
        if variable["type"] == "query":
            yield f"{page['uid']} ${variable['name']}", _asked(variable["query"]["query"])


def _asked(query: str) -> str:
    """Return the PromQL of a variable's query: `label_values(PROMQL, label)` or `query_result(PROMQL)`."""
    function, _, inside = query.removesuffix(")").partition("(")
    return inside.rpartition(",")[0] if function == "label_values" else inside


def label_lists(read: Read) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield the name and the labels of Alertmanager's lists of labels."""
    for text in read(ALERTMANAGER).values():
        document = yaml.safe_load(text)
        for route in (document["route"], *document["route"]["routes"]):
            yield f"route to {route['receiver']} {route.get('matchers')}", route.get("group_by", ())
        for rule in document["inhibit_rules"]:
            yield f"inhibition {rule['source_matchers']} {rule['target_matchers']}", rule["equal"]


def parsed(text: str, ignored: frozenset[str] = frozenset()) -> Tree:
    """Return the tree of an expression."""
    for macro, length in MACROS.items():
        text = text.replace(macro, length)
    return _tree(promql_parser.parse(text), ignored)


def _tree(node: Any, ignored: frozenset[str]) -> Tree:
    if isinstance(node, promql_parser.ParenExpr):
        return _tree(node.expr, ignored)
    inner = [_tree(part, ignored) for part in _parts(node)]
    return (type(node).__name__, *_own(node, ignored), *inner)


def _parts(node: Any) -> Iterator[Any]:
    """Yield the expressions of which a node is made."""
    names = ("lhs", "rhs", "expr", "vector_selector", "param")
    yield from (getattr(node, name) for name in names if getattr(node, name, None) is not None)
    yield from getattr(node, "args", ())


def _own(node: Any, ignored: frozenset[str]) -> Tree:
    """Return what a node says itself, without the expressions of which it is made."""
    own: Tree = ()
    match node:
        case promql_parser.NumberLiteral() | promql_parser.StringLiteral():
            own = (node.val,)
        case promql_parser.VectorSelector():
            found = [(m.name, str(m.op), m.value) for m in node.matchers.matchers if m.name not in ignored]
            own = (node.name, *sorted(found), str(node.offset), str(node.at))
        case promql_parser.MatrixSelector():
            own = (str(node.range),)
        case promql_parser.SubqueryExpr():
            own = (str(node.range), str(node.step), str(node.offset), str(node.at))
        case promql_parser.Call():
            own = (node.func.name,)
        case promql_parser.AggregateExpr():
            own = (str(node.op), _labels(node.modifier, ignored))
        case promql_parser.BinaryExpr():
            own = (str(node.op), _matching(node.modifier, ignored))
        case promql_parser.UnaryExpr():
            pass
        case _:
            raise TypeError(f"do not know how to read {node!r}")
    return own


def _labels(modifier: Any, ignored: frozenset[str]) -> Tree:
    return (str(modifier.type), *sorted(set(modifier.labels) - ignored)) if modifier else ()


def _matching(modifier: Any, ignored: frozenset[str]) -> Tree:
    """Return how the two sides are joined; nothing for an operator that says nothing of it."""
    if modifier is None:
        return ()
    copied = sorted(set(modifier.group_labels or ()) - ignored)
    return (modifier.return_bool, str(modifier.card), *copied, _labels(modifier.matching, ignored))


def differences(old: Read, new: Read, ignored: frozenset[str]) -> tuple[list[str], int]:
    """Return what differs, and how many expressions and lists of labels there are in both."""
    before = {name: parsed(text, ignored) for name, text in expressions(old)}
    after = {name: parsed(text, ignored) for name, text in expressions(new)}
    before |= {name: ("labels", *sorted(set(labels) - ignored)) for name, labels in label_lists(old)}
    after |= {name: ("labels", *sorted(set(labels) - ignored)) for name, labels in label_lists(new)}
    found = [f"gone: {name}" for name in before.keys() - after.keys()]
    found += [f"new: {name}" for name in after.keys() - before.keys()]
    common = before.keys() & after.keys()
    found += [f"different: {name}" for name in common if before[name] != after[name]]
    return sorted(found), len(common)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what differs and a line that sums it up."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("old", help="a revision of git")
    parser.add_argument("new", nargs="?", help="another one; the working tree if not given")
    parser.add_argument("--ignore-label", action="append", default=[], help="a label that does not count")
    options = parser.parse_args(arguments)
    new = git(options.new) if options.new else working_tree
    found, common = differences(git(options.old), new, frozenset(options.ignore_label))
    sys.stdout.writelines(f"{line}\n" for line in found)
    kinds = [sum(line.startswith(kind) for line in found) for kind in ("different", "gone", "new")]
    print(
        f"{common} trees in both, {kinds[0]} of them different; {kinds[1]} gone, {kinds[2]} new"
        + (f"; not counting the label {', '.join(options.ignore_label)}" if options.ignore_label else "")
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
