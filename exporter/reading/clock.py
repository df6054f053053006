"""The database's clock, which wrote the times in its rows; the exporter's may differ."""

from __future__ import annotations

from exporter.core.ports import Database
from exporter.core.query import Connection, Query


class DatabaseClock:
    """The clock of one of the shop's databases; declared once, at the top of a collector."""

    def __init__(self, name: str, *, connection: Connection) -> None:
        self.query = Query(name, "SELECT UNIX_TIMESTAMP() AS now", reads={}, connection=connection)

    def read(self, database: Database) -> int:
        """Return the Unix time."""
        return int(database.rows(self.query)[0]["now"])
