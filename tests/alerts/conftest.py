"""The catalogue, and what is generated from it, once for all tests of the alerts."""

import os
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from alerts.__main__ import ROOT, rule_files
from alerts.catalogue import Catalogue, catalogue
from alerts.lib.expression import Clock
from alerts.lib.links import DEMO, NO_GRAFANA, NO_RUNBOOKS
from alerts.testing import Verdict, judge

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


@pytest.fixture(scope="session")
def verdicts(rules: Mapping[str, str], request: pytest.FixtureRequest) -> Mapping[str, Future[Verdict]]:
    """What promtool says, on the rules as shipped, of the alerts of the tests that were chosen."""
    chosen = [
        item.callspec.params["alert"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and {"alert", "verdicts"} <= set(item.fixturenames)
    ]
    pool = ThreadPoolExecutor(max_workers=os.cpu_count())
    outcomes = {alert.name: pool.submit(judge, alert, FOUND, list(rules.values())) for alert in chosen}
    pool.shutdown(wait=False)
    return outcomes


def addressed(rules: str) -> str:
    """Return the text of a rule file with the addresses of a demo."""
    return rules.replace(NO_RUNBOOKS, DEMO.runbooks.rstrip("/")).replace(NO_GRAFANA, DEMO.grafana)
