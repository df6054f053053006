"""MariaDB in a private directory: what a shop's `default`, `checkout` and `sales` connections point at."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from sandbox.errors import ServerError
from sandbox.paths import CACHE
from sandbox.process import LOOPBACK, free_port, listens
from sandbox.servers.base import Server, program

SOCKET_PATH_LIMIT = 107
"""Bytes that a Unix socket's path may have (sun_path in unix(7), less the closing zero)."""

FILE_SIZES = ("--innodb-log-file-size=16M", "--innodb-data-file-path=ibdata1:4M:autoextend")
"""Belong to the data directory: the template and every server on a copy of it must agree."""

SMALL_AND_QUICK = (
    "--innodb-buffer-pool-size=192M",
    "--innodb-temp-data-file-path=ibtmp1:4M:autoextend",
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-buffer-pool-load-at-startup=0",
    "--innodb-buffer-pool-dump-at-shutdown=0",
    "--key-buffer-size=1M",
    "--aria-pagecache-buffer-size=8M",
    "--table-open-cache=800",
    "--max-connections=200",
)
"""A SIGKILL loses no committed row with these; only a power cut could."""

SOCKET_ROOT_ONLY = """\
DELETE FROM mysql.global_priv WHERE User = 'root' AND Host <> 'localhost';
DELETE FROM mysql.proxies_priv WHERE Host <> 'localhost';
"""


class MariaDB(Server):
    """MariaDB on 127.0.0.1; `root` has no password and is let in over the Unix socket only.

    `arguments` are appended to mariadbd's command line, e.g. `["--default-time-zone=+02:00"]`.
    """

    name = "mariadb"
    host = LOOPBACK
    user = "root"

    def __init__(
        self, directory: Path, *, arguments: Sequence[str] = (), performance_schema: bool = False
    ) -> None:
        super().__init__(directory)
        self.arguments = tuple(arguments)
        self.performance_schema = performance_schema
        self.port = free_port()
        self.data = self.directory / "data"
        self.socket = self.directory / "mariadb.sock"

    @property
    def url(self) -> str:
        """The server's address, without user and database."""
        return f"mysql://{self.host}:{self.port}"

    def prepare(self) -> None:
        """Give the server a data directory: a copy of the template."""
        if len(os.fsencode(self.socket)) > SOCKET_PATH_LIMIT:
            raise ServerError(f"mariadb: the socket's path is over {SOCKET_PATH_LIMIT} bytes: {self.socket}")
        if not self.data.exists():
            half = self.directory / "data.incomplete"
            shutil.rmtree(half, ignore_errors=True)
            subprocess.run(["cp", "-a", "--sparse=always", self.template(), half], check=True, timeout=60)
            half.rename(self.data)

    def template(self) -> Path:
        """Return a pristine data directory to copy."""
        return kept_template(program("mariadbd"), FILE_SIZES, make_data_directory)

    def usual_options(self) -> Sequence[str]:
        """Return what MariaDB and MySQL are started with alike; no option file of the machine is read."""
        return [
            "--no-defaults",
            *as_root(),
            f"--datadir={self.data}",
            f"--tmpdir={self.directory}",
            f"--socket={self.socket}",
            f"--pid-file={self.directory / f'{self.name}.pid'}",
            f"--port={self.port}",
            f"--bind-address={self.host}",
            "--skip-name-resolve",
            "--character-set-server=utf8mb4",
            f"--performance-schema={'ON' if self.performance_schema else 'OFF'}",
        ]

    def command(self) -> Sequence[str | Path]:
        """Return mariadbd's command line."""
        return [
            program("mariadbd"),
            *self.usual_options(),
            *FILE_SIZES,
            *SMALL_AND_QUICK,
            *self.arguments,
        ]

    def ready(self) -> bool:
        """Tell whether root can log in and ask something."""
        if not listens(self.socket):  # PyMySQL leaks a socket for every refused connection
            return False
        try:
            self.execute("SELECT 1")
        except pymysql.MySQLError:
            return False
        return True

    @contextmanager
    def connect(self, database: str | None = None) -> Iterator["Connection[Cursor]"]:
        """Open an autocommitting connection as root over the socket for the length of a block."""
        with closing(
            pymysql.connect(
                unix_socket=str(self.socket),
                user=self.user,
                database=database,
                autocommit=True,
                connect_timeout=5,
                ssl_disabled=True,  # else PyMySQL loads every certificate of the machine at each connect
            )
        ) as connection:
            yield connection

    def execute(
        self, statement: str, parameters: Sequence[object] = (), *, database: str | None = None
    ) -> tuple[tuple[Any, ...], ...]:
        """Run one statement as root and return its rows."""
        with self.connect(database) as connection, connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return tuple(cursor.fetchall())


COPIES: Final = ("--server-id=1", "--log-bin=binlog")
"""What a server needs that a replica follows."""

REPLICATION_USER: Final = "replica"


class Replica(MariaDB):
    """A MariaDB that follows another one from its first statement on."""

    name = "mariadb-replica"

    def __init__(self, directory: Path) -> None:
        own = ("--server-id=2", "--read-only", "--relay-log=relay", "--innodb-buffer-pool-size=64M")
        super().__init__(directory, arguments=own)

    def follow(self, primary: MariaDB) -> None:
        """Begin to follow a server that was started with `COPIES`."""
        login = f"'{REPLICATION_USER}'@'%%'"
        primary.execute(f"CREATE USER IF NOT EXISTS {login} IDENTIFIED BY %s", [REPLICATION_USER])
        primary.execute(f"GRANT REPLICATION SLAVE ON *.* TO {login.replace('%%', '%')}")
        self.execute(
            "CHANGE MASTER TO MASTER_HOST=%s, MASTER_PORT=%s, MASTER_USER=%s, MASTER_PASSWORD=%s,"
            # On a game day a minute of the default is half an hour.
            " MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=2",
            [primary.host, primary.port, REPLICATION_USER, REPLICATION_USER],
        )
        self.execute("START SLAVE")

    def stop_following(self) -> None:
        """Stop both threads, as somebody does who forgets to start them again."""
        self.execute("STOP SLAVE")

    def go_on(self) -> None:
        """Start both threads."""
        self.execute("START SLAVE")

    def fall_behind(self) -> None:
        """Receive everything and apply nothing of it for an hour."""
        self._delay(3600)

    def catch_up(self) -> None:
        """Apply at once again."""
        self._delay(0)

    def _delay(self, seconds: int) -> None:
        self.execute("STOP SLAVE")
        self.execute(f"CHANGE MASTER TO MASTER_DELAY={seconds}")
        self.execute("START SLAVE")


def as_root() -> list[str]:
    """Return what mariadbd wants to hear before it runs as root; other users need not say it."""
    return ["--user=root"] if os.geteuid() == 0 else []


def kept_template(server: str, sizes: Sequence[str], make: Callable[[Path], None]) -> Path:
    """Return a pristine data directory to copy, made once for this version of the server and these sizes."""
    version = subprocess.run([server, "--version"], capture_output=True, check=True, timeout=60).stdout
    key = sha256(repr((version, tuple(sizes), SOCKET_ROOT_ONLY)).encode()).hexdigest()[:12]
    finished = CACHE / f"mariadb-{key}"
    if not finished.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        half = Path(tempfile.mkdtemp(prefix="mariadb-", suffix=".incomplete", dir=CACHE))
        make(half)
        try:
            half.rename(finished)
        except OSError:  # somebody else was quicker, and theirs is as good
            shutil.rmtree(half)
    return finished


def make_data_directory(directory: Path) -> None:
    """Fill an empty directory with the system tables; root may come in over the socket only."""
    common = ["--no-defaults", *as_root(), f"--datadir={directory}", *FILE_SIZES]
    install = [
        program("mariadb-install-db"),
        *common,
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
    ]
    run_to_end([*install, "--skip-name-resolve"])
    run_to_end([program("mariadbd"), *common, "--bootstrap"], statements=SOCKET_ROOT_ONLY)


def run_to_end(command: list[str], *, statements: str = "") -> None:
    """Run a program of MariaDB's to its end; raise with its last words when it fails."""
    outcome = subprocess.run(
        command,
        input=statements,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
    )
    if outcome.returncode:
        # The installer goes on for a page about whom to ask after it has said what is wrong.
        lines = outcome.stdout.splitlines()
        wrong = "\n".join([line for line in lines if "ERROR" in line] or lines[-20:])
        raise ServerError(f"{Path(command[0]).name} ended with {outcome.returncode}\n{wrong}")
