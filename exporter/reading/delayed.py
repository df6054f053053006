"""Reading new rows some time after they appeared, each once, when their columns are final.

Some rows get their interesting columns only after they were inserted: the number of
results of a search, the mark that an e-mail was sent. No column with a time is
needed, and the clocks of the shop and of the exporter may differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from exporter.core.collector import Context
from exporter.core.ports import Row
from exporter.core.query import Connection, Query
from exporter.reading.by_id import newest, newest_id
from exporter.reading.restarts import Restarts
from exporter.reading.reused import Earlier, created

ROWS_A_RUN: Final = 2_000
"""Rows read by one run at most; the rest waits for the next."""


@dataclass(slots=True)
class DelayedCursor:
    """Every id up to ``done`` has been read; ``marks`` say which was the largest id at what Unix time.

    A row is read once its id is as old as the caller wants. By then every transaction
    that held a smaller id must have ended: so no row is missed, and none is read twice.
    """

    done: int
    marks: list[tuple[float, int]] = field(default_factory=list)
    restarts: Restarts = field(default_factory=Restarts)

    def note(self, newest: int, now: float, *, settle: float) -> None:
        """Note the largest visible id, if it has grown.

        When the ids have started again, or a restored table is being filled, reading
        goes on from the newest row; see :mod:`exporter.reading.restarts`.
        """
        largest, found = self._largest(), newest - self._largest()
        shortened = self.restarts.shortened(newest, settled=self.done, top=largest, now=now, settle=settle)
        if shortened or self.restarts.returning(found, first=largest + 1, now=now, settle=settle):
            self.done, self.marks = newest, []
        elif found > 0:
            self.marks.append((now, newest))

    def _largest(self) -> int:
        return max((number for _, number in self.marks), default=self.done)

    def due(self, now: float, age: float) -> int:
        """Return the largest id first seen at least ``age`` seconds ago, or ``done``."""
        return max((number for seen, number in self.marks if seen <= now - age), default=self.done)

    def finish(self, upto: int) -> None:
        """Note that every row up to ``upto`` has been read."""
        self.done = max(self.done, upto)
        self.marks = [(seen, number) for seen, number in self.marks if number > self.done]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-serialisable data."""
        marks = [[seen, number] for seen, number in self.marks]
        return {"done": self.done, "marks": marks, **self.restarts.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return what :meth:`to_json` described."""
        marks = [(float(seen), int(number)) for seen, number in data["marks"]]
        return cls(int(data["done"]), marks, Restarts.from_json(data))


class Delayed:
    """A table whose new rows are read ``age`` seconds after they appeared; declared once.

    ``columns`` are read besides ``key``, and ``changed``, the time of a row's last change. What is
    known of the table is kept in the collector's memory, in the table ``memory`` under the key ``state``.
    """

    def __init__(
        self,
        name: str,
        table: str,
        *,
        key: str,
        columns: Sequence[str],
        changed: str = "updated_at",
        age: float,
        connection: Connection = Connection.DEFAULT,
        memory: str = "followed",
        state: str = "cursor",
    ) -> None:
        chosen = ", ".join(columns)
        every = tuple(dict.fromkeys((key, *columns, changed)))
        self.newest = newest(name, table, key, connection)
        self.between = Query(
            f"{name}_new",
            f"""
            SELECT {key} AS id, {chosen}, UNIX_TIMESTAMP({changed}) AS created
            FROM {{{table}}} {{index {table}}}
            WHERE {key} > %(after)s AND {key} <= %(upto)s
            ORDER BY {key}
            LIMIT %(limit)s
            """,
            reads={table: every},
            connection=connection,
            index={table: (key,)},
        )
        self.age = age
        self._memory = memory
        self._state = state

    @property
    def queries(self) -> tuple[Query, ...]:
        """The statements, for the collector's declaration."""
        return self.newest, self.between

    def read(self, context: Context) -> Sequence[Row]:
        """Return the rows that are old enough now; a first run begins with the rows to come."""
        memory, settle = context.memory.table(self._memory), context.tuning.settle_seconds
        largest, known = newest_id(context.database, self.newest), memory.get(self._state, {})
        cursor = DelayedCursor.from_json(known) if known else DelayedCursor(largest)
        # An earlier version noted no time. Whatever it has read was changed before now.
        latest = float(known.get("created", context.now if known else 0.0))
        earlier = Earlier.from_json(known["earlier"]) if "earlier" in known else None
        done = cursor.done
        cursor.note(largest, context.now, settle=settle)
        if cursor.done < done:
            earlier = Earlier(done, latest)
        upto = cursor.due(context.now, max(self.age, settle))
        rows: Sequence[Row] = ()
        if upto > cursor.done:
            rows = context.database.rows(self.between, after=cursor.done, upto=upto, limit=ROWS_A_RUN)
            cursor.finish(upto if len(rows) < ROWS_A_RUN else int(rows[-1]["id"]))
        found = {**cursor.to_json(), "created": max((latest, *(created(row, context.now) for row in rows)))}
        if earlier is not None:
            rows = [row for row in rows if not earlier.has_read(row, context.now)]
            if cursor.done < earlier.top:
                found["earlier"] = earlier.to_json()
        memory.put(self._state, found)
        return rows
