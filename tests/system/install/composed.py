"""docker-compose.yml as a whole, less Grafana, by podman-compose.

The arguments are podman-compose's command line, ``--``, and podman's. scripts/check_containers.sh builds the
images first. Servers are asked from inside of their containers, because this machine may publish no port.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import yaml

from tests.system.install.containers import COMPOSE, PROJECT, SECRETS, Podman, assert_no_secret, say

SERVICES: Final = [name for name in COMPOSE if name != "grafana"]
LASTING: Final = [name for name in SERVICES if name not in {"install", "rules", "dashboards"}]
FAULT, ALERT = "cron-stopped", "MagentoCronStopped"
ENVIRONMENT: Final = {**SECRETS, "RULES_SCALE": "10", "ORDER_RATE": "20"}
ASK: Final = (
    "import sys, urllib.request as r; sys.stdout.write(r.urlopen(sys.argv[1], timeout=10).read().decode())"
)
ORDERS: Final = "sum(magento_orders_placed_total)"


def main(arguments: Sequence[str]) -> int:
    cut = arguments.index("--")
    stack = Stack(
        arguments[:cut], Podman(arguments[cut + 1 :]), "magento-observability", SERVICES, ENVIRONMENT
    )
    try:
        stack.up()
        every_target_is_up(stack)
        a_fault_fires_and_ends(stack)
        state_outlives_down(stack)
        for name in LASTING:
            assert_no_secret(name, stack.podman.logs(stack.container(name)))
    except BaseException:
        stack.describe()
        raise
    finally:
        stack.compose("down", "--volumes", check=False)
    say("compose: all is well")
    return 0


@dataclass(frozen=True)
class Stack:
    """The services of a compose file, and what is asked of them."""

    command: Sequence[str]
    podman: Podman
    project: str
    services: Sequence[str]
    environment: Mapping[str, str]

    def container(self, service: str) -> str:
        return f"{self.project}_{service}_1"

    def compose(self, *words: str, check: bool = True) -> str:
        """Run a subcommand and return what it writes."""
        done = subprocess.run(
            [*self.command, *words],
            capture_output=True, stdin=subprocess.DEVNULL,
            env={**os.environ, **self.environment}, text=True, timeout=600, check=False,
        )  # fmt: skip
        if check and done.returncode:
            said = f"{done.stdout}{done.stderr}"[-4000:]
            raise SystemExit(f"podman-compose {words[0]} ended with {done.returncode}:\n{said}")
        return done.stdout

    def describe(self) -> None:
        """Print what the containers say, of a run that failed."""
        say(self.podman("ps", "--all", check=False))
        for name in self.services:
            say(f"--- {name}\n" + self.podman("logs", "--tail", "15", self.container(name), check=False))

    def up(self) -> None:
        self.compose("up", "--detach", "--no-build", *self.services)

    def get(self, service: str, address: str) -> Any:
        """Return what a server answers; nothing while it does not."""
        said = self.podman("exec", self.container(service), "python3", "-c", ASK, address, check=False)
        try:
            return json.loads(said)
        except ValueError:
            return None

    def targets(self) -> dict[str, str]:
        answer = self.get("prometheus", "http://127.0.0.1:9090/api/v1/targets?state=active")
        found = answer["data"]["activeTargets"] if answer else []
        return {
            f"{target['labels']['job']} {target['labels']['instance']}": target["health"] for target in found
        }

    def value(self, query: str) -> float:
        answer = self.get("prometheus", f"http://127.0.0.1:9090/api/v1/query?query={quote(query)}")
        result = answer["data"]["result"] if answer else []
        return float(result[0]["value"][1]) if result else 0.0

    def notified(self, name: str = ALERT) -> Any:
        """Return the alert as Alertmanager has it, or nothing."""
        alerts = self.get("alertmanager", "http://127.0.0.1:9093/api/v2/alerts?active=true") or []
        return next((alert for alert in alerts if alert["labels"]["alertname"] == name), None)


def wait_for(what: str, condition: Callable[[], object], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"compose: not within {seconds:g} s: {what}")
        time.sleep(3)


def every_target_is_up(stack: Stack) -> None:
    files = (PROJECT / "deploy/compose/targets").glob("*.yml")
    wanted = sum(len(yaml.safe_load(file.read_text())) for file in files)
    wait_for(
        "every target is up",
        lambda: len(found := stack.targets()) == wanted and set(found.values()) == {"up"},
    )
    say(f"compose: {len(SERVICES)} services, {wanted} targets, all up")


def a_fault_fires_and_ends(stack: Stack) -> None:
    fault = f"/state/faults/{FAULT}"
    stack.podman("exec", stack.container("shop"), "touch", fault)
    wait_for(f"{ALERT} reaches Alertmanager", stack.notified, 420)
    stack.podman("exec", stack.container("shop"), "rm", fault)
    wait_for(f"{ALERT} is resolved", lambda: not stack.notified(), 420)
    say(f"compose: {ALERT} fired and was resolved")


def state_outlives_down(stack: Stack) -> None:
    before = stack.value(ORDERS)
    assert before > 0
    stack.compose("down")
    assert not stack.podman("ps", "--quiet").strip()
    stack.up()
    every_target_is_up(stack)
    fired = f'max_over_time(ALERTS{{alertname="{ALERT}",alertstate="firing"}}[1h])'
    assert stack.value(fired) == 1, "Prometheus has forgotten the alert"
    after = stack.value(ORDERS)
    assert after >= before, f"the exporter counted {before:g} orders, and {after:g} after down and up"
    say(f"compose: after down and up the alert is remembered; {before:g} counted orders went on to {after:g}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
