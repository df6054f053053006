"""The command line: exit codes, one clear line, no traceback, no secret."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from exporter.app import Exporter
from exporter.backends import Backends
from exporter.cli import main
from exporter.commands import collect
from exporter.core.collector import EVERY_TEN_MINUTES, Collector, Context
from exporter.core.memory import VolatileStore
from exporter.core.metrics import Sample
from exporter.core.runner import Runner
from exporter.evidence.events import Events
from exporter.settings import Settings
from tests.harness.command import command as run
from tests.harness.core import context
from tests.harness.evidence import no_evidence
from tests.harness.limits import LONG


@pytest.mark.parametrize(
    "arguments",
    [
        ("check-config", "--set", "nothing=1"),
        ("check-config", "--set", "limits.statement_seconds=100"),
        ("check-config", "--set", "noequals"),
        ("check-config", "--set", "database.password=secret"),
        ("check-config", "--config", "/absent.yml"),
        ("check-config", "--env-php", "/absent.php"),
        ("check-config", "--magento-root", "/absent"),
        ("serve", "--set", "collectors.disable=[nope]"),
        ("serve", "--listen", "0.0.0.0:0"),
        ("serve", "--listen", "203.0.113.1:9", "--set", "web.unprotected=true"),
        ("serve", "--set", "web.config_file=/absent.yml"),
        ("collect", "--state-file", "/absent/state"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_2(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.err.startswith("magento-exporter: ")
    assert output.err.count("\n") == 1
    assert "Traceback" not in output.err
    assert output.out == ""


def test_an_unknown_command_is_exit_2() -> None:
    assert run("frobnicate").returncode == 2


def test_unknown_environment_is_refused() -> None:
    result = run("check-config", MAGENTO_EXPORTER_DATABSE__HOST="x")
    assert result.returncode == 2
    assert "databse: no such setting" in result.stderr


def test_check_config_shows_what_runs_and_no_secret(tmp_path: Path) -> None:
    env_php = tmp_path / "env.php"
    env_php.write_text(
        "<?php return ['db' => ['connection' => ['default' => ['host' => 'db', 'dbname' => 'm',"
        " 'username' => 'u', 'password' => 'planted-secret']]]];"
    )
    result = run("check-config", "--env-php", str(env_php))
    assert result.returncode == 0
    assert "planted-secret" not in result.stdout + result.stderr
    assert "host: db" in result.stdout
    assert "cron" in result.stdout


def test_sql_prints_every_statement_with_the_prefix() -> None:
    result = run("sql", "--set", "database.prefix=m2_")
    assert result.returncode == 0
    assert "`m2_cron_schedule`" in result.stdout
    assert "{" not in result.stdout


def test_collect_without_a_shop_prints_the_exporter_itself() -> None:
    result = run("collect")
    assert result.returncode == 0
    assert "magento_exporter_build_info" in result.stdout


def test_collect_says_what_failed_and_exits_1() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = str(listener.getsockname()[1])
    result = run("collect", "--set", "database.host=127.0.0.1", "--set", f"database.port={closed}")
    assert result.returncode == 1
    assert "unavailable" in result.stderr
    assert 'magento_source_up{source="database"} 0.0' in result.stdout


class Endless(Collector):
    """Runs until it is let go."""

    name = "endless"
    help = "For tests."
    source = "files"
    metrics = ()
    refresh = EVERY_TEN_MINUTES

    def __init__(self) -> None:
        self.may_end = threading.Event()

    def collect(self, _: Context) -> Iterable[Sample]:
        self.may_end.wait(LONG)
        return ()


def test_collect_says_so_if_there_is_no_result_in_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    endless, store = Endless(), VolatileStore()

    def build(settings: Settings) -> Exporter:
        thread = {"files": ThreadPoolExecutor(1)}
        runner = Runner([endless], context=context, store=store, executors=thread)
        evidence, events = no_evidence(runner, store), Events(store, runner)
        return Exporter(settings, Backends(), runner, {}, thread, store, evidence, events)

    monkeypatch.setattr(collect, "build", build)
    names = ("lock_wait", "statement", "read", "collector", "scrape", "shutdown")
    limits = [f"limits.{name}_seconds={0.01 * number}" for number, name in enumerate(names, 1)]
    try:
        assert main(("collect", *(word for limit in limits for word in ("--set", limit)))) == 1
    finally:
        endless.may_end.set()
    assert capsys.readouterr().err == "magento-exporter: collector endless: no result in time\n"


def test_serve_ends_with_exit_0_on_sigterm() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "exporter", "serve", "--listen", f"127.0.0.1:{port}"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        _wait_for(f"http://127.0.0.1:{port}/-/healthy")
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=LONG)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "Traceback" not in errors


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + LONG
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own address
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
