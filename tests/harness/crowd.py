"""So many rows that a server's optimiser chooses for real."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from sandbox.shop import ShopDatabase

SECONDS_APART = 20


def crowd(
    database: ShopDatabase, table: str, rows: int, before: datetime, columns: Mapping[str, str]
) -> None:
    """Insert rows made of SQL expressions over `seq` (1 to `rows`) and `at` (its moment, the last `before`).

    Columns that this version of the shop has not are left out.
    """
    there = {name: sql for name, sql in columns.items() if database.has_column(table, name)}
    if not there:
        return
    made = ", ".join(f"{sql} AS {name}" for name, sql in there.items())
    database.execute(
        f"INSERT INTO {{{table}}} ({', '.join(there)}) SELECT {', '.join(there)} FROM (SELECT {made} FROM"
        f" (SELECT seq, %s - INTERVAL ({rows} - seq) * {SECONDS_APART} SECOND AS at FROM seq_1_to_{rows})"
        " AS past) AS made",
        (before.astimezone(UTC).replace(tzinfo=None),),
    )
