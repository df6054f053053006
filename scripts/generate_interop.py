"""Write the lists of metrics into deploy/interop: what the rules read of the exporter, and what they record.

A line ``# allow-list: metrics, regex`` is followed by the one line, or the list, that is written here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from alerts.catalogue import Catalogue, catalogue
from exporter.collectors import all_collectors
from exporter.core.self_metrics import SELF_METRICS

FOLDER: Final = Path(__file__).resolve().parents[1] / "deploy" / "interop"
_MARK: Final = "# allow-list: "


def metrics(found: Catalogue) -> list[str]:
    """Return the exporter's series that the rules read."""
    known = {metric.name for collector in all_collectors() for metric in collector.metrics}
    known |= {metric.name for metric in SELF_METRICS}
    known |= {f"{name}{suffix}" for name in known for suffix in ("_sum", "_count")}
    trees = [alert.expr for alert in found.all]
    trees += [recording.expr for group in found.recordings.values() for recording in group]
    return sorted(known & {name for tree in trees for name in tree.metrics()})


def recordings(found: Catalogue) -> list[str]:
    """Return every series that the rules make."""
    return sorted({recording.name for group in found.recordings.values() for recording in group} | {"ALERTS"})


def _regex(names: Sequence[str], indent: str) -> str:
    return f"{indent}regex: {'|'.join(names)}\n"


def _datadog(names: Sequence[str], indent: str) -> str:
    return "".join(f"{indent}- {name.removesuffix('_total')}\n" for name in names)


FORMS: Final[Mapping[str, Callable[[Sequence[str], str], str]]] = {"regex": _regex, "datadog": _datadog}


def filled(text: str, lists: Mapping[str, Sequence[str]]) -> str:
    """Return the file's text with the lists of now, each after its mark."""
    lines = text.splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if line.strip().startswith(_MARK))
    which, form = lines[at].strip().removeprefix(_MARK).split(", ")
    indent = lines[at][: lines[at].index("#")]
    old = list(takewhile(lambda line: line.startswith((f"{indent}- ", f"{indent}regex: ")), lines[at + 1 :]))
    return "".join((*lines[: at + 1], FORMS[form](lists[which], indent), *lines[at + 1 + len(old) :]))


def main(arguments: Sequence[str]) -> int:
    """Write the files, or with ``--check`` say which are not fresh."""
    found = catalogue()
    lists = {"metrics": metrics(found), "recordings": recordings(found)}
    code = 0
    for file in sorted(FOLDER.glob("*.yml")):
        text = file.read_text(encoding="utf-8")
        new = filled(text, lists)
        if new != text and "--check" in arguments:
            print(f"{file.name} is not fresh: make generate", file=sys.stderr)
            code = 1
        elif new != text:
            file.write_text(new, encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
