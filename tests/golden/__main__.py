"""``python -m tests.golden update`` writes the pages anew; look at the difference before you commit it."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from exporter.collectors import all_collectors
from tests.support.golden import DIRECTORY, page_of, path_of, without_collector
from tests.support.shop import Story, frozen_server, make_place


def update() -> list[str]:
    """Write every page; return the names of those that changed."""
    changed = []
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="golden-")))
        story = Story(make_place(stack.enter_context(frozen_server(directory)), stack))
        for collector in all_collectors():
            path, page = path_of(collector), page_of(collector, story)
            if not path.exists() or path.read_text(encoding="utf-8") != page:
                path.write_text(page, encoding="utf-8")
                changed.append(path.name)
    for path in without_collector(DIRECTORY.glob("*.prom"), all_collectors()):
        path.unlink()
        changed.append(path.name)
    return changed


if __name__ == "__main__":
    if sys.argv[1:] != ["update"]:
        sys.exit("usage: python -m tests.golden update")
    print("changed:", ", ".join(update()) or "nothing")  # noqa: T201 - a small program that speaks to a terminal
