"""The process ends although a thread hangs, and the pool is an ordinary one otherwise."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from concurrent.futures import CancelledError
from pathlib import Path

import httpx
import pytest

from exporter.threads import DaemonPool
from sandbox.process import free_port
from tests.harness.limits import LONG
from tests.harness.served import Served, wait_healthy

HANGING = """
import sys, time
from exporter.cli import main
from exporter.sources.files import ShopFiles
ShopFiles.product = lambda self: time.sleep(3600)
sys.exit(main(sys.argv[1:]))
"""
LIMITS = {"lock_wait": 0.1, "statement": 0.2, "read": 0.3, "collector": 0.4, "scrape": 0.5, "shutdown": 0.5}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_ends_although_a_collector_hangs(tmp_path: Path, number: signal.Signals) -> None:
    port, log = free_port(), tmp_path / "log"
    limits = [word for name, value in LIMITS.items() for word in ("--set", f"limits.{name}_seconds={value}")]
    command = [sys.executable, "-c", HANGING, "serve", "--listen", f"127.0.0.1:{port}", *limits]
    (tmp_path / "env.php").write_text("<?php return [];")
    command += ["--set", f"magento_root={tmp_path}", "--set", f"env_php={tmp_path / 'env.php'}"]
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            wait_healthy(Served(process, port, log, "http"), None)
            page = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=LONG).text
            assert 'magento_collector_success{collector="deployment"} 0' in page
            process.send_signal(number)
            assert process.wait(LONG) == 0, log.read_text()
        finally:
            process.kill()
    assert "Traceback" not in log.read_text()


def test_a_pool_starts_no_more_threads_than_it_needs() -> None:
    pool, gate = DaemonPool(3, "test"), threading.Event()
    names = [pool.submit(lambda: threading.current_thread().name).result() for _ in range(5)]
    blocked = [pool.submit(gate.wait) for _ in range(3)]
    queued = pool.submit(lambda: "done")
    assert not queued.done()
    gate.set()
    assert queued.result() == "done"
    assert all(future.result() for future in blocked)
    assert set(names) <= {"test_1", "test_2", "test_3"}
    assert sum(thread.name.startswith("test_") for thread in threading.enumerate()) <= 3
    pool.shutdown()


def test_what_waits_is_cancelled_and_nothing_more_is_taken() -> None:
    pool, gate = DaemonPool(1, "test"), threading.Event()
    running, waiting = pool.submit(gate.wait), pool.submit(gate.wait)
    pool.shutdown(cancel_futures=True)
    gate.set()
    assert running.result()
    with pytest.raises(CancelledError):
        waiting.result()
    with pytest.raises(RuntimeError):
        pool.submit(gate.wait)


def test_an_error_belongs_to_who_waits_for_the_result() -> None:
    pool = DaemonPool(1, "test")
    with pytest.raises(ZeroDivisionError):
        pool.submit(lambda: 1 / 0).result()
    assert pool.submit(lambda: "goes on").result() == "goes on"
    pool.shutdown()
