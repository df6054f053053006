"""The runbooks as the exporter serves them, in Chromium with the screen of a phone."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from urllib.parse import urlencode, urljoin

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from alerts.catalogue import catalogue
from exporter.core.memory import VolatileStore
from exporter.core.runner import Runner
from exporter.web.app_state import AppState
from exporter.web.application import create_application
from sandbox.process import LOOPBACK, free_port
from tests.harness.browser import WIDTH, Browser

pytestmark = pytest.mark.slow

ALERTS = {alert.runbook: alert for alert in catalogue().all}
NAMES = sorted(ALERTS)
FINGER = 44
"""CSS pixels that a thumb hits (WCAG 2.5.5)."""
READABLE = 4.5
"""Contrast that small text needs (WCAG 1.4.3)."""

TOO_WIDE = """
[...document.querySelectorAll("body *")].filter(e => {
  const box = e.getBoundingClientRect();
  return box.width && (box.right > innerWidth + 1 || box.left < -1) && !e.closest("pre, nav.contents");
}).map(e => e.outerHTML.slice(0, 80))
"""
DEAD_ANCHORS = """
[...document.querySelectorAll('a[href^="#"]')].map(a => a.getAttribute("href"))
  .filter(href => document.querySelectorAll("#" + CSS.escape(decodeURIComponent(href.slice(1)))).length !== 1)
"""
SMALL_TARGETS = """
[...document.querySelectorAll("header a, nav a, ul.index a, td a, p.fix a, button, summary")].filter(e => {
  const box = e.getBoundingClientRect();
  return box.height < %d - 0.5;
}).map(e => e.outerHTML)
"""
PALE = """
(() => {
  const light = colour => colour.match(/[0-9.]+/g).slice(0, 3).map(n => n / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = e => {
    const colour = getComputedStyle(e).backgroundColor;
    return / 0\\)$/.test(colour) && e.parentElement ? ground(e.parentElement) : colour;
  };
  const contrast = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const text = "h1, h2, p, dt, dd, a, i, li, small, pre, summary, figcaption b, button";
  return [...document.querySelectorAll(text)]
    .map(e => [e.outerHTML.slice(0, 90), contrast(light(getComputedStyle(e).color), light(ground(e)))])
    .filter(([, found]) => found < %s);
})()
"""
COPY = """
(() => {
  const figure = document.querySelector("main figure.command");
  figure.querySelector("button").click();
  return [figure.querySelector("button").textContent, getSelection().toString().trim(),
          figure.querySelector("code").textContent.trim()];
})()
"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Serve the real pages from an exporter without a shop."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield

    application = create_application(lifespan)
    runner = Runner([], context=None, store=VolatileStore(), executors={})  # type: ignore[arg-type]
    application.state.exporter = AppState(runner, {}, 1.0, 0.5)
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(application, host=LOOPBACK, port=port, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://{LOOPBACK}:{port}/runbooks/"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


def labels(name: str) -> dict[str, str]:
    """Return labels as a notification of this alert carries them."""
    own = {label: f"some_{label}" for label in ALERTS[name].series_labels}
    return {"job": "magento", "instance": "shop:9816", "shop": "main", **own}


def check(browser: Browser, address: str) -> None:
    """Check what holds for every page that is open."""
    assert browser.run("innerWidth") == WIDTH
    assert browser.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert browser.run(TOO_WIDE) == []
    assert browser.run(DEAD_ANCHORS) == []
    assert browser.run(SMALL_TARGETS % FINGER) == []
    assert all(url.startswith(urljoin(address, "/")) for url in browser.requested), browser.requested
    assert browser.complaints == []


NARROWED = """[...document.querySelectorAll('figure.command code')].map(c => c.textContent)
    .filter((text, at) => text.includes('amtool silence add')
        || document.querySelectorAll('figure.command')[at].classList.contains('promql'))"""
"""What acts on one shop of a Prometheus that may have many: queries and silences."""


@pytest.mark.parametrize("name", NAMES)
def test_a_page_fits_a_phone_and_knows_its_alert(browser: Browser, address: str, name: str) -> None:
    bare = httpx.get(address + name, trust_env=False).text
    given = labels(name)
    browser.open(f"{address}{name}?{urlencode(given)}")
    check(browser, address)
    for label, value in given.items():
        variable = re.compile(rf"<var>\$\{{?{label.upper()}(:\?)?\}}?</var>")
        assert not variable.search(browser.run("document.body.innerHTML"))
        filled = browser.run(
            f"[...document.querySelectorAll('mark')].filter(m => m.textContent == {value!r}).length"
        )
        assert filled == len(variable.findall(bare)) or label == "shop"
    assert [command for command in browser.run(NARROWED) if 'shop="main"' not in command] == []
    browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    check(browser, address)


def test_the_index_lists_every_page_by_severity_and_subject(browser: Browser, address: str) -> None:
    browser.open(address)
    check(browser, address)
    rows = browser.run(
        "[...document.querySelectorAll('ul.index a')].map(a => [a.getAttribute('href'), a.innerText])"
    )
    shown: dict[str, str] = dict(rows)
    assert set(shown) == set(NAMES)
    for name, text in shown.items():
        alert = ALERTS[name]
        assert text.split() == [name, str(alert.severity), *alert.summary.split()]
    first = browser.run("[...document.querySelectorAll('#critical + ul a')].map(a => a.getAttribute('href'))")
    assert first == [name for name in NAMES if ALERTS[name].severity == "critical"]


def test_a_tap_on_an_anchor_shows_its_heading_below_the_bar(browser: Browser, address: str) -> None:
    browser.open(f"{address}MagentoCronStopped")
    browser.run("document.querySelector('nav.contents a[href=\"#fix\"]').click()")
    place = "document.querySelector('#fix').getBoundingClientRect().top"
    bar = "document.querySelector('nav.contents').getBoundingClientRect().bottom"
    assert browser.run(bar) <= browser.run(place) < browser.run("innerHeight") / 2


def test_links_lead_to_pages_and_keep_the_labels(browser: Browser, address: str) -> None:
    leads: set[str] = set()
    for name in NAMES:
        browser.open(f"{address}{name}?store=fr")
        leads |= set(browser.run("[...document.querySelectorAll('a:not([href^=\"#\"])')].map(a => a.href)"))
    assert len(leads) > len(NAMES)
    around = {address, urljoin(address, "../"), urljoin(address, "../incidents")}
    for url in leads:
        assert url in around or "?store=fr" in url
        assert httpx.get(url, trust_env=False).status_code == 200, url


def test_a_tap_copies_a_command(browser: Browser, address: str) -> None:
    browser.open(f"{address}MagentoPageCacheFlushStorm?varnish=edge-1")
    said, selected, command = browser.run(COPY)
    assert said == "Copied"
    assert selected == command == 'increase(magento_page_cache_bans_added_total{varnish="edge-1"}[10m])'


@pytest.mark.parametrize("dark", [True, False], ids=["dark", "light"])
def test_text_stands_out_by_night_and_by_day(browser: Browser, address: str, dark: bool) -> None:
    browser.dark(dark)
    for page in ("", "../", "../incidents", "MagentoBackendsSick?varnish=edge-1"):
        browser.open(address + page)
        assert browser.run("matchMedia('(prefers-color-scheme: dark)').matches") is dark
        assert browser.run(PALE % READABLE) == []


@pytest.mark.parametrize(
    "planted",
    ["<script>window.planted=1</script>", '"><img src=x onerror="window.planted=1">', "'+alert(1)+'"],
)
def test_what_a_link_carries_is_never_run(browser: Browser, address: str, planted: str) -> None:
    query = urlencode({"varnish": planted, planted: "x", "instance": planted})
    browser.open(f"{address}MagentoBackendsSick?{query}#{planted}")
    check(browser, address)
    assert browser.run("window.planted") is None
    assert planted not in browser.run("document.documentElement.outerHTML")
    assert "varnish is not plain text" in browser.run("document.querySelector('p.labels').innerText")


def test_the_policy_lets_nothing_foreign_run(browser: Browser, address: str) -> None:
    browser.open(f"{address}MagentoCronStopped")
    browser.run("document.body.append(Object.assign(new Image(), {src: 'http://192.0.2.1/x.png'}))")
    browser.run(
        "document.body.append(Object.assign(document.createElement('script'), {text: 'window.planted = 1'}))"
    )
    assert browser.run("window.planted") is None
    image, script = sorted(browser.complaints, key=lambda text: "inline script" in text)
    assert "Loading the image 'http://192.0.2.1/x.png' violates" in image
    assert "Executing inline script violates" in script
