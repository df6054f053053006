"""The game day's own declarations hold; the day itself is `make gameday`."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from itertools import combinations
from pathlib import Path

import yaml

from alerts.catalogue import catalogue
from sandbox.servers.alertmanager import CONFIGURATION
from tests.runbooks.pages import pages
from tests.system.gameday.__main__ import faults_without_expectation
from tests.system.gameday.day import Result
from tests.system.gameday.expectations import EXPECTED, LEFT_OUT, WAVES, Fix
from tests.system.gameday.report import BEGIN, END, publish
from tests.system.gameday.sink import Sink


def test_every_fault_is_played_or_left_out_with_a_reason() -> None:
    assert list(faults_without_expectation()) == []
    assert not set(EXPECTED) & set(LEFT_OUT)


def test_every_fault_is_played_once() -> None:
    assert sorted(name for wave in WAVES for name in wave) == sorted(EXPECTED)


def test_faults_played_together_have_disjoint_alerts() -> None:
    for wave in WAVES:
        for one, other in combinations(wave, 2):
            for claim in EXPECTED[one].claims():
                shared = [seen for seen in EXPECTED[other].claims() if seen.overlaps(claim)]
                assert not shared, (one, other, str(claim))


def test_every_expected_alert_exists_and_has_the_labels() -> None:
    labels = {alert.name: {*alert.series_labels, "source"} for alert in catalogue().all}
    for name, expectation in EXPECTED.items():
        for seen in expectation.claims():
            assert seen.labels.keys() <= labels[seen.alert], (name, str(seen))


def test_every_fix_is_a_section_of_its_page_with_commands() -> None:
    written = {page.name: page for page in pages()}
    for name, expectation in EXPECTED.items():
        if isinstance(expectation.end, Fix):
            section = written[expectation.end.page].part(expectation.end.section)
            assert "```bash changes-state" in section, name


def test_alertmanager_decides_as_shipped(tmp_path: Path) -> None:
    shipped = yaml.safe_load(CONFIGURATION.read_text())
    with Sink() as sink:
        file = sink.configuration(tmp_path / "alertmanager.yml", 30)
    played = yaml.safe_load(file.read_text())
    checked = subprocess.run(["amtool", "check-config", file], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert played["inhibit_rules"] == shipped["inhibit_rules"]
    assert [route["receiver"] for route in played["route"]["routes"]] == [
        route["receiver"] for route in shipped["route"]["routes"]
    ]
    assert [route["matchers"] for route in played["route"]["routes"]] == [
        route["matchers"] for route in shipped["route"]["routes"]
    ]
    assert (shipped["route"]["group_wait"], played["route"]["group_wait"]) == ("30s", "1s")


def test_the_exporter_keeps_time_thirty_times_faster() -> None:
    code = (
        "from tests.system.gameday.exporter import shorten\nshorten(30)\n"
        "from exporter.collectors.expected_orders import baseline, history\n"
        "from exporter.collectors import order_emails, placements\n"
        "print(baseline.WINDOWS['30m'], baseline.BUCKET, history.BUCKET,"
        " placements.PlacementsCollector.refresh.interval, order_emails.WATCHES['order'].ages.first_look)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["60", "30", "30", "2.0", "30.0"]


def test_what_went_wrong_stands_in_the_table(tmp_path: Path) -> None:
    result = Result(["MagentoCronStopped"], missing=["MagentoCronStopped"], ended_by="switched off: a reason")
    result.judge()
    document = {
        "faults": {"cron-stopped": {**asdict(result), "good": False, "scale": 30.0}},
        "left_out": {"another": "it cannot be played"},
    }
    results, page = tmp_path / "gameday.json", tmp_path / "alerts.md"
    results.write_text(json.dumps(document))
    page.write_text(f"before\n{BEGIN}\nthe last run\n{END}\nafter\n")
    publish(results, page)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "the last run" not in text
    assert "0 of 1 faults as expected" in text
    assert "**did not fire**" in text
    assert "Not as expected: `cron-stopped`: missing MagentoCronStopped" in text
    assert "Not played: `another`, because it cannot be played" in text
