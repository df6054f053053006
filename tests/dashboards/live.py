"""Asks a real Prometheus every question of every dashboard, as Grafana would with all stores chosen."""

from __future__ import annotations

import json
import math
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from dashboards.lib.page import Dashboard
from exporter.core.panels import panel_id
from promql.render import render
from sandbox.process import Process
from tests.dashboards.reading import MACROS, PROJECT, everything, panels, variable_queries
from tests.harness.limits import LONG

EVERY_COLLECTOR = "count(magento_collector_success == 1) == count(magento_collector_enabled == 1)"
SCREEN = 1600
COLUMNS = 24
SCRAPE_SECONDS = 15.0

# Grafana's steps: up to the first number of seconds, the second one.
STEPS = (
    (12.5, 10), (17.5, 15), (25, 20), (45, 30), (90, 60), (210, 120), (450, 300), (750, 600), (1050, 900),
    (1500, 1200), (2700, 1800), (5400, 3600), (9000, 7200), (16_200, 10_800), (32_400, 21_600),
    (86_400, 43_200),
)  # fmt: skip


def step_of(seconds: float, width: int) -> float:
    """Return the step in seconds that Grafana takes for a panel so wide: a sample a pixel, rounded."""
    wanted = seconds / (SCREEN * width / COLUMNS)
    rounded = next((step for limit, step in STEPS if wanted < limit), 86_400)
    return max(SCRAPE_SECONDS, rounded)


@dataclass(frozen=True)
class Answer:
    """What a panel got: how many series each of its queries returned, and how many samples that touched."""

    dashboard: str
    panel: str
    title: str
    series: tuple[int, ...]
    samples: int = 0

    @property
    def shows_something(self) -> bool:
        return any(self.series)


@dataclass(frozen=True)
class Asker:
    """A Prometheus, and the span of time that a dashboard would show."""

    prometheus: str
    seconds: float = 900
    until: float | None = None
    values: tuple[tuple[str, str], ...] = (("job", "magento"),)

    def dashboard(self, page: Dashboard) -> Iterator[Answer]:
        """Ask everything that the dashboard's panels ask."""
        keys = {panel_id(page.uid, panel.key): panel.key for panel in page.panels()}
        for panel in panels(page.render()):
            step = step_of(self.seconds, panel["gridPos"]["w"])
            found = [self._ask(target, step) for target in panel["targets"]]
            samples = sum(touched for _, touched in found)
            key, title = keys[panel["id"]], panel["title"]
            yield Answer(page.uid, key, title, tuple(len(series) for series, _ in found), samples)

    def variables(self, page: Dashboard) -> Iterator[tuple[str, int]]:
        """Return how many series each variable's query finds."""
        for expression in variable_queries(page.render()):
            yield expression, len(self.instant(self.sent(expression))[0])

    def annotations(self, page: Dashboard) -> Iterator[tuple[str, int]]:
        """Return how many series each annotation finds; none is no fault."""
        for annotation in page.annotations:
            yield annotation.name, len(self.over_time(self.sent(render(annotation.expr)), 60)[0])

    def sent(self, expression: str) -> str:
        """Return the expression as Grafana sends it."""
        for macro, value in MACROS.items():
            expression = expression.replace(macro, value)
        return everything(expression, dict(self.values))

    def instant(self, expression: str) -> tuple[list[Any], int]:
        """Return the series of an instant query that have a number, and the samples touched."""
        return self._get("query", query=expression, time=self._end)

    def over_time(self, expression: str, step: float) -> tuple[list[Any], int]:
        """Return the series of a range query that have a number, and the samples touched."""
        end = self._end // step * step
        span = {"start": end - self.seconds // step * step, "end": end, "step": step}
        return self._get("query_range", query=expression, **span)

    @property
    def _end(self) -> float:
        return time.time() if self.until is None else self.until

    def _ask(self, target: dict[str, Any], step: float) -> tuple[list[Any], int]:
        expression = self.sent(target["expr"])
        return self.instant(expression) if target["instant"] else self.over_time(expression, step)

    def _get(self, path: str, **parameters: Any) -> tuple[list[Any], int]:
        answer = httpx.post(
            f"{self.prometheus}/api/v1/{path}", data={**parameters, "stats": "all"}, timeout=LONG
        )
        body = answer.json()
        assert body["status"] == "success", f"{parameters['query']}\n{body.get('error')}"
        data = body["data"]
        with_numbers = [series for series in data["result"] if any(map(_is_number, _values(series)))]
        return with_numbers, data["stats"]["samples"]["totalQueryableSamples"]


def _values(series: dict[str, Any]) -> list[str]:
    return [value for _, value in series["values"]] if "values" in series else [series["value"][1]]


def _is_number(text: str) -> bool:
    return not re.fullmatch(r"NaN", text) and not math.isnan(float(text))


@dataclass(frozen=True)
class Running:
    """A demo that runs: its state directory, and the asker of its Prometheus."""

    state: Path
    asker: Asker


@contextmanager
def demo(folder: Path, *options: str, program: Sequence[str] = ("sandbox", "demo")) -> Iterator[Running]:
    """Run a demo below this folder."""
    state = folder / "state"
    command = [sys.executable, "-m", *program, "--directory", str(state), *options]
    process = Process("demo", command, log=folder / "log", cwd=PROJECT)
    process.start()
    try:
        urls = state / "urls.json"
        process.wait_ready(lambda: urls.exists() and "exporter" in urls.read_text(), seconds=LONG)
        yield Running(state, Asker(json.loads(urls.read_text())["prometheus"]))
    finally:
        process.stop(seconds=LONG)


def holds(asker: Asker, expression: str) -> Callable[[], bool]:
    """Return a function that says whether the expression has a value."""
    return lambda: bool(asker.instant(expression)[0])
