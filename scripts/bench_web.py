"""The cost of the answer itself: the exporter against an ASGI application that serves the same bytes.

As a program it is one of the two servers: ``bench_web.py ours|bare PORT SERIES`` serves until
SIGTERM and then prints for how long its event loop was blocked at most.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

import uvicorn
from fastapi import FastAPI

from exporter.core.collector import Collector, Context
from exporter.core.memory import Memory, VolatileStore
from exporter.core.metrics import Sample, gauge
from exporter.core.runner import Limits, Runner
from exporter.web.app_state import AppState
from exporter.web.application import create_application
from exporter.web.server import run_server
from sandbox.process import LOOPBACK, accepts, free_port, wait_until

SERIES: Final = (1_000, 10_000, 50_000)
SCRAPERS: Final = (1, 2, 50)
COLLECTORS: Final = 10
SECONDS: Final = 4.0
LOOK_EVERY: Final = 0.005
"""Seconds between two looks at whether the event loop is free."""

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_ACCEPT: Final = {"Accept": "text/plain; version=0.0.4"}
_VALUE: Final = gauge("magento_bench", "A series.", "collector", "store", "number")


# --- the servers -----------------------------------------------------------------------------------


def _collector(number: int, series: int) -> Collector:
    """Return a collector that asks nothing and yields so many series."""

    class Made(Collector):
        name = f"bench_{number}"
        help = "Series for a measurement."
        source = "files"
        metrics = (_VALUE,)

        def collect(self, context: Context) -> Iterable[Sample]:
            """Yield what changes with every scrape."""
            value = context.now % 1000
            for place in range(series):
                yield _VALUE.sample(
                    value + place, collector=self.name, store=f"store_{place % 50}", number=str(place)
                )

    return Made()


def _no_source(memory: Memory, now: float) -> Context:
    absent: Any = None
    return Context(*(absent,) * 10, memory, now)


@asynccontextmanager
async def _watched(application: FastAPI | None, state: AppState | None) -> AsyncIterator[None]:
    """Note for how long the event loop is not free."""
    worst = 0.0

    async def look() -> None:
        nonlocal worst
        while True:
            before = time.perf_counter()
            await asyncio.sleep(LOOK_EVERY)
            worst = max(worst, time.perf_counter() - before - LOOK_EVERY)

    if application is not None:
        application.state.exporter = state
    task = asyncio.create_task(look())
    try:
        yield
    finally:
        task.cancel()
        print(json.dumps({"blocked_ms": 1000 * worst}), flush=True)


def serve_ours(port: int, series: int) -> None:
    """Serve as the exporter does, with collectors that cost nothing."""
    executors: Mapping[str, Executor] = {"files": ThreadPoolExecutor(1)}
    runner = Runner(
        [_collector(number, series // COLLECTORS) for number in range(COLLECTORS)],
        context=_no_source,
        store=VolatileStore(),
        executors=executors,
        limits=Limits(collector_seconds=60, series=series, minimum_interval=0),
    )
    state = AppState(runner, off={}, scrape_seconds=60, offset_seconds=0.5)
    application = create_application(lambda made: _watched(made, state))
    run_server(application, host=LOOPBACK, port=port, tls=None, scrape_seconds=60, shutdown_seconds=5)


def serve_bare(port: int, body: bytes) -> None:
    """Serve bytes on the same server, with nothing between."""

    async def bare(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            async with _watched(None, None):
                await receive()
                await send({"type": "lifespan.startup.complete"})
                await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    uvicorn.run(bare, host=LOOPBACK, port=port, http="h11", loop="asyncio", log_config=None, access_log=False)


# --- measuring -------------------------------------------------------------------------------------


def measure(say: Callable[[str], None]) -> dict[str, Any]:
    """Return every combination of series and scrapers, of both servers."""
    rows = []
    for series in SERIES:
        say(f"the answer itself: {series:,} series")
        with _served("ours", series) as (port, _, _):
            body = _get(port)
        for scrapers in SCRAPERS:
            found = {kind: _load(kind, series, scrapers, body) for kind in ("ours", "bare")}
            rows.append({"series": series, "bytes": len(body), "scrapers": scrapers, **found})
    return {"date": f"{datetime.now(UTC):%Y-%m-%d}", "rows": rows}


@contextmanager
def _served(kind: str, series: int, body: bytes = b"") -> Iterator[tuple[int, int, dict[str, float]]]:
    """Run one of the servers; yield port, process id, and what it prints at its end."""
    port = free_port()
    command = [sys.executable, __file__, kind, str(port), str(series)]
    printed: dict[str, float] = {}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None  # noqa: S101 - asked for
        process.stdin.write(body)
        process.stdin.close()
        try:
            wait_until(lambda: accepts(port), seconds=60, what="the server listens")
            yield port, process.pid, printed
        finally:
            process.terminate()
            assert process.stdout is not None  # noqa: S101 - asked for
            printed.update(json.loads(process.stdout.read().splitlines()[-1]))


def _load(kind: str, series: int, scrapers: int, body: bytes) -> dict[str, float]:
    """Let so many scrapers ask for a while."""
    with _served(kind, series, body if kind == "bare" else b"") as (port, pid, printed):
        _get(port)
        end = time.monotonic() + SECONDS
        before, began = _processor_seconds(pid), time.monotonic()

        def scrape_on(_: int) -> list[float]:
            took = []
            while time.monotonic() < end:
                started = time.perf_counter()
                _get(port)
                took.append(time.perf_counter() - started)
            return took

        with ThreadPoolExecutor(scrapers) as pool:
            times = [seconds for each in pool.map(scrape_on, range(scrapers)) for seconds in each]
        spent, passed = _processor_seconds(pid) - before, time.monotonic() - began
        resident = _resident_mib(pid)
    return {
        "rate": round(len(times) / passed, 2),
        "cpu_ms": round(1000 * spent / len(times), 3),
        "wall_ms": round(1000 * sum(times) / len(times), 3),
        "resident_mib": round(resident, 1),
        **{name: round(value, 2) for name, value in printed.items()},
    } | {"blocked_ms": round(printed.get("blocked_ms", 0.0), 2)}


def _get(port: int) -> bytes:
    connection = HTTPConnection(LOOPBACK, port, timeout=60)
    try:
        connection.request("GET", "/metrics", headers=_ACCEPT)
        return connection.getresponse().read()
    finally:
        connection.close()


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    KIND, PORT, NUMBER = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    CONTENT = sys.stdin.buffer.read()
    if KIND == "ours":
        serve_ours(PORT, NUMBER)
    else:
        serve_bare(PORT, CONTENT)
