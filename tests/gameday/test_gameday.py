"""The game day's own declarations hold; the day itself is `make gameday`."""

from __future__ import annotations

from alerts.catalogue import catalogue
from tests.gameday.__main__ import faults_without_expectation
from tests.gameday.expectations import EXPECTED, LEFT_OUT


def test_every_fault_is_played_or_left_out_with_a_reason() -> None:
    assert list(faults_without_expectation()) == []
    assert not set(EXPECTED) & set(LEFT_OUT)


def test_every_expected_alert_exists() -> None:
    known = {alert.name for alert in catalogue().all}
    for name, expectation in EXPECTED.items():
        assert expectation.fires | expectation.may <= known, name
