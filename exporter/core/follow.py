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
    or NULL. The first run only notes the newest id: counting begins now.
    """
    known = memory.get(key)
    if known is None:
        start = database.rows(newest)[0]["id"] or 0
        memory.put(key, Tail(int(start)).to_json())
        return []
    tail = Tail.from_json(known)
    visible = _read(database, rows, tail.settled)
    fresh = set(tail.take((int(row["id"]) for row in visible), now=now, patience=patience))
    memory.put(key, tail.to_json())
    return [row for row in visible if int(row["id"]) in fresh]


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
