"""The game day's own declarations hold; the day itself is `make gameday`."""

from __future__ import annotations

from itertools import combinations

from alerts.catalogue import catalogue
from tests.gameday.__main__ import faults_without_expectation
from tests.gameday.expectations import EXPECTED, LEFT_OUT, WAVES, Fix
from tests.runbooks.pages import pages


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
            section = written[expectation.end.page].subsection(expectation.end.section)
            assert "```bash changes-state" in section, name
