"""The wheel as a user gets it, in a virtual environment of its own, and a shop to point it at."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from sandbox.servers.mariadb import MariaDB
from sandbox.servers.rabbitmq import RabbitMQ
from sandbox.servers.redis import Redis
from sandbox.shop import install
from tests.harness.limits import LONG

PROJECT = Path(__file__).parents[3]
VARIANTS = Path(__file__).parent / "env_php"
ENV_PHP = Path("app/etc/env.php")
SECRET = f"planted-{secrets.token_hex(8)}"
UV = Path(sys.executable).with_name("uv")
SYSTEM_PYTHON = Path("/usr/bin/python3")


@dataclass(frozen=True)
class Installed:
    wheel: Path
    bin: Path

    def run(
        self, *command: str, cwd: Path | None = None, seconds: float = LONG
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment away from the repository, as a user would."""
        return subprocess.run(
            [self.bin / command[0], *command[1:]],
            cwd=cwd or self.bin,
            env=plain_environment(),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )


def plain_environment() -> dict[str, str]:
    """Return the environment without what would lead Python or the exporter elsewhere."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MAGENTO_", "PYTHON", "VIRTUAL_ENV"))
    }


def uv(*arguments: str | Path) -> None:
    outcome = subprocess.run([UV, *arguments], cwd=PROJECT, capture_output=True, text=True, timeout=LONG)  # noqa: PLW1510
    assert outcome.returncode == 0, outcome.stderr


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by the pinned backend that the lock installed, so nothing is fetched."""
    directory = tmp_path_factory.mktemp("wheel")
    script = [PROJECT / "scripts" / "wheel.sh", directory]
    outcome = subprocess.run(script, capture_output=True, text=True, timeout=LONG, check=False)
    assert outcome.returncode == 0, outcome.stderr
    (built,) = directory.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def public() -> Iterator[Path]:
    """A directory that every user can enter, unlike those of pytest."""
    with TemporaryDirectory(prefix="installed-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory


@pytest.fixture(scope="session")
def installed(wheel: Path, public: Path) -> Installed:
    """The wheel and what requirements.lock names, and nothing else; files come from uv's cache if there.

    With the system's Python, which every user can run.
    """
    home = public / "venv"
    uv("venv", "--quiet", "--python", SYSTEM_PYTHON, home)
    python = home / "bin" / "python"
    install = ("pip", "install", "--quiet", "--python", python)
    uv(*install, "--no-deps", "--require-hashes", "-r", "requirements.lock")
    uv(*install, "--no-deps", wheel)
    return Installed(wheel, home / "bin")


@dataclass(frozen=True)
class RealShop:
    database: MariaDB
    broker: RabbitMQ
    redis: Redis

    def env_php(self, variant: str, password: str = SECRET) -> str:
        """Return a variant of env.php with this shop's addresses in it."""
        text = (VARIANTS / f"{variant}.php").read_text()
        values = {
            "DB_PORT": self.database.port,
            "DB_NAME": "magento",
            "DB_USER": "shop",
            "REDIS_PORT": self.redis.port,
            "AMQP_PORT": self.broker.port,
            "SECRET": password,
        }
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        assert "@" not in text
        return text

    def set_password(self, password: str) -> None:
        """Give the shop's users at the database and the broker this password, and end what is logged in."""
        self.database.execute("CREATE USER IF NOT EXISTS shop")
        self.database.execute("ALTER USER shop IDENTIFIED BY %s", [password])
        self.database.execute("GRANT SELECT ON magento.* TO shop")
        self.database.execute("KILL USER shop")
        self.broker.declare_user("shop", password, tags="management", vhost="/")

    def run_cron(self) -> None:
        """Let a job have run just now, however long the shop has been standing."""
        self.database.execute(
            "INSERT INTO magento.m2_cron_schedule (job_code, status, scheduled_at, executed_at, finished_at)"
            " VALUES ('consumers_runner', 'success', UTC_TIMESTAMP(), UTC_TIMESTAMP(), UTC_TIMESTAMP())"
        )


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealShop]:
    home = tmp_path_factory.mktemp("shop")
    with MariaDB(home / "db") as database, Redis(home / "redis") as redis, RabbitMQ(home / "mq") as broker:
        database.execute("CREATE DATABASE magento")
        with database.connect("magento") as connection:
            shop = install(connection, version="2.4.8", prefix="m2_")
            shop.orders.place()
        yield RealShop(database, broker, redis)


@pytest.fixture
def shop(tmp_path: Path) -> Callable[[str | bytes], Path]:
    """Return what writes a shop's directory that holds an env.php and nothing else."""

    def write(content: str | bytes) -> Path:
        file = tmp_path / "shop" / ENV_PHP
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return tmp_path / "shop"

    return write
