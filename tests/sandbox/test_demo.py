"""`make demo` from its first line to the last process, as a person would use it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from sandbox import faults
from sandbox.process import Process, wait_until
from tests.harness.limits import LONG

PROJECT = Path(__file__).parents[2]
QUICK = ("--history-days", "0.02", "--rate", "60", "--speed", "20", "--scrape-seconds", "1")


def processes_of(state: Path) -> list[str]:
    """Return the command lines of living processes that have the state directory in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if os.fsencode(state) in (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes():
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:  # no process, or no longer
            continue
    return found


def sandbox(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sandbox", *arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=LONG)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Process]:
    command = [sys.executable, "-m", "sandbox", "demo", "--directory", str(tmp_path / "state"), *QUICK]
    process = Process("demo", command, log=tmp_path / "log", cwd=PROJECT)
    process.start()
    process.wait_ready(lambda: "exporter" in urls(tmp_path / "state"), seconds=LONG)
    yield process
    process.stop(seconds=LONG)


def urls(state: Path) -> dict[str, str]:
    file = state / "urls.json"
    return json.loads(file.read_text()) if file.exists() else {}


def prometheus_says(state: Path, expression: str) -> Callable[[], bool]:
    def holds() -> bool:
        answer = httpx.get(
            f"{urls(state)['prometheus']}/api/v1/query", params={"query": expression}, timeout=LONG
        )
        return bool(answer.json()["data"]["result"])

    return holds


@pytest.mark.slow
def test_the_demo_shows_moving_numbers_takes_faults_and_leaves_nothing(demo: Process, tmp_path: Path) -> None:
    state = tmp_path / "state"
    orders = "sum(increase(magento_orders_placed_total[1m])) > 0"
    wait_until(prometheus_says(state, orders), seconds=LONG, what="orders are counted")
    wait_until(prometheus_says(state, "count(up == 1) == 8"), seconds=LONG, what="every target is up")

    second = sandbox("demo", "--directory", str(state))
    assert second.returncode == 2
    assert f"process {demo.pid} runs a demo in {state}" in second.stderr
    assert "Traceback" not in second.stderr

    down = 'magento_source_up{source="redis"} == 0'
    assert sandbox("fault", "on", "redis-down", "--directory", str(state)).returncode == 0
    wait_until(prometheus_says(state, down), seconds=LONG, what="Redis is seen to be down")
    assert sandbox("fault", "off", "redis-down", "--directory", str(state)).returncode == 0
    wait_until(prometheus_says(state, down.replace("0", "1")), seconds=LONG, what="Redis is seen to be back")

    os.kill(demo.pid, signal.SIGINT)
    wait_until(lambda: not demo.running, seconds=LONG, what="the demo ends")
    assert demo.exit_status() == 0
    assert processes_of(state) == []
    assert {entry.name for entry in state.iterdir()} <= {"lock"}


@pytest.mark.slow
def test_a_demo_that_is_killed_takes_its_servers_along(demo: Process, tmp_path: Path) -> None:
    """Those with workers as well, and the database even while a fault has it frozen."""
    state = tmp_path / "state"
    assert len(processes_of(state)) > 10
    sandbox("fault", "on", "database-down", "--directory", str(state))
    down = 'magento_source_up{source="database"} == 0'
    wait_until(prometheus_says(state, down), seconds=LONG, what="the database is frozen")
    os.kill(demo.pid, signal.SIGKILL)
    wait_until(lambda: processes_of(state) == [], seconds=LONG, what="every server has ended")


def test_an_unknown_fault_is_one_clear_line(tmp_path: Path) -> None:
    outcome = sandbox("fault", "on", "no-such-fault", "--directory", str(tmp_path))
    assert outcome.returncode == 2
    assert outcome.stderr.count("\n") == 1
    assert "no fault is called 'no-such-fault'" in outcome.stderr


def test_a_fault_needs_a_demo(tmp_path: Path) -> None:
    outcome = sandbox("fault", "on", "redis-down", "--directory", str(tmp_path))
    assert (outcome.returncode, outcome.stderr) == (2, f"sandbox: no demo runs in {tmp_path}\n")


def test_every_fault_is_listed_and_those_on_are_marked(tmp_path: Path) -> None:
    faults.switch_on(tmp_path, "redis-down")
    lines = sandbox("fault", "list", "--directory", str(tmp_path)).stdout.splitlines()
    assert [line[2:].split()[0] for line in lines[::2]] == [fault.name for fault in faults.FAULTS]
    assert [line.strip() for line in lines[1::2]] == [f"seen: {fault.symptoms}" for fault in faults.FAULTS]
    assert [line.split()[1] for line in lines if line.startswith("*")] == ["redis-down"]
