"""What one refresh of the Overview costs Prometheus at 500 stores and 30 days.

The series are made up, one sample for each moment that Grafana would look at:
what a query touches does not depend on the values.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from alerts.recording import ATTEMPTS, BURN, FAILED, HIT_RATIO, REVENUE, STAGES, STOREFRONT_STALE
from dashboards import overview
from exporter.collectors import cron, expected_orders, indexers
from exporter.core import self_metrics
from exporter.core.baseline import WINDOWS
from exporter.magento import queues
from exporter.magento.checkout import STAGES as STAGE_NAMES
from sandbox.servers.prometheus import Prometheus
from tests.dashboards.live import Asker

STORES = 500
DAYS = 30
BUDGET = 6_000_000
"""Samples that one refresh of the Overview may touch."""

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
        for recording in (ATTEMPTS["1h"], FAILED["1h"], BURN["6h"]):
            yield recording.name, f'store="{store}"', False


def series_of_the_shop() -> Iterator[tuple[str, str, bool]]:
    for name in (cron.LAG.name, STOREFRONT_STALE.name):
        yield name, "", False
    yield HIT_RATIO.name, 'layer="varnish"', False
    for number in range(40):
        yield queues.OLDEST_AGE.name, f'queue="queue_{number}",broker="mysql"', False
        yield indexers.BACKLOG.name, f'indexer="indexer_{number}"', False
        yield self_metrics.LAST_SUCCESS.name, f'collector="collector_{number}"', False
        yield self_metrics.REFRESH.name, f'collector="collector_{number}"', False
        yield self_metrics.SOURCE_UP.name, f'source="source_{number}"', False


def write(path: Path) -> None:
    """Write the samples as OpenMetrics, family by family."""
    days = range(END - DAYS * 24 * HOUR, END + 1, HOUR)
    last_day = range(END - 24 * HOUR, END + 1, 300)
    families: dict[str, list[tuple[str, bool]]] = {}
    for name, labels, fine in (*series_of_each_store(), *series_of_the_shop()):
        families.setdefault(name, []).append((labels, fine))
    with path.open("w", encoding="utf-8") as file:
        for name, members in families.items():
            file.write(f"# TYPE {name} gauge\n")
            for labels, fine in members:
                head = f"{name}{{{TARGET}{',' if labels else ''}{labels}}} 7 "
                file.writelines(f"{head}{moment}\n" for moment in (last_day if fine else days))
        file.write("# EOF\n")


@pytest.mark.slow
def test_a_refresh_of_the_overview_stays_within_its_budget(
    prometheus_factory: Callable[..., Prometheus], tmp_path: Path
) -> None:
    text, blocks = tmp_path / "series.om", tmp_path / "blocks"
    write(text)
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=1458h"]
    subprocess.run([*command, text, blocks], check=True, capture_output=True, timeout=600)
    text.unlink()
    prometheus = prometheus_factory(arguments=())
    prometheus.stop()
    for block in blocks.iterdir():
        block.rename(prometheus.directory / "data" / block.name)
    prometheus.start()
    asker = Asker(prometheus.url, seconds=DAYS * 24 * HOUR, until=END)
    answers = list(asker.dashboard(overview.DASHBOARD))
    total = sum(answer.samples for answer in answers)
    for answer in sorted(answers, key=lambda answer: -answer.samples):
        sys.stdout.write(f"{answer.samples:>10,}  {answer.title}\n")
    sys.stdout.write(f"{total:>10,}  of {BUDGET:,}: one refresh, {STORES} stores, {DAYS} days\n")
    silent = {answer.panel for answer in answers if not answer.shows_something}
    assert silent <= {"alerts", "alert_list", "maintenance"}
    assert total <= BUDGET
