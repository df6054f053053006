"""``python -m tests.gameday [FAULT ...]``: switch a fault on, watch, run the runbook, switch it off.

Rules run SCALE times faster than in life (``python -m alerts --scale``), and the
shop's minutes last a second, so that a fault takes minutes and not hours. Times
in the result are seconds of this run. Writes ``build/gameday.json``; exit code 1
if something fired that should not, or did not that should.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from alerts.catalogue import catalogue
from sandbox import faults
from sandbox.demo import Demo, Options, clear, install_packages, interruptible, say
from sandbox.paths import PROJECT
from sandbox.stack import exclusive
from tests.gameday.expectations import EXPECTED, LEFT_OUT, Expectation
from tests.runbooks.__main__ import outcomes
from tests.runbooks.pages import pages
from tests.runbooks.shell import Range

SCALE: Final = 20
RATE: Final = 30
POLL: Final = 0.5
CALM: Final = 180.0
SETTLE: Final = 20.0
WATCHDOG: Final = "MagentoWatchdog"


@dataclass(slots=True)
class Result:
    """What one fault did. Times are seconds since the fault was switched on, or off for ``resolved_s``."""

    expected: list[str]
    fired: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    pending_s: dict[str, float] = field(default_factory=dict)
    firing_s: dict[str, float] = field(default_factory=dict)
    resolved_s: float | None = None
    receivers: dict[str, list[str]] = field(default_factory=dict)
    wrong_receivers: list[str] = field(default_factory=list)
    runbook_commands: int = 0
    runbook_failures: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether everything was as it should be."""
        return (
            not (self.unexpected or self.missing or self.wrong_receivers or self.runbook_failures)
            and self.resolved_s is not None
        )


class GameDay(Demo):
    """A demo whose watch is a series of faults."""

    def __init__(self, options: Options, state: Path, wanted: list[str]) -> None:
        super().__init__(options, state)
        self.wanted = wanted
        self.results: dict[str, Result] = {}

    def _watch(self) -> None:
        say("waiting for a calm shop ...")
        if not self._wait_calm(4 * CALM):
            say(f"the healthy shop is not calm: {sorted(self._states())}")
        for name in self.wanted:
            self.results[name] = self._play(name, EXPECTED[name])
            say(f"{'ok  ' if self.results[name].good else 'FAIL'} {name}: {_summary(self.results[name])}")

    def _play(self, name: str, expectation: Expectation) -> Result:
        result = Result(sorted(expectation.fires))
        faults.switch_on(self.state, name)
        self._apply()
        began = time.monotonic()
        settled: float | None = None
        while (now := time.monotonic() - began) < expectation.seconds:
            self._observe(result, now)
            if settled is None and expectation.fires <= set(result.firing_s):
                settled = now
            if expectation.fires and settled is not None and now - settled > SETTLE:
                break
            time.sleep(POLL)
        result.receivers = self._receivers()
        result.wrong_receivers = _wrong_receivers(result.receivers)
        for alert in sorted(expectation.fires & set(result.firing_s)):
            self._follow_runbook(alert, result)
        faults.switch_off(self.state, name)
        self._apply()
        result.resolved_s = self._wait_calm(2 * CALM)
        result.fired = sorted(result.firing_s)
        result.missing = sorted(expectation.fires - set(result.fired))
        result.unexpected = sorted(set(result.fired) - expectation.fires - expectation.may)
        return result

    def _apply(self) -> None:
        self.faults.apply(faults.switched_on(self.state, faults.Actor.SERVERS))

    def _observe(self, result: Result, now: float) -> None:
        for alert, state in self._states().items():
            result.pending_s.setdefault(alert, round(now, 1))
            if state == "firing":
                result.firing_s.setdefault(alert, round(now, 1))

    def _states(self) -> dict[str, str]:
        """Return the worst state of every active alert but the watchdog."""
        answer = httpx.get(f"{self.stack.prometheus.url}/api/v1/alerts", timeout=30, trust_env=False)
        found: dict[str, str] = {}
        for alert in answer.json()["data"]["alerts"]:
            name = alert["labels"]["alertname"]
            if name != WATCHDOG:
                found[name] = "firing" if "firing" in (alert["state"], found.get(name)) else "pending"
        return found

    def _wait_calm(self, seconds: float) -> float | None:
        """Wait until nothing fires; return how long it took, ``None`` if it never came."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            if "firing" not in self._states().values():
                return round(time.monotonic() - began, 1)
            time.sleep(POLL)
        return None

    def _receivers(self) -> dict[str, list[str]]:
        """Return the receivers that Alertmanager chose for what is active and not inhibited."""
        found: dict[str, list[str]] = {}
        for alert in self.stack.alertmanager.alerts():
            if not alert["status"]["inhibitedBy"]:
                found[alert["labels"]["alertname"]] = sorted(r["name"] for r in alert["receivers"])
        return found

    def _follow_runbook(self, alert: str, result: Result) -> None:
        page = next(page for page in pages() if page.name == alert)
        for outcome in outcomes(Range(self.state), page):
            result.runbook_commands += 1
            if outcome.complaint:
                result.runbook_failures.append(f"{alert}: {outcome.complaint}")


def _wrong_receivers(receivers: dict[str, list[str]]) -> list[str]:
    """Critical alerts page a team, warnings make it a ticket (``alerts/lib/alertmanager.py``)."""
    by_name = {alert.name: alert for alert in catalogue().all}
    wrong = []
    for name, chosen in receivers.items():
        alert = by_name[name]
        kind = {"critical": "page", "warning": "ticket"}.get(alert.severity)
        if kind and not any(receiver.startswith((f"{kind}-{alert.team}", "security")) for receiver in chosen):
            wrong.append(f"{name} -> {', '.join(chosen)}")
    return wrong


def _summary(result: Result) -> str:
    parts = [
        f"{alert} after {result.firing_s[alert]:.0f} s"
        for alert in result.expected
        if alert in result.firing_s
    ]
    parts += [f"missing {name}" for name in result.missing]
    parts += [f"unexpected {name}" for name in result.unexpected]
    parts += [f"wrong receiver {name}" for name in result.wrong_receivers]
    parts += [f"runbook: {text}" for text in result.runbook_failures[:3]]
    ended = "never resolved" if result.resolved_s is None else f"resolved after {result.resolved_s:.0f} s"
    return ", ".join([*parts, f"{result.runbook_commands} commands", ended])


def scaled_rules(directory: Path) -> Path:
    """Write the rules, SCALE times as fast."""
    command = [sys.executable, "-m", "alerts", "--scale", str(SCALE), "--out", str(directory)]
    subprocess.run(command, cwd=PROJECT, check=True, timeout=120)
    found = next(iter(directory.rglob("cron.yml")), None)
    if found is None:
        raise SystemExit("no scaled rules were written")
    return found.parent


def main() -> int:
    """Play the game day."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.gameday", description="Play faults and watch the pack."
    )
    parser.add_argument("fault", nargs="*", help="faults to play; all by default")
    parser.add_argument(
        "--directory", type=Path, default=PROJECT / "build" / "gameday", help="state directory"
    )
    parser.add_argument(
        "--json", type=Path, default=PROJECT / "build" / "gameday.json", help="where results go"
    )
    options = parser.parse_args()
    unknown = [name for name in options.fault if name not in EXPECTED]
    if unknown:
        parser.error(f"no such fault: {', '.join(unknown)}; there are {', '.join(EXPECTED)}")
    wanted = options.fault or list(EXPECTED)
    state = options.directory.resolve()
    state.mkdir(parents=True, exist_ok=True)
    with interruptible(), exclusive(state):
        clear(state)
        install_packages()
        rules = scaled_rules(state / "rules")
        day = GameDay(
            Options(
                directory=state, scrape_seconds=1, rules=rules,
                shop_arguments=("--speed", str(SCALE), "--rate", str(RATE)),
                history=("--history-days", "0.5", "--rate", "4"),
            ),
            state, wanted,
        )  # fmt: skip
        try:
            day.run()
        except KeyboardInterrupt:
            say("stopped")
        clear(state)
    _write(options.json, day.results)
    return 0 if day.results and all(result.good for result in day.results.values()) else 1


def _write(file: Path, results: dict[str, Result]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    document: dict[str, Any] = {
        "scale": SCALE,
        "machine_load": os.getloadavg()[0],
        "faults": {name: {**asdict(result), "good": result.good} for name, result in results.items()},
        "left_out": LEFT_OUT,
    }
    file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def faults_without_expectation() -> Iterator[str]:
    """Yield the faults of the registry that neither have an expectation nor a reason for having none."""
    for fault in faults.FAULTS:
        if fault.name not in EXPECTED and fault.name not in LEFT_OUT:
            yield fault.name


if __name__ == "__main__":
    sys.exit(main())
