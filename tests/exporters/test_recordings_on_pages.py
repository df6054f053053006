"""The recordings on real pages: each version of an exporter gives the same facts under the same names."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from alerts.catalogue import catalogue
from alerts.lib.links import DEMO
from alerts.lib.prometheus import rule_file
from exporter.core.metrics import Kind
from promql import platform
from tests.harness.limits import LONG

FOLDER = Path(__file__).parent / "recorded"
COUNTERS = {metric.name for metric in platform.SERIES if metric.kind is Kind.COUNTER}
READ = {metric.name for metric in platform.SERIES}
TARGET = {"job": "exporter", "instance": "server:1", "shop": "main"}
MINUTES = 20

DATABASE = (
    "magento:database_connections:ratio",
    "magento:database_connections_refused:ratio5m",
    "magento:database_lock_waiters:count",
    "magento:database_deadlocks:increase10m",
    "magento:database_history:count",
)
RUNS, LAG = "magento:database_replica_running:bool", "magento:database_replica_lag:seconds"
FULL, STOPPED, READ_ONLY = "redis-7.0-full", "mysql-9.7-stopped", "opensearch-2.19-read-only"

HAVE: dict[str, tuple[str, ...]] = {
    **{f"mysqld-{v}@mariadb-10.11": DATABASE for v in ("0.14.0", "0.17.2", "0.19.0")},
    **{f"mysqld-{v}@{STOPPED}": DATABASE for v in ("0.14.0", "0.17.2", "0.19.0")},
    **{f"mysqld-{v}@mariadb-10.11-replica": (RUNS, LAG) for v in ("0.14.0", "0.17.2", "0.19.0")},
    **{f"redis-{v}@{FULL}": ("magento:redis_memory:ratio",) for v in ("1.45.0", "1.69.0", "1.86.0")},
    **{f"varnish-{v}@varnish-7.1": ("magento:edge_requests:increase5m",) for v in ("1.6.1", "1.8.3")},
    **{
        f"node-{v}@linux": ("magento:host_disk_free:ratio", "magento:host_inodes_free:ratio")
        for v in ("1.5.0", "1.9.0", "1.11.1")
    },
    **{f"elasticsearch-{v}@{READ_ONLY}": ("magento:search_down:bool",) for v in ("1.5.0", "1.9.0", "1.10.0")},
    "phpfpm-0.6.0@php-fpm-8.2": ("magento:php_full:bool",),
}
"""The page, and the recordings that have a value on it."""

VALUES = (
    *((f"mysqld-{v}@mariadb-10.11-replica", RUNS, 1) for v in ("0.14.0", "0.17.2", "0.19.0")),
    *((f"mysqld-{v}@mariadb-10.11-replica", LAG, 0) for v in ("0.14.0", "0.17.2", "0.19.0")),
    *((f"mysqld-{v}@mariadb-10.11-stopped", RUNS, 0) for v in ("0.14.0", "0.17.2", "0.19.0")),
    *((f"mysqld-{v}@mariadb-10.11-stopped", LAG, None) for v in ("0.14.0", "0.17.2", "0.19.0")),
    *((f"mysqld-{v}@{STOPPED}", RUNS, 0) for v in ("0.17.2", "0.19.0")),
    *((f"mysqld-{v}@{STOPPED}", LAG, None) for v in ("0.17.2", "0.19.0")),
    ("mysqld-0.14.0@mysql-9.7-stopped", RUNS, None),
    *((f"elasticsearch-{v}@{READ_ONLY}", "magento:search_down:bool", 0) for v in ("1.5.0", "1.10.0")),
    ("phpfpm-0.6.0@php-fpm-8.2", "magento:php_full:bool", 0),
)  # fmt: skip
"""What a recording says of a page; None for nothing. A stopped replica has no lag, not a lag of 0."""


def inputs(page: str) -> Iterator[dict[str, str]]:
    """Yield the page's series as they are scraped for twenty minutes; each counter grows."""
    seen = set()
    for line in (FOLDER / f"{page}.prom").read_text().splitlines():
        found = re.fullmatch(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)", line)
        if found is None or found[1] not in READ:
            continue
        labels = {**dict(re.findall(r'(\w+)="([^"]*)"', found[2] or "")), **TARGET, "magento_role": "node"}
        inside = ", ".join(f"{name}={json.dumps(value)}" for name, value in labels.items() if value)
        name = f"{found[1]}{{{inside}}}"
        if name not in seen:  # paths are scrubbed, so two disks may look alike
            seen.add(name)
            growth = 60 if found[1] in COUNTERS else 0
            yield {"series": name, "values": f"{float(found[3]):.6f}+{growth}x{MINUTES}"}


def ask(directory: Path, page: str, expected: Mapping[str, float | None]) -> None:
    found = catalogue()
    rules = directory / "rules.yml"
    rules.write_text(
        rule_file(
            "platform",
            found.alerts["platform"],
            found.recordings["platform"],
            owners=found.owners,
            links=DEMO,
        )
    )
    checks = [
        {
            "expr": expression,
            "eval_time": f"{MINUTES - 1}m",
            "exp_samples": [] if value is None else [{"labels": "{}", "value": value}],
        }
        for expression, value in expected.items()
    ]
    test = {"interval": "1m", "input_series": list(inputs(page)), "promql_expr_test": checks}
    file = directory / "test.yml"
    file.write_text(
        yaml.safe_dump({"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [test]})
    )
    done = subprocess.run(
        ["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False, timeout=LONG
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", HAVE)
def test_every_version_gives_the_fact(page: str, tmp_path: Path) -> None:
    ask(tmp_path, page, {f"count({name}) > bool 0": 1 for name in HAVE[page]})


@pytest.mark.parametrize(("page", "name", "value"), VALUES)
def test_the_fact_is_the_same(page: str, name: str, value: float | None, tmp_path: Path) -> None:
    ask(tmp_path, page, {f"max({name})": value})
