"""Every question of every dashboard, asked of a real Prometheus that scrapes a living shop."""

import re
from collections.abc import Iterator

import pytest

from alerts.recording import PAGES_LOOKED_UP, STOREFRONT_STALE
from alerts.thresholds import PAGE_REQUESTS
from dashboards.catalogue import DASHBOARDS
from dashboards.lib.page import Dashboard
from sandbox.process import wait_until
from sandbox.stack import BESIDE
from tests.dashboards.live import EVERY_COLLECTOR, Asker, demo, holds
from tests.harness.limits import LONG

FILLED = {
    "the usual number of orders is known": 'magento_orders_expected{window="1d"} > 0',
    "attempts to place an order are settled": "magento:placement_attempts:increase30d > 0",
    "indexers are judged": "magento:storefront_stale:bool",
    "the cache was asked enough": f"{PAGES_LOOKED_UP.name} > {PAGE_REQUESTS}",
    "every collector has run": EVERY_COLLECTOR,
}

JUDGED_FOR_A_MINUTE = f"{STOREFRONT_STALE.name} offset 1m"
PATIENCE_SECONDS = 45 * 60
"""The recordings of a day and of a month add up half hours of the clock, and the first may be far off."""

UNREAD = re.compile(r"\boff$|not (read|scraped|loaded|watched)")
"""What a panel says when its numbers do not come in."""


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asker]:
    folder = tmp_path_factory.mktemp("healthy")
    options = ("--history-days", "15", "--rate", "0.7", "--scrape-seconds", "5", "--with", *BESIDE)
    with demo(folder, *options) as running:
        for what, expression in FILLED.items():
            wait_until(holds(running.asker, expression), seconds=PATIENCE_SECONDS, what=what)
        yield running.asker


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asker]:
    folder = tmp_path_factory.mktemp("empty")
    options = ("--history-days", "0", "--fault", "no-traffic", "--scrape-seconds", "5")
    with demo(folder, *options) as running:
        wait_until(holds(running.asker, EVERY_COLLECTOR), seconds=LONG, what="every collector has run")
        wait_until(holds(running.asker, JUDGED_FOR_A_MINUTE), seconds=LONG, what="graphs have points")
        yield running.asker


@pytest.mark.slow
@pytest.mark.parametrize("page", DASHBOARDS, ids=lambda page: page.uid)
def test_every_query_has_an_answer_on_a_healthy_shop(healthy: Asker, page: Dashboard) -> None:
    """Each query of a panel, every column of a table included, unless it says that it may have none."""
    declared = {
        (panel.key, number)
        for panel in page.panels()
        for number, ask in enumerate(panel.asks)
        if ask.may_be_empty
    }
    silent = {
        (answer.panel, number)
        for answer in healthy.dashboard(page)
        for number, found in enumerate(answer.series)
        if not found
    }
    assert silent <= declared
    for expression, series in healthy.variables(page):
        assert series, expression
    list(healthy.annotations(page))


@pytest.mark.slow
@pytest.mark.parametrize("page", DASHBOARDS, ids=lambda page: page.uid)
def test_an_empty_shop_is_not_said_to_be_unread(empty: Asker, page: Dashboard) -> None:
    """Every query runs; what has no answer says so in words that hold while all collectors work."""
    for answer in empty.dashboard(page):
        if not answer.shows_something:
            reasons = page.panel(answer.panel).empty.split(", or ")
            assert not all(map(UNREAD.search, reasons)), (answer.panel, reasons)
    list(empty.annotations(page))
