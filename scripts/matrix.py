"""Runs the tests of each area against the versions of its server, and writes docs/compatibility.md.

``python scripts/matrix.py`` takes every version, ``python scripts/matrix.py mysql-9.7 varnish`` those whose
name begins so. A server that Debian's stable release has not is unpacked from another suite into the cache
(:mod:`sandbox.suites`). What cannot be had is left out and says so; it never counts as passed.

What was found is kept in build/matrix.json, so that a run of some versions leaves the others' lines alone.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

ROOT: Final = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from sandbox import suites  # noqa: E402
from sandbox.paths import STATE  # noqa: E402
from sandbox.servers import mysql, rabbitmq  # noqa: E402

KEPT: Final = ROOT / "build" / "matrix.json"
PAGE: Final = ROOT / "docs" / "compatibility.md"
FEWEST: Final = 10
"""Tests of an area at least: fewer mean that the selection has found the wrong ones."""


@dataclass(frozen=True, slots=True)
class Area:
    """What of the pack meets the server, and the tests that show it."""

    name: str
    shows: str
    tests: tuple[str, ...]
    workers: int = 2
    """Pytests that share the files; with 0 the tests of the alerts start several promtools at once."""


DATABASE: Final = Area(
    "database",
    "Every statement of every collector: results, rights, plans, rows read, limits, failures.",
    ("tests/exporter/collectors", "tests/exporter/sources/test_database.py"),
)
REDIS: Final = Area(
    "redis",
    "Roles, Sentinel, refused logins and commands.",
    ("tests/exporter/sources/test_redis_sentinel.py", "tests/exporter/collectors/redis"),
)
RABBITMQ: Final = Area(
    "rabbitmq",
    "Queues, alarms, rights and failures through the management API.",
    ("tests/exporter/sources/test_rabbitmq.py", "tests/exporter/collectors/queues_rabbitmq"),
)
VARNISH: Final = Area(
    "varnish",
    "Counters, backends, bans, and instances that do not answer.",
    ("tests/exporter/sources/test_varnish.py", "tests/exporter/collectors/page_cache"),
)
PROMETHEUS: Final = Area(
    "rules",
    "Every alert's tests with promtool, every rule in a live server, the shipped configuration. Prometheus 3"
    " leaves out the sample that is as old as a range is long. The tests have samples there, scrapes do not."
    " So for it the ranges in the tests are a millisecond longer.",
    ("tests/alerts/test_promtool.py", "tests/alerts/test_incidents.py", "tests/alerts/test_card_testing.py",
     "tests/alerts/test_orders_stopped.py", "tests/alerts/test_live_rules.py"),
    workers=0,
)  # fmt: skip
ALERTMANAGER: Final = Area(
    "notifications",
    "Routes, inhibitions and templates in a live server, the shipped configuration.",
    ("tests/alerts/test_alertmanager.py",),
)
VMALERT: Final = Area("vmalert", "Every rule file and its templates are accepted.", ())


@dataclass(frozen=True, slots=True)
class Version:
    """A server's version. Without a suite it is the one that the sandbox installs."""

    name: str
    title: str
    area: Area
    package: str
    suite: str = ""
    programs: Mapping[str, str] = field(default_factory=dict)
    begins: str = ""
    """How the version must begin, so that a suite that has moved on is not taken for it."""


_MARIADB: Final = {
    "mariadbd": "/usr/sbin/mariadbd",
    "mariadb-install-db": "/usr/bin/mariadb-install-db",
}
_REDIS: Final = {"redis-server": "/usr/bin/redis-server"}
_VALKEY: Final = {"redis-server": "/usr/bin/valkey-server"}
_RABBITMQ: Final = {
    "rabbitmq-server": f"{suites.RABBITMQ}/rabbitmq-server",
    "rabbitmqctl": f"{suites.RABBITMQ}/rabbitmqctl",
    "epmd": "/usr/bin/epmd",
}
_VARNISH: Final = {
    name: f"/usr/{folder}/{name}"
    for folder, name in (
        ("sbin", "varnishd"),
        ("bin", "varnishadm"),
        ("bin", "varnishstat"),
        ("bin", "varnishlog"),
    )
}
_PROMETHEUS: Final = {name: f"/usr/bin/{name}" for name in ("prometheus", "promtool")}
_AM: Final = "prometheus-alertmanager"
_ALERTMANAGER: Final = {name: f"/usr/bin/{name}" for name in ("prometheus-alertmanager", "amtool")}

VERSIONS: Final = (
    Version("mysql-9.7", "MySQL 9.7", DATABASE, "mysql-server", "sid", {"mysqld": "/usr/sbin/mysqld"}, "9."),
    Version("mariadb-10.5", "MariaDB 10.5", DATABASE, "mariadb-server", "bullseye", _MARIADB, "10.5"),
    Version("mariadb-10.11", "MariaDB 10.11", DATABASE, "mariadb-server"),
    Version("mariadb-11.8", "MariaDB 11.8", DATABASE, "mariadb-server", "trixie", _MARIADB, "11.8"),
    Version("redis-6.0", "Redis 6.0", REDIS, "redis-server", "bullseye", _REDIS, "6.0"),
    Version("redis-7.0", "Redis 7.0", REDIS, "redis-server"),
    Version("redis-8.0", "Redis 8.0", REDIS, "redis-server", "trixie", _REDIS, "8."),
    Version("valkey-8.1", "Valkey 8.1", REDIS, "valkey-server", "trixie", _VALKEY, "8."),
    Version("valkey-9", "Valkey 9", REDIS, "valkey-server", "sid", _VALKEY, "9."),
    Version("rabbitmq-3.10", "RabbitMQ 3.10", RABBITMQ, "rabbitmq-server"),
    Version("rabbitmq-4.0", "RabbitMQ 4.0", RABBITMQ, "rabbitmq-server", "trixie", _RABBITMQ, "4.0"),
    Version("rabbitmq-4", "RabbitMQ 4, newest", RABBITMQ, "rabbitmq-server", "sid", _RABBITMQ, "4."),
    Version("varnish-6.5", "Varnish 6.5", VARNISH, "varnish", "bullseye", _VARNISH, "6.5"),
    Version("varnish-7.1", "Varnish 7.1", VARNISH, "varnish"),
    Version("varnish-7.7", "Varnish 7.7", VARNISH, "varnish", "trixie", _VARNISH, "7.7"),
    Version("prometheus-2.42", "Prometheus 2.42", PROMETHEUS, "prometheus"),
    Version("prometheus-2.53", "Prometheus 2.53", PROMETHEUS, "prometheus", "trixie", _PROMETHEUS, "2.53"),
    Version("prometheus-3", "Prometheus 3", PROMETHEUS, "prometheus", "sid", _PROMETHEUS, "3."),
    Version("alertmanager-0.25", "Alertmanager 0.25", ALERTMANAGER, _AM),
    Version("alertmanager-0.28", "Alertmanager 0.28", ALERTMANAGER, _AM, "trixie", _ALERTMANAGER, "0.28"),
    Version("alertmanager-0.33", "Alertmanager 0.33", ALERTMANAGER, _AM, "sid", _ALERTMANAGER, "0."),
    Version("vmalert", "vmalert", VMALERT, "victoria-metrics", "sid", {"vmalert": "/usr/bin/vmalert"}),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Result:
    """What a version's run has shown."""

    version: str = ""
    date: str = ""
    passed: int = 0
    failed: tuple[str, ...] = ()
    skipped: int = 0
    left_out: str = ""

    @property
    def word(self) -> str:
        """The result in a few words."""
        if self.left_out:
            return f"**left out**: {self.left_out}"
        if self.failed:
            return f"**{len(self.failed)} failed**"
        return "holds" + (f", {self.skipped} skipped" if self.skipped else "")


def examine(version: Version) -> Result:
    """Get the server and run its area's tests."""
    date = f"{datetime.now(UTC):%Y-%m-%d}"
    directory = STATE / "matrix" / version.name
    directory.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ)
    try:
        found = _unpacked(version, directory, environment) if version.suite else _installed(version.package)
    except suites.LeftOut as error:
        return Result(date=date, left_out=str(error))
    if not _upstream(found).startswith(version.begins):
        return Result(date=date, left_out=f"{version.suite or 'the system'} has {_upstream(found)} now")
    checks = vmalert(environment) if version.area is VMALERT else tests(version.area, directory, environment)
    return Result(_upstream(found), date, *checks)


def _unpacked(version: Version, directory: Path, environment: dict[str, str]) -> str:
    """Unpack the server, let the environment lead to it, and return its version."""
    root = suites.unpack(version.suite, version.package)
    commands = suites.wrappers(root, directory / "bin", version.programs)
    environment["PATH"] = f"{commands}{os.pathsep}{environment['PATH']}"
    environment[rabbitmq.CHOICE] = str(commands) if version.area is RABBITMQ else ""
    environment[mysql.CHOICE] = "mysql" if "mysqld" in version.programs else ""
    return suites.version_of(root, version.package)


def _upstream(version: str) -> str:
    """Return Debian's version without what Debian adds to it."""
    return version.split(":", 1)[-1].split("-", 1)[0].split("+", 1)[0]


def _installed(package: str) -> str:
    query = ["dpkg-query", "--show", "--showformat=${Version}", package]
    return subprocess.run(query, capture_output=True, text=True, check=True, timeout=60).stdout


def tests(area: Area, directory: Path, environment: Mapping[str, str]) -> tuple[int, tuple[str, ...], int]:
    """Run the area's tests; return how many passed, which failed and how many were skipped."""
    report, log = directory / "report.xml", directory / "log"
    report.unlink(missing_ok=True)
    workers = ("-n", str(area.workers), "--dist", "loadfile")
    command = [sys.executable, "-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider", *workers,
               f"--junitxml={report}", *area.tests]  # fmt: skip
    with log.open("w") as output:
        subprocess.run(command, cwd=ROOT, env=environment, stdout=output, stderr=output, check=False)
    if not report.exists():
        raise SystemExit(f"{area.name}: pytest has written no report; see {log}")
    return _read(report)


def _read(report: Path) -> tuple[int, tuple[str, ...], int]:
    failed, skipped, passed = [], 0, 0
    for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314 - written by our own pytest
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            failed.append(f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}")
        elif "skipped" in kinds:
            skipped += 1
        else:
            passed += 1
    if passed + len(failed) < FEWEST:
        raise SystemExit(f"{report}: only {passed + len(failed)} tests ran")
    return passed, tuple(failed), skipped


def vmalert(environment: Mapping[str, str]) -> tuple[int, tuple[str, ...], int]:
    """Let vmalert read every rule file and its templates."""
    rules = STATE / "matrix" / "rules"
    # As committed the rules have no addresses, and no server takes them.
    subprocess.run([sys.executable, "-m", "alerts", "--demo", "--out", rules], cwd=ROOT, check=True)
    passed, failed = 0, []
    for file in sorted(rules.glob("*.yml")):
        command = ["vmalert", "-dryRun", f"-rule={file}", "-rule.validateTemplates=true"]
        run = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        if run.returncode:
            failed.append(file.name)
        else:
            passed += 1
    return passed, tuple(failed), 0


# --- what is written -------------------------------------------------------------------------------


def page(results: Mapping[str, Result]) -> str:
    """Return docs/compatibility.md."""
    return "\n".join(_lines(results)) + "\n"


def _lines(results: Mapping[str, Result]) -> Iterator[str]:
    yield "# Versions of the servers\n"
    yield "<!-- Written by `make matrix` (scripts/matrix.py); measured, not edited. -->\n"
    yield (
        "Each line is a run of the area's tests against that server, started from Debian's packages."
        " *Left out* means that the version could not be had on that day; it says nothing about the version."
        ' `make matrix` repeats all of it, `make matrix ARGS="mysql"` some.\n'
    )
    for area in dict.fromkeys(version.area for version in VERSIONS):
        yield f"## {area.name.capitalize()}\n"
        yield f"{area.shows}\n"
        yield "| server | version tested | passed | date | result |"
        yield "|---|---|---:|---|---|"
        for version in (version for version in VERSIONS if version.area is area):
            result = results.get(version.name, Result(left_out="not run yet"))
            yield (
                f"| {version.title} | {result.version or '-'} | {result.passed or '-'} | {result.date or '-'}"
                f" | {result.word} |"
            )
        yield ""
    failed = [(v.title, name) for v in VERSIONS for name in results.get(v.name, Result()).failed]
    if failed:
        yield "## What failed\n"
        yield from (f"- {title}: `{name}`" for title, name in failed)
        yield ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Examine the versions, write, and say 1 if something failed. What is left out fails nothing."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument(
        "versions", nargs="*", help="beginnings of names: " + ", ".join(v.name for v in VERSIONS)
    )
    parser.add_argument("--dry-run", action="store_true", help="write nothing, only say what was found")
    options = parser.parse_args(arguments)
    chosen = [v for v in VERSIONS if not options.versions or v.name.startswith(tuple(options.versions))]
    if not chosen:
        parser.error("no version is called so")
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    results = {name: Result(**{**found, "failed": tuple(found["failed"])}) for name, found in kept.items()}
    for version in chosen:
        result = results[version.name] = examine(version)
        said = result.word.replace("*", "")
        print(
            f"{datetime.now(UTC):%H:%M:%S} {version.title} ({result.version}): {result.passed} passed, {said}"
        )
        print(*(f"    {name}\n" for name in result.failed), sep="", end="", flush=True)
        if not options.dry_run:
            KEPT.write_text(
                json.dumps({name: asdict(found) for name, found in results.items()}, indent=2) + "\n"
            )
            PAGE.write_text(page(results))
    return 1 if any(results[version.name].failed for version in chosen) else 0


if __name__ == "__main__":
    raise SystemExit(main())
