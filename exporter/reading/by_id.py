"""A table with ascending ids, and its rows in that order."""

from __future__ import annotations

from collections.abc import Sequence

from exporter.core.ports import Database, Row
from exporter.core.query import Connection, Query


class ById:
    """The declaration of what is read of one table: its newest id, and the rows above an id.

    ``columns`` are those that are read besides ``key``; ``select`` says how, if not
    just by name. A row has the key as ``id``.
    """

    def __init__(
        self,
        name: str,
        table: str,
        *,
        key: str = "entity_id",
        columns: Sequence[str],
        select: str = "",
        connection: Connection = Connection.DEFAULT,
    ) -> None:
        chosen = select or ", ".join(columns)
        self.newest = newest(name, table, key, connection)
        self.above = Query(
            f"{name}_new",
            f"""
            SELECT {key} AS id, {chosen}
            FROM {{{table}}} {{index {table}}}
            WHERE {key} > %(after)s
            ORDER BY {key}
            LIMIT %(limit)s
            """,
            reads={table: (key, *columns)},
            connection=connection,
            index={table: (key,)},
        )

    @property
    def queries(self) -> tuple[Query, ...]:
        """The statements, for the collector's declaration."""
        return self.newest, self.above

    def newest_id(self, database: Database) -> int:
        """Return the largest id, 0 for an empty table."""
        return newest_id(database, self.newest)

    def rows(self, database: Database, *, after: int, limit: int) -> Sequence[Row]:
        """Return the rows above an id, in ascending order."""
        return database.rows(self.above, after=after, limit=limit)

    def latest(self, database: Database, number: int) -> Sequence[Row]:
        """Return the rows whose ids are among the ``number`` largest possible ones."""
        return self.rows(database, after=max(0, self.newest_id(database) - number), limit=number)


def newest(name: str, table: str, key: str, connection: Connection) -> Query:
    """Return the statement that reads the largest id: one look at the end of the primary key."""
    return Query(
        f"{name}_newest",
        f"SELECT MAX({key}) AS id FROM {{{table}}}",
        reads={table: (key,)},
        connection=connection,
    )


def newest_id(database: Database, query: Query) -> int:
    """Return what :func:`newest` finds, 0 for an empty table."""
    return int(database.rows(query)[0]["id"] or 0)
