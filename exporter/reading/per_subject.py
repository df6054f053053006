"""Asking the same small question about many things in one statement.

A question that an index answers with a few rows ("the oldest 100 orders of this
store in this state") cannot be asked for all stores by one ``GROUP BY`` without
reading every row. It is asked in a ``UNION ALL`` of equal parts instead, each
with its own ``LIMIT``. The number of parts is fixed, so the text is a constant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from exporter.core.ports import Database, Row
from exporter.core.query import Query
from exporter.reading.batches import in_batches

SLOTS: Final = 50
"""Parts of one statement: each opens the table once more on the server, so not hundreds."""


def repeated(part: str, slots: int = SLOTS) -> str:
    """Return ``slots`` copies of a SELECT joined by UNION ALL, with ``#`` replaced by the copy's number."""
    return "\nUNION ALL\n".join(f"({part.strip().replace('#', str(slot))})" for slot in range(slots))


def ask(
    database: Database,
    query: Query,
    subjects: Sequence[Mapping[str, object]],
    *,
    nobody: Mapping[str, object],
    slots: int = SLOTS,
    **common: object,
) -> Iterator[Row]:
    """Run the query of :func:`repeated` for every subject; ``nobody`` fills the slots that are left over.

    A subject's ``{"store": 1}`` becomes the parameter ``store_0`` of slot 0.
    """
    for portion in in_batches(subjects, slots):
        some = [*portion, *[nobody] * (slots - len(portion))]
        named = {f"{name}_{slot}": value for slot, one in enumerate(some) for name, value in one.items()}
        yield from database.rows(query, **named, **common)
