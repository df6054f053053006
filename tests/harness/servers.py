"""Real servers for all tests; each is started when the first test asks for it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from sandbox.servers.mariadb import MariaDB
from sandbox.servers.mysql import shop_database
from sandbox.servers.prometheus import Prometheus
from sandbox.servers.rabbitmq import RabbitMQ
from sandbox.servers.redis import Redis
from sandbox.servers.storefront import Storefront


@pytest.fixture(scope="session")
def servers_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def mariadb(servers_directory: Path) -> Iterator[MariaDB]:
    """Shared: make a database of your own in it, and do not stop it. MySQL where the environment says so."""
    with shop_database(servers_directory / "mariadb") as server:
        yield server


@pytest.fixture(scope="session")
def redis_server(servers_directory: Path) -> Iterator[Redis]:
    """Shared: use keys of your own."""
    with Redis(servers_directory / "redis") as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq(servers_directory: Path) -> Iterator[RabbitMQ]:
    """Shared: declare a virtual host of your own."""
    with RabbitMQ(servers_directory / "rabbitmq") as server:
        yield server


@pytest.fixture(scope="session")
def varnish_stack(servers_directory: Path) -> Iterator[Storefront]:
    """Shared: Varnish, nginx and PHP-FPM before a placeholder page; compare counters before and after."""
    with Storefront(servers_directory / "storefront") as storefront:
        yield storefront


@pytest.fixture
def prometheus_factory(tmp_path: Path) -> Iterator[Callable[..., Prometheus]]:
    """Start as many as you like, with the arguments of `Prometheus`; they end with the test."""
    number = count(1)
    with ExitStack() as undo:

        def start(**arguments: Any) -> Prometheus:
            return undo.enter_context(Prometheus(tmp_path / f"prometheus-{next(number)}", **arguments))

        yield start
