"""Measure what many exporters cost one machine: ``python scripts/bench_fleet.py [EXPORTERS [MINUTES]]``.

Each has a state file, a port and a process of its own. All watch one simulated shop of 100 orders, because
what a shop costs its own database does not depend on how many others there are (docs/cost.md). One Prometheus
with all rules scrapes them every 15 seconds. docs/scale.md has the numbers and what follows for more.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import httpx  # noqa: E402

from alerts.__main__ import rule_files  # noqa: E402
from alerts.catalogue import catalogue  # noqa: E402
from alerts.lib.links import Links  # noqa: E402
from promql.clock import Clock  # noqa: E402
from sandbox.process import Process, free_port  # noqa: E402
from sandbox.servers.mariadb import MariaDB  # noqa: E402
from sandbox.servers.prometheus import Prometheus  # noqa: E402
from sandbox.shop import install  # noqa: E402

SCRAPE: Final = 15
TICKS: Final = os.sysconf("SC_CLK_TCK")


def usage(pid: int) -> tuple[float, float]:
    """Return the seconds of CPU and the MiB of memory, shared pages divided, that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    pss = next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
    return (int(fields[11]) + int(fields[12])) / TICKS, pss / 1024


def asked(url: str, query: str) -> float:
    """Return the one number that a query gives."""
    answer = httpx.get(f"{url}/api/v1/query", params={"query": query}, timeout=30).json()["data"]["result"]
    return float(answer[0]["value"][1]) if answer else 0.0


def exporter(home: Path, number: int, database: MariaDB) -> tuple[Process, str]:
    """Start an exporter, and return it with its address."""
    address = f"127.0.0.1:{free_port()}"
    settings = {"port": database.port, "host": "127.0.0.1", "user": "watcher"}
    command: list[str | Path] = [sys.executable, "-m", "exporter", "serve", "--listen", address]
    command += ["--state-file", home / f"state{number}"]
    command += [word for name, value in settings.items() for word in ("--set", f"database.{name}={value}")]
    process = Process(f"exporter {number}", command, log=home / f"exporter{number}.log", cwd=ROOT)
    process.start()
    return process, address


def measured(home: Path, exporters: int, minutes: float) -> Mapping[str, float]:
    """Run them, and return the numbers."""
    with ExitStack() as stack:
        database = stack.enter_context(MariaDB(home / "database"))
        database.execute("CREATE DATABASE magento")
        with database.connect("magento") as connection:
            shop = install(connection, version="2.4.8")
            for _ in range(100):
                shop.orders.place()
        database.execute("CREATE USER watcher")
        database.execute("GRANT SELECT ON magento.* TO watcher")
        running = [exporter(home, number, database) for number in range(exporters)]
        for process, _ in running:
            stack.callback(process.stop)
        rules = home / "rules"
        rules.mkdir()
        links = Links("https://x.example/runbooks/", "https://x.example", "")
        for name, text in rule_files(catalogue(), links, Clock()).items():
            (rules / name).write_text(text, encoding="utf-8")
        targets = {"magento": [address for _, address in running]}
        prometheus = stack.enter_context(
            Prometheus(home / "prometheus", scrape_seconds=SCRAPE, rules=rules, targets=targets)
        )
        time.sleep(90)  # the first runs have caught up
        before = [usage(process.pid) for process, _ in running]
        store = usage(prometheus.pid)
        time.sleep(minutes * 60)
        after = [usage(process.pid) for process, _ in running]
        seconds = minutes * 60
        url = prometheus.url
        return {
            "exporters": exporters,
            "up": asked(url, 'sum(up{job="magento"})'),
            "exporter CPU, ms a scrape": 1000
            * sum(b[0] - a[0] for a, b in zip(before, after, strict=True))
            / exporters
            / (seconds / SCRAPE),
            "exporter memory, MiB": sum(memory for _, memory in after) / exporters,
            "series a shop": asked(url, 'avg(scrape_samples_scraped{job="magento"})'),
            "scrape, s": asked(url, 'quantile(0.9, scrape_duration_seconds{job="magento"})'),
            "Prometheus CPU, s a minute": (usage(prometheus.pid)[0] - store[0]) / minutes,
            "Prometheus memory, MiB": usage(prometheus.pid)[1],
            "Prometheus series": asked(url, "prometheus_tsdb_head_series"),
            "all rules once, s": asked(url, "sum(prometheus_rule_group_last_duration_seconds)"),
        }


def main(arguments: list[str]) -> int:
    """Print the numbers as JSON."""
    exporters, minutes = (*map(float, arguments), *(20.0, 3.0)[len(arguments) :])
    with tempfile.TemporaryDirectory(prefix="fleet-") as name:
        print(json.dumps(measured(Path(name), int(exporters), minutes), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
