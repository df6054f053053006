"""What each fault does to each source: how it is made, what must be said, or why it makes no sense."""

from __future__ import annotations

import logging
import os
import resource
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pymysql

from sandbox.servers.base import Server
from tests.harness.shop import PASSWORD
from tests.system.fault_matrix.proxy import Mode
from tests.system.fault_matrix.world import SECRET, World

SOURCES: Final = (
    "database",
    "redis cache",
    "redis page_cache",
    "redis session",
    "sentinel",
    "rabbitmq",
    "varnish",
    "files",
    "state file",
    "web configuration",
)
FAULTS: Final = (
    "refused",
    "black-holed",
    "frozen",
    "trickle",
    "reset in mid-answer",
    "wrong protocol",
    "wrong password",
    "certificate expired",
    "fail-over",
    "too many connections",
    "user's connection limit",
    "read-only",
    "disk full",
    "permission before content",
    "permission after content",
    "clock back",
    "clock forward",
    "DNS change",
    "descriptors exhausted",
    "kill -9",
    "two exporters",
)

Break = Callable[[World], AbstractContextManager[None]]
DAY: Final = 86400.0
UNAVAILABLE: Final = frozenset({"unavailable"})
LATE: Final = frozenset({"unavailable", "timeout"})
DENIED: Final = frozenset({"denied"})


@dataclass(frozen=True)
class Fails:
    """Every collector of the source fails for one of these reasons; a line says what the pattern says.

    ``up`` is the source's value in magento_source_up. Where ``alone`` is false the fault is of the whole
    machine, and others may suffer; where ``every`` is, some collectors go on. With ``buys`` a customer
    buys meanwhile: the order must be counted afterwards, once.
    """

    make: Break
    reasons: frozenset[str]
    says: str
    up: bool = False
    alone: bool = True
    every: bool = True
    buys: bool = False


@dataclass(frozen=True)
class RoleDown:
    """One role of Redis is down, the others are not, and the collector works."""

    make: Break
    says: str
    alone: bool = True


@dataclass(frozen=True)
class Unharmed:
    """The exporter goes on as if nothing were: no failure, no line. Not ``alone``: others may suffer."""

    make: Break
    alone: bool = True


@dataclass(frozen=True)
class Elsewhere:
    """Shown by a test of its own, as ``file::test``."""

    test: str


@dataclass(frozen=True)
class NoSense:
    """There is no such fault of this source."""

    why: str


Cell = Fails | RoleDown | Unharmed | Elsewhere | NoSense


# --- how it is made --------------------------------------------------------------------------------


def through(proxy: str, mode: Mode) -> Break:
    """Let a proxy do it."""

    @contextmanager
    def broken(world: World) -> Iterator[None]:
        world.proxy(proxy, mode)
        try:
            yield
        finally:
            world.proxy(proxy, Mode.PASS)

    return broken


def frozen(server: Callable[[World], Server]) -> Break:
    """Stop the processes of a server (SIGSTOP)."""

    @contextmanager
    def broken(world: World) -> Iterator[None]:
        server(world).pause()
        try:
            yield
        finally:
            server(world).resume()

    return broken


def killed(server: Callable[[World], Server]) -> Break:
    """Kill a server (SIGKILL); it comes back on the same port."""

    @contextmanager
    def broken(world: World) -> Iterator[None]:
        server(world).kill()
        try:
            yield
        finally:
            server(world).start()
            world.reconnect()

    return broken


def clock_moved(seconds: float) -> Break:
    """Let the exporter's clock jump, and back."""

    @contextmanager
    def broken(world: World) -> Iterator[None]:
        world.set_clock(lambda: time.time() + seconds)
        try:
            yield
        finally:
            world.set_clock(time.time)

    return broken


def moved(proxy: str) -> Break:
    """Let the name lead to another address, where the server is now; nobody is at the old one."""

    @contextmanager
    def broken(world: World) -> Iterator[None]:
        old, name = world.proxies[proxy], f"{proxy}.shop.test"
        new = world.everything.before(old.target, host="127.0.0.2", at=old.port)
        world.proxies[proxy], world.names[name] = new, "127.0.0.2"
        old.set(Mode.REFUSE)
        try:
            yield
        finally:
            world.proxies[proxy], world.names[name] = old, "127.0.0.1"
            old.set(Mode.PASS)
            new.set(Mode.REFUSE)

    return broken


def exhausted(*proxies: str) -> Break:
    """Let no descriptor be free, and every connection be lost."""

    @contextmanager
    def broken(world: World) -> Iterator[None]:
        for proxy in proxies:
            world.proxy(proxy, Mode.REFUSE)
        # The proxies, which are in this process as well, write thousands of lines about it.
        logging.getLogger("asyncio").disabled = True
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        taken: list[int] = []
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        try:
            while True:
                try:
                    taken.append(os.open("/dev/null", os.O_RDONLY))
                except OSError:
                    break
            yield
        finally:
            for descriptor in taken:
                os.close(descriptor)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            logging.getLogger("asyncio").disabled = False
            for proxy in proxies:
                world.proxies[proxy].set(Mode.PASS)

    return broken


@contextmanager
def password_changed(world: World) -> Iterator[None]:
    """Give the database's user another password, and end its sessions."""
    world.database.execute(f"ALTER USER {world.user} IDENTIFIED BY 'another'")
    world.kill_logins()
    try:
        yield
    finally:
        world.database.execute(f"ALTER USER {world.user} IDENTIFIED BY '{PASSWORD}'")


@contextmanager
def rights_revoked(world: World) -> Iterator[None]:
    """Take what the database's user may read, though not its login."""
    grants = [row[0] for row in world.database.execute(f"SHOW GRANTS FOR {world.user}")]
    world.database.execute(f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {world.user}")
    world.database.execute(f"GRANT SELECT (website_id) ON `{world.shop.name}`.store_website TO {world.user}")
    try:
        yield
    finally:
        for grant in grants:
            world.database.execute(grant)


@contextmanager
def server_full(world: World) -> Iterator[None]:
    """Let others hold every connection of the database server."""
    (before,) = world.database.execute("SELECT @@max_connections")[0]
    world.database.execute("CREATE USER crowd@'%' IDENTIFIED BY 'crowd'")
    world.database.execute("SET GLOBAL max_connections = 10")
    world.kill_logins()
    with ExitStack() as undo:
        undo.callback(world.database.execute, "DROP USER crowd@'%'")
        undo.callback(world.shop.database.execute, f"SET GLOBAL max_connections = {before}")
        hold_all(world, undo, "crowd", "crowd")
        yield


@contextmanager
def user_full(world: World) -> Iterator[None]:
    """Let somebody else hold every connection that the user may have."""
    world.database.execute(f"ALTER USER {world.user} WITH MAX_USER_CONNECTIONS 2")
    world.kill_logins()
    with ExitStack() as undo:
        undo.callback(world.database.execute, f"ALTER USER {world.user} WITH MAX_USER_CONNECTIONS 0")
        hold_all(world, undo, world.user, PASSWORD)
        yield


def hold_all(world: World, undo: ExitStack, user: str, password: str) -> None:
    """Log in until the server refuses."""
    for _ in range(200):
        try:
            held = pymysql.connect(
                host=world.database.host,
                port=world.database.port,
                user=user,
                password=password,
                ssl_disabled=True,
            )
        except pymysql.err.OperationalError:
            return
        undo.callback(held.close)
    raise AssertionError("the server refuses nobody")


@contextmanager
def database_read_only(world: World) -> Iterator[None]:
    """Let nobody write."""
    world.database.execute("SET GLOBAL read_only = 1")
    try:
        yield
    finally:
        world.database.execute("SET GLOBAL read_only = 0")


@contextmanager
def database_failed_over(world: World) -> Iterator[None]:
    """Let a replica that has everything take over; nothing is at the old address until it comes back."""
    proxy, old = world.proxies["database"], world.database.port
    with world.replica_of_the_database() as port:
        proxy.target = port
        proxy.cut()
        try:
            yield
        finally:
            proxy.target = old
            proxy.cut()


def redis_set(role: str, name: str, value: str) -> Break:
    """Change a setting of a Redis, end its clients' connections, and put it back."""

    @contextmanager
    def broken(world: World) -> Iterator[None]:
        with world.redis[role].client() as admin:
            before = admin.config_get(name)[name]
            admin.config_set(name, value)
            world.cut(role)
            try:
                yield
            finally:
                admin.config_set(name, before)

    return broken


def redis_right_taken(role: str) -> Break:
    """Forbid INFO to the login."""

    @contextmanager
    def broken(world: World) -> Iterator[None]:
        with world.redis[role].client() as admin:
            admin.execute_command("ACL", "SETUSER", "default", "-info")
            try:
                yield
            finally:
                admin.execute_command("ACL", "SETUSER", "default", "+@all")

    return broken


@contextmanager
def sentinel_locked(world: World) -> Iterator[None]:
    """Let the Sentinel want a password."""
    with world.sentinel.client() as admin:
        admin.execute_command("ACL", "SETUSER", "default", "resetpass", ">another")
        world.proxies["sentinel"].cut()
        try:
            yield
        finally:
            admin.execute_command("ACL", "SETUSER", "default", "nopass")


@contextmanager
def watcher_password_changed(world: World) -> Iterator[None]:
    """Give RabbitMQ's user another password."""
    world.rabbitmq.declare_user("watcher", "another", tags="monitoring", vhost="/")
    try:
        yield
    finally:
        world.rabbitmq.declare_user("watcher", SECRET, tags="monitoring", vhost="/")


@contextmanager
def watcher_tag_taken(world: World) -> Iterator[None]:
    """Take the tag without which nobody may use the management API."""
    world.rabbitmq.declare_user("watcher", SECRET, tags="", vhost="/")
    try:
        yield
    finally:
        world.rabbitmq.declare_user("watcher", SECRET, tags="monitoring", vhost="/")


@contextmanager
def broker_disk_full(world: World) -> Iterator[None]:
    """Raise the disk alarm."""
    world.rabbitmq.control("set_disk_free_limit", "900000GB")
    try:
        yield
    finally:
        world.rabbitmq.control("set_disk_free_limit", "50MB")


@contextmanager
def directory_gone(world: World) -> Iterator[None]:
    """Let the shop's directory not be there, as when a mount is lost."""
    root = world.home / "root"
    away = root.rename(world.home / "away")
    try:
        yield
    finally:
        away.rename(root)


def instead_of(path: str, put: Callable[[Path], None]) -> Break:
    """Put something else where a file of the shop's is."""

    @contextmanager
    def broken(world: World) -> Iterator[None]:
        file = world.home / "root" / path
        content = file.read_bytes()
        file.unlink()
        put(file)
        try:
            yield
        finally:
            file.unlink()
            file.write_bytes(content)

    return broken


def unreadable_lock(file: Path) -> None:
    """Write what is no JSON."""
    file.write_text("<<<<<<< HEAD")


@contextmanager
def state_disk_full(world: World) -> Iterator[None]:
    """Fill the file system that the state file is on."""
    world.empty_the_journal()  # SQLite writes over the old one without asking for room
    ballast = world.state.parent / "ballast"
    with ballast.open("wb", buffering=0) as file:  # else the last block would fail again at the end
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            pass
    try:
        yield
    finally:
        ballast.unlink()


# --- the table -------------------------------------------------------------------------------------

LOCAL: Final = NoSense("varnishstat reads shared memory on this machine; there is no connection and no login")
NO_NETWORK: Final = NoSense("a local file")
READS_ONLY: Final = NoSense("the exporter writes nothing there, and the answer needs no disk")
NO_CONTENT: Final = NoSense("rights come without content; losing one is 'permission after content'")
BEHIND_SENTINEL: Final = NoSense("the Sentinel names an address; its own name is the Sentinel's cell")
CERTIFICATES: Final = Elsewhere("tests/system/fault_matrix/test_certificates.py::test_an_expired_certificate")
PERMISSIONS: Final = Elsewhere("tests/system/fault_matrix/test_permissions.py")
STATE_AT_START: Final = Elsewhere(
    "tests/system/fault_matrix/test_permissions.py::test_a_read_only_state_file_is_one_line"
)
TWO: Final = Elsewhere("tests/system/fault_matrix/test_cells.py::test_two_exporters_on_one_user")
FOUND_BY_PORT: Final = (
    r"cannot reach|cannot be reached|did not answer|connection was lost|no result|no answer in time"
)


def _database() -> dict[str, Cell]:
    def network(mode: Mode, reasons: frozenset[str], says: str = FOUND_BY_PORT) -> Fails:
        return Fails(through("database", mode), reasons, says, buys=True)

    return {
        "refused": network(Mode.REFUSE, UNAVAILABLE),
        "black-holed": network(Mode.BLACK_HOLE, LATE),
        "frozen": Fails(frozen(lambda world: world.database), LATE, FOUND_BY_PORT),
        "trickle": network(Mode.TRICKLE, LATE),
        "reset in mid-answer": network(Mode.RESET, UNAVAILABLE),
        "wrong protocol": Fails(
            through("database", Mode.FOREIGN),
            frozenset({"bad_data"}),
            "MySQL's protocol",
            up=True,
        ),
        "wrong password": Fails(password_changed, DENIED, "1045: the user or the password is wrong", up=True),
        "certificate expired": CERTIFICATES,
        "fail-over": Unharmed(database_failed_over),
        "too many connections": Fails(server_full, UNAVAILABLE, "1040: the server has too many connections"),
        "user's connection limit": Fails(
            user_full, frozenset({"limited"}), "1226: the user has used up what its account", up=True
        ),
        "read-only": Unharmed(database_read_only),
        "disk full": READS_ONLY,
        "permission before content": NO_CONTENT,
        "permission after content": Fails(rights_revoked, DENIED, "may not", up=True, every=False),
        "clock back": Unharmed(clock_moved(-DAY)),
        "clock forward": Unharmed(clock_moved(DAY)),
        "DNS change": Unharmed(moved("database")),
        "descriptors exhausted": Fails(exhausted("database"), UNAVAILABLE, FOUND_BY_PORT, alone=False),
        "kill -9": Fails(killed(lambda world: world.database), UNAVAILABLE, FOUND_BY_PORT),
        "two exporters": TWO,
    }


def _redis(role: str) -> dict[str, Cell]:
    def network(mode: Mode, says: str = f"{role}.*({FOUND_BY_PORT})") -> RoleDown:
        return RoleDown(through(role, mode), says)

    session = role == "session"
    return {
        "refused": network(Mode.REFUSE),
        "black-holed": network(Mode.BLACK_HOLE),
        "frozen": RoleDown(frozen(lambda world: world.redis[role]), f"{role}.*did not answer"),
        "trickle": Fails(through(role, Mode.TRICKLE), LATE, FOUND_BY_PORT),
        "reset in mid-answer": network(Mode.RESET),
        "wrong protocol": network(Mode.FOREIGN, f"{role}.*InvalidResponse"),
        "wrong password": RoleDown(redis_set(role, "requirepass", "another"), f"{role}.*refused the login"),
        "certificate expired": CERTIFICATES,
        "fail-over": (
            Elsewhere(
                "tests/exporter/sources/test_redis_sentinel.py::test_after_a_failover_the_new_primary_is_asked"
            )
            if session
            else NoSense("without a Sentinel a fail-over is a change of the name's address: 'DNS change'")
        ),
        "too many connections": RoleDown(redis_set(role, "maxclients", "1"), f"{role}.*too many clients"),
        "user's connection limit": NoSense("Redis limits no user's connections"),
        "read-only": Unharmed(redis_set(role, "min-replicas-to-write", "5")),
        "disk full": READS_ONLY,
        "permission before content": NO_CONTENT,
        "permission after content": RoleDown(redis_right_taken(role), f"{role}.*INFO"),
        "clock back": Unharmed(clock_moved(-DAY)),
        "clock forward": Unharmed(clock_moved(DAY)),
        "DNS change": BEHIND_SENTINEL if session else Unharmed(moved(role)),
        "descriptors exhausted": Fails(
            exhausted("cache", "page_cache", "session", "sentinel"), UNAVAILABLE, FOUND_BY_PORT, alone=False
        ),
        "kill -9": RoleDown(killed(lambda world: world.redis[role]), f"{role}.*cannot reach"),
        "two exporters": TWO,
    }


def _sentinel() -> dict[str, Cell]:
    def network(mode: Mode, says: str = f"cannot reach the Sentinel|Sentinel.*({FOUND_BY_PORT})") -> RoleDown:
        return RoleDown(through("sentinel", mode), says)

    return {
        "refused": network(Mode.REFUSE),
        "black-holed": network(Mode.BLACK_HOLE),
        "frozen": RoleDown(frozen(lambda world: world.sentinel), "Sentinel.*did not answer"),
        "trickle": Fails(through("sentinel", Mode.TRICKLE), LATE, FOUND_BY_PORT),
        "reset in mid-answer": network(Mode.RESET),
        "wrong protocol": network(Mode.FOREIGN, "Sentinel.*InvalidResponse"),
        "wrong password": RoleDown(sentinel_locked, "Sentinel.*refused the login"),
        "certificate expired": CERTIFICATES,
        "fail-over": NoSense("several Sentinels are asked in turn: test_redis_sentinel.py"),
        "too many connections": NoSense("a Sentinel limits its clients as Redis does, by the same code"),
        "user's connection limit": NoSense("Redis limits no user's connections"),
        "read-only": READS_ONLY,
        "disk full": READS_ONLY,
        "permission before content": NO_CONTENT,
        "permission after content": NoSense("a Sentinel's rights are Redis' ACL, by the same code"),
        "clock back": Unharmed(clock_moved(-DAY)),
        "clock forward": Unharmed(clock_moved(DAY)),
        "DNS change": Unharmed(moved("sentinel")),
        "descriptors exhausted": NoSense("the same cell as Redis'"),
        "kill -9": RoleDown(killed(lambda world: world.sentinel), "cannot reach the Sentinel"),
        "two exporters": TWO,
    }


def _rabbitmq() -> dict[str, Cell]:
    def network(mode: Mode, reasons: frozenset[str], says: str = FOUND_BY_PORT) -> Fails:
        return Fails(through("rabbitmq", mode), reasons, says)

    return {
        "refused": network(Mode.REFUSE, UNAVAILABLE),
        "black-holed": network(Mode.BLACK_HOLE, LATE),
        "frozen": Fails(frozen(lambda world: world.rabbitmq), LATE, FOUND_BY_PORT),
        "trickle": network(Mode.TRICKLE, LATE),
        "reset in mid-answer": network(Mode.RESET, UNAVAILABLE),
        "wrong protocol": network(Mode.FOREIGN, LATE),
        "wrong password": Fails(watcher_password_changed, DENIED, "RabbitMQ refused the login", up=True),
        "certificate expired": CERTIFICATES,
        "fail-over": NoSense("any node answers for the cluster; one that goes is 'refused'"),
        "too many connections": NoSense("the management API has no such limit"),
        "user's connection limit": NoSense("RabbitMQ's limit for a user counts AMQP connections"),
        "read-only": READS_ONLY,
        "disk full": Unharmed(broker_disk_full),
        "permission before content": NO_CONTENT,
        "permission after content": Fails(watcher_tag_taken, DENIED, "RabbitMQ", up=True),
        "clock back": Unharmed(clock_moved(-DAY)),
        "clock forward": Unharmed(clock_moved(DAY)),
        "DNS change": Unharmed(moved("rabbitmq")),
        "descriptors exhausted": Fails(exhausted("rabbitmq"), UNAVAILABLE, FOUND_BY_PORT, alone=False),
        "kill -9": Fails(killed(lambda world: world.rabbitmq), UNAVAILABLE, FOUND_BY_PORT),
        "two exporters": TWO,
    }


def _varnish() -> dict[str, Cell]:
    local = dict.fromkeys(
        ("refused", "black-holed", "trickle", "reset in mid-answer", "wrong protocol", "wrong password",
         "certificate expired", "fail-over", "too many connections", "user's connection limit", "DNS change"),
        LOCAL,
    )  # fmt: skip
    return {
        **local,
        "frozen": Fails(frozen(lambda world: world.storefront.varnish), UNAVAILABLE, "frozen|not running"),
        "read-only": READS_ONLY,
        "disk full": READS_ONLY,
        "permission before content": NO_CONTENT,
        "permission after content": Elsewhere("tests/exporter/sources/test_varnish.py"),
        "clock back": Unharmed(clock_moved(-DAY)),
        "clock forward": Unharmed(clock_moved(DAY)),
        "descriptors exhausted": Fails(exhausted(), UNAVAILABLE, "varnish", alone=False),
        "kill -9": Fails(killed(lambda world: world.storefront.varnish), UNAVAILABLE, "varnish"),
        "two exporters": TWO,
    }


def _files() -> dict[str, Cell]:
    none = dict.fromkeys(
        ("black-holed", "trickle", "reset in mid-answer", "wrong password", "certificate expired",
         "fail-over", "too many connections", "user's connection limit", "DNS change", "kill -9"),
        NO_NETWORK,
    )  # fmt: skip
    bad = frozenset({"bad_data"})
    return {
        **none,
        "refused": Fails(directory_gone, UNAVAILABLE, "the shop's directory is not there"),
        "frozen": Fails(
            instead_of("composer.lock", os.mkfifo), bad, "composer.lock: not a regular file", up=True
        ),
        "wrong protocol": Fails(
            instead_of("composer.lock", unreadable_lock), bad, "composer.lock cannot be understood", up=True
        ),
        "read-only": NoSense("the exporter writes nothing there: a read-only mount is the usual one"),
        "disk full": READS_ONLY,
        "permission before content": PERMISSIONS,
        "permission after content": PERMISSIONS,
        "clock back": Unharmed(clock_moved(-DAY)),
        "clock forward": Unharmed(clock_moved(DAY)),
        "descriptors exhausted": Unharmed(exhausted(), alone=False),
        "two exporters": TWO,
    }


def _state() -> dict[str, Cell]:
    none = dict.fromkeys(
        ("refused", "black-holed", "frozen", "trickle", "reset in mid-answer", "wrong password",
         "certificate expired", "fail-over", "too many connections", "user's connection limit", "DNS change"),
        NO_NETWORK,
    )  # fmt: skip
    return {
        **none,
        "wrong protocol": Elsewhere("tests/exporter/sources/test_state.py"),
        "read-only": STATE_AT_START,
        "disk full": Fails(
            state_disk_full, frozenset({"state"}), "state file.*full", up=True, every=False, buys=True
        ),
        "permission before content": STATE_AT_START,
        "permission after content": NoSense("the file is opened once, and kept; at a start it is one line"),
        "clock back": Unharmed(clock_moved(-DAY)),
        "clock forward": Unharmed(clock_moved(DAY)),
        "descriptors exhausted": NoSense("the file is opened once, and kept"),
        "kill -9": Elsewhere("tests/system/stress/test_killed_while_ordering.py"),
        "two exporters": Elsewhere("tests/exporter/sources/test_state.py"),
    }


def _web() -> dict[str, Cell]:
    none = dict.fromkeys(
        ("refused", "black-holed", "trickle", "reset in mid-answer", "fail-over", "user's connection limit",
         "DNS change", "kill -9"),
        NO_NETWORK,
    )  # fmt: skip
    web = Elsewhere("tests/system/fault_matrix/test_permissions.py")
    return {
        **none,
        "frozen": web,
        "wrong protocol": web,
        "wrong password": Elsewhere("tests/exporter/web/test_web_auth.py"),
        "certificate expired": NoSense(
            "the exporter serves the certificate that it is given; its clients judge it"
        ),
        "too many connections": Elsewhere("tests/exporter/web/test_hostile_clients.py"),
        "read-only": NoSense("it is only read"),
        "disk full": NoSense("it is only read"),
        "permission before content": PERMISSIONS,
        "permission after content": PERMISSIONS,
        "clock back": NoSense("no clock is used for it"),
        "clock forward": NoSense("no clock is used for it"),
        "descriptors exhausted": Elsewhere("tests/exporter/web/test_hostile_clients.py"),
        "two exporters": NoSense("each reads the file for itself"),
    }


TABLE: Final[Mapping[str, Mapping[str, Cell]]] = {
    "database": _database(),
    "redis cache": _redis("cache"),
    "redis page_cache": _redis("page_cache"),
    "redis session": _redis("session"),
    "sentinel": _sentinel(),
    "rabbitmq": _rabbitmq(),
    "varnish": _varnish(),
    "files": _files(),
    "state file": _state(),
    "web configuration": _web(),
}
"""Source to fault to what must be. All that happens in this process is run by test_cells.py."""
