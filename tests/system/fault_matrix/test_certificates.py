"""A server whose certificate has expired: each kind of server that is asked over TLS, and its healing."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from exporter.app import build
from exporter.collectors.cron import CronCollector
from exporter.core.runner import CollectorState, Outcome
from exporter.settings import validate
from sandbox.certificates import Certificate
from sandbox.process import LOOPBACK
from sandbox.servers.mariadb import MariaDB
from sandbox.servers.rabbitmq import RabbitMQ
from sandbox.servers.redis import Redis
from tests.exporter.sources.test_redis_sentinel import MASTER, Sentinel
from tests.harness.limits import LONG
from tests.harness.shop import PASSWORD, shop_in_mariadb
from tests.system.fault_matrix.proxy import Mode, Proxies

pytestmark = pytest.mark.slow

SAYS = "certificate"
"""The word that the line of each has."""


@contextmanager
def over_tls(port: int, context: ssl.SSLContext) -> Iterator[tuple[int, Callable[[ssl.SSLContext], None]]]:
    """Put TLS before a server; yield the port, and how to change the certificate."""
    proxies = Proxies()
    try:
        proxy = proxies.before(port, tls=context)

        def change(to: ssl.SSLContext) -> None:
            proxy.tls = to
            proxy.set(Mode.PASS)

        yield proxy.port, change
    finally:
        proxies.close()


def served(certificate: Certificate, directory: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    files = directory / f"{id(certificate)}.crt", directory / f"{id(certificate)}.key"
    certificate.write(*files)
    context.load_cert_chain(*files)
    return context


def scrape(exporter: Any, loop: asyncio.AbstractEventLoop) -> CollectorState:
    (state,) = exporter.runner.states.values()
    state.attempted_at = 0.0
    loop.run_until_complete(exporter.runner.scrape(deadline=60))
    loop.run_until_complete(exporter.runner.drain(60))
    found: CollectorState = state
    return found


def check(
    settings: dict[str, Any], expire: Callable[[], None], renew: Callable[[], None], logged: Any
) -> None:
    """Healthy, expired, healthy: the expired one fails and says so once; the new one counts at once."""
    loop = asyncio.new_event_loop()
    exporter = build(validate(settings))
    with closing(loop):
        try:
            assert scrape(exporter, loop).outcome is Outcome.OK, scrape(exporter, loop).reason
            expire()
            for _ in range(3):
                state = scrape(exporter, loop)
                assert state.outcome is Outcome.FAILING
                assert state.reason == "denied"
                assert exporter.runner.source_up() == {state.collector.source: True}
            said = [record.getMessage() for record in logged.records if record.levelname == "WARNING"]
            assert any(SAYS in line for line in said), said
            assert len(said) <= 3, said
            renew()
            deadline = time.monotonic() + LONG
            while scrape(exporter, loop).outcome is not Outcome.OK:  # it tries again after a pause
                assert time.monotonic() < deadline, state.reason
                time.sleep(0.1)
        finally:
            loop.run_until_complete(exporter.close())


@pytest.mark.parametrize("kind", ["redis", "sentinel", "rabbitmq"])
def test_an_expired_certificate(kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    authority = Certificate.authority("CA")
    (tmp_path / "ca.crt").write_bytes(authority.pem())
    good, old = (served(authority.issue("server", expired=gone), tmp_path) for gone in (False, True))
    trust = {"ca_file": str(tmp_path / "ca.crt")}
    (tmp_path / "server").mkdir()
    (tmp_path / "sentinel").mkdir()
    if kind == "rabbitmq":
        with (
            RabbitMQ(tmp_path / "server") as broker,
            over_tls(broker.management_port, good) as (port, change),
        ):
            settings: dict[str, Any] = {
                "rabbitmq": {
                    "url": f"https://{LOOPBACK}:{port}", "user": broker.user,
                    "password": broker.password, "tls": trust,
                }
            }  # fmt: skip
            check(settings, lambda: change(old), lambda: change(good), caplog)
        return
    with Redis(tmp_path / "server") as server, Sentinel(tmp_path / "sentinel", server) as sentinel:
        before = sentinel.port if kind == "sentinel" else server.port
        with over_tls(before, good) as (port, change):
            where = {"servers": [f"{LOOPBACK}:{port}"], "master": MASTER, "tls": trust}
            role = (
                {"sentinel": where} if kind == "sentinel" else {"host": LOOPBACK, "port": port, "tls": trust}
            )
            check({"redis": {"cache": role}}, lambda: change(old), lambda: change(good), caplog)


def test_an_expired_certificate_of_the_database(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    authority = Certificate.authority("CA")
    files = tmp_path / "server.crt", tmp_path / "server.key"
    (tmp_path / "ca.crt").write_bytes(authority.pem())
    authority.issue("server").write(*files)
    arguments = [f"--ssl-cert={files[0]}", f"--ssl-key={files[1]}"]
    with (
        MariaDB(tmp_path / "db", arguments=arguments) as server,
        shop_in_mariadb(server, tables=["cron_schedule"], now=None) as shop,
    ):
        user = shop.login(CronCollector.queries)

        def present(*, expired: bool) -> None:
            authority.issue("server", expired=expired).write(*files)
            server.execute("FLUSH SSL")
            listing = "SELECT id FROM information_schema.processlist WHERE user = %s"
            for (number,) in server.execute(listing, (user,)):
                server.execute(f"KILL {number}")

        settings = {
            "database": {
                "host": LOOPBACK,
                "port": server.port,
                "user": user,
                "password": PASSWORD,
                "name": shop.name,
                "tls": {"ca_file": str(tmp_path / "ca.crt")},
            },
            "collectors": {"only": ["cron"]},
        }
        check(settings, lambda: present(expired=True), lambda: present(expired=False), caplog)
