"""Following new rows: each row of an append-only table is read once, as soon as it is visible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from exporter.core.collector import Context
from exporter.core.ports import Database, Row
from exporter.core.query import Connection
from exporter.reading.by_id import ById
from exporter.reading.gaps import GapTracker
from exporter.reading.reused import Earlier, created

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


@dataclass(frozen=True, slots=True)
class NewRows:
    """What one run read.

    ``newest`` is the largest id that was ever seen. A ``first_run`` has no rows:
    counting begins with it. ``catching_up`` says that rows are left for the next run.
    """

    rows: Sequence[Row]
    newest: int
    first_run: bool = False
    catching_up: bool = False


class Followed(ById):
    """A table that is followed; declared once, at the top of a collector.

    ``created`` is the column with the time at which a row was made, or was changed last. A row has it, in
    Unix seconds, under that name. What is known of the table is kept in the collector's memory, in the
    table ``memory`` under the key ``state``.
    """

    def __init__(
        self,
        name: str,
        table: str,
        *,
        key: str = "entity_id",
        columns: Sequence[str],
        select: str = "",
        created: str = "created_at",
        connection: Connection = Connection.DEFAULT,
        memory: str = "followed",
        state: str = "tail",
    ) -> None:
        chosen = select or ", ".join(columns)
        super().__init__(
            name,
            table,
            key=key,
            columns=tuple(dict.fromkeys((*columns, created))),
            select=f"{chosen}, UNIX_TIMESTAMP({created}) AS created",
            connection=connection,
        )
        self._memory = memory
        self._state = state

    def read(self, context: Context) -> NewRows:
        """Return the rows that became visible since the last run, each exactly once.

        Also if its ids are given out again, because it was emptied or restored, and if
        another server is read that lags; see :mod:`exporter.reading.reused`.
        """
        memory = context.memory.table(self._memory)
        known: Mapping[str, Any] | None = memory.get(self._state)
        look = _Look(self, context.database, context.now, context.tuning.settle_seconds)
        if known is None:
            found = look.begin()
            memory.put(self._state, found)
            return NewRows((), int(found["top"]), first_run=True)
        new, found = look.go_on(known)
        if found != known:
            memory.put(self._state, found)
        return new


@dataclass(frozen=True, slots=True)
class _Look:
    """One run's look at a table."""

    table: ById
    database: Database
    now: float
    settle: float

    def begin(self) -> dict[str, Any]:
        """Begin below the newest id: a transaction that is open at this moment may hold a smaller one."""
        tracker = GapTracker(max(0, self.table.newest_id(self.database) - OPEN_AT_START))
        visible = self.table.rows(self.database, after=tracker.settled, limit=PAGE)
        tracker.take((int(row["id"]) for row in visible), now=self.now, settle=self.settle)
        return {**tracker.to_json(), "created": self._newest_time(visible, 0.0)}

    def go_on(self, known: Mapping[str, Any]) -> tuple[NewRows, dict[str, Any]]:
        """Return the new rows, and what is known after them.

        If a run cannot read all there is, it notes where the table ended at the first such
        run: gaps below that are as old as that, whenever they are reached.
        """
        tracker = GapTracker.from_json(known)
        earlier = Earlier.known(known, self.now)
        # An earlier version noted no time. Whatever it has read was created before now.
        latest = float(known.get("created", self.now))
        visible = self._visible(tracker.settled)
        reached = int(visible[-1]["id"]) if visible else self.table.newest_id(self.database)
        if reached < tracker.settled or (not reached and tracker.top):
            earlier = Earlier.of(tracker, latest, earlier)
            tracker = GapTracker(reached)
        end = self._end(known, reached) if len(visible) == ROWS_A_RUN else None
        ids = (int(row["id"]) for row in visible)
        new = set(tracker.take(ids, now=self.now, settle=self.settle, end=end))
        rows = [row for row in visible if int(row["id"]) in new]
        if earlier is not None:
            rows = [row for row in rows if not earlier.has_read(row, self.now)]
            earlier = earlier if tracker.settled < earlier.top else None
        found = {**tracker.to_json(), "created": self._newest_time(visible, latest)}
        if end is not None:
            found["end"] = list(end)
        if earlier is not None:
            found["earlier"] = earlier.to_json()
        return NewRows(rows, tracker.top, catching_up=end is not None), found

    def _newest_time(self, rows: Sequence[Row], latest: float) -> float:
        """Return when the newest row that is known was created."""
        return max((latest, *(created(row, self.now) for row in rows)))

    def _visible(self, after: int) -> list[Row]:
        """Read page after page, each above the last."""
        visible: list[Row] = []
        for _ in range(PAGES_A_RUN):
            page = self.table.rows(self.database, after=after, limit=PAGE)
            visible.extend(page)
            if len(page) < PAGE:
                break
            after = int(page[-1]["id"])
        return visible

    def _end(self, known: Mapping[str, Any], reached: int) -> tuple[float, int]:
        """Return when the table's end was at which id: as it was noted, until it is reached."""
        end: Sequence[Any] | None = known.get("end")
        if end is None or reached >= end[1]:
            return self.now, self.table.newest_id(self.database)
        return float(end[0]), int(end[1])
