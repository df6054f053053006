"""What a dashboard shows does not depend on the moments at which Grafana asks for it."""

import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from alerts.recording import STAGES
from dashboards.lib.annotations import CALLED, DEPLOYED, FLUSHED, MAINTENANCE
from dashboards.lib.business import tiles
from dashboards.lib.page import Annotation
from exporter.collectors import deployment, page_cache
from promql.expr import over_time, series
from promql.render import render
from sandbox.servers.prometheus import Prometheus
from tests.dashboards.live import Asker
from tests.harness.limits import LONG

MINUTE = 60
HOURS = 7
BEGIN = 1_750_000_020 // MINUTE * MINUTE + 37
"""Samples come in the middle of a minute."""
EVENT = BEGIN + 187 * MINUTE
TARGET = 'job="magento",instance="shop:9816"'
ALERT = f'{TARGET},alertname="MagentoCronSilent",alertstate="firing",severity="critical"'
FIRES = 150 * MINUTE
STEPS = (15, 60, 300, 7200)
"""Seconds: a range of half an hour, of an hour, of six hours and of a week."""


def samples() -> Iterator[tuple[str, str, int, float]]:
    """Yield (name, labels, moment, value): one cart in five minutes, and what happens at EVENT."""
    for moment in range(BEGIN, BEGIN + HOURS * 60 * MINUTE, MINUTE):
        since = moment - EVENT
        if 0 <= since <= FIRES:
            yield "ALERTS", ALERT, moment, 1
        yield deployment.DEPLOYED.name, TARGET, moment, EVENT if since >= 0 else BEGIN - 86_400
        yield deployment.MAINTENANCE.name, TARGET, moment, float(0 <= since < 2 * MINUTE)
        objects = 50_000 if since < 0 else min(50_000, 5_000 + since * 5)
        yield STAGES.name, TARGET, moment, 1
        yield page_cache.OBJECTS.name, f'{TARGET},varnish="varnish-1"', moment, objects


@pytest.fixture(scope="module")
def asker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asker]:
    folder = tmp_path_factory.mktemp("moments")
    text = folder / "series.om"
    write(text)
    prometheus = Prometheus(folder / "prometheus")
    data = prometheus.directory / "data"
    data.mkdir(parents=True)
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", text, data]
    subprocess.run(command, check=True, capture_output=True, timeout=LONG)
    with prometheus:
        yield Asker(prometheus.url, seconds=HOURS * 60 * MINUTE, until=BEGIN + HOURS * 60 * MINUTE)


def write(path: Path) -> None:
    families: dict[str, list[str]] = {}
    for name, labels, moment, value in samples():
        families.setdefault(name, []).append(f"{name}{{{labels}}} {value} {moment}\n")
    body = "".join(f"# TYPE {name} gauge\n{''.join(lines)}" for name, lines in families.items())
    path.write_text(body + "# EOF\n", encoding="utf-8")


def marks(asker: Asker, annotation: Annotation, step: int) -> set[float]:
    """Return the moments of an annotation's marks as Grafana reads them."""
    expression = asker.sent(render(annotation.expr).replace("$__interval", f"{step}s"))
    found, _ = asker.over_time(expression, step)
    points = [(float(moment), float(value)) for series in found for moment, value in series["values"]]
    return {value / 1000 if annotation.at_value else moment for moment, value in points if value > 0}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("annotation", [FLUSHED, DEPLOYED], ids=lambda annotation: annotation.name)
def test_a_moment_is_marked_once_at_every_step(asker: Asker, annotation: Annotation, step: int) -> None:
    (mark,) = (moment for moment in marks(asker, annotation, step) if moment >= BEGIN)
    assert EVENT <= mark < EVENT + MINUTE


@pytest.mark.parametrize("step", STEPS)
def test_an_alert_is_one_region_from_firing_to_resolved(asker: Asker, step: int) -> None:
    """Grafana joins marks of a series that are no more than a step apart."""
    found = sorted(marks(asker, CALLED, step))
    assert all(later - earlier <= step for earlier, later in pairwise(found))
    assert EVENT <= found[0] <= EVENT + step
    assert EVENT + FIRES - step < found[-1] <= EVENT + FIRES + 5 * MINUTE + step


@pytest.mark.parametrize("step", STEPS)
def test_a_short_maintenance_is_marked_at_every_step(asker: Asker, step: int) -> None:
    found = marks(asker, MAINTENANCE, step)
    assert found
    assert all(EVENT <= mark <= EVENT + 2 * MINUTE + step for mark in found)


@pytest.mark.parametrize("step", [75, 300])
def test_windows_of_five_minutes_are_each_counted_once(asker: Asker, step: int) -> None:
    (found,), _ = asker.over_time(render(over_time("sum", series(STAGES)[tiles(15)])), step)
    counted = {float(value) for moment, value in found["values"] if moment > BEGIN + 15 * MINUTE}
    assert counted == {3}
