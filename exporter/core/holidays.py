"""Public holidays of a store's country, and the days that the shop has named itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Final

from exporter.core.collector import Tuning
from exporter.core.ports import Stores

IsHoliday = Callable[[date], bool]

_FILE: Final = Path(__file__).with_name("holidays.txt")
"""Written by ``scripts/generate_holidays.py``, which says how."""

_REGIONS: Final = 64
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
    """Return the public holidays of a year; ``None`` if the region is not known."""
    days = _days(region)
    return None if days is None else frozenset(day for day in days if day.year == year)


@lru_cache(maxsize=_REGIONS)
def _days(region: str) -> frozenset[date] | None:
    """Return all public holidays that are known of a country or region."""
    with _FILE.open(encoding="utf-8") as lines:
        found = next((line.split() for line in lines if line.startswith(f"{region} ")), None)
    if found is None or region == "#":
        return None
    _, kind, *years = found
    own = frozenset(_read(years))
    return own if kind == "=" else own | (_days(region.partition("-")[0]) or frozenset())


def _read(years: Iterable[str]) -> Iterator[date]:
    for text in years:
        year, _, days = text.partition(":")
        for at in range(0, len(days), 4):
            yield date(int(year), int(days[at : at + 2]), int(days[at + 2 : at + 4]))
