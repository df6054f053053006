"""Tables whose ids start again: because they were emptied, or restored from a backup.

What comes into an emptied table is new. A restore looks the same at first: the table is
created empty and filled minutes or hours later, while the exporter reads it. The two
differ in the pace. So for a day (:data:`SUSPECT`) after the first rows of such a table,
rows that come in a crowd are old rows that return. So are those of the next ``settle``
seconds, because a crowd has an end.

A crowd is more rows in one look than a tenth of the ids that there were, but at least
:data:`FEW` and at most :data:`MANY`. Two cases are taken wrongly. The first rows of a
restore may be fewer than that, and count as new. A real rush of that size, on the first
day after a table was emptied, counts as old. A table that never had rows is no suspect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

FEW: Final = 100
"""Rows that are no crowd in any table, however small."""

MANY: Final = 1_000
"""More rows than this are a crowd in any table, however large."""

SUSPECT: Final = 86_400.0
"""Seconds for which a crowd of rows is the past, after the first rows or the last crowd."""


@dataclass(slots=True)
class Restarts:
    """Whether a table's ids have started again, and whether its past is coming back.

    ``behind`` is the time since which the newest id has been below what was
    known. ``top`` is the largest id before the last restart, as long as that is
    of interest; ``since`` the time of the first rows after it or, if there was a
    ``crowd``, of the last one.

    An example. Ids up to 50,000 are known; at 12:00 the newest one is 48,000. The
    table is ``behind`` since 12:00: a replica may lag. At 12:02 the newest is still
    48,000: the table was *shortened*, and is followed from there. At 12:10 one look
    finds 2,000 rows from 48,001 on, a ``crowd``: they are old rows *returning*, and
    are not counted. At 12:30 one look finds 3: orders of this minute, counted.
    """

    behind: float | None = None
    top: int | None = None
    since: float | None = None
    crowd: bool = False

    def shortened(self, newest: int, *, settled: int, top: int, now: float, settle: float) -> bool:
        """Return whether the ids have started again, so that ``newest`` is where to go on from.

        At once if the table is empty (0) and was not. If it is only shorter than
        ``settled``, after ``settle``: a replica that lags looks the same.
        """
        if newest >= settled and (newest or not top):
            self.behind = None
            return False
        if newest:
            self.behind = now if self.behind is None else self.behind
            if now - self.behind < settle:
                return False
        self.behind, self.top = None, max(top, self.top or 0)
        self.since, self.crowd = now if newest else None, False
        return True

    def returning(self, rows: int, *, first: int, now: float, settle: float) -> bool:
        """Return whether one look's finds, ``rows`` from id ``first`` on, are the table's past coming back.

        They are not where the ids go on above the old ones: some rows were deleted then, and that is all.
        """
        if self.top is None or rows <= 0:
            return False
        self.since = now if self.since is None else self.since
        if now - self.since >= SUSPECT or (first > self.top and not self.crowd):
            self.top, self.since, self.crowd = None, None, False
            return False
        if rows > min(max(FEW, self.top // 10), MANY):
            self.since, self.crowd = now, True
        return self.crowd and now - self.since < settle

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-serialisable data; most of the time there is nothing to say."""
        behind = {} if self.behind is None else {"behind": self.behind}
        restart = {} if self.top is None else {"restart": [self.top, self.since, self.crowd]}
        return {**behind, **restart}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return what :meth:`to_json` described."""
        return cls(data.get("behind"), *data.get("restart", ()))
