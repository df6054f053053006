"""Reading the rows that were changed within a span of time, a bounded number at a time.

The index that leads to them begins with the store, so there is no order in which
to go on after a LIMIT. The span is read in slices instead; a slice that fills
its page is thrown away and read again as shorter ones, and slices with hardly
any rows grow, so that neither a rush nor a quiet week takes many statements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from exporter.core.ports import Row

FIRST_WIDTH: Final = 300
"""Seconds of the first slice: some 300 carts in a shop with 20 orders a minute."""

_SHRINK: Final = 8
"""By how much a slice with too many rows is made narrower; one with that much room is made wider."""


def by_slices(
    read: Callable[[int, int], Sequence[Row]], first: int, end: int, *, page: int, budget: int
) -> Iterator[tuple[int, Sequence[Row]]]:
    """Yield (moment, rows changed before it), from old to new, until ``budget`` rows have been read.

    ``read`` returns at most ``page`` rows with ``first <= change < end``. A page that is full although its
    slice is a single second is yielded as it is: the rows beyond it are left out. Rows thrown away are
    part of the budget, but one slice is always finished, so that every run comes further.
    """
    width, finished = FIRST_WIDTH, False
    while first < end and (budget > 0 or not finished):
        until = min(first + width, end)
        rows = read(first, until)
        budget -= max(len(rows), 1)
        if len(rows) >= page and until - first > 1:
            width = max(1, (until - first) // _SHRINK)
            continue
        yield until, rows
        first, finished = until, True
        if len(rows) * _SHRINK < page:
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
