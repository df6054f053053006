"""Magento's release lines: until when each is supported, and its newest patch.

Sources: Adobe's released versions and end-of-support pages, as of August 2026. Adobe sells extended support
beyond the dates here, and may move them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from typing import Final

MAGE_OS: Final = "mage-os"
"""Edition with version numbers of its own; what it supports until when is not known here."""

SUPPORTED_UNTIL: Final[Mapping[str, date]] = MappingProxyType(
    {
        "2.4.9": date(2029, 5, 31),
        "2.4.8": date(2028, 5, 31),
        "2.4.7": date(2027, 5, 31),
        "2.4.6": date(2026, 8, 11),
        "2.4.5": date(2025, 8, 12),
        "2.4.4": date(2025, 4, 12),
        "2.4.3": date(2022, 11, 28),
        "2.4.2": date(2022, 11, 28),
        "2.4.1": date(2022, 11, 28),
        "2.4.0": date(2022, 11, 28),
        "2.3.7": date(2022, 9, 8),
    }
)
"""The last day of each line's standard support, security fixes included."""

NEWEST_PATCH: Final[Mapping[str, str]] = MappingProxyType(
    {"2.4.9": "2.4.9", "2.4.8": "2.4.8-p5", "2.4.7": "2.4.7-p10", "2.4.6": "2.4.6-p15"}
)
"""The newest version of each line that is supported, or was in 2026."""

_VERSION: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-p(\d+))?(?:-.*)?")


def numbers(version: str) -> tuple[int, int, int, int] | None:
    """Return major, minor, release and patch of a version like 2.4.8-p1; None for another text."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return None
    major, minor, release, patch = match.groups(default="0")
    return int(major), int(minor), int(release), int(patch)


def line(version: str) -> str:
    """Return the line of a version: 2.4.8 of 2.4.8-p1; empty for a text that is no version."""
    known = numbers(version)
    return ".".join(map(str, known[:3])) if known else ""


def support_ends(edition: str, version: str) -> float | None:
    """Return the Unix time at which standard support of a version ends; None if it is not known.

    Everything before 2.3.7 ended with it.
    """
    known = numbers(version)
    if edition == MAGE_OS or known is None:
        return None
    last = SUPPORTED_UNTIL["2.3.7"] if known[:3] < (2, 3, 7) else SUPPORTED_UNTIL.get(line(version))
    if last is None:
        return None
    return datetime.combine(last + timedelta(days=1), time(), UTC).timestamp()


def patch_is_known(edition: str, version: str) -> bool:
    """Return whether it is known here which patch of the version's line is the newest."""
    return edition != MAGE_OS and line(version) in NEWEST_PATCH


def newer_patch(edition: str, version: str) -> str | None:
    """Return the newest patch of the version's line if the version is older; else None."""
    known = numbers(version)
    newest = NEWEST_PATCH.get(line(version))
    if edition == MAGE_OS or known is None or newest is None:
        return None
    there = numbers(newest)
    return newest if there is not None and known < there else None
