"""Public holidays of a store's country, and the days that the shop has named itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from functools import lru_cache
from typing import Final

from holidays import country_holidays

from exporter.core.collector import Tuning
from exporter.core.ports import Stores

IsHoliday = Callable[[date], bool]

_YEARS: Final = 256
"""Calendars kept: a year of a region each."""


def known_region(region: str) -> bool:
    """Return whether holidays are known of a country (``DE``), or of a region in it (``DE-BY``)."""
    return _calendar(region, 2024) is not None


def of_store(tuning: Tuning, stores: Stores, store_id: int) -> IsHoliday:
    """Return what tells the holidays of a store."""
    region = tuning.holiday_regions.get(stores.code(store_id)) or stores.country(store_id)

    def is_holiday(day: date) -> bool:
        if not tuning.holidays or _named(day, tuning.no_holidays):
            return False
        return _named(day, tuning.own_holidays) or day in (_calendar(region, day.year) or ())

    return is_holiday


def _named(day: date, named: Sequence[str]) -> bool:
    return f"{day:%Y-%m-%d}" in named or f"{day:%m-%d}" in named


@lru_cache(maxsize=_YEARS)
def _calendar(region: str, year: int) -> frozenset[date] | None:
    """Return the public holidays of a year; nothing if the library does not know the region."""
    country, _, part = region.partition("-")
    try:
        return frozenset(country_holidays(country, subdiv=part or None, years=year))
    except NotImplementedError:
        return None
