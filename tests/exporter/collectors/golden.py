"""One page a collector: what it says about one shop at one moment, byte for byte.

``python -m tests.exporter.collectors.golden update`` writes the pages anew; look at the difference before
you commit it. What the shop and the other sources do is in the collectors' lives: see ``story.py``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from exporter.collectors import all_collectors
from exporter.core.collector import Collector
from exporter.core.metrics import Kind
from exporter.core.runner import CollectorState, Outcome
from sandbox.servers.mariadb import MariaDB
from tests.exporter.collectors.story import LAST, LATER, Story, life_of
from tests.harness.runner import OneCollector, outcome_of, series_of, text_of
from tests.harness.shop import NOW, shop_in_mariadb

DIRECTORY: Final = Path(__file__).parent


def path_of(collector: type[Collector]) -> Path:
    """Return the file of a collector's page."""
    return DIRECTORY / collector.name / "golden.prom"


def states_of(collector: type[Collector], story: Story) -> list[CollectorState]:
    """Return what three scrapes found; a collector that fails has no page."""
    states = story.states[collector.name] if collector.source == "database" else _answered(collector)
    for state in states:
        assert state.outcome is Outcome.OK, outcome_of(state)
    return states


def page_of(collector: type[Collector], story: Story) -> str:
    """Return the page as it should be."""
    return text_of(states_of(collector, story)[-1])


def at_rest(collector: type[Collector], story: Story) -> str:
    """Return why the collector's page proves nothing, if all its counters are 0."""
    counters = [metric.name for metric in collector.metrics if metric.kind is Kind.COUNTER]
    found = {
        series: value
        for series, value in series_of(states_of(collector, story)[-1]).items()
        if series.split("{")[0] in counters
    }
    if not counters or any(found.values()):
        return ""
    what = "minute()" if collector.source == "database" else "SOURCE"
    return f"every counter is 0: let {what} in tests/exporter/collectors/{collector.name}/life.py move them"


def without_collector(collectors: Iterable[type[Collector]]) -> list[Path]:
    """Return the pages whose collector is gone."""
    return sorted(set(DIRECTORY.glob("*/*.prom")) - {path_of(collector) for collector in collectors})


def _answered(collector: type[Collector]) -> list[CollectorState]:
    """Scrape a source that is no database before, a minute later and ten minutes later."""
    life = life_of(collector)
    source = life.SOURCE()
    name = CONTEXT.get(collector.source, collector.source)
    one = OneCollector(collector, sources={name: source, **getattr(life, "BESIDE", {})})
    states = []
    for now in (NOW, LATER, LAST):
        states.append(one.scrape(now))
        source.step += 1
    return states


CONTEXT: Final = {"rabbitmq": "broker"}
"""Sources whose field in the context has another name."""


def update() -> list[str]:
    """Write every page; return the names of those that changed."""
    changed = []
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="golden-")))
        server = stack.enter_context(MariaDB(directory))
        story = Story(stack.enter_context(shop_in_mariadb(server)))
        for collector in all_collectors():
            if refusal := at_rest(collector, story):
                sys.exit(f"{collector.name}: {refusal}")
            path, page = path_of(collector), page_of(collector, story)
            if not path.exists() or path.read_text(encoding="utf-8") != page:
                path.write_text(page, encoding="utf-8")
                changed.append(collector.name)
    for path in without_collector(all_collectors()):
        path.unlink()
        changed.append(path.parent.name)
    return changed


if __name__ == "__main__":
    if sys.argv[1:] != ["update"]:
        sys.exit("usage: python -m tests.exporter.collectors.golden update")
    for kind in all_collectors():
        try:
            life_of(kind)
        except LookupError as error:
            sys.exit(str(error))
    print("changed:", ", ".join(update()) or "nothing")  # noqa: T201 - a small program that writes to a terminal
