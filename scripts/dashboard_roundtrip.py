"""Print what a flavour of grafana-foundation-sdk does not know about each dashboard: its dead keys.

Run by ``scripts/check_dashboards.py`` with the interpreter of an environment that
holds one flavour. A dashboard is decoded and encoded again; a key that does not
come back is unknown to that version of Grafana.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard


def lost(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Yield the path of every key of ``before`` that ``after`` lacks; list positions are left out."""
    if isinstance(before, dict):
        if not isinstance(after, dict):
            yield path
            return
        for key, value in before.items():
            here = f"{path}.{key}".lstrip(".")
            if key not in after:
                if value is not None:
                    yield here
            else:
                yield from lost(value, after[key], here)
    elif isinstance(before, list):
        if not isinstance(after, list) or len(before) != len(after):
            yield path
            return
        for one, other in zip(before, after, strict=True):
            yield from lost(one, other, f"{path}[]")


def main() -> None:
    """Print the lost keys of all files given, each once."""
    plugins.register_default_plugins()
    found: set[str] = set()
    for name in sys.argv[1:]:
        given = json.loads(Path(name).read_text(encoding="utf-8"))
        decoded = Dashboard.from_json(json.loads(json.dumps(given)))
        found.update(lost(given, json.loads(json.dumps(decoded, cls=JSONEncoder))))
    sys.stdout.write("".join(f"{path}\n" for path in sorted(found)))


if __name__ == "__main__":
    main()
