"""Real servers for the integration tests; each is started when the first test asks for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.servers.mariadb import MariaDB


@pytest.fixture(scope="session")
def servers_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def mariadb(servers_directory: Path) -> Iterator[MariaDB]:
    """Make a database of your own in it; other tests use the same server."""
    with MariaDB(servers_directory / "mariadb") as server:
        yield server
