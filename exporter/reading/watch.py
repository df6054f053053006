"""Watching new rows that should soon change: an e-mail to be sent, a copy to be made.

Every row is looked at once, when it is old enough to be late. If what should have
happened has not, its id is remembered and it is looked at in every run until it has,
or until the row is too old. So the cost follows the new rows and the late ones, not
the history.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from exporter.core.collector import Context
from exporter.core.ports import Row
from exporter.core.query import Connection, Query
from exporter.reading.by_id import newest, newest_id
from exporter.reading.delayed import DelayedCursor
from exporter.reading.instants import age

ROWS_A_RUN: Final = 2_000
"""Rows looked at for the first time in one run; an exporter that was away catches up in steps."""

MAX_WATCHED: Final = 1_000
"""Late rows remembered at most; while that many are late, no new ones are looked at."""

MAX_WAITING: Final = 1_000
"""Rows remembered at most that are not late yet; beyond that the oldest are forgotten.

They can be many on an ordinary day, and must not take the place of the late ones.
"""

Test = Callable[[Row], bool]


def _never(_: Row) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Ages:
    """At which age of a row, in seconds, something is done.

    A row is looked at when it is ``first_look`` old, or as old as the settle time if that
    is longer: ids are looked at in order, and one whose transaction is still open would be
    passed over. A late one is forgotten at ``forget``, one that is not late yet at ``wait``.
    A first run begins with the rows that are ``look_back`` old.
    """

    first_look: float
    look_back: float
    forget: float
    wait: float = 0.0


class Watch:
    """A table that is watched; declared once, at the top of a collector.

    ``select`` is what is read of ``{table} AS t``, and of a ``join`` that may stand behind it;
    ``columns`` and ``joined`` name the columns. A row has its key as ``id``, and the Unix time at
    which it was ``created``. What is known of the table is kept in the collector's memory, in the
    table ``watched`` under the key ``state``.
    """

    def __init__(
        self,
        name: str,
        table: str,
        *,
        key: str = "entity_id",
        columns: Sequence[str] = (),
        select: str,
        join: str = "",
        joined: Mapping[str, tuple[str, ...]] | None = None,
        ages: Ages,
        connection: Connection = Connection.DEFAULT,
        state: str,
    ) -> None:
        reads = {table: (key, "created_at", *columns), **(joined or {})}
        rows = f"""
            SELECT t.{key} AS id, UNIX_TIMESTAMP(t.created_at) AS created, {select}
            FROM {{{table}}} AS t {{index {table}}} {join}"""
        by_key = {table: (key,)}
        self.newest = newest(name, table, key, connection)
        self.before = Query(
            f"{name}_before",
            f"""
            SELECT {key} AS id FROM {{{table}}} {{index {table}}}
            WHERE created_at < FROM_UNIXTIME(%(moment)s)
            ORDER BY created_at DESC, {key} DESC LIMIT 1
            """,
            reads={table: (key, "created_at")},
            connection=connection,
            index={table: ("created_at",)},
        )
        self.between = Query(
            f"{name}_new",
            f"""
            {rows}
            WHERE t.{key} > %(after)s AND t.{key} <= %(upto)s
            ORDER BY t.{key} LIMIT %(limit)s
            """,
            reads=reads,
            connection=connection,
            bounded="joins a limited number of rows with one row each" if join else "",
            index=by_key,
        )
        self.again = Query(
            f"{name}_watched",
            f"{rows} WHERE t.{key} IN %(ids)s",
            reads=reads,
            connection=connection,
            index=by_key,
        )
        self.ages = ages
        self.state = state

    @property
    def queries(self) -> tuple[Query, ...]:
        """The statements, for the collector's declaration."""
        return self.newest, self.before, self.between, self.again

    def look(self, context: Context, *, late: Test, waits: Test = _never) -> Sequence[Row]:
        """Return the rows that are ``late``, at most MAX_WATCHED; one that ``waits`` may be so later."""
        memory = context.memory.table("watched")
        look = _Look(self, context, late, memory.get(self.state, {}))
        rows = look.rows()
        watched = sorted(number for number, row in rows.items() if late(row))
        watched, beyond = watched[:MAX_WATCHED], watched[MAX_WATCHED:]
        waiting = [number for number, row in rows.items() if waits(row) and look.age(row) <= self.ages.wait]
        waiting = sorted(waiting + beyond)[-MAX_WAITING:]
        memory.put(self.state, {**look.cursor.to_json(), "watched": watched, "waiting": waiting})
        return [rows[number] for number in watched]


@dataclass(slots=True)
class _Look:
    """One run's look at a table."""

    watch: Watch
    context: Context
    late: Test
    state: Mapping[str, Any]
    cursor: DelayedCursor = field(init=False)

    def __post_init__(self) -> None:
        self.cursor = DelayedCursor.from_json(self.state) if self.state else self._begin()

    def age(self, row: Row) -> float:
        """Return the row's age in seconds; one that has none is older than all that is watched."""
        known = age(row["created"], self.context.now)
        return float("inf") if known is None else known

    def rows(self) -> dict[int, Row]:
        """Return the rows that are remembered, as they are now, and those that are old enough now."""
        again = self._again()
        new = self._new(MAX_WATCHED - sum(map(self.late, again)))
        return {int(row["id"]): row for row in (*again, *new) if self.age(row) <= self.watch.ages.forget}

    def _again(self) -> list[Row]:
        ids = (*self.state.get("watched", ()), *self.state.get("waiting", ()))
        rows = self.context.database.rows(self.watch.again, ids=ids) if ids else ()
        return [row for row in rows if self.age(row) <= self.watch.ages.forget]

    def _new(self, room: int) -> Sequence[Row]:
        """Return the rows that are old enough now, up to the late one that takes the last room.

        Ids are noted even while there is no room: otherwise rows of that time would be looked at too late.
        """
        cursor, database = self.cursor, self.context.database
        now, settle = self.context.now, self._settle
        cursor.note(newest_id(database, self.watch.newest), now, settle=settle)
        upto = cursor.due(now, self._first_look)
        cursor.marks = [mark for mark in cursor.marks if mark[1] >= upto]
        if room <= 0 or upto <= cursor.done:
            return ()
        rows = database.rows(self.watch.between, after=cursor.done, upto=upto, limit=ROWS_A_RUN)
        if len(rows) >= ROWS_A_RUN:
            upto = int(rows[-1]["id"])
        last = [int(row["id"]) for row in rows if self.late(row)][room - 1 :]
        if last:
            upto = last[0]
        cursor.finish(upto)
        return [row for row in rows if int(row["id"]) <= upto]

    @property
    def _settle(self) -> float:
        return self.context.tuning.settle_seconds

    @property
    def _first_look(self) -> float:
        return max(self.watch.ages.first_look, self._settle)

    def _begin(self) -> DelayedCursor:
        """Begin with the rows that appeared within ``look_back``."""
        now = self.context.now
        cursor = DelayedCursor(self._newest_before(now - self.watch.ages.look_back))
        due = now - self._first_look
        cursor.note(self._newest_before(due), due, settle=self._settle)
        return cursor

    def _newest_before(self, moment: float) -> int:
        found = self.context.database.rows(self.watch.before, moment=int(moment))
        return int(found[0]["id"]) if found else 0
