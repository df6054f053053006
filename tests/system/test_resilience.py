"""The whole exporter as a process: what is down says so, the rest is intact, all recovers automatically."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from exporter.collectors import all_collectors
from sandbox.servers.base import Server, program
from sandbox.servers.magento_exporter import MagentoExporter
from sandbox.servers.mariadb import MariaDB
from sandbox.servers.rabbitmq import RabbitMQ
from sandbox.servers.redis import DATABASES, Redis
from sandbox.servers.storefront import Storefront
from sandbox.shop import install
from tests.harness.limits import LONG
from tests.harness.scraping import Key, scrape

MINIMUM_REFRESH = 3.0
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@dataclass(frozen=True)
class Site:
    """The servers of a small shop, and the exporter that watches them."""

    database: MariaDB
    redis: Redis
    rabbitmq: RabbitMQ
    storefront: Storefront
    exporter: MagentoExporter

    def scrape(self) -> dict[Key, float]:
        """Scrape as Prometheus does; the answer must be 200 whatever is down."""
        return scrape(self.exporter.url)

    def up(self) -> dict[str, float]:
        """Return magento_source_up by source."""
        return {
            labels[0][1]: value
            for (name, labels), value in self.scrape().items()
            if name == "magento_source_up"
        }

    def wait_for(self, condition: Callable[[dict[str, float]], bool]) -> None:
        """Scrape until the sources are as wanted."""
        deadline = time.monotonic() + LONG
        while not condition(self.up()):
            assert time.monotonic() < deadline, self.up()
            time.sleep(0.5)


def sources_up(page: dict[Key, float]) -> dict[str, float]:
    return {labels[0][1]: value for (name, labels), value in page.items() if name == "magento_source_up"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("resilience")
    with ExitStack() as undo:
        database = undo.enter_context(MariaDB(home / "db"))
        redis = undo.enter_context(Redis(home / "redis"))
        rabbitmq = undo.enter_context(RabbitMQ(home / "mq"))
        storefront = undo.enter_context(Storefront(home / "sf"))
        database.execute("CREATE DATABASE magento")
        with database.connect("magento") as connection:
            install(connection)
        database.execute("GRANT SELECT ON magento.* TO observer@'127.0.0.1' IDENTIFIED BY 'observer'")
        rabbitmq.declare_queues(["export"])
        settings = {
            "database": {"host": database.host, "port": database.port, "user": "observer",
                         "password": "observer", "name": "magento"},
            "rabbitmq": {"url": rabbitmq.management_url, "user": rabbitmq.user,
                         "password": rabbitmq.password, "vhost": rabbitmq.vhost},
            "redis": {role: {"host": redis.host, "port": redis.port, "database": number}
                      for role, number in DATABASES.items()},
            "varnish": {"instances": [str(storefront.varnish.name_directory)]},
            "state_file": str(home / "state"),
            "limits": {"minimum_refresh_seconds": MINIMUM_REFRESH},
        }  # fmt: skip
        exporter = undo.enter_context(MagentoExporter(home / "exporter", settings=settings))
        made = Site(database, redis, rabbitmq, storefront, exporter)
        made.wait_for(lambda up: len(up) == 4 and all(up.values()))
        yield made


def families_of(page: dict[Key, float], *sources_down: str) -> set[str]:
    """Return the metric names that do not stand on a source that is down."""
    lost = {m.name for c in all_collectors() if c.source in sources_down for m in c.metrics}
    kept = {m.name for c in all_collectors() if c.source not in sources_down for m in c.metrics}
    return {name for name, _ in page} & (kept - lost)


Outage = tuple[str, Callable[[Site], Server], str]
OUTAGES: list[Outage] = [
    ("database", lambda site: site.database, "pause"),
    ("database", lambda site: site.database, "kill"),
    ("redis", lambda site: site.redis, "pause"),
    ("redis", lambda site: site.redis, "kill"),
    ("rabbitmq", lambda site: site.rabbitmq, "pause"),
    ("varnish", lambda site: site.storefront.varnish, "kill"),
]


@pytest.mark.parametrize(("source", "server_of", "how"), OUTAGES, ids=[f"{s}-{how}" for s, _, how in OUTAGES])
def test_an_outage_is_named_and_heals(
    site: Site, source: str, server_of: Callable[[Site], Server], how: str
) -> None:
    before = families_of(site.scrape(), source)
    server = server_of(site)
    getattr(server, how)()
    try:
        site.wait_for(lambda up: up[source] == 0)
        page = site.scrape()
        down = {
            labels[0][1]
            for (name, labels), value in page.items()
            if name == "magento_source_up" and value == 0
        }
        assert down == {source}
        assert before - families_of(page, source) == set()
    finally:
        server.resume() if how == "pause" else server.restart()
    site.wait_for(lambda up: all(up.values()))


def test_the_page_is_well_formed(site: Site) -> None:
    answer = httpx.get(site.exporter.url, headers={"accept": OPENMETRICS}, timeout=LONG)
    families = list(parse_openmetrics(answer.text))
    names = [family.name for family in families]
    assert len(names) == len(set(names))
    series = [(s.name, tuple(sorted(s.labels.items()))) for family in families for s in family.samples]
    assert len(series) == len(set(series))
    text = httpx.get(site.exporter.url, timeout=LONG).text
    foreign = ("process_", "python_")
    own = [line for line in text.splitlines() if not any(name in line for name in foreign)]
    assert promtool_complaints("".join(f"{line}\n" for line in own)) == ""


def promtool_complaints(page: str) -> str:
    command = [program("promtool"), "check", "metrics"]
    checked = subprocess.run(command, input=page, capture_output=True, text=True, check=False)
    return checked.stdout + checked.stderr


def test_two_scrapers_at_once_cost_one_set_of_queries(site: Site) -> None:
    """Statements are counted by the server; a scrape alone and eight at once must cost alike."""

    def statements() -> int:
        rows = site.database.execute("SHOW GLOBAL STATUS LIKE 'Com_select'")
        return int(rows[0][1])

    def cost(scrapers: int) -> int:
        time.sleep(MINIMUM_REFRESH)  # the last results are too old to stand in for new ones
        before = statements()
        with ThreadPoolExecutor(scrapers) as pool:
            list(pool.map(lambda _: site.scrape(), range(scrapers)))
        return statements() - before

    alone = max(cost(1) for _ in range(3))
    together = min(cost(8) for _ in range(3))
    assert 0 < together <= alone


def test_a_long_statement_of_ours_ends_on_the_server(site: Site) -> None:
    """A lock on a table that a collector reads: the statement is gone long before the lock."""
    with site.database.connect("magento") as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLES cron_schedule WRITE")
        time.sleep(MINIMUM_REFRESH)
        page = site.scrape()
        assert page["magento_collector_success", (("collector", "cron"),)] == 0
        assert page["magento_collector_success", (("collector", "orders"),)] == 1
        deadline = time.monotonic() + LONG
        while any("cron" in str(row[7]) and "magento-exporter" in str(row[7]) for row in processes(site)):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        cursor.execute("UNLOCK TABLES")


def processes(site: Site) -> tuple[tuple[object, ...], ...]:
    return site.database.execute("SHOW FULL PROCESSLIST")
