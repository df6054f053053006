"""What one refresh of a dashboard costs Prometheus at 500 stores and 30 days.

The series are made up, one sample for each moment that Grafana would look at:
what a query touches does not depend on the values. They are random, so that at
each moment other stores are the largest.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from alerts.platform.search import SHARE
from alerts.recording import (
    ATTEMPTS,
    BURN,
    FAILED,
    HIT_RATIO,
    PAGES_LOOKED_UP,
    REVENUE,
    STAGES,
    STOREFRONT_STALE,
)
from alerts.selling import glance
from alerts.slo import LEAST
from dashboards import after_order, checkout, money, overview, search, slo
from dashboards.lib.page import Dashboard
from dashboards.lib.panels import Table
from dashboards.lib.variables import Variable
from exporter.collectors import all_collectors, carts, cron, expected_orders, indexers, orders, placements
from exporter.collectors import search as search_indexes
from exporter.collectors.expected_orders.baseline import WINDOWS
from exporter.core import self_metrics
from exporter.magento import queues
from exporter.magento.checkout import STAGES as STAGE_NAMES
from sandbox.servers.prometheus import Prometheus
from tests.dashboards.live import Asker
from tests.harness.limits import LONG

STORES = 500
METHODS = 40
"""Payment methods, more than any shop has."""
DAYS = 30
BUDGET = 5_000_000
"""Samples that one refresh of the Overview may touch."""

LINES = 12
"""Lines that a graph may have, and rows that may be repeated."""

HOUR = 3600
BLOCK = 1458 * HOUR
"""The length of the one block that everything lies in; Prometheus' blocks grow by threes from two hours."""
END = 30 * BLOCK + 40 * 24 * HOUR
TARGET = 'job="magento",instance="shop:9816"'


def series_of_each_store() -> Iterator[tuple[str, str, bool]]:
    """Yield (name, labels, whether it is read in five-minute steps over the last day)."""
    for store in (f"store_{number}" for number in range(STORES)):
        for window in WINDOWS:
            yield expected_orders.RECENT.name, f'store="{store}",window="{window}"', False
            yield expected_orders.EXPECTED.name, f'store="{store}",window="{window}"', False
        for stage in STAGE_NAMES:
            yield STAGES.name, f'store="{store}",stage="{stage}"', True
        yield REVENUE.name, f'store="{store}",currency="EUR"', True
        yield glance.LOST.name, f'store="{store}",currency="EUR"', False
        for metric in (
            *(recordings[window] for recordings in (ATTEMPTS, FAILED) for window in ("5m", "1h", "6h")),
            *(glance.STATE, glance.SINCE, glance.AWAITED, orders.LAST_ORDER),
            BURN["6h"],
            LEAST["1h"],
            placements.WAITING,
            carts.OLDEST,
            *(SHARE, *(metric for metric in search_indexes.SearchCollector.metrics if metric.labels)),
        ):
            yield metric.name, f'store="{store}"', False


def series_of_the_shop() -> Iterator[tuple[str, str, bool]]:
    for name in (cron.LAG.name, STOREFRONT_STALE.name):
        yield name, "", False
    for recording in (HIT_RATIO, PAGES_LOOKED_UP):
        yield recording.name, 'layer="varnish"', False
    for number in range(METHODS):
        yield orders.PLACED.name, f'store="store_1",method="method_{number}"', True
    for number in range(40):
        yield queues.OLDEST_AGE.name, f'queue="queue_{number}",broker="mysql"', False
        yield indexers.BACKLOG.name, f'indexer="indexer_{number}"', False
    for collector in all_collectors():
        for metric in (self_metrics.LAST_SUCCESS, self_metrics.REFRESH, self_metrics.SUCCESS):
            yield metric.name, f'collector="{collector.name}"', False


def write(path: Path) -> None:
    """Write the samples as OpenMetrics, family by family."""
    days = range(END - DAYS * 24 * HOUR, END + 1, HOUR)
    last_day = range(END - 24 * HOUR, END + 1, 300)
    chance = Random(1)  # noqa: S311 - repeatable values, no secret
    families: dict[str, list[tuple[str, bool]]] = {}
    for name, labels, fine in (*series_of_each_store(), *series_of_the_shop()):
        families.setdefault(name, []).append((labels, fine))
    with path.open("w", encoding="utf-8") as file:
        for name, members in families.items():
            file.write(f"# TYPE {name} gauge\n")
            for labels, fine in members:
                head = f"{name}{{{TARGET}{',' if labels else ''}{labels}}}"
                file.writelines(
                    f"{head} {chance.randrange(1_000, 2_000)} {moment}\n"
                    for moment in (last_day if fine else days)
                )
        file.write("# EOF\n")


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Run a Prometheus that has watched 500 stores for 30 days."""
    folder = tmp_path_factory.mktemp("crowded")
    text, blocks = folder / "series.om", folder / "blocks"
    write(text)
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=1458h"]
    subprocess.run([*command, text, blocks], check=True, capture_output=True, timeout=LONG)
    text.unlink()
    prometheus = Prometheus(folder / "prometheus")
    data = prometheus.directory / "data"
    data.mkdir(parents=True)
    for block in blocks.iterdir():
        block.rename(data / block.name)
    with prometheus:
        yield prometheus


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "may_be_silent"),
    [
        # the last of them read other exporters
        (overview.DASHBOARD, {"alerts", "alert_list", "maintenance", "stands_on"}),
        (search.DASHBOARD, {"unused_now", "read_only_now", "down", "queries", "seconds", "rejected"}),
    ],
    ids=lambda value: getattr(value, "uid", ""),
)
def test_a_refresh_stays_within_its_budget(
    crowded: Prometheus, page: Dashboard, may_be_silent: set[str]
) -> None:
    """The other pages about what the shop stands on have series of servers only, which are few."""
    asker = Asker(crowded.url, seconds=DAYS * 24 * HOUR, until=END)
    answers = list(asker.dashboard(page))
    total = sum(answer.samples for answer in answers)
    for answer in sorted(answers, key=lambda answer: -answer.samples):
        sys.stdout.write(f"{answer.samples:>10,}  {answer.title}\n")
    sys.stdout.write(f"{total:>10,}  of {BUDGET:,}: one refresh, {STORES} stores, {DAYS} days\n")
    assert {answer.panel for answer in answers if not answer.shows_something} <= may_be_silent
    assert total <= BUDGET


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [overview.DASHBOARD, checkout.DASHBOARD, after_order.DASHBOARD, money.DASHBOARD, slo.DASHBOARD],
    ids=lambda p: p.uid,
)
def test_many_stores_do_not_flood_a_browser(crowded: Prometheus, page: Dashboard) -> None:
    """A graph draws the worst or the largest stores, the same all the time; a table, which draws what is in
    sight, has them all."""
    asker = Asker(crowded.url, seconds=6 * HOUR, until=END)
    for answer in asker.dashboard(page):
        table = isinstance(page.panel(answer.panel), Table)
        assert max(answer.series) <= (STORES if table else LINES), answer
    repeated = {row.repeat for row in page.rows if row.repeat}
    for variable in page.variables:
        if variable.name in repeated:
            rows = len(asker.instant(asker.sent(query_of(variable)))[0])
            sys.stdout.write(f"{page.uid}: {rows} repeated rows for {STORES} stores\n")
            assert 0 < rows <= LINES


def query_of(variable: Variable) -> str:
    return variable.query.removeprefix("query_result(").removesuffix(")")
