"""Reading the new rows of an append-only table: the database's side of :mod:`exporter.core.counting`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from exporter.core.counting import PATIENCE, Tail
from exporter.core.memory import Table
from exporter.core.ports import Database, Row
from exporter.core.query import Query

PAGE: Final = 2_000
PAGES_A_RUN: Final = 5
"""After a long absence the table is caught up with at most PAGE * PAGES_A_RUN rows a run."""

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
    patience: float = PATIENCE,
) -> Sequence[Row]:
    """Return the rows that became visible since the last run, each exactly once.

    ``rows`` takes ``after`` and ``limit`` and returns rows with a column ``id``
    in ascending order; ``newest`` returns one row whose ``id`` is the largest id
    or NULL. The first run returns nothing: counting begins now, with what is not
    visible yet. A table that was emptied, so that its ids start again, is followed
    from its first row on, and one that was restored from its newest; the latter
    after ``patience`` only, because a replica that lags looks the same.
    """
    known = memory.get(key)
    if known is None:
        memory.put(key, _first_tail(database, rows, newest, now).to_json())
        return []
    tail = Tail.from_json(known)
    visible = _read(database, rows, tail.settled)
    behind: float | None = None
    if not visible:
        end = _newest_id(database, newest)
        if end < tail.settled:
            behind = float(known.get("behind", now))
            if not end or now - behind >= patience:
                tail, behind = Tail(end), None
    fresh = set(tail.take((int(row["id"]) for row in visible), now=now, patience=patience))
    found = tail.to_json() | ({} if behind is None else {"behind": behind})
    if found != known:
        memory.put(key, found)
    return [row for row in visible if int(row["id"]) in fresh]


def _first_tail(database: Database, rows: Query, newest: Query, now: float) -> Tail:
    """Begin below the newest id: a transaction that is open at this moment may hold a smaller one."""
    tail = Tail(max(0, _newest_id(database, newest) - OPEN_AT_START))
    visible = database.rows(rows, after=tail.settled, limit=PAGE)
    tail.take((int(row["id"]) for row in visible), now=now)
    return tail


def _newest_id(database: Database, newest: Query) -> int:
    return int(database.rows(newest)[0]["id"] or 0)


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
