"""Runs a runbook's command blocks on the sandbox, as the on-call engineer would in a shell."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import httpx

from sandbox.stack import DATABASE, Stack
from tests.runbooks.pages import Block

ELSEWHERE: Final = re.compile(
    r"bin/magento|n98-magerun2|crontab|systemctl|journalctl|\bkill\b|composer|docker|kubectl|magento-exporter"
)
"""Programs that the sandbox does not have: the allow-list alone speaks for them."""

SECONDS: Final = 60


class Shell:
    """A shell with a page's variables, and mysql, redis-cli, varnishadm leading to the sandbox."""

    def __init__(self, stack: Stack, exporter: str, labels: Mapping[str, str], directory: Path) -> None:
        self._stack = stack
        self._variables = {name.upper(): value for name, value in labels.items()} | {
            "MAGENTO": str(_magento(directory)),
            "EXPORTER": exporter.removesuffix("/metrics"),
            "PROMETHEUS": stack.prometheus.url,
            "ALERTMANAGER": stack.alertmanager.url,
            "STOREFRONT": stack.varnish.url,
            "PREFIX": stack.prefix,
        }
        self._path = _wrappers(stack, directory / "bin")

    def run(self, block: Block) -> str | None:
        """Run a block; return what went wrong, '' if nothing did, ``None`` if it is not to be run here."""
        if block.language == "promql":
            return self._queries(block.text)
        if block.language == "bash" and block.effect == "read-only" and not ELSEWHERE.search(block.text):
            return self._commands(block.text)
        return None

    def _queries(self, text: str) -> str:
        for query in text.strip().split("\n\n"):
            filled = re.sub(r"\$\{?([A-Z_]+)\}?", lambda m: self._variables.get(m[1], ""), query)
            answer = httpx.get(
                f"{self._stack.prometheus.url}/api/v1/query",
                params={"query": filled},
                timeout=30,
                trust_env=False,
            )
            if not answer.is_success:
                return f"{filled}: {answer.json().get('error')}"
        return ""

    def _commands(self, text: str) -> str:
        environment = {**os.environ, **self._variables, "PATH": f"{self._path}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["bash", "-c", text],
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return (
            f"{text.strip()}: exit {done.returncode}: {done.stderr.strip()[:300]}" if done.returncode else ""
        )


def _magento(directory: Path) -> Path:
    """Return a directory that looks like a shop's, with logs and an env.php."""
    root = directory / "magento"
    for name in ("app/etc", "var/log", "var/report", "pub/static"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "app/etc/env.php").write_text("<?php\nreturn [\n    'MAGE_MODE' => 'production',\n];\n")
    for name in ("system", "exception", "cron", "magento.cron", "payment", "debug"):
        (root / f"var/log/{name}.log").touch()
    return root


def _wrappers(stack: Stack, directory: Path) -> Path:
    """Write small programs that lead to the sandbox's servers, as the login files of a real server would."""
    directory.mkdir(parents=True, exist_ok=True)
    varnish = f"-n {stack.varnish.name_directory}"
    programs = {
        "mysql": f"{shutil.which('mariadb')} --socket={stack.mariadb.socket} -u root -D {DATABASE}",
        "redis-cli": f"{shutil.which('redis-cli')} -p {stack.redis.port}",
        "varnishadm": f"{shutil.which('varnishadm')} {varnish}",
        "varnishstat": f"{shutil.which('varnishstat')} {varnish}",
        "varnishlog": f"timeout 5 {shutil.which('varnishlog')} {varnish}",
    }
    for name, command in programs.items():
        file = directory / name
        file.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        file.chmod(0o755)
    return directory
