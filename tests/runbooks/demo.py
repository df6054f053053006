"""A demo of its own in which the blocks of runbooks are run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.process import wait_until
from tests.dashboards.live import EVERY_COLLECTOR, demo, holds
from tests.harness.limits import LONG
from tests.runbooks.shell import Range


@contextmanager
def watched_shop(folder: Path) -> Iterator[Range]:
    """Run a demo until every collector has run, and hand over what is in it."""
    with demo(folder, "--scrape-seconds", "2") as running:
        wait_until(holds(running.asker, EVERY_COLLECTOR), seconds=LONG, what="every collector has run")
        yield Range(running.state)
