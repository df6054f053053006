"""Watching rows that should soon change: an e-mail to be sent, a copy to be made.

Every row is looked at once, ``ripe_after`` seconds after it appeared. If what
should have happened has not, its id is remembered and looked at in every run
until it has, or until ``forget_after`` seconds have passed since the row was
created. So the cost follows the new rows and the late ones, not the history. A
first run begins with the rows of the last ``look_back`` seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from exporter.core.memory import Table
from exporter.core.ports import Database, Row
from exporter.core.query import Query
from exporter.core.ripening import Ripening

ROWS_A_RUN: Final = 2_000
"""Rows looked at for the first time in one run; an exporter that was away catches up in steps."""

MAX_WATCHED: Final = 1_000
"""Rows remembered at most; while that many are late, no new ones are looked at."""


@dataclass(frozen=True, slots=True)
class Watch:
    """How one table is watched.

    ``newest`` returns the largest ``id`` or NULL; ``before`` the ``id`` of the
    newest row created before ``moment`` (Unix time). ``between`` (``after``,
    ``upto``, ``limit``) and ``again`` (``ids``) return rows with ``id`` and ``created``,
    the former all of them in ascending order.
    """

    newest: Query
    before: Query
    between: Query
    again: Query
    ripe_after: float
    look_back: float
    forget_after: float

    def look(
        self, database: Database, memory: Table, *, key: str, now: float, wanted: Callable[[Row], bool]
    ) -> Sequence[Row]:
        """Return the rows that are still ``wanted``, at most some :data:`MAX_WATCHED` of them."""
        state = memory.get(key)
        ripening = self._start(database, now) if state is None else Ripening.from_json(state)
        remembered: list[int] = [] if state is None else state["watched"]
        rows = list(database.rows(self.again, ids=tuple(remembered))) if remembered else []
        if len(remembered) < MAX_WATCHED:
            rows += self._ripe(database, ripening, now)
        found = {int(row["id"]): row for row in rows}
        rows = [row for row in found.values() if self._is_young(row, now) and wanted(row)]
        memory.put(key, {**ripening.to_json(), "watched": [int(row["id"]) for row in rows]})
        return rows

    def _is_young(self, row: Row, now: float) -> bool:
        return now - float(row["created"]) <= self.forget_after

    def _ripe(self, database: Database, ripening: Ripening, now: float) -> Sequence[Row]:
        ripening.note(int(database.rows(self.newest)[0]["id"] or 0), now)
        upto = ripening.ripe(now, self.ripe_after)
        if upto <= ripening.done:
            return ()
        rows = database.rows(self.between, after=ripening.done, upto=upto, limit=ROWS_A_RUN)
        ripening.finish(upto if len(rows) < ROWS_A_RUN else int(rows[-1]["id"]))
        return rows

    def _start(self, database: Database, now: float) -> Ripening:
        """Begin with the rows that appeared within ``look_back``."""
        ripening = Ripening(self._newest_before(database, now - self.look_back))
        ripening.note(self._newest_before(database, now - self.ripe_after), now - self.ripe_after)
        return ripening

    def _newest_before(self, database: Database, moment: float) -> int:
        found = database.rows(self.before, moment=int(moment))
        return int(found[0]["id"]) if found else 0
