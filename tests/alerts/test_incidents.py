"""The page of the incidents cannot claim what no alert does and no test shows."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from alerts.catalogue import Catalogue
from alerts.incidents.listing import INCIDENTS
from alerts.incidents.model import (
    By,
    Evidence,
    Fault,
    Harm,
    Incident,
    OwnTest,
    Rule,
    Simulated,
    Verdict,
    catches,
    minutes,
)
from alerts.incidents.page import CLASSIC, page
from alerts.lib.model import Alert, Severity
from exporter.errors import SpecError
from scripts.generate_docs import GAMEDAY, SIMULATED, simulated
from tests.system.gameday.expectations import EXPECTED, WAVES

ROOT: Final = Path(__file__).resolve().parents[2]
EVIDENCE: Final = Evidence(*(json.loads(file.read_text()) for file in (GAMEDAY, SIMULATED)))
NOTHING: Final = Evidence({"faults": {}})
PLAYED: Final = {fault for wave in WAVES for fault in wave}


def complaints(incident: Incident, alerts: Mapping[str, Alert]) -> Iterator[str]:
    """Yield everything that is claimed of an incident and not shown."""
    unknown = [by.alert for by in incident.by if by.alert not in alerts]
    yield from (f"no alert {name}" for name in unknown)
    if unknown:
        return
    not_proved = [text for by in incident.by for text in _not_proved(by, alerts[by.alert])]
    yield from not_proved
    if not not_proved:
        yield from _wrong_verdict(incident, alerts)


def _not_proved(by: By, alert: Alert) -> Iterator[str]:
    match by.proof:
        case Fault(name):
            if name not in PLAYED:
                yield f"the game day does not play {name}"
            elif by.alert not in {seen.alert for seen in EXPECTED[name].fires}:
                yield f"{name} need not raise {by.alert}"
        case Simulated(scenario):
            if scenario not in EVIDENCE.simulated:
                yield f"the simulator does not play {scenario}"
        case OwnTest(file, function):
            tree = ast.parse((ROOT / file).read_text()) if (ROOT / file).is_file() else ast.Module([], [])
            if function not in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}:
                yield f"no test {file}::{function}"
        case Rule():
            if alert.severity is Severity.NONE or not alert.cases.inputs:
                yield f"the cases of {by.alert} play no incident"


def _wrong_verdict(incident: Incident, alerts: Mapping[str, Alert]) -> Iterator[str]:
    if incident.verdict is Verdict.NOT_SEEN:
        if incident.by:
            yield "not seen, but by an alert"
    elif not incident.by:
        yield f"{incident.verdict.value}, but by no alert"
    if incident.verdict is not Verdict.CAUGHT and not incident.because:
        yield "no reason why it is not caught"
    caught = any(
        catches(incident.harm, alerts[by.alert], minutes(by, alerts[by.alert], EVIDENCE))
        for by in incident.by
    )
    if incident.verdict is Verdict.CAUGHT and not caught:
        yield f"caught, but no alert is severe and fast enough for: {incident.harm.value}"


@pytest.fixture(scope="module")
def alerts(found: Catalogue) -> Mapping[str, Alert]:
    return {alert.name: alert for alert in found.all}


@pytest.mark.parametrize("incident", INCIDENTS, ids=lambda incident: str(incident.number))
def test_what_is_claimed_is_shown(incident: Incident, alerts: Mapping[str, Alert]) -> None:
    assert list(complaints(incident, alerts)) == []


def test_the_classic_incidents_are_all_there() -> None:
    assert [incident.number for incident in INCIDENTS] == list(range(1, len(INCIDENTS) + 1))
    assert len(INCIDENTS) >= CLASSIC


REDIS: Final = Incident(
    1, "Redis is dead", Harm.STOPS, Verdict.CAUGHT, (By("MagentoBackendDown", Fault("redis-down")),)
)


@pytest.mark.parametrize(
    ("claimed", "complaint"),
    [
        (replace(REDIS, by=(By("MagentoEverything"),)), "no alert MagentoEverything"),
        (replace(REDIS, by=()), "caught, but by no alert"),
        (replace(REDIS, by=(By("MagentoBackendDown", Fault("flood")),)), "the game day does not play flood"),
        (
            replace(REDIS, by=(By("MagentoBackendDown", Fault("redis-full")),)),
            "redis-full need not raise MagentoBackendDown",
        ),
        (
            replace(REDIS, by=(By("MagentoBackendDown", OwnTest("tests/nothing.py", "test_it")),)),
            "no test tests/nothing.py::test_it",
        ),
        (
            replace(REDIS, by=(By("MagentoBackendDown", OwnTest("tests/conftest.py", "test_it")),)),
            "no test tests/conftest.py::test_it",
        ),
        (
            replace(REDIS, by=(By("MagentoBackendDown", Simulated("a day without customers")),)),
            "the simulator does not play a day without customers",
        ),
        (replace(REDIS, by=(By("MagentoWatchdog"),)), "the cases of MagentoWatchdog play no incident"),
        (
            replace(REDIS, by=(By("MagentoCacheStoreDown"),)),
            "caught, but no alert is severe and fast enough for: nobody can buy",
        ),
        (
            replace(REDIS, by=(By("MagentoCarding", Fault("carding")),)),
            "caught, but no alert is severe and fast enough for: nobody can buy",
        ),
        (replace(REDIS, verdict=Verdict.PARTLY), "no reason why it is not caught"),
        (replace(REDIS, verdict=Verdict.NOT_SEEN, because="Why."), "not seen, but by an alert"),
    ],
)
def test_a_false_claim_is_found(claimed: Incident, complaint: str, alerts: Mapping[str, Alert]) -> None:
    assert list(complaints(REDIS, alerts)) == []
    assert complaint in list(complaints(claimed, alerts))


def test_minutes_are_those_of_the_game_day(alerts: Mapping[str, Alert]) -> None:
    played = {"firing_s": {"MagentoBackendDown{source=redis}": 8}, "scale": 30}
    gameday = Evidence({"faults": {"redis-down": played}})
    measured = minutes(REDIS.by[0], alerts["MagentoBackendDown"], gameday)
    assert (measured.number, measured.measured) == (4, True)
    by_rule = minutes(REDIS.by[0], alerts["MagentoBackendDown"], NOTHING)
    assert (by_rule.number, by_rule.measured) == (2, False)


def test_minutes_are_those_of_the_simulator(alerts: Mapping[str, Alert]) -> None:
    alert = alerts["MagentoBackendDown"]
    by = By(alert.name, Simulated("a scenario"))
    played = Evidence({"faults": {}}, {"a scenario": {alert.name: 7.0}})
    silent = Evidence({"faults": {}}, {"a scenario": {}})
    assert minutes(by, alert, played).number == 7
    assert str(minutes(by, alert, silent)) == "never"
    assert not catches(Harm.WAITS, alert, minutes(by, alert, silent))


def test_the_simulator_still_measures_what_the_page_says() -> None:
    assert simulated() == EVIDENCE.simulated


def test_minutes_of_a_rule_hold_the_age_that_it_waits_for(alerts: Mapping[str, Alert]) -> None:
    name = "MagentoOrderEmailsUnsent"
    assert minutes(By(name), alerts[name], NOTHING).number == 30 + 15


def test_an_alert_that_failed_on_the_game_day_proves_nothing(alerts: Mapping[str, Alert]) -> None:
    played = {"expected": ["MagentoBackendDown{source=redis}"], "firing_s": {}, "scale": 30}
    with pytest.raises(SpecError, match="did not fire"):
        minutes(REDIS.by[0], alerts["MagentoBackendDown"], Evidence({"faults": {"redis-down": played}}))


def test_the_page_agrees_with_the_table_of_the_game_day(found: Catalogue) -> None:
    """Both pages are written from the same file, by different code."""
    table = (ROOT / "docs" / "alerts.md").read_text()
    measured: dict[tuple[str, str], list[int]] = {}
    for fault_name, alert, number in re.findall(
        r"^\| ([\w-]+) \| (Magento\w+)[^|]*\|[^|]*\|[^|]*\| (\d+) min \|", table, re.MULTILINE
    ):
        measured.setdefault((fault_name, alert), []).append(int(number))
    rows = [row.split(" | ") for row in page(INCIDENTS, found.all, EVIDENCE).splitlines()]
    compared = 0
    for cells in (cells for cells in rows if len(cells) == 8 and "game day" in cells[6]):
        for alert, number, proof in zip(*(cells[at].split("<br>") for at in (4, 5, 6)), strict=True):
            if fault := re.fullmatch(r"game day, `([\w-]+)`", proof):
                name = alert.partition("]")[0].removeprefix("[")
                places = measured[fault[1], name]
                assert any(abs(place - int(number)) <= 1 for place in places), (fault[1], name)
                compared += 1
    assert compared > 20
