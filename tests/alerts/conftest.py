"""The catalogue, and what is generated from it, once for all tests of the alerts."""

import os
import subprocess
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from alerts.__main__ import ROOT, rule_files
from alerts.catalogue import Catalogue, catalogue
from alerts.lib import promtool
from alerts.lib.expression import Clock
from alerts.lib.links import Links
from alerts.lib.model import Alert

FOUND = catalogue()
ALERTS = FOUND.all
BUILD = ROOT / "build" / "alerts"
PROMTOOL_SECONDS = 300


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "alert" in metafunc.fixturenames:
        metafunc.parametrize("alert", ALERTS, ids=lambda alert: alert.name)


@pytest.fixture(scope="session")
def found() -> Catalogue:
    return FOUND


@pytest.fixture(scope="session")
def rules() -> Mapping[str, str]:
    """The rule files as shipped."""
    return {path.name: path.read_text() for path in sorted((ROOT / "alerts" / "generated").glob("*.yml"))}


@pytest.fixture(scope="session")
def expected_rules() -> Mapping[str, str]:
    return rule_files(FOUND, Links(), Clock())


@pytest.fixture(scope="session")
def verdicts(rules: Mapping[str, str]) -> Mapping[str, Future[subprocess.CompletedProcess[str]]]:
    """The outcome of `promtool test rules` by alert: the shipped rule, its recording rules, its cases."""
    BUILD.mkdir(parents=True, exist_ok=True)
    pool = ThreadPoolExecutor(max_workers=os.cpu_count())
    outcomes = {alert.name: pool.submit(run, alert, rules) for alert in ALERTS}
    pool.shutdown(wait=False)
    return outcomes


def run(alert: Alert, rules: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    tests = write_tests(alert, rules, BUILD)
    return subprocess.run(
        ["promtool", "test", "rules", str(tests)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PROMTOOL_SECONDS,
    )


def write_tests(alert: Alert, rules: Mapping[str, str], folder: Path) -> Path:
    groups = [
        group for text in rules.values() for group in promtool.only(text, alert, FOUND.owners)["groups"]
    ]
    (folder / f"{alert.name}.rules.yml").write_text(yaml.safe_dump({"groups": groups}, sort_keys=False))
    tests = folder / f"{alert.name}.test.yml"
    # The alert's own group last: what it reads from another group is then of the same moment.
    order = sorted((group["name"] for group in groups), key=f"magento_{FOUND.subject(alert)}".__eq__)
    document = promtool.unit_tests(
        alert, f"{alert.name}.rules.yml", owners=FOUND.owners, links=Links(), groups=order
    )
    tests.write_text(yaml.safe_dump(document, sort_keys=False, width=1000))
    return tests
