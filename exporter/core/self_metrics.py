"""The exporter's metrics about itself, on every scrape, whatever the state of the shop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from exporter.core.metrics import Metric, Sample, counter, gauge
from exporter.core.runner import CollectorState, Outcome, Runner

SOURCE_UP: Final = gauge(
    "magento_source_up",
    "Whether the backend answered at its last use (1) or not (0). Absent: not configured or not tried yet.",
    "source",
)
SUCCESS: Final = gauge(
    "magento_collector_success",
    "Whether the collector's last run succeeded (1) or failed or is late (0).",
    "collector",
)
ENABLED: Final = gauge(
    "magento_collector_enabled",
    "Whether the collector runs (1), or is off by choice or because its source is not configured (0).",
    "collector",
)
DURATION: Final = gauge(
    "magento_collector_duration_seconds", "How long the collector's last finished run took.", "collector"
)
LAST_SUCCESS: Final = gauge(
    "magento_collector_last_success_timestamp_seconds",
    "Unix time of the collector's last good run: its series are as old as this.",
    "collector",
)
REFRESH: Final = gauge(
    "magento_collector_refresh_seconds",
    "Least time between two runs of the collector; 0 when it runs at every scrape.",
    "collector",
)
SERIES: Final = gauge("magento_collector_series", "Series in the collector's last good result.", "collector")
DROPPED: Final = gauge(
    "magento_collector_dropped_series",
    "Series left out of the last good result because the collector was over its limit.",
    "collector",
)
RUNS: Final = counter(
    "magento_collector_runs_total", "Finished runs of the collector, good or bad.", "collector"
)
ERRORS: Final = counter(
    "magento_collector_errors_total",
    "Failed or late runs of the collector, by bounded reason.",
    "collector",
    "reason",
)
SELF_METRICS: Final[tuple[Metric, ...]] = (
    SOURCE_UP,
    SUCCESS,
    ENABLED,
    DURATION,
    LAST_SUCCESS,
    REFRESH,
    SERIES,
    DROPPED,
    RUNS,
    ERRORS,
)


def about_runner(runner: Runner, *, off: Iterable[str], reasons: Iterable[str]) -> Iterator[Sample]:
    """Yield the samples about every collector and source. ``off`` names the collectors that do not run."""
    for source, up in runner.source_up().items():
        yield SOURCE_UP.sample(float(up), source=source)
    for name in off:
        yield ENABLED.sample(0.0, collector=name)
    zeros = dict.fromkeys(reasons, 0)
    for state in runner.states.values():
        yield from _about_collector(state, zeros)


def _about_collector(state: CollectorState, zeros: Mapping[str, int]) -> Iterator[Sample]:
    name = state.name
    yield ENABLED.sample(1.0, collector=name)
    yield REFRESH.sample(state.collector.refresh.interval, collector=name)
    yield RUNS.sample(state.runs, collector=name)
    for reason, number in {**zeros, **state.errors}.items():
        yield ERRORS.sample(number, collector=name, reason=reason)
    if state.outcome is Outcome.WAITING:
        return
    yield SUCCESS.sample(float(state.outcome is Outcome.OK), collector=name)
    yield DURATION.sample(state.duration, collector=name)
    yield DROPPED.sample(state.exposition.dropped, collector=name)
    yield SERIES.sample(state.exposition.series, collector=name)
    if state.succeeded_at:
        yield LAST_SUCCESS.sample(state.succeeded_at, collector=name)
