"""Runs a runbook's command blocks on a running demo, as the on-call engineer would in a shell."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final

import httpx

from alerts.lib.model import Alert
from exporter.settings import CONFIG_VARIABLE
from sandbox.errors import SandboxError
from sandbox.paths import PROJECT
from sandbox.servers.prometheus import LABELS
from sandbox.stack import ENDPOINTS, URLS
from tests.runbooks.pages import Block

SECONDS: Final = 120
"""How long a block may take. The doctor looks again after 70 seconds where messages have no consumer."""
STAND_INS: Final = ("n98-magerun2", "systemctl", "journalctl", "composer")
"""Programs of a shop's own server that the sandbox does not have. Like its ``bin/magento``, each reports
what it was asked for (``sandbox.repairs``) and succeeds. Whether a page may name their commands, the
allow-list alone decides (``commands.py``)."""

_VARIABLE: Final = re.compile(r"\$\{?([A-Z][A-Z0-9_]*)\}?")
_NO_SUCH_TABLE: Final = re.compile(r"^ERROR (1146|1054) \(.*$", re.MULTILINE)
"""A right to what an older Magento does not have: ``--force`` goes on after it, as the page says."""

_HIDDEN_FAILURE: Final = re.compile(r"^ERROR \d+ \(|command not found|syntax error", re.MULTILINE)
"""What a failed command says when its exit code is lost in a pipe."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a block printed, and what went wrong ('' if nothing did)."""

    block: Block
    output: str
    complaint: str = ""


class Range:
    """A running demo as its state directory tells of it."""

    def __init__(self, state: Path) -> None:
        self.state = state.resolve()
        self.servers = self.state / "servers"
        self.magento = self.servers / "magento"
        self.urls: dict[str, str] = self._read(URLS)
        self.endpoints: dict[str, Any] = self._read(ENDPOINTS)

    def _read(self, name: str) -> dict[str, Any]:
        try:
            return dict(json.loads((self.state / name).read_text()))
        except FileNotFoundError:
            raise SandboxError(f"no demo runs in {self.state}: {name} is missing") from None

    def prometheus(self, path: str, **parameters: str) -> Any:
        """Return the data of Prometheus' answer; an error says what Prometheus did."""
        answer = httpx.get(
            f"{self.urls['prometheus']}/api/v1/{path}", params=parameters, timeout=30, trust_env=False
        ).json()
        if answer["status"] != "success":
            raise SandboxError(answer["error"])
        return answer["data"]

    def labels(self, alert: Alert) -> dict[str, str]:
        """Return the labels for an alert's page: of the alert if it fires, else of a place in this shop.

        A place is one that the alert's own series know, preferably the one of its test cases. Where this
        shop has no such place, the place of the test cases stands for it: a query then finds nothing.
        """
        for active in self.prometheus("alerts")["alerts"]:
            if active["labels"]["alertname"] == alert.name and active["state"] == "firing":
                return dict(active["labels"])
        return {**self._target(), **alert.cases.entity, **self._place(alert)}

    def _target(self) -> dict[str, str]:
        address = self.urls["exporter"].removeprefix("http://")
        return {"job": "magento", "instance": address, **LABELS["magento"]}

    def _place(self, alert: Alert) -> dict[str, str]:
        wanted = dict(alert.cases.entity)
        if not wanted:
            return {}
        having = ", ".join(f'{name}!=""' for name in wanted)
        found = [
            {name: series[name] for name in wanted}
            for metric in sorted({item.series.name + item.suffix for item in alert.cases.inputs.values()})
            for series in self.prometheus("series", **{"match[]": f"{metric}{{{having}}}"})
        ]
        found.sort(key=lambda place: (-len(place.items() & wanted.items()), sorted(place.items())))
        return found[0] if found else {}


class Shell:
    """A shell with a page's variables, whose mysql, redis-cli, varnishadm ... lead to the demo's servers."""

    def __init__(self, demo: Range, labels: Mapping[str, str]) -> None:
        self._demo = demo
        self._variables = {name.upper(): value for name, value in labels.items()} | {
            "MAGENTO": str(demo.magento),
            "EXPORTER": demo.urls["exporter"],
            "PROMETHEUS": demo.urls["prometheus"],
            "ALERTMANAGER": demo.urls["alertmanager"],
            "STOREFRONT": demo.urls["shop"],
            "SENTINELS": "127.0.0.1:26379 127.0.0.1:26380",
            "PREFIX": demo.endpoints["database"]["prefix"],
        }
        self._path = _programs(demo, demo.servers / "bin")

    def read(self, block: Block) -> Outcome | None:
        """Run a block that only looks; ``None`` if it is not one."""
        if block.language == "promql":
            return self._queries(block)
        if block.language == "bash" and block.effect == "read-only":
            return self.run(block)
        return None

    def run(self, block: Block) -> Outcome:
        """Run a block's commands, whatever they do. A line that fails ends it, as it would end a script."""
        with NamedTemporaryFile("w", suffix=".sh") as script:  # `ps` would show the text of `bash -c`
            script.write(block.text)
            script.flush()
            return self._outcome(block, ["bash", "-e", script.name])

    def _outcome(self, block: Block, command: list[str]) -> Outcome:
        try:
            done = subprocess.run(
                command,
                env=self._environment(),
                cwd=self._demo.state,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Outcome(block, "", f"{block.text.strip()}: not done after {SECONDS} s")
        said = done.stderr.strip()
        judged = _NO_SUCH_TABLE.sub("", said) if "mysql --force" in block.text else said
        failed = done.returncode != 0 or _HIDDEN_FAILURE.search(judged)
        complaint = f"{block.text.strip()}: exit {done.returncode}: {said[:500]}" if failed else ""
        return Outcome(block, "\n".join(filter(None, [done.stdout.rstrip(), said])), complaint)

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        return {**kept, **self._variables, "PATH": f"{self._path}:{kept['PATH']}:/usr/sbin:/sbin"}

    def _queries(self, block: Block) -> Outcome:
        lines: list[str] = []
        for query in block.text.strip().split("\n\n"):
            unknown = {name for name in _VARIABLE.findall(query) if name not in self._variables}
            if unknown:
                return Outcome(block, "\n".join(lines), f"{query}: unknown {', '.join(sorted(unknown))}")
            filled = _VARIABLE.sub(lambda found: self._variables[found[1]], query)
            try:
                data = self._demo.prometheus("query", query=filled)
            except SandboxError as error:
                return Outcome(block, "\n".join(lines), f"{filled}: {error}")
            lines += _series(data) or ["(no series)"]
        return Outcome(block, "\n".join(lines))


def _series(data: Mapping[str, Any]) -> list[str]:
    """Return the result of an instant query, a line each."""
    if data["resultType"] == "scalar":
        return [str(data["result"][1])]
    return [f"{json.dumps(item['metric'])} {item['value'][1]}" for item in data["result"]]


def _programs(demo: Range, directory: Path) -> Path:
    """Write small programs that lead to the demo's servers, as the login files of a real server would."""
    directory.mkdir(parents=True, exist_ok=True)
    database, port = demo.endpoints["database"], demo.endpoints["redis"]["port"]
    varnish = f"-n {demo.servers / 'storefront' / 'varnish' / 'work'}"
    said = f'cd {PROJECT} && {sys.executable} -m sandbox.repairs {demo.state} "${{0##*/}}" "$@"'
    programs = {
        "mysql": f'exec {_found("mariadb")} --socket={database["socket"]} -u root -D {database["name"]} "$@"',
        "redis-cli": f'({said}) > /dev/null\nexec {_found("redis-cli")} -p {port} "$@"',
        "varnishadm": f'exec {_found("varnishadm")} {varnish} "$@"',
        "varnishstat": f'exec {_found("varnishstat")} {varnish} "$@"',
        # It would follow for ever; a person ends it with Ctrl-C.
        "varnishlog": f'exec timeout --preserve-status -s INT 5 {_found("varnishlog")} {varnish} "$@"',
        "rabbitmqctl": f'({said}) > /dev/null\nexec {demo.servers / "rabbitmq" / "rabbitmqctl"} "$@"',
        "magento-exporter": f"export {CONFIG_VARIABLE}={demo.servers / 'magento-exporter' / 'exporter.yml'}\n"
        f'cd {PROJECT} && exec {sys.executable} -m exporter "$@"',
        "sudo": '[ "$1" = -u ] && shift 2\nexec "$@"',
        "crontab": f"if [ -e {demo.state}/faults/cron-stopped ]; then\n"
        'echo "no crontab for $(id -un)" >&2; exit 1; fi\n'
        f"exec cat {demo.magento / 'crontab'}",
        **dict.fromkeys(STAND_INS, said),
    }
    for name, text in programs.items():
        half = directory / f".{name}.{os.getpid()}"  # another shell may be running the program meanwhile
        half.write_text(f"#!/bin/sh\n{text}\n")
        half.chmod(0o755)
        half.replace(directory / name)
    return directory


def _found(program: str) -> str:
    return shlex.quote(shutil.which(program) or f"/usr/bin/{program}")
