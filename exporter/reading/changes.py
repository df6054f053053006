"""Following changed rows: each change once, along an index on the time of the last change.

A change can become visible later than a younger one, because its transaction took
longer. So the last ``settle`` seconds before the newest visible change are read
again. They are measured from that change, not from now: a replica may lag.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from exporter.core.ports import Database, Row
from exporter.core.query import Connection, Query
from exporter.reading.instants import instant

PAGE: Final = 2_000
"""Changed rows read by one statement."""

PAGES_A_RUN: Final = 5
"""Such statements made by one run at most; after a mass update the next runs catch up."""


@dataclass(slots=True)
class Position:
    """Where to go on: with changes from ``since`` on (database time), in its second with ids above ``after``.

    ``seen`` are the changes that were read and will be read again: id to time.
    """

    since: int
    after: int = 0
    seen: dict[int, int] = field(default_factory=dict)

    @classmethod
    def behind(cls, changed: Any, *, latest: float) -> Self:
        """Return the position behind the newest change of before, which is at most at ``latest``."""
        return cls(int(instant(changed, latest) or 0) + 1)

    def limit(self, latest: float) -> None:
        """Come back from a time after ``latest``, which a row with a time in the future has led to."""
        if self.since > latest:
            self.since, self.after = int(latest), 0

    def move(self, since: int, after: int) -> None:
        """Go on from there, but never back."""
        self.since, self.after = max((self.since, self.after), (since, after))

    def take(self, rows: Sequence[Row]) -> list[Row]:
        """Return the rows whose change was not read before, and note those that will be read again."""
        new = [row for row in rows if self.seen.get(int(row["id"])) != int(row["changed"])]
        known = self.seen | {int(row["id"]): int(row["changed"]) for row in rows}
        here = (self.since, self.after)
        self.seen = {number: changed for number, changed in known.items() if (changed, number) > here}
        return new


class Changes:
    """A table whose changed rows are followed; declared once, at the top of a collector.

    ``where`` is a condition on columns that stand in the ``index`` before ``time``. A row
    has the key as ``id`` and the time of its change, in Unix seconds, as ``changed``.
    """

    def __init__(
        self,
        name: str,
        table: str,
        *,
        key: str = "entity_id",
        time: str = "updated_at",
        columns: Sequence[str],
        select: str = "",
        where: str = "",
        index: Sequence[str] = (),
        connection: Connection = Connection.DEFAULT,
    ) -> None:
        chosen = select or ", ".join(columns)
        condition = f"{where} AND " if where else ""
        self.query = Query(
            name,
            f"""
            SELECT {key} AS id, UNIX_TIMESTAMP({time}) AS changed, {chosen}
            FROM {{{table}}} {{index {table}}}
            WHERE {condition}{time} >= FROM_UNIXTIME(%(since)s)
              AND ({time} > FROM_UNIXTIME(%(since)s) OR {key} > %(after)s)
            ORDER BY {time}, {key}
            LIMIT %(limit)s
            """,
            reads={table: (key, time, *columns)},
            connection=connection,
            index={table: tuple(index) or (time,)},
        )

    def read(
        self, database: Database, position: Position, *, now: float, settle: float, **parameters: object
    ) -> list[Row]:
        """Return the rows that were changed since the last run, and move the position on.

        That is to ``settle`` seconds before the newest change; a change in the future counts as ``now``. If
        there are more changes than one run may read, the position is just behind the last one read.
        """
        rows: list[Row] = []
        # The clocks of the exporter and of the database may differ a little.
        position.limit(now + settle + 1)
        since, after = position.since, position.after
        for _ in range(PAGES_A_RUN):
            page = database.rows(self.query, since=since, after=after, limit=PAGE, **parameters)
            rows += page
            if len(page) < PAGE:
                newest = int(instant(rows[-1]["changed"], now) or 0) if rows else 0
                since, after = newest - round(settle), 0
                break
            since, after = int(page[-1]["changed"]), int(page[-1]["id"])
        position.move(*((since, after) if since <= now else (int(now), 0)))
        return position.take(rows)
