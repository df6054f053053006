"""The probe from outside, with a real blackbox_exporter: what each module takes for a page that is served."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from sandbox.certificates import Certificate
from sandbox.demo import WWW
from sandbox.servers.exporters import PAGES, BlackboxExporter
from sandbox.servers.storefront import Storefront
from tests.harness.limits import LONG

MODULE = {page: module for page, _, module in PAGES}


@pytest.fixture(scope="module")
def blackbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlackboxExporter]:
    with BlackboxExporter(tmp_path_factory.mktemp("blackbox")) as exporter:
        yield exporter


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storefront]:
    state = tmp_path_factory.mktemp("shop")
    (state / "faults").mkdir()
    with Storefront(state / "storefront", www=WWW, variables={"SANDBOX_STATE": str(state)}) as storefront:
        yield storefront


def probe(blackbox: BlackboxExporter, url: str, module: str) -> dict[str, float]:
    """Return what the exporter says of the address, without the series by phase."""
    answer = httpx.get(
        f"http://{blackbox.address}/probe",
        params={"target": url, "module": module},
        timeout=LONG,
        trust_env=False,
    )
    lines = [
        line.split() for line in answer.text.splitlines() if not line.startswith("#") and "{" not in line
    ]
    return {name: float(value) for name, value in lines}


def served(blackbox: BlackboxExporter, shop: Storefront) -> set[str]:
    """Return the pages whose probe succeeds."""
    return {
        page
        for page, path, module in PAGES
        if probe(blackbox, shop.varnish.url + path, module)["probe_success"] == 1
    }


def test_a_shop_that_serves_is_green_everywhere(blackbox: BlackboxExporter, shop: Storefront) -> None:
    assert served(blackbox, shop) == set(MODULE)


def test_what_the_cache_hides_the_uncached_pages_show(blackbox: BlackboxExporter, shop: Storefront) -> None:
    assert served(blackbox, shop) == set(MODULE)  # now the cache has the home page and the category
    flag = shop.directory.parent / "faults" / "maintenance"
    flag.touch()
    assert served(blackbox, shop) == {"home", "category"}
    flag.unlink()
    assert served(blackbox, shop) == set(MODULE)


@pytest.mark.slow
def test_a_frozen_edge_fails_every_probe(blackbox: BlackboxExporter, shop: Storefront) -> None:
    shop.varnish.pause()
    assert served(blackbox, shop) == set()
    shop.varnish.resume()
    assert served(blackbox, shop) == set(MODULE)


@pytest.mark.parametrize("module", sorted(set(MODULE.values())))
def test_an_answer_of_200_that_is_another_page_is_a_failure(
    module: str, blackbox: BlackboxExporter, shop: Storefront
) -> None:
    health = probe(blackbox, f"{shop.nginx.url}/health_check.php", module)
    assert (health["probe_http_status_code"], health["probe_success"]) == (200, 0)
    assert health["probe_failed_due_to_regex"] == 1


class Trusting(BlackboxExporter):
    """A probe that trusts one authority alone."""

    def __init__(self, directory: Path, authority: Path) -> None:
        super().__init__(directory)
        self.authority = authority

    def environment(self) -> Mapping[str, str]:
        return {"SSL_CERT_FILE": str(self.authority)}


class Page(BaseHTTPRequestHandler):
    """A page of a shop."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html></html>")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Answering(BaseHTTPRequestHandler):
    """Answers what the test says, whatever is asked."""

    status = 200
    robots_tag = ""
    last_modified = ""
    body = b""

    def do_HEAD(self) -> None:
        self.send_response(self.status)
        if self.robots_tag:
            self.send_header("X-Robots-Tag", self.robots_tag)
        if self.last_modified:
            self.send_header("Last-Modified", self.last_modified)
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def answering() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


ROBOTS, INDEXABLE = "magento_robots", "magento_indexable"


@pytest.mark.parametrize(
    ("module", "answer", "success"),
    [
        (ROBOTS, {"body": b"User-agent: *\nDisallow: /checkout/\n"}, 1),
        (ROBOTS, {"body": b"User-agent: *\nDisallow: /\n"}, 0),
        (ROBOTS, {"body": b"user-agent:*\r\nAllow: /media/\r\n\r\ndisallow: /\r\n"}, 0),
        (ROBOTS, {"body": b"User-agent: *\nDisallow:\n\nUser-agent: BadBot\nDisallow: /\n"}, 1),
        (ROBOTS, {"body": b"User-agent: *\nDisallow: /"}, 0),
        (ROBOTS, {"body": b"not found", "status": 404}, 1),
        (ROBOTS, {"body": b"broken", "status": 503}, 0),
        (INDEXABLE, {"body": b'<meta name="robots" content="INDEX,FOLLOW"/>'}, 1),
        (INDEXABLE, {"body": b'<meta name="robots" content="NOINDEX,NOFOLLOW"/>'}, 0),
        (INDEXABLE, {"body": b'<meta content="noindex" name="robots">'}, 0),
        (INDEXABLE, {"body": b"<html></html>", "robots_tag": "noindex, nofollow"}, 0),
        (INDEXABLE, {"body": b"<html></html>", "robots_tag": "all"}, 1),
    ],
)
def test_a_shop_that_shuts_search_engines_out_is_found(
    module: str,
    answer: dict[str, object],
    success: float,
    blackbox: BlackboxExporter,
    answering: str,
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        for name, value in answer.items():
            patched.setattr(Answering, name, value)
        assert probe(blackbox, answering, module)["probe_success"] == success


def test_it_knows_when_a_file_was_written(blackbox: BlackboxExporter, answering: str) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Answering, "last_modified", "Wed, 21 Oct 2026 07:28:00 GMT")
        found = probe(blackbox, answering, "magento_file")
    assert found["probe_success"] == 1
    assert found["probe_http_last_modified_timestamp_seconds"] == 1_792_567_680
    assert "probe_http_last_modified_timestamp_seconds" not in probe(blackbox, answering, "magento_file")


def test_it_knows_when_the_certificate_ends(tmp_path: Path) -> None:
    authority = Certificate.authority("authority")
    certificate = authority.issue("shop")
    authority.write(tmp_path / "authority.pem", tmp_path / "authority.key")
    certificate.write(tmp_path / "shop.pem", tmp_path / "shop.key")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "shop.pem", tmp_path / "shop.key")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with Trusting(tmp_path / "blackbox", tmp_path / "authority.pem") as blackbox:
            found = probe(blackbox, f"https://127.0.0.1:{server.server_port}/", "magento_page")
    finally:
        server.shutdown()
        server.server_close()
    assert found["probe_success"] == 1
    ends = {one.certificate.not_valid_after_utc.timestamp() for one in (certificate, authority)}
    assert found["probe_ssl_earliest_cert_expiry"] == min(ends)  # the earliest of the chain
