"""A connection to a shop's database that knows the table prefix and, in a split shop, each table's schema."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from pymysql.connections import Connection
from pymysql.cursors import Cursor

from sandbox.shop import schema

_NAME = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Split:
    """The schemas of a shop with split databases: carts in one, orders in another."""

    checkout: str
    sales: str


class ShopDatabase:
    """SQL with `{table}` marks, run in UTC and with Magento's empty sql_mode.

    The connection must be autocommitting; `transaction` groups statements. Not for use by two threads.
    With `now` the clock stands still: for the builders, for defaults and for triggers.
    """

    def __init__(
        self,
        connection: "Connection[Cursor]",
        *,
        prefix: str = "",
        split: Split | None = None,
        now: datetime | None = None,
    ) -> None:
        self.connection = connection
        self.prefix = prefix
        self.split = split
        self._in_transaction = False
        self._now: datetime | None = None
        self.execute("SET time_zone = '+00:00', sql_mode = ''")
        if now is not None:
            self.set_clock(now)

    def set_clock(self, now: datetime) -> None:
        """Let the clock stand at a moment."""
        self._now = now
        self.execute("SET timestamp = %s", (now.timestamp(),))

    def moment(self, at: datetime | None = None) -> datetime:
        """Return a moment (default: now) as naive UTC, in the whole seconds of Magento's columns."""
        moment = at or self._now or datetime.now(UTC)
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
        return moment.replace(microsecond=0)

    @cached_property
    def _connections(self) -> Mapping[str, str]:
        return schema.connections()

    def table(self, name: str) -> str:
        """Return the quoted physical name, with the schema in front where the shop is split."""
        physical = f"`{self.prefix}{name}`"
        if self.split is None:
            return physical
        logical = "sales" if name.startswith("sequence_") else self._connections.get(name, "default")
        where = {"checkout": self.split.checkout, "sales": self.split.sales}.get(logical)
        return f"`{where}`.{physical}" if where else physical

    def sql(self, statement: str) -> str:
        """Put the physical names in place of `{table}` marks."""
        return _NAME.sub(lambda mark: self.table(mark[1]), statement)

    def execute(self, statement: str, parameters: Sequence[object] | None = None) -> int:
        """Run a statement and return the number of rows it changed."""
        with self.connection.cursor() as cursor:
            return cursor.execute(self.sql(statement), parameters)

    def rows(self, statement: str, parameters: Sequence[object] | None = None) -> list[tuple[Any, ...]]:
        """Run a query and return all rows."""
        with self.connection.cursor() as cursor:
            cursor.execute(self.sql(statement), parameters)
            return list(cursor.fetchall())

    def row(self, statement: str, parameters: Sequence[object] | None = None) -> tuple[Any, ...]:
        """Run a query and return its first row; LookupError when there is none."""
        found = self.rows(statement, parameters)
        if not found:
            raise LookupError(f"no row: {statement} {parameters}")
        return found[0]

    def value(self, statement: str, parameters: Sequence[object] | None = None) -> Any:
        """Run a query and return the first column of its first row; LookupError when there is none."""
        return self.row(statement, parameters)[0]

    def insert(self, table: str, /, **values: object) -> int:
        """Insert one row and return its auto-increment id (0 where the table has none)."""
        columns = ", ".join(f"`{name}`" for name in values)
        marks = ", ".join(["%s"] * len(values))
        with self.connection.cursor() as cursor:
            cursor.execute(
                self.sql(f"INSERT INTO {{{table}}} ({columns}) VALUES ({marks})"), tuple(values.values())
            )
            return int(cursor.lastrowid or 0)

    def insert_many(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Insert rows with as few statements as the packet size allows."""
        if rows:
            names = ", ".join(f"`{name}`" for name in columns)
            marks = ", ".join(["%s"] * len(columns))
            with self.connection.cursor() as cursor:
                cursor.executemany(
                    self.sql(f"INSERT INTO {{{table}}} ({names}) VALUES ({marks})"), list(rows)
                )

    def update(self, table: str, key: Mapping[str, object], /, **values: object) -> int:
        """Change the rows whose columns equal `key`; returns how many."""
        assignments = ", ".join(f"`{name}` = %s" for name in values)
        conditions = " AND ".join(f"`{name}` = %s" for name in key)
        return self.execute(
            f"UPDATE {{{table}}} SET {assignments} WHERE {conditions}", (*values.values(), *key.values())
        )

    def has_table(self, name: str) -> bool:
        """Tell whether the table is there (older versions lack some)."""
        return bool(self.columns(name))

    def has_column(self, table: str, column: str) -> bool:
        """Tell whether the table has the column."""
        return column in self.columns(table)

    def column_type(self, table: str, column: str) -> str:
        """Return a column's type as the server has it."""
        *schema_name, name = self.table(table).replace("`", "").split(".")
        return str(
            self.value(
                "SELECT column_type FROM information_schema.columns"
                " WHERE table_schema = COALESCE(%s, DATABASE()) AND table_name = %s AND column_name = %s",
                (schema_name[0] if schema_name else None, name, column),
            )
        )

    @cached_property
    def _known_columns(self) -> dict[str, frozenset[str]]:
        return {}

    def columns(self, name: str) -> frozenset[str]:
        """Return the table's columns; none where there is no such table. Read once."""
        if name not in self._known_columns:
            *schema_name, table = self.table(name).replace("`", "").split(".")
            self._known_columns[name] = frozenset(
                row[0]
                for row in self.rows(
                    "SELECT column_name FROM information_schema.columns"
                    " WHERE table_schema = COALESCE(%s, DATABASE()) AND table_name = %s",
                    (schema_name[0] if schema_name else None, table),
                )
            )
        return self._known_columns[name]

    def take_lock(self, name: str) -> None:
        """Take a named lock as Magento's lock provider `db` does; it ends with the connection."""
        self.execute("DO GET_LOCK(CONCAT(DATABASE(), '|', %s), 5)", (name,))

    def release_lock(self, name: str) -> None:
        """Let go of a named lock."""
        self.execute("DO RELEASE_LOCK(CONCAT(DATABASE(), '|', %s))", (name,))

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Hold a named lock for the length of a block."""
        self.take_lock(name)
        try:
            yield
        finally:
            self.release_lock(name)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Group statements; a block inside another joins it, and the outermost commits or rolls back."""
        if self._in_transaction:
            yield
            return
        self.connection.begin()
        self._in_transaction = True
        try:
            yield
        except BaseException:
            self._in_transaction = False
            self.connection.rollback()
            raise
        self._in_transaction = False
        self.connection.commit()
