"""MySQL in the place of MariaDB: Debian's stable release has none, so tests run it from another suite.

The tests are written in MariaDB's SQL. What MySQL says otherwise is translated on the way.
"""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from sandbox.servers.base import program
from sandbox.servers.mariadb import MariaDB, as_root, kept_template, run_to_end

CHOICE: Final = "SANDBOX_DATABASE"
"""The environment variable that says ``mysql`` where tests shall run on MySQL."""

ON_MYSQL: Final = os.environ.get(CHOICE) == "mysql"

FILE_SIZES: Final = ("--innodb-redo-log-capacity=32M", "--innodb-data-file-path=ibdata1:12M:autoextend")

SMALL_AND_QUICK: Final = (
    "--innodb-buffer-pool-size=192M",
    "--innodb-flush-method=nosync",  # else a shop's 200 tables take minutes to create
    "--skip-innodb-doublewrite",
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-buffer-pool-load-at-startup=0",
    "--innodb-buffer-pool-dump-at-shutdown=0",
    "--table-open-cache=800",
    "--max-connections=200",
    "--skip-log-bin",
    "--mysqlx=OFF",
    "--secure-file-priv=",
    "--explain-format=TRADITIONAL",
    "--cte-max-recursion-depth=100000000",
)

_SEQUENCE: Final = re.compile(r"`?seq_(\d+)_to_(\d+)`?")
_KILL_USER: Final = re.compile(r"KILL USER '?(\w+)'?")
_SET_PASSWORD: Final = re.compile(r"SET PASSWORD FOR (\S+) = PASSWORD\(('.*')\)")


def in_mysql(statement: str) -> str:
    """Return a statement as MySQL wants it: a sequence's table is made on the spot, and so on."""
    statement = _SET_PASSWORD.sub(r"ALTER USER \1 IDENTIFIED BY \2", statement)
    return _SEQUENCE.sub(
        r"(WITH RECURSIVE counted (seq) AS (SELECT \1 UNION ALL SELECT seq + 1 FROM counted WHERE seq < \2)"
        r" SELECT seq FROM counted) AS numbers",
        statement,
    )


class InMySQL(Cursor):
    """Translates what it is given."""

    def execute(self, query: Any, args: object = None) -> int:
        """Run a statement in MySQL's words; the parts of `executemany` come as bytes, and need none."""
        if not isinstance(query, str):
            return super().execute(query, args)
        return super().execute(in_mysql(self.mogrify(query, args)))


class MySQL(MariaDB):
    """MySQL on 127.0.0.1, to be used like MariaDB."""

    name = "mysql"

    def template(self) -> Path:
        """Return a pristine data directory to copy."""
        return kept_template(program("mysqld"), FILE_SIZES, make_data_directory)

    def command(self) -> Sequence[str | Path]:
        """Return mysqld's command line."""
        return [
            program("mysqld"),
            *self.usual_options(),
            *FILE_SIZES,
            *SMALL_AND_QUICK,
            *self.arguments,
        ]

    @contextmanager
    def connect(self, database: str | None = None) -> Iterator["Connection[Any]"]:
        """Open an autocommitting connection as root over the socket for the length of a block."""
        with closing(
            pymysql.connect(
                unix_socket=str(self.socket),
                user=self.user,
                database=database,
                autocommit=True,
                connect_timeout=5,
                ssl_disabled=True,
                cursorclass=InMySQL,
            )
        ) as connection:
            yield connection

    def execute(
        self, statement: str, parameters: Sequence[object] = (), *, database: str | None = None
    ) -> tuple[tuple[Any, ...], ...]:
        """Run one statement as root and return its rows."""
        if found := _KILL_USER.fullmatch(statement):
            listing = "SELECT id FROM information_schema.processlist WHERE user = %s"
            for (number,) in super().execute(listing, (found[1],)):
                super().execute(f"KILL {number}")
            return ()
        return super().execute(statement, parameters, database=database)


def make_data_directory(directory: Path) -> None:
    """Fill an empty directory with the system tables."""
    run_to_end(
        [program("mysqld"), "--no-defaults", *as_root(), f"--datadir={directory}", *FILE_SIZES,
         "--secure-file-priv=", "--initialize-insecure"]
    )  # fmt: skip


def shop_database(directory: Path, **options: Any) -> MariaDB:
    """Return the database server that the environment asks for; MariaDB unless it says ``mysql``."""
    return (MySQL if ON_MYSQL else MariaDB)(directory, **options)
