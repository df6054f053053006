"""Each fault of the sandbox, seen on the panel that is declared to show it; and no query fails meanwhile."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

import pytest

from dashboards.catalogue import DASHBOARDS
from dashboards.lib.panels import Panel
from exporter.collectors import orders
from exporter.core.panels import panel_id
from exporter.core.self_metrics import SUCCESS
from sandbox import faults
from sandbox.process import wait_until
from tests.dashboards.incidents import PLAY, SIGNS, Sign
from tests.dashboards.live import EVERY_COLLECTOR, Asker, Running, demo, holds
from tests.dashboards.reading import RENDERED, panels
from tests.harness.limits import LONG

SECONDS = 240
"""How long a sign may take: two to three times what it needs on a machine with nothing else to do."""
CLEAR_SECONDS = 330
"""How long what an earlier fault left may take to vanish: the longest windows of signs are five minutes."""
ENOUGH_ORDERS = 10
LAST_SECONDS = 120.0
"""The range of the queries that must not fail; what they find is not looked at."""
SELLING = f"sum(increase({orders.PLACED.name}[1m])) > 5"


@dataclass
class Stage:
    """A running shop, and what its panels showed before the faults that are on."""

    running: Running
    before: dict[str, tuple[float, float]] = field(default_factory=dict)

    def play(self, act: tuple[str, ...]) -> Iterator[str]:
        """Switch the act's faults on and yield each when its sign appears."""
        for fault in act:
            wait_until(
                lambda f=fault: not self.absolute(SIGNS[f]), seconds=CLEAR_SECONDS, what=f"no sign of {fault}"
            )
        for fault in act:
            self.before[fault] = self.measured(SIGNS[fault])
            faults.switch_on(self.running.state, fault)
        waiting = set(act)
        deadline = time.monotonic() + SECONDS
        while waiting and time.monotonic() < deadline:
            for fault in sorted(filter(self.shows, waiting)):
                waiting.remove(fault)
                yield fault
            time.sleep(1)
        assert not waiting, self._why(waiting)

    def _why(self, missing: set[str]) -> dict[str, Any]:
        """Return what the panels show instead, and the collectors that fail: is the machine too slow?"""
        failing, _ = self.asker.instant(f"{SUCCESS.name} == 0")
        collectors = [series["metric"]["collector"] for series in failing]
        return {"failing": collectors, **{fault: self.measured(SIGNS[fault]) for fault in missing}}

    def end(self, act: tuple[str, ...]) -> None:
        """Switch the act's faults off."""
        for fault in act:
            faults.switch_off(self.running.state, fault)

    def shows(self, fault: str) -> bool:
        """Tell whether the fault's sign is there."""
        sign = SIGNS[fault]
        risen, all_risen = (
            now - then for now, then in zip(self.measured(sign), self.before[fault], strict=True)
        )
        if sign.still:
            return all_risen >= ENOUGH_ORDERS and risen < all_risen / ENOUGH_ORDERS
        return self.absolute(sign) or (sign.rise is not None and risen >= sign.rise)

    def absolute(self, sign: Sign) -> bool:
        """Tell whether a value is past the sign's limit, whatever it was before."""
        if sign.still or sign.rise is not None:
            return False
        least, most = limits(sign)
        return any(value > least or value < most for value in self.values(sign, sign.labels))

    def measured(self, sign: Sign) -> tuple[float, float]:
        """Return the sum of the values that the sign means, and of all that its query returns."""
        return sum(self.values(sign, sign.labels)), sum(self.values(sign, {}))

    def values(self, sign: Sign, labels: Any) -> list[float]:
        """Return the panel's values in the series with these labels."""
        target = rendered(sign)["targets"][sign.query]
        found, _ = self.asker.instant(self.asker.sent(target["expr"]))
        return [
            float(series["value"][1])
            for series in found
            if all(fnmatchcase(series["metric"].get(name, ""), value) for name, value in labels.items())
        ]

    @property
    def asker(self) -> Asker:
        return self.running.asker


def declared(sign: Sign) -> Panel:
    """Return the sign's panel as it is declared."""
    return next(page for page in DASHBOARDS if page.uid == sign.dashboard).panel(sign.panel)


def rendered(sign: Sign) -> dict[str, Any]:
    """Return the sign's panel as Grafana gets it."""
    own = panel_id(sign.dashboard, sign.panel)
    return next(panel for panel in panels(RENDERED[sign.dashboard]) if panel["id"] == own)


def limits(sign: Sign) -> tuple[float, float]:
    """Return above and below which values the sign is there: its own limits, or the panel's first."""
    if sign.above is not None or sign.below is not None:
        above = float("inf") if sign.above is None else sign.above
        return above, float("-inf") if sign.below is None else sign.below
    threshold = declared(sign).threshold
    assert threshold, sign
    first = threshold.critical if threshold.warning is None else threshold.warning
    assert first is not None
    if threshold.low:
        return float("inf"), first
    return math.nextafter(first, 0), float("-inf")  # a limit that is reached is passed, as in Grafana


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with demo(tmp_path_factory.mktemp("incidents"), program=("tests.dashboards.hasty",)) as running:
        for what in (EVERY_COLLECTOR, SELLING):
            wait_until(holds(running.asker, what), seconds=LONG, what=what)
        yield Stage(running)


@pytest.mark.slow
def test_each_fault_is_seen_on_its_panel_and_every_query_still_runs(stage: Stage) -> None:
    began = time.monotonic()
    for act in PLAY:
        for fault in stage.play(act):
            sys.stdout.write(
                f"{time.monotonic() - began:5.0f} s  {fault}: {SIGNS[fault].dashboard} {SIGNS[fault].panel}\n"
            )
        asker = replace(stage.asker, seconds=LAST_SECONDS)
        for page in DASHBOARDS:
            list(asker.dashboard(page))
            list(asker.annotations(page))
        stage.end(act)
