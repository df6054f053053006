"""Reading the new rows of an append-only table: the database's side of :mod:`exporter.reading.gaps`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from exporter.core.memory import Table
from exporter.core.ports import Database, Row
from exporter.core.query import Query
from exporter.reading.gaps import GapTracker
from exporter.reading.restarts import Restarts

PAGE: Final = 2_000
"""Rows read by one statement."""

PAGES_A_RUN: Final = 5
"""Such statements made by one run at most."""

ROWS_A_RUN: Final = PAGE * PAGES_A_RUN
"""Rows read by one run at most. After a long absence the table is caught up with in steps of so many.

Where the ids have gaps everywhere, as with an ``auto_increment_increment`` of a cluster, the same rows
are read until the first gaps are old enough, and only then the steps begin.
"""

OPEN_AT_START: Final = 1_000
"""How far below the newest id the first run looks for ids that an open transaction may hold."""


def new_rows(
    database: Database,
    *,
    rows: Query,
    newest: Query,
    memory: Table,
    key: str = "tail",
    now: float,
    settle: float,
) -> Sequence[Row]:
    """Return the rows that became visible since the last run, each exactly once.

    ``rows`` takes ``after`` and ``limit`` and returns rows with a column ``id``
    in ascending order; ``newest`` returns one row whose ``id`` is the largest id
    or NULL. The first run returns nothing: counting begins now, with what is not
    visible yet. A table that was emptied, so that its ids start again, is followed
    from its first row on; one that was restored, or is being so, from its newest
    (:mod:`exporter.reading.restarts` tells which).

    While a run cannot read all there is, the table's end at the first such run
    is remembered: gaps below it are as old as that, whenever they are reached.
    """
    known = memory.get(key)
    if known is None:
        memory.put(key, _first_tail(database, rows, newest, now=now, settle=settle).to_json())
        return []
    tail, restarts = GapTracker.from_json(known), Restarts.from_json(known)
    visible = _read(database, rows, tail.settled)
    begin = _beginning(tail, restarts, visible, lambda: newest_id(database, newest), now=now, settle=settle)
    if begin is not None:
        tail, visible = GapTracker(begin), []
    end = _end(known, int(visible[-1]["id"]), database, newest, now) if len(visible) == ROWS_A_RUN else None
    fresh = set(tail.take((int(row["id"]) for row in visible), now=now, settle=settle, end=end))
    found = tail.to_json() | restarts.to_json() | ({} if end is None else {"end": list(end)})
    if found != known:
        memory.put(key, found)
    return [row for row in visible if int(row["id"]) in fresh]


def newest_id(database: Database, newest: Query) -> int:
    """Return what ``newest`` says, a query of one row with the column ``id``: 0 for an empty table."""
    return int(database.rows(newest)[0]["id"] or 0)


def catching_up(memory: Table, key: str = "tail") -> bool:
    """Return whether the last run left rows unread because there were too many."""
    return "end" in (memory.get(key) or {})


def _beginning(
    tail: GapTracker,
    restarts: Restarts,
    visible: Sequence[Row],
    newest: Callable[[], int],
    *,
    now: float,
    settle: float,
) -> int | None:
    """Return the id above which to follow the table anew, if its ids have started again.

    Either the newest id is lower than it was (48,000 after 50,000), or old rows return in a crowd
    (2,000 at one look). Both are in the example of :class:`Restarts`.
    """
    reached = int(visible[-1]["id"]) if visible else newest()
    if restarts.shortened(reached, settled=tail.settled, top=tail.top, now=now, settle=settle):
        return reached
    unseen = [int(row["id"]) for row in visible if int(row["id"]) not in tail.seen]
    if unseen and restarts.returning(len(unseen), first=unseen[0], now=now, settle=settle):
        return max(reached, newest())
    return None


def _end(
    known: Mapping[str, Any], reached: int, database: Database, newest: Query, now: float
) -> tuple[float, int]:
    """Return when the table's end was at which id: as it was remembered, until it is reached."""
    end: Sequence[Any] | None = known.get("end")
    if end is None or reached >= end[1]:
        return now, newest_id(database, newest)
    return float(end[0]), int(end[1])


def _first_tail(database: Database, rows: Query, newest: Query, *, now: float, settle: float) -> GapTracker:
    """Begin below the newest id: a transaction that is open at this moment may hold a smaller one."""
    tail = GapTracker(max(0, newest_id(database, newest) - OPEN_AT_START))
    visible = database.rows(rows, after=tail.settled, limit=PAGE)
    tail.take((int(row["id"]) for row in visible), now=now, settle=settle)
    return tail


def _read(database: Database, rows: Query, after: int) -> list[Row]:
    """Read page after page, each above the last."""
    visible: list[Row] = []
    for _ in range(PAGES_A_RUN):
        page = database.rows(rows, after=after, limit=PAGE)
        visible.extend(page)
        if len(page) < PAGE:
            break
        after = int(page[-1]["id"])
    return visible
