"""``python -m tests.system.gameday.exporter SCALE serve ...``: all times of the exporter, divided by SCALE.

A game day's rules and shop run faster than in life. The exporter's own times (how often a collector
runs, how old an order must be before it counts as missing, how long the compared windows are) are
constants of its code, rightly; so they are shortened here, in a process of the game day alone. Nothing
else of the exporter changes.
"""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from dataclasses import astuple
from typing import cast

from exporter import cli
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
from exporter.reading.watch import Ages


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


if __name__ == "__main__":
    shorten(float(sys.argv[1]))
    sys.exit(cli.main(sys.argv[2:]))
