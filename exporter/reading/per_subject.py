"""The same small question about many subjects, in one statement.

"The oldest 100 orders of this store in this state" is a few rows of an index. One
``GROUP BY`` for all stores would read every row. A ``UNION ALL`` of equal parts,
each with its own ``LIMIT``, reads a few rows for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from exporter.core.ports import Database, Row
from exporter.core.query import Connection, Query
from exporter.reading.batches import in_batches

SUBJECTS_A_STATEMENT: Final = 50
"""Parts of one statement: each opens the table once more on the server, so not hundreds."""


class PerSubject:
    """One question about many subjects; declared once, at the top of a collector.

    In ``part``, a SELECT, ``#`` is replaced by the number of the part: ``%(store_#)s``
    is the subject's ``store``. ``nobody`` is a subject without rows. It fills the
    parts that are left over, so that the text of the statement is always the same.
    """

    def __init__(
        self,
        name: str,
        part: str,
        *,
        reads: Mapping[str, tuple[str, ...]],
        nobody: Mapping[str, object],
        parts: int = SUBJECTS_A_STATEMENT,
        index: Mapping[str, tuple[str, ...]] | None = None,
        bounded: str = "",
        connection: Connection = Connection.DEFAULT,
    ) -> None:
        numbered = (f"({part.strip().replace('#', str(number))})" for number in range(parts))
        text = "\nUNION ALL\n".join(numbered)
        self.query = Query(name, text, reads=reads, connection=connection, index=index or {}, bounded=bounded)
        self._nobody = nobody
        self._parts = parts

    def rows(
        self, database: Database, subjects: Sequence[Mapping[str, object]], **common: object
    ) -> Iterator[Row]:
        """Yield the answers about every subject; ``common`` are the parameters that all parts share."""
        for batch in in_batches(subjects, self._parts):
            asked = [*batch, *[self._nobody] * (self._parts - len(batch))]
            named = {
                f"{name}_{number}": value for number, one in enumerate(asked) for name, value in one.items()
            }
            yield from database.rows(self.query, **named, **common)
