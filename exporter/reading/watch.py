"""Watching rows that should soon change: an e-mail to be sent, a copy to be made.

Every row is looked at once, ``ripe_after`` seconds after it appeared, or ``settle``
seconds if that is longer: ids are looked at in order, and one whose transaction
is still open would be passed over. If what should have happened has not, its id
is remembered and looked at in every run until it has, or until ``forget_after``
seconds have passed since the row was created. So the cost follows the new rows
and the late ones, not the history. A first run begins with the rows of the last
``look_back`` seconds.

Rows that are not late yet but may still become so are remembered apart, under a
limit of their own: they can be many on an ordinary day, and must not take the
place of the late ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from exporter.core.memory import Table
from exporter.core.ports import Database, Row
from exporter.core.query import Query
from exporter.reading.delayed import DelayedCursor
from exporter.reading.followed import newest_id

ROWS_A_RUN: Final = 2_000
"""Rows looked at for the first time in one run; an exporter that was away catches up in steps."""

MAX_WATCHED: Final = 1_000
"""Late rows remembered at most; while that many are late, no new ones are looked at."""

MAX_WAITING: Final = 1_000
"""Rows remembered at most that are not late yet; beyond that the oldest are forgotten."""

Test = Callable[[Row], bool]


def _never(_: Row) -> bool:
    return False


def _age(row: Row, now: float) -> float:
    return now - float(row["created"])


@dataclass(frozen=True, slots=True)
class Watch:
    """How one table is watched.

    ``newest`` returns the largest ``id`` or NULL; ``before`` the ``id`` of the
    newest row created before ``moment`` (Unix time). ``between`` (``after``,
    ``upto``, ``limit``) and ``again`` (``ids``) return rows with ``id`` and ``created``,
    the former all of them in ascending order. A row that is not late yet is
    forgotten ``wait_for`` seconds after it was created.
    """

    newest: Query
    before: Query
    between: Query
    again: Query
    ripe_after: float
    look_back: float
    forget_after: float
    wait_for: float = 0.0

    def look(
        self,
        database: Database,
        memory: Table,
        *,
        key: str,
        now: float,
        settle: float,
        late: Test,
        waits: Test = _never,
    ) -> Sequence[Row]:
        """Return the rows that are ``late``, at most MAX_WATCHED; one that ``waits`` may be so later."""
        state = memory.get(key, {})
        ripening = DelayedCursor.from_json(state) if state else self._start(database, now, settle)
        rows = self._again(database, state, now)
        room = MAX_WATCHED - sum(map(late, rows))
        rows += self._ripe(database, ripening, now, settle, room=room, late=late)
        found = {int(row["id"]): row for row in rows if _age(row, now) <= self.forget_after}
        watched = sorted(number for number, row in found.items() if late(row))
        watched, beyond = watched[:MAX_WATCHED], watched[MAX_WATCHED:]
        waiting = [number for number, row in found.items() if waits(row) and _age(row, now) <= self.wait_for]
        waiting = sorted(waiting + beyond)[-MAX_WAITING:]
        memory.put(key, {**ripening.to_json(), "watched": watched, "waiting": waiting})
        return [found[number] for number in watched]

    def _again(self, database: Database, state: Mapping[str, Any], now: float) -> list[Row]:
        """Return the rows that are remembered and young enough, as they are now."""
        ids = (*state.get("watched", ()), *state.get("waiting", ()))
        rows = database.rows(self.again, ids=ids) if ids else ()
        return [row for row in rows if _age(row, now) <= self.forget_after]

    def _ripe(
        self, database: Database, ripening: DelayedCursor, now: float, settle: float, *, room: int, late: Test
    ) -> Sequence[Row]:
        """Return the rows that have become old enough, up to the late one that takes the last room.

        Ids are noted even while there is no room: else what comes meanwhile would be looked at too late.
        """
        ripening.note(newest_id(database, self.newest), now, settle=settle)
        upto = ripening.ripe(now, max(self.ripe_after, settle))
        ripening.marks = [mark for mark in ripening.marks if mark[1] >= upto]
        if room <= 0 or upto <= ripening.done:
            return ()
        rows = database.rows(self.between, after=ripening.done, upto=upto, limit=ROWS_A_RUN)
        if len(rows) >= ROWS_A_RUN:
            upto = int(rows[-1]["id"])
        last = [int(row["id"]) for row in rows if late(row)][room - 1 :]
        if last:
            upto = last[0]
        ripening.finish(upto)
        return [row for row in rows if int(row["id"]) <= upto]

    def _start(self, database: Database, now: float, settle: float) -> DelayedCursor:
        """Begin with the rows that appeared within ``look_back``."""
        ripening = DelayedCursor(self._newest_before(database, now - self.look_back))
        ripe = now - max(self.ripe_after, settle)
        ripening.note(self._newest_before(database, ripe), ripe, settle=settle)
        return ripening

    def _newest_before(self, database: Database, moment: float) -> int:
        found = database.rows(self.before, moment=int(moment))
        return int(found[0]["id"]) if found else 0
