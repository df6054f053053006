"""``python -m tests.system.gameday.exporter SCALE serve ...``: all times of the exporter, divided by SCALE.

A game day's rules and shop run faster than in life. The exporter's own times (how often a collector
runs, how old an order must be before it counts as missing, how long the compared windows are) are
constants of its code, rightly; so they are shortened here, in a process of the game day alone. Nothing
else of the exporter changes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import MutableMapping
from dataclasses import astuple, replace
from typing import Any, cast

from exporter import app, cli
from exporter.collectors import (
    all_collectors,
    order_emails,
    order_grid,
    placements,
    search_terms,
)
from exporter.collectors.expected_orders import baseline, history
from exporter.core import memory
from exporter.core.collector import Refresh
from exporter.evidence import capture
from exporter.evidence.model import Fact, Finding, PromQL, Unit
from exporter.reading.watch import Ages

_WINDOW = re.compile(r"(\[|offset )([0-9]+)([mh])")


def shorten(scale: float) -> None:
    """Divide the exporter's times by ``scale``, in this process."""
    for collector in all_collectors():
        life = collector.refresh
        collector.refresh = Refresh(life.interval / scale, life.max_staleness / scale, life.background)
    for watch in (order_grid.WATCH, *order_emails.WATCHES.values()):
        watch.ages = Ages(*(age / scale for age in astuple(watch.ages)))
    memory.NEW_SERIES_SECONDS /= scale
    placements.HOLD_SECONDS /= scale
    search_terms.NEW_TERMS.age /= scale
    search_terms.USES_INTERVAL /= scale
    windows = cast("MutableMapping[str, int]", baseline.WINDOWS)
    windows.update({window: round(length / scale) for window, length in windows.items()})
    history._MINUTE = round(history._MINUTE / scale)
    baseline.BUCKET = history.BUCKET = round(baseline.BUCKET / scale)
    shorten_evidence(scale)


def shorten_evidence(scale: float) -> None:
    """Let evidence ask about windows divided by ``scale``, and see ages as the shop counts them."""
    declared, look = app.declared, capture._look

    async def look_in_shop_time(fact: Fact, *others: Any) -> Finding:
        found = await look(fact, *others)
        if fact.unit is Unit.SECONDS and found.value is not None:
            return replace(found, value=found.value * scale)
        return found

    def shortened(fact: Fact) -> Fact:
        if not isinstance(fact, PromQL):
            return fact
        return replace(fact, query=_WINDOW.sub(lambda match: _shorter(match, scale), fact.query))

    capture._look = look_in_shop_time
    app.declared = lambda: {
        name: replace(evidence, facts=tuple(map(shortened, evidence.facts)))
        for name, evidence in declared().items()
    }


def _shorter(window: re.Match[str], scale: float) -> str:
    seconds = int(window[2]) * {"m": 60, "h": 3600}[window[3]] / scale
    return f"{window[1]}{round(seconds * 1000)}ms"


if __name__ == "__main__":
    shorten(float(sys.argv[1]))
    sys.exit(cli.main(sys.argv[2:]))
