"""Settings of the default scope, most of them yes or no, as Magento sees them.

Read from ``core_config_data``. A value that is locked by env.php or by a
``CONFIG__`` variable wins over the database; a setting that is nowhere is off,
which is Magento's own default for those that are asked here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from exporter.core.ports import Database, Locked
from exporter.core.query import Query


@dataclass(frozen=True, slots=True)
class Flag:
    """One setting, and the statement that reads it."""

    path: str
    query: Query

    @classmethod
    def at(cls, path: str, *, query: str) -> Self:
        """Return the flag at a path of the system configuration; ``query`` names its statement."""
        return cls(
            path,
            Query(
                query,
                f"""
                SELECT value FROM {{core_config_data}}
                WHERE scope = 'default' AND scope_id = 0 AND path = '{path}'
                """,
                reads={"core_config_data": ("scope", "scope_id", "path", "value")},
            ),
        )

    def value(self, database: Database, locked: Locked) -> str:
        """Return the value, empty if there is none; the database is not asked about what is locked."""
        value = locked("default", "", self.path)
        if value is None:
            rows = database.rows(self.query)
            value = rows[0]["value"] if rows else None
        return "" if value is None else str(value)

    def is_on(self, database: Database, locked: Locked) -> bool:
        """Return whether it is set."""
        return self.value(database, locked) not in ("", "0")
