"""Varnish as page cache: a known list of requests, and what the collector makes of the counters."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from exporter.collectors.page_cache import PageCacheCollector
from exporter.core.memory import VolatileStore
from exporter.errors import AccessDenied, SourceTimeout, SourceUnavailable
from exporter.sources.varnish import STANDSTILL_SECONDS, VarnishInstance, Varnishstat
from sandbox.paths import DEPLOY
from sandbox.process import wait_until
from sandbox.servers.base import program
from sandbox.servers.varnish import Varnish
from tests.harness.core import Clock, run, values
from tests.harness.limits import LONG

BACKEND = """\
backend default {{
    .host = "127.0.0.1";
    .port = "{port}";
    .probe = {{ .url = "/health_check.php"; .timeout = 1s; .interval = 0.1s; .window = 10; .threshold = 5; }}
}}
backend unprobed {{ .host = "127.0.0.1"; .port = "{port}"; }}
acl purge {{ "127.0.0.1"; }}
"""
USES_BOTH = 'sub vcl_recv { if (req.url ~ "unprobed") { set req.backend_hint = unprobed; } }\n'


HOME_PAGE = b'<html><esi:include src="/page_cache/block/esi/blocks/menu/" /></html>'
"""With Magento's top menu, which is a fragment of its own."""


class Origin(ThreadingHTTPServer):
    """A shop of five pages."""

    daemon_threads = True
    healthy = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Page)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Origin

    def do_GET(self) -> None:
        path = self.path
        sick = path == "/health_check.php" and not self.server.healthy
        body = HOME_PAGE if path == "/home" else b"ok"
        self.send_response(503 if sick else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "text/html")
        if path.startswith("/uncacheable"):
            self.send_header("Cache-Control", "no-store, no-cache, must-revalidate, max-age=0")
        elif path.startswith("/short"):
            self.send_header("Cache-Control", "max-age=1, public")
        else:
            self.send_header("Cache-Control", "max-age=86400, public")
        for number in range({"/many-headers": 52, "/too-many-headers": 100}.get(path, 0)):
            self.send_header(f"X-Header-{number}", "x")
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - the name that http.server looks for

    def log_message(self, *_: object) -> None:
        pass


class OwnVarnish(Varnish):
    """The sandbox's Varnish with probes that are quick and a backend that has none."""

    def prepare(self) -> None:
        super().prepare()
        text = (DEPLOY / "varnish" / "default.vcl").read_text()
        (self.directory / "default.vcl").write_text(text + USES_BOTH)
        (self.directory / "backend.vcl").write_text(BACKEND.format(port=self.origin_port))

    def admin(self, *words: str) -> str:
        command = [program("varnishadm"), "-n", str(self.name_directory), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=LONG).stdout


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with Origin() as origin:
        yield origin
        origin.shutdown()


@pytest.fixture(scope="module")
def varnish(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnVarnish]:
    """Shared by this file: compare before and after, and leave it running."""
    directory = tmp_path_factory.mktemp("varnish")
    with OwnVarnish(directory, origin_port=origin.server_port) as varnish:
        yield varnish


class Watch:
    """A collector with its memory, run again and again on one Varnish called `edge`."""

    def __init__(self, *instances: VarnishInstance) -> None:
        self.clock = Clock(1000.0)
        self.source = Varnishstat(instances, clock=self.clock)
        self.collector, self.store = PageCacheCollector(), VolatileStore()

    def __call__(self) -> dict[tuple[str, ...], float]:
        return values(run(self.collector, self.store, varnish=self.source))

    def until(
        self, condition: Callable[[dict[tuple[str, ...], float]], bool], what: str
    ) -> dict[tuple[str, ...], float]:
        found: dict[tuple[str, ...], float] = {}

        def holds() -> bool:
            found.clear()
            found.update(self())
            return condition(found)

        wait_until(holds, seconds=LONG, what=what)
        return found

    def until_it_answers(self) -> None:
        def answers() -> bool:
            try:
                self()
            except SourceUnavailable:
                return False
            return True

        wait_until(answers, seconds=LONG, what="the uptime moves again")


def edge(varnish: Varnish) -> VarnishInstance:
    return VarnishInstance("edge", str(varnish.name_directory))


def requests(found: dict[tuple[str, ...], float]) -> dict[str, float]:
    return {key[3]: value for key, value in found.items() if key[0] == "magento_page_cache_requests_total"}


def get(varnish: Varnish, path: str, method: str = "GET") -> int:
    return httpx.request(method, varnish.url + path, timeout=LONG, trust_env=False).status_code


def test_requests_by_result(varnish: OwnVarnish) -> None:
    watch = Watch(edge(varnish))
    before = requests(watch())
    for path in ("/a", "/a", "/a", "/b", "/uncacheable", "/uncacheable", "/uncacheable", "/checkout/cart"):
        assert get(varnish, path) == 200
    assert get(varnish, "/a", "POST") == 200
    truth = {"hit": 2, "miss": 3, "uncacheable": 2, "pass": 2}

    def added(found: dict[tuple[str, ...], float]) -> dict[str, float]:
        return {result: value - before[result] for result, value in requests(found).items()}

    def all_counted(found: dict[tuple[str, ...], float]) -> bool:
        get(varnish, "/checkout/cart")  # a thread may keep its numbers until its next request
        return all(added(found)[result] >= number for result, number in truth.items())

    after = watch.until(all_counted, "all requests are counted")
    counted = added(after)
    assert counted.pop("pass") >= truth.pop("pass")  # those of the start and of the waiting are among them
    assert counted == truth
    assert {key[1] for key in after if key[0] == "magento_page_cache_requests_total"} == {"varnish"}
    assert after["magento_page_cache_objects", "edge"] == varnish.counters()["MAIN.n_object"]


def test_a_view_of_the_home_page_is_one_page_and_static_files_move_no_ratio(varnish: OwnVarnish) -> None:
    """Magento's VCL looks the top menu up for each page, and passes what a browser loads beside it."""
    watch, static = Watch(edge(varnish)), ("/static/version1/a.js", "/media/logo.svg")
    get(varnish, "/home")
    before, raw = requests(watch()), varnish.counters()
    for _ in range(5):
        assert get(varnish, "/home") == 200
        for path in static:
            assert get(varnish, path) == 200

    def all_counted(found: dict[tuple[str, ...], float]) -> bool:
        get(varnish, "/checkout/cart")  # a thread may keep its numbers until its next request
        fragments = varnish.counters()["MAIN.esi_req"] - raw["MAIN.esi_req"]
        return fragments >= 5 and requests(found)["pass"] >= before["pass"] + 10

    after = requests(watch.until(all_counted, "all requests are counted"))
    assert varnish.counters()["MAIN.cache_hit"] - raw["MAIN.cache_hit"] == 10
    assert {name: after[name] - before[name] for name in ("hit", "miss", "uncacheable")} == {
        "hit": 5,
        "miss": 0,
        "uncacheable": 0,
    }


def test_bans_grace_and_fetches_that_fail(varnish: OwnVarnish) -> None:
    watch = Watch(edge(varnish))
    before = watch()
    for number in range(3):
        varnish.purge(f"cat_p_{number}")
    assert get(varnish, "/too-many-headers") == 503
    get(varnish, "/many-headers")  # no room is left for those that Varnish adds
    assert get(varnish, "/short") == 200

    def added(found: dict[tuple[str, ...], float], name: str) -> float:
        return (
            found[f"magento_page_cache_{name}_total", "edge"]
            - before[f"magento_page_cache_{name}_total", "edge"]
        )

    def stale(found: dict[tuple[str, ...], float]) -> bool:
        get(varnish, "/short")
        return added(found, "grace_hits") > 0

    found = watch.until(stale, "a stale page is served")
    assert added(found, "bans_added") == 3
    assert added(found, "fetch_failures") == 1
    assert added(found, "lost_headers") >= 1
    assert added(found, "objects_nuked") == 0
    assert found["magento_page_cache_bans", "edge"] == varnish.counters()["MAIN.bans"]


def test_the_health_is_that_of_the_vcl_in_use(varnish: OwnVarnish) -> None:
    """A VCL with a dead backend was loaded and used, and then the one before again. Both stay warm."""
    watch, default = Watch(edge(varnish)), ("magento_page_cache_backend_healthy", "edge", "default")
    watch.until(lambda found: found.get(default) == 1, "the backend is healthy")
    listed = [line.split() for line in varnish.admin("vcl.list").splitlines()]
    used = next(words[-1] for words in listed if words[:1] == ["active"])
    sick = 'vcl 4.1; backend default { .host = "127.0.0.1"; .port = "1"; .probe = { .interval = 0.1s; } }'
    (varnish.directory / "sick.vcl").write_text(sick)
    varnish.admin("vcl.load", "sick", str(varnish.directory / "sick.vcl"))
    varnish.admin("vcl.use", "sick")

    def asked(path: str, expected: int) -> Callable[[dict[tuple[str, ...], float]], bool]:
        def holds(found: dict[tuple[str, ...], float]) -> bool:
            get(varnish, path, "POST")
            return found.get(default) == expected

        return holds

    watch.until(asked("/a", 0), "the sick one is seen")
    varnish.admin("vcl.use", used)
    watch.until(asked("/a", 1), "the one in use is seen again")
    assert "VBE.sick.default.happy" in varnish.counters(), "it was warm all the time"


def test_backend_health_keeps_its_series_over_a_reload(varnish: OwnVarnish, origin: Origin) -> None:
    watch, default = Watch(edge(varnish)), ("magento_page_cache_backend_healthy", "edge", "default")
    watch.until(lambda found: found.get(default) == 1, "the backend is healthy")
    get(varnish, "/unprobed")
    varnish.admin("vcl.load", "a_newer_one", str(varnish.directory / "default.vcl"))
    varnish.admin("vcl.use", "a_newer_one")
    found = watch.until(lambda found: found.get(default) == 1, "the backend is healthy after the reload")
    backends = {key: value for key, value in found.items() if key[0] == "magento_page_cache_backend_healthy"}
    del backends[default]
    # To Varnish 7.7 a backend without a probe is healthy; to older ones it is nothing.
    assert backends in ({}, {(*default[:2], "unprobed"): 1}), "one series a backend"
    origin.healthy = False
    try:
        # No request says which VCL is in use, and each VCL probes on its own: wait for both.
        watch.until(lambda found: found[default] == 0, "the backend is sick")
        wait_until(lambda: "sick" in varnish.admin("backend.list"), seconds=LONG, what="Varnish says so too")
    finally:
        origin.healthy = True
    watch.until(lambda found: found[default] == 1, "the backend has recovered")


def test_a_worker_process_that_is_stopped_is_noticed(varnish: OwnVarnish) -> None:
    watch = Watch(edge(varnish))
    watch()
    varnish.admin("stop")
    with pytest.raises(SourceUnavailable, match="worker process"):
        watch()
    varnish.admin("start")
    assert requests(watch())["hit"] == 0


def test_a_frozen_varnish_is_noticed_and_heals(varnish: OwnVarnish) -> None:
    watch = Watch(edge(varnish))
    watch()
    varnish.pause()
    try:
        watch()  # shared memory still answers, and nothing tells yet
        watch.clock.forward(STANDSTILL_SECONDS + 1)
        with pytest.raises(SourceUnavailable, match="stands still"):
            watch()
    finally:
        varnish.resume()
    watch.until_it_answers()


def test_a_worker_process_that_is_frozen_alone_is_noticed(varnish: OwnVarnish) -> None:
    """The manager goes on, and so does what it counts; its pings have no answer until it kills the worker."""
    watch = Watch(edge(varnish))
    varnish.admin("param.set", "cli_timeout", "600")
    (worker,) = Path(f"/proc/{varnish.pid}/task/{varnish.pid}/children").read_text().split()
    os.kill(int(worker), signal.SIGSTOP)
    try:
        watch()
        watch.clock.forward(STANDSTILL_SECONDS + 1)
        with pytest.raises(SourceUnavailable, match="stands still"):
            watch()
    finally:
        os.kill(int(worker), signal.SIGCONT)
    watch.until_it_answers()


def test_a_killed_varnish_is_noticed_and_its_restart_is_a_reset(varnish: OwnVarnish) -> None:
    watch = Watch(edge(varnish))
    hits = requests(watch())["hit"]
    for _ in range(3):
        get(varnish, "/a")
    watch.until(lambda found: requests(found)["hit"] >= hits + 2, "hits are counted")
    varnish.kill()
    watch()
    watch.clock.forward(STANDSTILL_SECONDS + 1)
    with pytest.raises(SourceUnavailable, match="stands still"):
        watch()
    varnish.start()
    fresh = requests(watch())  # the health checks of the restarted one are passes
    assert {result: fresh[result] for result in ("hit", "miss", "uncacheable")} == dict.fromkeys(
        ("hit", "miss", "uncacheable"), 0
    )
    get(varnish, "/a")
    watch.until(lambda found: requests(found)["miss"] == 1, "misses are counted anew")


def test_one_instance_down_leaves_the_other(varnish: OwnVarnish, tmp_path: Path) -> None:
    found = Watch(edge(varnish), VarnishInstance("gone", str(tmp_path / "nowhere")))()
    assert found["magento_page_cache_up", "edge"] == 1
    assert found["magento_page_cache_up", "gone"] == 0
    assert set(requests(found)) == {"hit", "miss", "uncacheable", "pass"}


def test_no_instance_no_program_no_end(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="varnishd"):
        Watch(VarnishInstance("gone", str(tmp_path / "nowhere")))()
    with pytest.raises(AccessDenied, match="cannot be run"):  # nothing is known of Varnish, so it is not down
        Varnishstat([VarnishInstance("edge")], program=str(tmp_path / "varnishstat")).counters()
    endless = tmp_path / "endless"
    endless.write_text("#!/bin/sh\nexec sleep 60\n")
    endless.chmod(0o755)
    with pytest.raises(SourceTimeout):
        Varnishstat([VarnishInstance("edge")], program=str(endless), timeout=0.2).counters()
