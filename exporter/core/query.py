"""A SQL statement as a declaration: its text, and which tables and columns it reads.

The grants of the exporter's database user, the page of query costs and the
``magento-exporter sql`` command are derived from these declarations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from exporter.errors import SpecError

_PLACEHOLDER = re.compile(r"\{([a-z0-9_]+)\}")
_PARAMETER = re.compile(r"%\((\w+)\)s")
_HINT = re.compile(r"[ ]?\{index ([a-z0-9_]+)\}")
_IDENTIFIER = re.compile(r"[A-Za-z0-9_$-]{1,64}")


LOOSE_SCAN: Final = "two or three entries of an index for each store (and state)"
"""A reason for :attr:`Query.bounded`: the server jumps through the index from group to group."""


class Connection(StrEnum):
    """Magento's logical connections (``resource/*_setup/connection`` in env.php).

    They are one database unless the shop was split (Adobe Commerce before 2.4.2).
    """

    DEFAULT = "default"
    CHECKOUT = "checkout"
    SALES = "sales"


@dataclass(frozen=True, slots=True)
class Query:
    """One statement that a collector runs.

    In ``sql`` a table stands in braces: ``{cron_schedule}``; the shop's table
    prefix is put in front of it. ``reads`` maps each such table to the columns
    are read. A table whose name is only known at run time has a placeholder in
    braces, and in ``named`` a pattern for people (``{"changelog": "<view>_cl"}``).
    :meth:`on` fills it in. ``index`` maps a table to the columns with which an index begins;
    ``{index cron_schedule}`` behind the table's name (and alias) makes the server use that index, if the
    shop has it: by stale statistics a table with a million rows has one, and is read as a whole.
    ``bounded`` says what bounds the rows it reads of
    tables that grow, where neither a LIMIT nor a list of ids does.
    """

    name: str
    sql: str
    reads: Mapping[str, tuple[str, ...]]
    connection: Connection = Connection.DEFAULT
    named: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, str] = field(default_factory=dict)
    bounded: str = ""
    index: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        used = set(_PLACEHOLDER.findall(self.sql))
        if used != set(self.reads):
            raise SpecError(
                f"query {self.name}: reads {sorted(self.reads)} but its text names {sorted(used)}"
            )
        if set(_HINT.findall(self.sql)) != set(self.index):
            raise SpecError(f"query {self.name}: its text and its indexes name different tables")
        if not set(self.named) <= used:
            raise SpecError(f"query {self.name}: names {sorted(self.named)} but reads {sorted(used)}")

    def on(self, **tables: str) -> Query:
        """Return this query with run-time table names (without prefix) filled in."""
        for placeholder, table in tables.items():
            if placeholder not in self.named or not _IDENTIFIER.fullmatch(table):
                raise SpecError(f"query {self.name}: {placeholder}={table!r} is not a table it may read")
        return replace(self, tables={**self.tables, **tables})

    @classmethod
    def union(cls, queries: Sequence[Query]) -> Query:
        """Return one statement with the rows of all of them. They are of one kind.

        ``{sequence}`` and ``%(store)s`` of the third one become ``{sequence_2}`` and ``%(store_2)s``.
        """
        numbered = [query._numbered(number) for number, query in enumerate(queries)]  # noqa: SLF001 - its own class
        return replace(
            numbered[0],
            sql="\nUNION ALL\n".join(query.sql for query in numbered),
            reads={table: columns for query in numbered for table, columns in query.reads.items()},
            named={table: meaning for query in numbered for table, meaning in query.named.items()},
            tables={table: name for query in numbered for table, name in query.tables.items()},
            index={table: columns for query in numbered for table, columns in query.index.items()},
        )

    def _numbered(self, number: int) -> Query:
        """Return this query with a number behind its parameters and run-time tables."""

        def table(name: str) -> str:
            return f"{name}_{number}" if name in self.named else name

        return replace(
            self,
            sql=_HINT.sub(
                lambda match: f" {{index {table(match[1])}}}",
                _PLACEHOLDER.sub(
                    lambda match: f"{{{table(match[1])}}}", _PARAMETER.sub(rf"%(\1_{number})s", self.sql)
                ),
            ),
            reads={table(name): columns for name, columns in self.reads.items()},
            named={table(name): meaning for name, meaning in self.named.items()},
            tables={table(placeholder): name for placeholder, name in self.tables.items()},
            index={table(name): columns for name, columns in self.index.items()},
        )

    def text(self, prefix: str = "", indexes: Mapping[str, str] | None = None) -> str:
        """Return the SQL with backquoted, prefixed names; ``indexes`` has names of indexes by table."""

        def hint(match: re.Match[str]) -> str:
            name = (indexes or {}).get(match[1])
            return f" FORCE INDEX (`{name}`)" if name else ""

        def table(match: re.Match[str]) -> str:
            placeholder = match[1]
            if placeholder in self.named:
                return f"`{prefix}{self.tables.get(placeholder, self.named[placeholder])}`"
            return f"`{prefix}{placeholder}`"

        return _PLACEHOLDER.sub(table, _HINT.sub(hint, self.sql)).strip()
