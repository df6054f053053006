"""A network that is away for some seconds between exporter and database: no outage may follow from it.

A firewall that forgot its connections tells neither side. The server keeps the dead ones, and they count
against the account's limit.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from exporter.rights.statements import Account, Dialect, user_statements
from sandbox.process import LOOPBACK
from sandbox.servers.magento_exporter import MagentoExporter
from sandbox.servers.mariadb import MariaDB
from sandbox.shop import install
from tests.harness.firewall import Firewall
from tests.harness.limits import LONG
from tests.harness.scraping import Page, scrape

BLIP_SECONDS = 6.0
PASSWORD = "observer-1"
LIMIT = 5
"""What `magento-exporter grants` gave to an account until now, and many shops have."""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    with MariaDB(tmp_path_factory.mktemp("blip") / "db") as server:
        server.execute("CREATE DATABASE magento")
        with server.connect("magento") as connection:
            install(connection)
        account = Account("observer", LOOPBACK, password=PASSWORD, max_connections=LIMIT)
        for statement in user_statements(account, Dialect.MARIADB):
            server.execute(statement)
        server.execute(f"GRANT SELECT ON magento.* TO {account}")
        yield server


@pytest.fixture
def firewall(database: MariaDB) -> Iterator[Firewall]:
    made = Firewall(database.port)
    yield made
    made.close()
    database.execute("KILL USER observer@'127.0.0.1'")


def exporter(home: Path, port: int) -> MagentoExporter:
    settings = {
        "database": {
            "host": LOOPBACK, "port": port, "user": "observer", "password": PASSWORD, "name": "magento",
        },
        "limits": {"minimum_refresh_seconds": 0},
    }  # fmt: skip
    return MagentoExporter(home, settings=settings)


def failing(page: Page) -> list[str]:
    return [
        dict(labels)["collector"]
        for (name, labels), value in page.items()
        if name == "magento_collector_success" and value == 0
    ]


def database_up(page: Page) -> float:
    return page["magento_source_up", (("source", "database"),)]


def scrape_until_all_succeed(url: str) -> Page:
    deadline = time.monotonic() + LONG
    while failing(page := scrape(url)):
        assert time.monotonic() < deadline
        time.sleep(1)
    return page


def connections(database: MariaDB) -> int:
    rows = database.execute("SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'observer'")
    return int(rows[0][0])


def test_a_blip_of_six_seconds_is_over_when_the_network_is_back(
    database: MariaDB, firewall: Firewall, tmp_path: Path
) -> None:
    """It ended in a critical alert for as long as the server kept the dead connections: eight hours."""
    with exporter(tmp_path, firewall.port) as running:
        scrape_until_all_succeed(running.url)
        before = connections(database)
        assert before >= 2
        away = threading.Thread(target=firewall.blip, args=(BLIP_SECONDS,))
        away.start()
        seen = []
        while away.is_alive():
            seen.append(database_up(scrape(running.url)))
        away.join()
        assert 0 in seen
        scrape(running.url)
        time.sleep(3)
        page = scrape(running.url)
        assert connections(database) > before, "the server keeps what nobody uses any more"
        for _ in range(5):
            assert database_up(page) == 1
            assert failing(page) == [], running.log.read_text()
            page = scrape(running.url)
        lines = [line for line in running.log.read_text().splitlines() if "level=warning" in line]
        assert 1 <= len(lines) <= 4, lines


def test_two_exporters_share_one_login(database: MariaDB, tmp_path: Path) -> None:
    """An update, or a second one for availability: together they have more threads than connections."""
    with ExitStack() as undo:
        both = [undo.enter_context(exporter(tmp_path / name, database.port)) for name in ("a", "b")]
        for one in both:
            scrape_until_all_succeed(one.url)
        for _ in range(5):
            with ThreadPoolExecutor(2) as at_once:
                pages = list(at_once.map(scrape, (one.url for one in both)))
            assert [(database_up(page), failing(page)) for page in pages] == [(1, [])] * 2
        assert connections(database) <= LIMIT
