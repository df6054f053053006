"""A shop database of one's own in the shared server, and a user who may read declared columns only."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from exporter.core.query import Connection, Query
from exporter.sources.database import MySQL, Target
from sandbox.servers.mariadb import MariaDB
from sandbox.shop import schema

PASSWORD = "limited"
_MARK = re.compile(r"\{(\w+)\}")


class LimitedShop:
    """Magento's tables of one version under one prefix; `execute` is root's, `source` the limited user's."""

    def __init__(self, server: MariaDB, name: str, *, prefix: str = "", version: str = "2.4.8") -> None:
        self.server = server
        self.name = name
        self.prefix = prefix
        self.user = f"{name}_reader"
        self.version = version
        self._sources: list[MySQL] = []

    def create(self, tables: Iterable[str]) -> None:
        """Create the database with these tables, in the state of the version, and the user."""
        wanted = set(tables)
        self.server.execute(f"CREATE DATABASE `{self.name}`")
        statements = [sql for table, sql in schema.create_statements() if table in wanted]
        changes = schema.change_statements(self.version)
        statements += [sql for sql in changes if schema.table_of(sql) in wanted]
        with self.server.connect(self.name) as connection, connection.cursor() as cursor:
            cursor.execute("SET foreign_key_checks = 0")
            for statement in statements:
                cursor.execute(statement.replace("{prefix}", self.prefix))
        self.server.execute(f"CREATE USER `{self.user}`@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'")

    def drop(self) -> None:
        for source in self._sources:
            source.close()
        self.server.execute(f"DROP USER `{self.user}`@'127.0.0.1'")
        self.server.execute(f"DROP DATABASE `{self.name}`")

    def text(self, statement: str) -> str:
        """Put the physical names in place of `{table}` marks."""
        return _MARK.sub(lambda mark: f"`{self.prefix}{mark[1]}`", statement)

    def execute(self, statement: str, parameters: Sequence[object] = ()) -> tuple[tuple[Any, ...], ...]:
        """Run a statement as root, in UTC and with checks of foreign keys off."""
        with self.server.connect(self.name) as connection, connection.cursor() as cursor:
            cursor.execute("SET time_zone = '+00:00', foreign_key_checks = 0, sql_mode = ''")
            cursor.execute(self.text(statement), parameters or None)
            return tuple(cursor.fetchall())

    def insert(self, table: str, rows: Iterable[Mapping[str, object]]) -> None:
        """Insert rows that all have the same columns."""
        rows = list(rows)
        columns = ", ".join(f"`{column}`" for column in rows[0])
        marks = ", ".join(["%s"] * len(rows[0]))
        with self.server.connect(self.name) as connection, connection.cursor() as cursor:
            cursor.execute("SET time_zone = '+00:00', foreign_key_checks = 0, sql_mode = ''")
            cursor.executemany(
                self.text(f"INSERT INTO {{{table}}} ({columns}) VALUES ({marks})"),
                [tuple(row.values()) for row in rows],
            )

    def grant(self, queries: Iterable[Query], **named: Sequence[str]) -> None:
        """Grant what the queries say they read; `named` gives the tables of a run-time name."""
        columns: dict[str, set[str]] = defaultdict(set)
        for query in queries:
            for mark, read in query.reads.items():
                for table in named.get(mark, (mark,)) if mark in query.named else (mark,):
                    columns[table] |= set(read)
        for table, read in columns.items():
            names = ", ".join(f"`{column}`" for column in sorted(read))
            place = f"`{self.name}`.`{self.prefix}{table}`"
            self.server.execute(f"GRANT SELECT ({names}) ON {place} TO `{self.user}`@'127.0.0.1'")

    def source(self) -> MySQL:
        """Return the exporter's database source, logged in as the limited user."""
        target = Target(
            user=self.user,
            password=lambda: PASSWORD,
            name=self.name,
            host=self.server.host,
            port=self.server.port,
        )
        source = MySQL({Connection.DEFAULT: target}, prefix=self.prefix)
        self._sources.append(source)
        return source

    def explain(self, query: Query, **parameters: object) -> list[dict[str, Any]]:
        """Return the rows of EXPLAIN, the table statistics being fresh."""
        with self.server.connect(self.name) as connection, connection.cursor() as cursor:
            for mark in query.reads:
                table = self.prefix + query.tables.get(mark, mark)
                cursor.execute(f"ANALYZE TABLE `{table}`")
                cursor.fetchall()
            cursor.execute(f"EXPLAIN {query.text(self.prefix)}", parameters)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def rows_read(self, query: Query, **parameters: object) -> int:
        """Run the query and return how many rows and index entries the storage engine was asked for."""
        with self.server.connect(self.name) as connection, connection.cursor() as cursor:
            cursor.execute("FLUSH STATUS")
            cursor.execute(query.text(self.prefix), parameters)
            cursor.fetchall()
            cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
            return sum(int(value) for _, value in cursor.fetchall())


@contextmanager
def limited_shop(
    server: MariaDB, name: str, tables: Iterable[str], *, prefix: str = "", version: str = "2.4.8"
) -> Iterator[LimitedShop]:
    """Make a shop database for the length of a block."""
    shop = LimitedShop(server, name, prefix=prefix, version=version)
    shop.create(tables)
    try:
        yield shop
    finally:
        shop.drop()
