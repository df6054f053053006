"""Every series of another exporter that the pack reads is on a recorded page, with its labels.

The pages were recorded from the exporters of three Debian suites (`scripts/record_exporters.py`). Not
recorded, because they cannot be had there: hipages' php-fpm_exporter, MariaDB 11, Elasticsearch 8, and
PHP-FPM before trixie.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from alerts.catalogue import catalogue
from alerts.lib.recording import Recording
from dashboards.catalogue import DASHBOARDS
from exporter.magento.roles import ROLE
from promql import platform
from promql.metrics import External

PAGES = sorted((Path(__file__).parent / "recorded").glob("*.prom"))
PROGRAMS = {
    platform.MYSQLD: "mysqld",
    platform.REDIS: "redis",
    platform.ELASTICSEARCH: "elasticsearch",
    platform.PHP_FPM: "phpfpm",
    platform.NGINX: "nginx",
    platform.VARNISH: "varnish",
    platform.NODE: "node",
    platform.RABBITMQ: "rabbitmq",
}
VERSIONS = {
    "mysqld": 3, "redis": 3, "elasticsearch": 3, "nginx": 3, "varnish": 2, "node": 3, "blackbox": 3,
    "phpfpm": 1, "rabbitmq": 1,
}  # fmt: skip
"""How many versions of each exporter are recorded."""

RENAMED = {
    "mysql_global_status_innodb_deadlocks": "mysql_info_schema_innodb_metrics_lock_lock_deadlocks_total",
    "mysql_global_status_innodb_history_list_length": (
        "mysql_info_schema_innodb_metrics_transaction_trx_rseg_history_len"
    ),
    "mysql_slave_status_seconds_behind_master": "mysql_slave_status_seconds_behind_source",
    "mysql_slave_status_slave_io_running": "mysql_slave_status_replica_io_running",
    "mysql_slave_status_slave_sql_running": "mysql_slave_status_replica_sql_running",
}
"""MariaDB's name -> MySQL's. A recording reads both."""

_SAMPLE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)")
Page = Mapping[str, list[tuple[dict[str, str], float]]]


def read(path: Path) -> Page:
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for line in path.read_text().splitlines():
        if not line.startswith("#") and (match := _SAMPLE.fullmatch(line)):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', match[2] or ""))
            found.setdefault(match[1], []).append((labels, float(match[3])))
    return found


def versions(program: str) -> dict[str, list[Page]]:
    """Return the pages of each version of an exporter."""
    found: dict[str, list[Page]] = {}
    for path in PAGES:
        name, version = path.name.split("@")[0].rsplit("-", 1)
        if name == program:
            found.setdefault(version, []).append(read(path))
    return found


def read_by_the_pack() -> Iterator[External]:
    """Yield the series that a recording, an alert or a panel reads."""
    found = catalogue()
    names = {name for rule in found.owners.recordings for name in rule.expr.metrics()}
    names |= {name for alert in found.all for name in alert.expr.metrics()}
    asks = (ask for page in DASHBOARDS for panel in page.panels() for ask in panel.asks)
    names |= {name for ask in asks for name in ask.expr.metrics()}
    yield from (metric for metric in platform.SERIES if metric.name in names)


def test_so_many_versions_are_recorded() -> None:
    assert {program: len(versions(program)) for program in VERSIONS} == VERSIONS


@pytest.mark.parametrize("metric", platform.SERIES, ids=lambda metric: metric.name)
def test_every_version_has_the_series_with_its_labels(metric: External) -> None:
    other = RENAMED.get(metric.name) or next((a for a, b in RENAMED.items() if b == metric.name), None)
    before = "mysql_info_schema_innodb_metrics_lock_lock_deadlocks"  # MariaDB's metrics have no _total
    for version, pages in versions(PROGRAMS[metric.origin]).items():
        seen = [labels for page in pages for labels, _ in page.get(metric.name, ())]
        renamed = other is not None and any(other in page for page in pages)
        assert seen or renamed or metric.name == before, (metric.name, version)
        for labels in seen:
            assert set(metric.labels) - {ROLE} <= set(labels), (metric.name, version, labels)


def test_a_series_under_two_names_is_read_under_both() -> None:
    names = {metric.name for metric in read_by_the_pack()}
    for mariadb, mysql in RENAMED.items():
        assert {mariadb, mysql} <= names


def test_what_is_declared_is_read() -> None:
    """A series that nothing reads is no part of the contract."""
    assert {m.name for m in platform.SERIES} == {m.name for m in read_by_the_pack()}


@pytest.mark.parametrize("version", ["0.14.0", "0.17.2", "0.19.0"])
def test_a_stopped_replica_does_not_look_like_one_without_lag(version: str) -> None:
    """MariaDB gives no lag then. MySQL 9.7 gives 0 while the reader alone is stopped: that is not read."""
    folder = Path(__file__).parent / "recorded"
    running = read(folder / f"mysqld-{version}@mariadb-10.11-replica.prom")
    assert [value for _, value in running["mysql_slave_status_seconds_behind_master"]] == [0.0]
    assert [value for _, value in running["mysql_slave_status_slave_io_running"]] == [1.0]
    assert [value for _, value in running["mysql_slave_status_slave_sql_running"]] == [1.0]
    stopped = read(folder / f"mysqld-{version}@mariadb-10.11-stopped.prom")
    assert "mysql_slave_status_seconds_behind_master" not in stopped
    assert [value for _, value in stopped["mysql_slave_status_slave_io_running"]] == [0.0]
    mysql = read(folder / f"mysqld-{version}@mysql-9.7-stopped.prom")
    if version == "0.14.0":  # it asks SHOW SLAVE STATUS, which MySQL 8.4 has removed
        assert not any(name.startswith("mysql_slave_status") for name in mysql)
    else:
        assert [value for _, value in mysql["mysql_slave_status_seconds_behind_source"]] == [0.0]
        assert [value for _, value in mysql["mysql_slave_status_replica_io_running"]] == [0.0]


def test_lag_is_recorded_only_of_a_replica_that_runs() -> None:
    rules: dict[str, Recording] = {rule.name: rule for rule in catalogue().owners.recordings}
    assert "magento:database_replica_running:bool" in set(
        rules["magento:database_replica_lag:seconds"].expr.metrics()
    )


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_tells_nothing_of_the_machine(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"/(work|root|home|tmp)\b|nodename|machine", text)
