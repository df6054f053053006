"""``python -m tests.runbooks PAGE ...``: run what a page only looks at on a running demo, and show it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from alerts.catalogue import catalogue
from sandbox.demo import say
from sandbox.errors import SandboxError
from sandbox.paths import STATE
from tests.runbooks.pages import Page, pages
from tests.runbooks.shell import Outcome, Range, Shell


def outcomes(demo: Range, page: Page) -> Iterator[Outcome]:
    """Run the promql and read-only blocks of a page, with labels as the page's alert has them."""
    alert = next(alert for alert in catalogue().all if alert.runbook == page.name)
    shell = Shell(demo, demo.labels(alert))
    for block in page.blocks():
        outcome = shell.read(block)
        if outcome is not None:
            yield outcome


def show(outcome: Outcome) -> str:
    """Return a block, what it printed, and what went wrong."""
    block = outcome.block
    fence = f"--- {block.language} {block.effect}".rstrip()
    failed = f"\n!!! FAILED: {outcome.complaint}" if outcome.complaint else ""
    return f"{fence}\n{block.text.rstrip()}\n>>>\n{outcome.output}{failed}\n"


def main() -> int:
    """Run the pages; 1 if a block failed, 2 for a mistake of the user's."""
    parser = argparse.ArgumentParser(prog="python -m tests.runbooks", description=__doc__)
    parser.add_argument("page", nargs="+", help="name of a page, e.g. MagentoCronStopped")
    parser.add_argument("--directory", type=Path, default=STATE, help="state directory of the demo")
    options = parser.parse_args()
    known = {page.name: page for page in pages()}
    unknown = set(options.page) - set(known)
    if unknown:
        parser.error(f"no such page: {', '.join(sorted(unknown))}")
    failures = 0
    try:
        demo = Range(options.directory)
        for name in options.page:
            say(f"=== {name}\n")
            for outcome in outcomes(demo, known[name]):
                say(show(outcome))
                failures += bool(outcome.complaint)
    except SandboxError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    say(f"{failures} blocks failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
