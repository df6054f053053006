"""Every panel names its window, a row has one, a title fits, and a stop looks like a stop."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import pytest

from dashboards.catalogue import DASHBOARDS
from dashboards.lib.page import Dashboard
from dashboards.lib.panels import Bars, Graph, Panel, Stat, Table
from promql.render import render

PAGES = pytest.mark.parametrize("page", DASHBOARDS, ids=lambda page: page.uid)

LOOKS_BACK: Final = re.compile(
    r"(?:last|max|min)_over_time\((?:[^()]|\([^()]*\))*\[[^\]]*\](?: offset \w+)?\)"
)
"""The newest of several samples: no window over which something is counted."""
CHOSEN: Final = re.compile(r"and on \([^)]*\)\s*\(?\s*topk\(.*", re.DOTALL)
"""The lines that a graph shows, chosen once for its whole range."""
SPAN: Final = re.compile(
    r"\[(?P<range>\d\w*)(?::\w+)?\]"
    r"|magento:\w+:(?:increase|ratio|least_ratio|burnrate|mean)(?P<recorded>\d+[mhd])\b"
    r'|magento_orders_recent\{[^}]*window="(?P<label>\d+[mhd])"'
)
WORDS: Final = re.compile(r"\b(\d+) (min|h|d)\b")
TILES: Final = {"23h59m59s999ms": "1d", "59m59s999ms": "1h", "14m59s999ms": "15m"}
NAMES: Final = {"24 h": "1d"}

SEVERAL: Final = {
    ("magento-checkout", "selling"): "the shortest of four windows with enough orders; its meaning says so",
    ("magento-queues", "deserted"): "a state: nothing was taken in five minutes; its meaning says so",
    ("magento-queues", "consumers"): "a state: nothing was taken in five minutes; its meaning says so",
    ("magento-php-web", "limit"): "so rare that an hour shows it; its title says so",
    ("magento-php-web", "opcache_restarts"): "so rare that an hour shows it; its title says so",
    ("magento-search", "share_now"): "compared with the most of a day; its meaning says so",
    ("magento-search", "lost"): "compared with the most of a day; its meaning says so",
    ("magento-search", "documents"): "compared with the most of a day; its meaning says so",
    ("magento-slo", "checkout_burn"): "a burn rate is judged over a short and a long window",
    ("magento-slo", "freshness_burn"): "a burn rate is judged over a short and a long window",
    ("magento-slo", "checkout_lasts"): "a budget of 30 days at the pace of six hours",
    ("magento-slo", "freshness_lasts"): "a budget of 30 days at the pace of six hours",
}
"""Panels with more than one window, and why."""
SLOW: Final = {
    ("magento-money", "order_value"): "a mean needs orders; a stop is a gap in it",
    ("magento-money", "units"): "a mean needs orders; a stop is a gap in it",
    ("magento-money", "coupons"): "a share needs orders; a stop is a gap in it",
    ("magento-queues", "failed"): "failures: a stop of these is no fault",
    ("magento-queues", "redelivered"): "failures: a stop of these is no fault",
    ("magento-golden-path", "php_full"): "failures: a stop of these is no fault",
    ("magento-php-web", "limit"): "failures: a stop of these is no fault",
    ("magento-php-web", "opcache_restarts"): "failures: a stop of these is no fault",
    ("magento-host", "oom"): "failures: a stop of these is no fault",
    ("magento-slo", "checkout_budget"): "the budget of 30 days is its subject",
    ("magento-slo", "checkout_burn"): "burn rates are its subject",
    ("magento-slo", "freshness_burn"): "burn rates are its subject",
}
"""Lines over more than ten minutes, and why."""
SECONDS: Final = {"m": 60, "h": 3_600, "d": 86_400}
AT_1200_PIXELS: Final = 1_200 / 24.6
PIXELS_OF_A_LETTER: Final = 6.7
AROUND_A_TITLE: Final = 78
"""The panel's padding, and the mark of its description."""
MARK_OF_LINKS: Final = 33


def rows(page: Dashboard) -> Iterator[list[Panel]]:
    for row in page.rows:
        yield list(row.every())


def counted(panel: Panel) -> set[str]:
    """Return the windows over which the panel counts."""
    found: set[str] = set()
    for ask in panel.asks:
        text = LOOKS_BACK.sub("", CHOSEN.sub("", render(ask.expr)))
        if "[$__range:" in text:
            continue  # it counts over what the reader has chosen
        spans = {next(part for part in match.groups() if part) for match in SPAN.finditer(text)}
        whole = {TILES[span] for span in spans if span in TILES}
        found |= whole or spans
    return found


def named(text: str) -> set[str]:
    """Return the windows that a title names."""
    words = {" ".join(match) for match in WORDS.findall(text)}
    return {NAMES.get(word, word.replace(" min", "m").replace(" ", "")) for word in words}


def test_windows_are_found() -> None:
    page = {
        panel.key: panel
        for page in DASHBOARDS
        if page.uid == "magento-slo"
        for row in rows(page)
        for panel in row
    }
    assert counted(page["checkout_burn"]) == {"1h", "6h"}
    assert named("Budget (1 h, 6 h) of 30 d") == {"1h", "6h", "30d"}
    assert named("Orders (24 h)") == {"1d"}


@PAGES
def test_a_title_names_the_window(page: Dashboard) -> None:
    for panel in (panel for row in rows(page) for panel in row):
        windows, said = counted(panel), named(panel.title)
        if isinstance(panel, Table):
            assert not said, panel.key
        elif (page.uid, panel.key) not in SEVERAL:
            assert said <= windows, f"{panel.key}: its title names what it does not count: {panel.title}"
            assert bool(said) == bool(windows), f"{panel.key}: {panel.title} counts over {sorted(windows)}"


@PAGES
def test_a_column_names_its_window(page: Dashboard) -> None:
    tables = [panel for row in rows(page) for panel in row if isinstance(panel, Table)]
    for table in tables:
        said = set().union(*(named(column.title) for column in table.columns))
        assert said <= counted(table), table.key
        assert bool(said) == bool(counted(table)), f"{table.key}: {sorted(counted(table))}"


@PAGES
def test_a_row_has_one_window(page: Dashboard) -> None:
    for row in rows(page):
        plain = [p for p in row if (page.uid, p.key) not in SEVERAL and not isinstance(p, Table)]
        lines = {w for p in plain if isinstance(p, Graph) for w in named(p.title)}
        tiles = {w for p in plain if isinstance(p, Stat | Bars) for w in named(p.title)}
        assert len(lines) <= 1, (lines, [p.title for p in row])
        assert len(tiles) <= 1, (tiles, [p.title for p in row])


@PAGES
def test_a_stop_looks_like_a_stop(page: Dashboard) -> None:
    for panel in (p for row in rows(page) for p in row if isinstance(p, Graph)):
        long = {w for w in named(panel.title) if int(w[:-1]) * SECONDS[w[-1]] > 600}
        assert bool(long) == ((page.uid, panel.key) in SLOW), f"{panel.key}: {panel.title}"


@PAGES
def test_a_title_fits_at_1200_pixels(page: Dashboard) -> None:
    for panel in (panel for row in rows(page) for panel in row):
        links = 0 if isinstance(panel, Stat) else MARK_OF_LINKS
        room = panel.width * AT_1200_PIXELS - AROUND_A_TITLE - links
        cut = len(panel.title) * PIXELS_OF_A_LETTER > room
        assert not cut, f"{panel.key}: {panel.title}"


def test_exemptions_are_of_panels_that_exist() -> None:
    known = {(page.uid, panel.key) for page in DASHBOARDS for row in rows(page) for panel in row}
    assert {*SEVERAL, *SLOW} <= known
