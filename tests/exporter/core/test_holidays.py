"""Public holidays by country and region, and the shop's own days."""

from datetime import date

import pytest
from holidays import country_holidays

from exporter.core.collector import Tuning
from exporter.core.holidays import _calendar, known_region, of_store
from tests.harness import core

US, GERMAN = 1, 2


@pytest.mark.parametrize(
    ("store", "day", "holiday"),
    [
        (GERMAN, "2026-04-06", True),  # Easter Monday
        (GERMAN, "2026-05-14", True),  # Ascension, a Thursday
        (GERMAN, "2026-12-25", True),
        (GERMAN, "2026-12-24", False),
        (GERMAN, "2026-11-26", False),  # Thanksgiving
        (GERMAN, "2026-01-06", False),  # Epiphany, in the south only
        (US, "2026-11-26", True),
        (US, "2026-07-03", True),  # Independence Day, observed
        (US, "2026-04-06", False),
        (US, "2027-01-01", True),
    ],
)
def test_holidays_are_those_of_the_stores_country(store: int, day: str, holiday: bool) -> None:
    assert of_store(Tuning(), core.STORES, store)(date.fromisoformat(day)) is holiday


@pytest.mark.parametrize(
    ("tuning", "day", "holiday"),
    [
        (Tuning(holidays=False), "2026-12-25", False),
        (Tuning(holidays=False, own_holidays=["12-24"]), "2026-12-24", False),
        (Tuning(own_holidays=["12-24"]), "2026-12-24", True),
        (Tuning(own_holidays=["12-24"]), "2027-12-24", True),
        (Tuning(own_holidays=["2026-12-24"]), "2027-12-24", False),
        (Tuning(no_holidays=["05-14"]), "2026-05-14", False),
        (Tuning(holiday_regions={"german": "DE-BY"}), "2026-01-06", True),
        (Tuning(holiday_regions={"german": "AT"}), "2026-10-26", True),
        (Tuning(holiday_regions={"default": "DE-BY"}), "2026-01-06", False),
    ],
)
def test_the_settings_change_them(tuning: Tuning, day: str, holiday: bool) -> None:
    assert of_store(tuning, core.STORES, GERMAN)(date.fromisoformat(day)) is holiday


@pytest.mark.parametrize(
    ("region", "known"), [("DE", True), ("DE-BY", True), ("DE-QQ", False), ("XX", False), ("", False)]
)
def test_unknown_regions_have_no_holidays(region: str, known: bool) -> None:
    assert known_region(region) is known


@pytest.mark.parametrize(
    "region", ["DE", "DE-BY", "US", "US-CA", "GB", "GB-SCT", "IN", "JP", "BR", "PL", "CH-ZH", "ES-CT"]
)
def test_the_file_says_what_the_library_says(region: str) -> None:
    country, _, part = region.partition("-")
    for year in (2026, 2027, 2030):
        assert _calendar(region, year) == frozenset(
            country_holidays(country, subdiv=part or None, years=year)
        )


def test_a_year_beyond_the_file_has_no_holidays() -> None:
    assert _calendar("DE", 2099) == frozenset()
