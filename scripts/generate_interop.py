"""Write the lists of metrics into deploy/interop: what the rules read of the exporter, and what they record.

A line ``# allow-list: metrics, regex`` is followed by the one line, or the list, that is written here.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from alerts.__main__ import rule_files
from alerts.catalogue import Catalogue, catalogue
from alerts.lib.links import Links
from exporter.collectors import all_collectors
from exporter.core.self_metrics import SELF_METRICS
from promql.clock import Clock

FOLDER: Final = Path(__file__).resolve().parents[1] / "deploy" / "interop"
_MARK: Final = re.compile(r"( *)# allow-list: (metrics|recordings), (regex|datadog)\n")


def metrics(text: str) -> list[str]:
    """Return the exporter's metrics that rules in this text read."""
    known = {metric.name for collector in all_collectors() for metric in collector.metrics}
    known |= {metric.name for metric in SELF_METRICS}
    return sorted(known & set(re.findall(r"\bmagento_\w+", text)))


def recordings(found: Catalogue) -> list[str]:
    """Return every series that the rules make."""
    return sorted({recording.name for group in found.recordings.values() for recording in group} | {"ALERTS"})


def _regex(names: Sequence[str], indent: str) -> str:
    return f"{indent}regex: {'|'.join(names)}\n"


def _datadog(names: Sequence[str], indent: str) -> str:
    return "".join(f"{indent}- {name.removesuffix('_total')}\n" for name in names)


FORMS: Final[Mapping[str, Callable[[Sequence[str], str], str]]] = {"regex": _regex, "datadog": _datadog}


def filled(text: str, lists: Mapping[str, Sequence[str]]) -> str:
    """Return the file's text with the lists of now."""
    mark = _MARK.search(text)
    if mark is None:
        return text
    indent, which, form = mark.groups()
    rest = text[mark.end() :]
    old = re.match(rf"(?:{indent}(?:- .*|regex: .*)\n)*", rest)
    return text[: mark.end()] + FORMS[form](lists[which], indent) + rest[old.end() if old else 0 :]


def main(arguments: Sequence[str]) -> int:
    """Write the files, or with ``--check`` say which are not fresh."""
    found = catalogue()
    rules = "".join(rule_files(found, Links(), Clock()).values())
    lists = {"metrics": metrics(rules), "recordings": recordings(found)}
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
