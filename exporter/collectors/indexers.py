"""Indexers and their views: state, mode, backlog, and the ways in which a view stops silently."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from exporter.core.collector import EVERY_HALF_MINUTE, Collector, Context
from exporter.core.metrics import Metric, Sample, gauge
from exporter.core.ports import Row
from exporter.core.query import Query
from exporter.magento.indexers import (
    CHANGELOG,
    INDEXER_STATES,
    MODES,
    SAVE,
    SCHEDULE,
    UNKNOWN,
    VIEW_STATES,
    VIEWS,
    changelog,
    indexers_of,
)
from exporter.reading.instants import instant
from exporter.reading.members import NOT_OBSERVED, MemberReader

# `updated` is a DATETIME that holds UTC; the session's time zone is UTC, so this is its Unix time.
INDEXERS = Query(
    "indexer_states",
    """
    SELECT indexer_id AS id, status, UNIX_TIMESTAMP(updated) AS updated
    FROM {indexer_state}
    WHERE indexer_id IS NOT NULL
    ORDER BY state_id
    """,
    reads={"indexer_state": ("state_id", "indexer_id", "status", "updated")},
)

VIEW_ROWS = Query(
    "indexer_views",
    """
    SELECT view_id AS id, mode, status, UNIX_TIMESTAMP(updated) AS updated, version_id AS version
    FROM {mview_state}
    WHERE view_id IS NOT NULL
    ORDER BY state_id
    """,
    reads={"mview_state": ("state_id", "view_id", "mode", "status", "updated", "version_id")},
)

_NAMED: Final = {"changelog": CHANGELOG}

NEWEST_VERSION = Query(
    "indexer_newest_version",
    "SELECT MAX(version_id) AS version FROM {changelog}",
    reads={"changelog": ("version_id",)},
    named=_NAMED,
)

BACKLOG_ENTITIES = Query(
    "indexer_backlog",
    """
    SELECT COUNT(DISTINCT entity_id) AS entities
    FROM {changelog} {index changelog}
    WHERE version_id > %(version)s AND version_id <= %(newest)s
    """,
    reads={"changelog": ("version_id", "entity_id")},
    named=_NAMED,
    index={"changelog": ("version_id",)},
    bounded="the collector asks for no more versions than backlog_scan_limit",
)

STATE = gauge(
    "magento_indexer_state",
    "1 for the indexer's current status, 0 for the others (indexer_state.status).",
    "indexer",
    "state",
)
UPDATED = gauge(
    "magento_indexer_updated_timestamp_seconds",
    "Unix time at which the indexer's status last changed (indexer_state.updated).",
    "indexer",
)
MODE = gauge(
    "magento_indexer_mode",
    "1 for the indexer's mode, 0 for the other: schedule or save (mview_state.mode).",
    "indexer",
    "mode",
)
VIEW_STATE = gauge(
    "magento_indexer_view_state",
    "1 for the current status of the indexer's view, 0 for the others (mview_state.status).",
    "indexer",
    "state",
)
VIEW_UPDATED = gauge(
    "magento_indexer_view_updated_timestamp_seconds",
    "Unix time at which the view's row last changed; for a working view the start (mview_state.updated).",
    "indexer",
)
BACKLOG = gauge(
    "magento_indexer_backlog",
    "Distinct entities waiting to be indexed, as bin/magento indexer:status counts them; mode schedule only.",
    "indexer",
)
BACKLOG_EXACT = gauge(
    "magento_indexer_backlog_exact",
    "1 if the backlog is exact, 0 if it was too long to be counted now and is an upper bound.",
    "indexer",
)
CHANGELOG_VERSION = gauge(
    "magento_indexer_changelog_version",
    "Newest version in the view's changelog; it grows with every change, and a little more (gaps).",
    "indexer",
)
CHANGELOG_MISSING = gauge(
    "magento_indexer_changelog_missing",
    "1 if the changelog of a view in mode schedule is missing, or the exporter's user has no right to it.",
    "indexer",
)
VERSION_AHEAD = gauge(
    "magento_indexer_version_ahead",
    "By how many versions the view is ahead of its changelog, normally 0: as many changes will be skipped.",
    "indexer",
)


OFTEN: Final = 1_000
"""Versions of a backlog that are counted in every run; a longer one is counted every five minutes."""

SECONDS_BETWEEN: Final = 300.0
"""Seconds between two counts of a long backlog."""

VERSIONS_A_RUN: Final = 4_000
"""Versions after which one run counts no further long backlog. A single one may have more."""


@dataclass(slots=True)
class Backlogs:
    """How many entities wait for each view. To count a backlog costs a row for each version in it.

    Between two counts a long one is what was counted last and all that was added since: an upper bound.
    """

    counted: dict[str, tuple[float, int, int, int]] = field(default_factory=dict)
    left: int = VERSIONS_A_RUN

    def waiting(self, context: Context, view: str, version: int, newest: int) -> tuple[int, bool]:
        """Return the entities that wait, and whether that is exact; ``version`` is what the view has done."""
        versions = max(0, newest - version)
        if not versions:
            return 0, True
        if versions > context.tuning.backlog_scan_limit:
            return versions, False
        at, done, upto, entities = self.counted.get(view, (0.0, version, version, 0))
        fits = done <= version and upto <= newest
        recent = fits and 0 <= context.now - at < SECONDS_BETWEEN
        if versions > OFTEN and (recent or self.left <= 0):
            known = entities + newest - upto if fits else versions
            return min(versions, known), recent and (done, upto) == (version, newest)
        self.left -= versions
        query = BACKLOG_ENTITIES.on(changelog=changelog(view))
        found = int(context.database.rows(query, version=version, newest=newest)[0]["entities"])
        self.counted[view] = (context.now, version, newest, found)
        return found, True


class IndexersCollector(Collector):
    """State, mode and backlog of every indexer."""

    name = "indexers"
    help = "Indexers: state, mode, backlog, from indexer_state, mview_state and the changelogs."
    notes = """
    The backlog is what `bin/magento indexer:status` prints: the distinct entities in the changelog between
    the view's version and the newest one. A backlog of more than `tuning.backlog_scan_limit` versions is
    not counted. Then it is the difference of the two versions, an upper bound. One of more than 1,000
    versions is counted every five minutes. In between, what was added is added to it.

    A view in state `working` may belong to a process that was killed. Magento then skips it for ever or,
    with `indexer/use_application_lock`, heals it without touching the row.
    `magento_indexer_view_updated_timestamp_seconds` says since when it has been in that state.

    A changelog that cannot be read, because it is locked or is not built as Magento builds them, costs the
    numbers of its own indexer only. `magento_collector_member_not_observed` names it.

    Not seen: missing triggers, and which rows belong to modules that were removed.
    """
    source = "database"
    metrics = (
        STATE,
        UPDATED,
        MODE,
        VIEW_STATE,
        VIEW_UPDATED,
        BACKLOG,
        BACKLOG_EXACT,
        CHANGELOG_VERSION,
        CHANGELOG_MISSING,
        VERSION_AHEAD,
        NOT_OBSERVED,
    )
    queries = (INDEXERS, VIEW_ROWS, NEWEST_VERSION, BACKLOG_ENTITIES)
    refresh = EVERY_HALF_MINUTE

    def __init__(self) -> None:
        self._backlogs = Backlogs()
        self._changelogs = MemberReader(self.name)

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield the samples of the indexers, then of the views by the names of their indexers."""
        self._backlogs.left = VERSIONS_A_RUN
        indexers = _first_of_each(context.database.rows(INDEXERS))
        views = _first_of_each(context.database.rows(VIEW_ROWS))
        names = indexers_of(views)
        for indexer, row in indexers.items():
            yield from STATE.state_set("state", INDEXER_STATES, _text(row["status"]), indexer=indexer)
            yield from _at(UPDATED, instant(row["updated"], context.now), indexer)
        for indexer in _without_view(indexers, names.values()):
            yield from MODE.state_set("mode", MODES, SAVE, indexer=indexer)
        for view, row in views.items():
            yield from _view(names[view], row, context.now)
            if row["mode"] == "enabled":
                look = partial(_changes, context, self._backlogs, view, names[view], int(row["version"] or 0))
                yield from self._changelogs.read(names[view], look)
        yield from self._changelogs.samples()


def _first_of_each(rows: Sequence[Row]) -> dict[str, Row]:
    """Keep the first row of every id: no key forbids a second one, and Magento reads the first."""
    first: dict[str, Row] = {}
    for row in rows:
        first.setdefault(str(row["id"]), row)
    return first


def _without_view(indexers: Mapping[str, Row], named: Iterable[str]) -> list[str]:
    """Return the indexers that are certainly on save: without a row of their view, whose name is known."""
    have_view = set(named)
    return [indexer for indexer in indexers if indexer in VIEWS and indexer not in have_view]


def _view(indexer: str, row: Row, now: float) -> Iterator[Sample]:
    mode = SCHEDULE if row["mode"] == "enabled" else SAVE
    yield from MODE.state_set("mode", MODES, mode, indexer=indexer)
    yield from VIEW_STATE.state_set("state", VIEW_STATES, _text(row["status"]), indexer=indexer)
    yield from _at(VIEW_UPDATED, instant(row["updated"], now), indexer)


# Missing triggers stay unseen: information_schema.TRIGGERS is empty without the privilege TRIGGER, and that
# one would let the exporter change data.
def _changes(context: Context, backlogs: Backlogs, view: str, indexer: str, version: int) -> Iterator[Sample]:
    """Yield what the changelog of a view in mode schedule says; ``version`` is what the view has done."""
    table = changelog(view)
    present = context.database.has_table(table)
    yield CHANGELOG_MISSING.sample(float(not present), indexer=indexer)
    if not present:
        return
    newest = int(context.database.rows(NEWEST_VERSION.on(changelog=table))[0]["version"] or 0)
    yield CHANGELOG_VERSION.sample(newest, indexer=indexer)
    yield VERSION_AHEAD.sample(max(0, version - newest), indexer=indexer)
    waiting, exact = backlogs.waiting(context, view, version, newest)
    yield BACKLOG.sample(waiting, indexer=indexer)
    yield BACKLOG_EXACT.sample(float(exact), indexer=indexer)


def _text(status: object) -> str:
    return str(status) if status is not None else UNKNOWN


def _at(metric: Metric, moment: float | None, indexer: str) -> Iterator[Sample]:
    if moment is not None:
        yield metric.sample(moment, indexer=indexer)
