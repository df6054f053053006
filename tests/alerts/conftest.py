"""The catalogue, and what is generated from it, once for all tests of the alerts."""

import os
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from alerts.__main__ import ROOT, rule_files
from alerts.catalogue import Catalogue, catalogue
from alerts.lib.links import DEMO
from alerts.testing import Verdict, judge
from exporter.pack.addresses import Addresses
from promql.clock import Clock

FOUND = catalogue()
ALERTS = FOUND.all


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "alert" in metafunc.fixturenames:
        metafunc.parametrize("alert", ALERTS, ids=lambda alert: alert.name)


@pytest.fixture(scope="session")
def found() -> Catalogue:
    return FOUND


@pytest.fixture(scope="session")
def rules() -> Mapping[str, str]:
    """The rule files as shipped, with addresses: without them Prometheus refuses them."""
    return {
        path.name: addressed(path.read_text())
        for path in sorted((ROOT / "alerts" / "generated").glob("*.yml"))
    }


@pytest.fixture(scope="session")
def expected_rules() -> Mapping[str, str]:
    return rule_files(FOUND, DEMO, Clock())


class Verdicts(dict[str, Future[Verdict]]):
    """What promtool says of each alert that is asked for, on the rules as shipped."""

    def __init__(self, rules: Mapping[str, str], folder: Path) -> None:
        super().__init__()
        self._rules, self._folder = list(rules.values()), folder
        self._pool = ThreadPoolExecutor(max_workers=os.cpu_count())

    def __missing__(self, name: str) -> Future[Verdict]:
        alert = next(alert for alert in ALERTS if alert.name == name)
        self[name] = self._pool.submit(judge, alert, FOUND, self._rules, self._folder)
        return self[name]


@pytest.fixture(scope="session")
def verdicts(
    rules: Mapping[str, str], request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Verdicts:
    """Of the tests that were chosen all promtools are started now, unless several pytests share the tests."""
    found = Verdicts(rules, tmp_path_factory.mktemp("promtool"))
    alone = not hasattr(request.config, "workerinput")
    for item in request.session.items if alone else ():
        if isinstance(item, pytest.Function) and {"alert", "verdicts"} <= set(item.fixturenames):
            found[item.callspec.params["alert"].name]
    return found


def addressed(rules: str) -> str:
    """Return the text of a rule file with the addresses of a demo."""
    return Addresses(DEMO.runbooks, DEMO.grafana).fill_in(rules)
