"""How long a version is supported, and whether a newer patch of its line exists."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from exporter.magento.releases import line, newer_patch, numbers, support_ends


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("2.4.9", (2, 4, 9, 0)),
        ("2.4.7-p10", (2, 4, 7, 10)),
        ("2.4.6-p15-hotfix", (2, 4, 6, 15)),
        ("2.4.9-beta1", (2, 4, 9, 0)),
        ("2.4-develop", None),
        ("", None),
    ],
)
def test_a_version_is_taken_apart(version: str, expected: tuple[int, ...] | None) -> None:
    assert numbers(version) == expected
    assert line(version) == (".".join(map(str, expected[:3])) if expected else "")


@pytest.mark.parametrize(
    ("edition", "version", "expected"),
    [
        ("community", "2.4.9", "2029-06-01"),
        ("enterprise", "2.4.8-p5", "2028-06-01"),
        ("community", "2.4.7-p10", "2027-06-01"),
        ("community", "2.4.6-p15", "2026-08-12"),
        ("community", "2.3.7-p4", "2022-09-09"),
        ("community", "2.3.0", "2022-09-09"),
        ("community", "2.2.11", "2022-09-09"),
        ("community", "2.4.10", None),
        ("mage-os", "2.4.9", None),
        ("mage-os", "3.0.0", None),
        ("", "", None),
    ],
)
def test_support_ends_after_its_last_day(edition: str, version: str, expected: str | None) -> None:
    ends = support_ends(edition, version)
    assert (None if ends is None else f"{datetime.fromtimestamp(ends, UTC):%Y-%m-%d}") == expected


@pytest.mark.parametrize(
    ("edition", "version", "expected"),
    [
        ("community", "2.4.8-p1", "2.4.8-p5"),
        ("community", "2.4.7-p9", "2.4.7-p10"),
        ("community", "2.4.6-p15", None),
        ("community", "2.4.8-p6", None),
        ("community", "2.4.9", None),
        ("community", "2.4.5-p16", None),
        ("mage-os", "2.4.8", None),
        ("community", "dev", None),
    ],
)
def test_a_newer_patch_is_named(edition: str, version: str, expected: str | None) -> None:
    assert newer_patch(edition, version) == expected
