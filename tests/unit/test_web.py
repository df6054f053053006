"""The HTTP surface, on an application whose shop is a fake collector."""

from __future__ import annotations

import asyncio
import base64
import gzip
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import bcrypt
import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.core.collector import Collector, Context
from exporter.core.memory import Memory, VolatileStore
from exporter.core.metrics import Sample, gauge
from exporter.core.render import Format
from exporter.core.runner import Limits, Runner
from exporter.errors import SettingsError, SourceUnavailable
from exporter.web import security
from exporter.web.application import create_application
from exporter.web.metrics import deadline
from exporter.web.negotiation import accepts_gzip, exposition_format
from exporter.web.security import Protection
from exporter.web.site import Site

THINGS = gauge("magento_test_things", 'Things with "quotes" and a \\ backslash.', "kind")


class Good(Collector):
    name, help, source, metrics = "good", "Works.", "database", (THINGS,)

    def collect(self, _context: Context) -> Iterable[Sample]:
        yield THINGS.sample(1, kind='a"b\\c\nd')


class Bad(Collector):
    name, help, source, metrics = "bad", "Fails.", "redis", ()

    def collect(self, _context: Context) -> Iterable[Sample]:
        raise SourceUnavailable("no")


class Slow(Collector):
    name, help, source, metrics = "slow", "Is late.", "varnish", ()

    def collect(self, _context: Context) -> Iterable[Sample]:
        time.sleep(0.6)
        return ()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    pools = {source: ThreadPoolExecutor(1) for source in ("database", "redis", "varnish")}
    runner = Runner(
        [Good(), Bad(), Slow()],
        context=_context,
        store=VolatileStore(),
        executors=pools,
        limits=Limits(collector_seconds=0.3, minimum_interval=0),
    )
    (tmp_path / "MagentoCronStopped.md").write_text(
        "---\nseverity: critical\n---\n# A\n\nSee [other](Other.md#fix).\n\n<script>1</script>\n"
    )
    yield Site(runner, {"queues": "rabbitmq is not configured"}, 5.0, 0.5, time.time(), tmp_path)
    for pool in pools.values():
        pool.shutdown()


def _context(_collector: Collector, memory: Memory, now: float) -> Context:
    return Context(None, None, None, None, None, memory, now)  # type: ignore[arg-type]


def application(site: Site, protection: Protection | None = None) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield

    app = create_application(lifespan, protection)
    app.state.site = site
    return app


@pytest.fixture
async def client(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application(site))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as opened:
        yield opened


async def test_metrics_as_text(client: httpx.AsyncClient) -> None:
    answer = await client.get("/metrics", headers={"accept-encoding": "identity"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == Format.TEXT.value
    samples = {(s.name, tuple(s.labels.items())): s.value for f in parse_text(answer.text) for s in f.samples}
    assert samples["magento_test_things", (("kind", 'a"b\\c\nd'),)] == 1
    assert samples["magento_collector_success", (("collector", "good"),)] == 1
    assert samples["magento_collector_success", (("collector", "bad"),)] == 0
    assert samples["magento_collector_success", (("collector", "slow"),)] == 0
    assert samples["magento_source_up", (("source", "redis"),)] == 0
    assert samples["magento_collector_enabled", (("collector", "queues"),)] == 0
    assert ("magento_collector_success", (("collector", "queues"),)) not in samples


async def test_metrics_as_openmetrics_and_gzip(client: httpx.AsyncClient) -> None:
    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2"
    answer = await client.get("/metrics", headers={"accept": accept, "accept-encoding": "gzip"})
    assert answer.headers["content-type"] == Format.OPENMETRICS.value
    assert answer.headers["content-encoding"] == "gzip"
    families = list(parse_openmetrics(answer.text))
    names = [family.name for family in families]
    assert len(names) == len(set(names))
    assert "magento_test_things" in names


async def test_collect_filter(client: httpx.AsyncClient) -> None:
    only = await client.get("/metrics", params={"collect[]": "good"})
    assert "magento_test_things" in only.text
    assert (await client.get("/metrics", params={"collect[]": ["good", "nothing"]})).status_code == 400
    off = await client.get("/metrics", params={"collect[]": "queues"})
    assert off.status_code == 200
    assert "magento_test_things" not in off.text


async def test_head_collects_nothing(client: httpx.AsyncClient, site: Site) -> None:
    answer = await client.head("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == Format.TEXT.value
    assert not any(slot.runs for slot in site.runner.slots.values())


@pytest.mark.parametrize("path", ["/metrics/", "/nothing", "/runbooks/Nothing", "/runbooks/..%2fREADME"])
async def test_nothing_is_redirected(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


async def test_other_methods_are_refused(client: httpx.AsyncClient) -> None:
    for path in ("/metrics", "/", "/-/healthy", "/runbooks/"):
        assert (await client.post(path)).status_code == 405


async def test_health_and_landing(client: httpx.AsyncClient) -> None:
    assert (await client.get("/-/healthy")).text == "ok\n"
    assert (await client.get("/-/ready")).status_code == 200
    page = (await client.get("/")).text
    assert "failing: unavailable" in page
    assert "rabbitmq is not configured" in page
    assert "redis down" in page


async def test_not_ready_while_nothing_works() -> None:
    runner = Runner(
        [Bad()], context=_context, store=VolatileStore(), executors={"redis": ThreadPoolExecutor(1)}
    )
    lonely = Site(runner, {}, 1.0, 0.5, 0.0)
    transport = httpx.ASGITransport(application(lonely))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/-/ready")).status_code == 503
        assert (await client.get("/-/healthy")).status_code == 200
        assert (await client.get("/metrics")).status_code == 200


async def test_the_loop_stays_free_while_a_collector_blocks(client: httpx.AsyncClient) -> None:
    scrape = asyncio.create_task(client.get("/metrics", params={"collect[]": "slow"}))
    await asyncio.sleep(0)
    assert (await client.get("/-/healthy")).status_code == 200
    assert not scrape.done()
    await scrape


async def test_runbooks_are_pages_without_raw_html(client: httpx.AsyncClient) -> None:
    index = (await client.get("/runbooks/")).text
    assert 'href="MagentoCronStopped"' in index
    page = (await client.get("/runbooks/MagentoCronStopped")).text
    assert "severity: critical" not in page
    assert 'href="Other#fix"' in page
    assert "<script>" not in page


async def test_a_runbook_sets_the_labels_of_the_link_and_only_plain_ones(client: httpx.AsyncClient) -> None:
    page = (await client.get("/runbooks/MagentoCronStopped?job_code=a_b&store=d%27%3Bid&X=1&q=%24(id)")).text
    assert "JOB_CODE=&#x27;a_b&#x27;" in page or "JOB_CODE='a_b'" in page
    assert "STORE" not in page
    assert "id)" not in page
    assert 'id="a"' in page


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", Format.TEXT),
        ("*/*", Format.TEXT),
        ("text/html,application/xhtml+xml,*/*;q=0.8", Format.TEXT),
        ("application/openmetrics-text", Format.OPENMETRICS),
        ("application/openmetrics-text; version=1.0.0", Format.OPENMETRICS),
        ("application/openmetrics-text; version=9.9.9", Format.TEXT),
        ("application/openmetrics-text;version=1.0.0;q=0.2,text/plain;q=0.9", Format.TEXT),
        ("application/openmetrics-text;q=0", Format.TEXT),
        ("application/openmetrics-text;q=nonsense", Format.TEXT),
        ("application/vnd.google.protobuf;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1",
         Format.OPENMETRICS),
    ],
)  # fmt: skip
def test_the_format_follows_accept(accept: str, expected: Format) -> None:
    assert exposition_format(accept) is expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [("", False), ("gzip", True), ("deflate, GZIP;q=0.5", True), ("gzip;q=0", False), ("*", True),
     ("identity", False), ("*;q=0, gzip", True)],
)  # fmt: skip
def test_gzip_follows_accept_encoding(header: str, expected: bool) -> None:
    assert accepts_gzip(header) is expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [(None, 5.0), ("10", 5.0), ("3", 2.5), ("0.2", 0.1), ("x", 5.0), ("nan", 5.0), ("-1", 5.0), ("inf", 5.0)],
)
def test_the_deadline_is_the_smaller_of_ours_and_prometheus(
    site: Site, header: str | None, expected: float
) -> None:
    assert deadline(header, site) == pytest.approx(expected)


def test_compressed_bodies_are_reproducible() -> None:
    assert gzip.decompress(gzip.compress(b"x", 1, mtime=0)) == b"x"


@pytest.fixture
def web_config(tmp_path: Path) -> Path:
    file = tmp_path / "web.yml"
    hashed = bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode()
    file.write_text(
        f"basic_auth_users: {{prometheus: '{hashed}'}}\nhttp_server_config: {{headers: {{X-Y: z}}}}\n"
    )
    return file


def basic(user: str, password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


async def test_basic_auth_and_token(site: Site, web_config: Path, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("t0ken\n")
    protection = Protection(config_file=web_config, token_file=token)
    transport = httpx.ASGITransport(application(site, protection))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for headers in (
            {}, basic("prometheus", "wrong"), basic("nobody", "right"), {"authorization": "Basic !!"},
            {"authorization": "Bearer wrong"}, {"authorization": "Bearer"}, {"authorization": "Digest x"},
        ):  # fmt: skip
            for path in ("/metrics", "/", "/runbooks/", "/-/ready"):
                answer = await client.get(path, headers=headers)
                assert answer.status_code == 401, (path, headers)
                assert "magento" not in answer.text
        assert (await client.get("/-/healthy")).status_code == 200
        good = await client.get("/", headers=basic("prometheus", "right"))
        assert good.status_code == 200
        assert good.headers["x-y"] == "z"
        assert (await client.get("/", headers={"authorization": "Bearer t0ken"})).status_code == 200


async def test_changed_files_are_followed_and_broken_ones_ignored(
    web_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(security, "_LOOK_AGAIN", 0.0)
    protection = Protection(config_file=web_config)
    assert await protection.allows(basic("prometheus", "right")["authorization"])
    hashed = bcrypt.hashpw(b"newer", bcrypt.gensalt(4)).decode()
    web_config.write_text(f"basic_auth_users: {{prometheus: '{hashed}', second: '{hashed}'}}\n")
    assert not await protection.allows(basic("prometheus", "right")["authorization"])
    assert await protection.allows(basic("second", "newer")["authorization"])
    web_config.write_text("basic_auth_users: [broken\n")
    assert await protection.allows(basic("second", "newer")["authorization"])
    assert not await protection.allows("")


@pytest.mark.parametrize(
    "text",
    ["x: 1", "basic_auth_users: {a: plain}", "tls_server_config: {cert_file: a}", "[1]",
     "tls_server_config: {cert_file: a, key_file: b, client_auth_type: RequireAndVerifyClientCert}",
     "tls_server_config: {cert_file: /absent, key_file: /absent}"],
)  # fmt: skip
def test_a_bad_web_configuration_is_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "web.bad.yml"
    file.write_text(text)
    with pytest.raises(SettingsError) as error:
        Protection(config_file=file)
    assert "\n" not in str(error.value)
