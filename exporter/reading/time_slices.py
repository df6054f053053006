"""Reading the rows of all stores that were changed within a span of time, a bounded number at a time.

The index that leads to them begins with the store, so there is no order in which to go
on after a LIMIT. The span is read in slices instead. A slice with too many rows is
thrown away and read again as shorter ones. Slices with hardly any rows grow. So
neither a rush nor a quiet week takes many statements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from exporter.core.ports import Database, Row
from exporter.core.query import Connection, Query

FIRST_WIDTH: Final = 60
"""Seconds of the first slice: some 300 carts in a shop with 100 orders a minute."""

_FACTOR: Final = 8
"""By how much a slice with too many rows is made narrower; one with that much room is made wider."""


class TimeSlices:
    """A table that is read by the index (store_id, updated_at); declared once, at the top of a collector.

    ``page`` is the number of rows of one statement. If more were changed in one second,
    that was a mass update, and the rows beyond the page are left out.
    """

    def __init__(
        self, name: str, table: str, *, columns: Sequence[str], select: str, page: int, connection: Connection
    ) -> None:
        self.query = Query(
            name,
            f"""
            SELECT {select}
            FROM {{{table}}} {{index {table}}}
            WHERE store_id IN %(stores)s
              AND updated_at >= FROM_UNIXTIME(%(first)s) AND updated_at < FROM_UNIXTIME(%(end)s)
            LIMIT %(limit)s
            """,
            reads={table: tuple(dict.fromkeys(("store_id", "updated_at", *columns)))},
            connection=connection,
            index={table: ("store_id", "updated_at")},
        )
        self.page = page

    def read(
        self, database: Database, stores: Sequence[int], first: int, end: int, *, budget: int
    ) -> Iterator[tuple[int, Sequence[Row]]]:
        """Yield (moment, rows changed before it), from old to new, until ``budget`` rows have been read."""
        if not stores:
            return iter(())

        def rows(first: int, end: int) -> Sequence[Row]:
            return database.rows(self.query, stores=tuple(stores), first=first, end=end, limit=self.page)

        return sliced(rows, first, end, page=self.page, budget=budget)

    def whole(
        self, database: Database, stores: Sequence[int], first: int, end: int, *, budget: int
    ) -> list[Row] | None:
        """Return all rows changed in the span, or None if they are too many to read."""
        return whole(self.read(database, stores, first, end, budget=budget), end, page=self.page)


def sliced(
    read: Callable[[int, int], Sequence[Row]], first: int, end: int, *, page: int, budget: int
) -> Iterator[tuple[int, Sequence[Row]]]:
    """Yield (moment, rows changed before it), from old to new, until ``budget`` rows have been read.

    ``read`` returns at most ``page`` rows with ``first <= change < end``. A page that is full although its
    slice is a single second is yielded as it is: the rows beyond it are left out. Rows thrown away are
    part of the budget, but one slice is always finished, so that every run gets further.
    """
    width, finished = FIRST_WIDTH, False
    while first < end and (budget > 0 or not finished):
        until = min(first + width, end)
        rows = read(first, until)
        budget -= max(len(rows), 1)
        if len(rows) >= page and until - first > 1:
            width = max(1, (until - first) // _FACTOR)
            continue
        yield until, rows
        first, finished = until, True
        if len(rows) * _FACTOR < page:
            width *= 2


def whole(slices: Iterable[tuple[int, Sequence[Row]]], end: int, *, page: int) -> list[Row] | None:
    """Return the rows of all slices up to ``end``, or None as soon as some are known to be left out."""
    found: list[Row] = []
    done = None
    for until, rows in slices:
        if len(rows) >= page:
            return None
        found += rows
        done = until
    return found if done == end else None
