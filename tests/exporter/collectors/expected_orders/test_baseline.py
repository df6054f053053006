"""The same hours of past weeks: clocks that change, partial buckets, too little history."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.collectors.expected_orders.baseline import BUCKET, WINDOWS, expected, in_windows, weeks_ago

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
NEW_YORK = ZoneInfo("America/New_York")
WEEK = 7 * 86_400


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("now", "weeks", "zone", "then"),
    [
        # 09:00 in Amsterdam is 08:00 UTC in winter and 07:00 UTC in summer; the clocks changed on 25 October.
        ("2026-11-02T08:00", 1, AMSTERDAM, "2026-10-26T08:00"),
        ("2026-11-02T08:00", 2, AMSTERDAM, "2026-10-19T07:00"),
        ("2026-11-02T08:00", 2, ZoneInfo("UTC"), "2026-10-19T08:00"),
        # New York's changed on 1 November: 09:00 is 14:00 UTC in winter and 13:00 UTC in summer.
        ("2026-11-02T14:00", 1, NEW_YORK, "2026-10-26T13:00"),
        # In spring the other way round.
        ("2026-03-30T07:00", 1, AMSTERDAM, "2026-03-23T08:00"),
        # 02:30 did not exist in Amsterdam on 29 March 2026: it is read as winter time, 01:30 UTC.
        ("2026-04-05T00:30", 1, AMSTERDAM, "2026-03-29T01:30"),
    ],
)
def test_the_same_weekday_and_local_time(now: str, weeks: int, zone: ZoneInfo, then: str) -> None:
    assert weeks_ago(at(now), weeks, zone) == at(then)


@given(
    now=st.integers(1_500_000_000, 2_000_000_000),
    weeks=st.integers(1, 8),
    zone=st.sampled_from(
        ["UTC", "Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe", "Asia/Tokyo"]
    ),
)
def test_local_time_and_weekday_are_kept_or_moved_by_a_change_of_clocks(
    now: int, weeks: int, zone: str
) -> None:
    then = weeks_ago(now, weeks, ZoneInfo(zone))
    assert abs(now - then - weeks * WEEK) <= 3600
    local_now = datetime.fromtimestamp(now, ZoneInfo(zone))
    local_then = datetime.fromtimestamp(then, ZoneInfo(zone))
    skipped = local_then.replace(tzinfo=None) - local_now.replace(tzinfo=None)
    assert abs(skipped.total_seconds() + weeks * WEEK) in {0, 1800, 3600}


def test_whole_buckets_count_whole_and_the_first_and_last_by_their_part() -> None:
    end = 100 * BUCKET + BUCKET // 3
    buckets = [(number * BUCKET, {"1": 3}) for number in range(90, 103)]
    sums = in_windows(buckets, end)
    assert sums["30m"]["1"] == pytest.approx(3 * 2)
    assert sums["2h"]["1"] == pytest.approx(3 * 8)
    assert "2" not in sums["2h"]


@given(st.lists(st.integers(0, 50), min_size=100, max_size=100), st.integers(0, BUCKET - 1))
def test_longer_windows_hold_shorter_ones_and_nothing_is_counted_twice(counts: list[int], part: int) -> None:
    end = 99 * BUCKET + part
    sums = in_windows([(number * BUCKET, {"1": count}) for number, count in enumerate(counts)], end)
    numbers = [sums[window].get("1", 0.0) for window in WINDOWS]
    assert numbers == sorted(numbers)
    assert numbers[-1] <= sum(counts) + 1e-6


def test_the_median_needs_two_weeks_and_survives_a_sale_and_an_outage() -> None:
    assert expected([]) is None
    assert expected([5.0]) is None
    assert expected([4.0, 6.0]) == 5.0
    assert expected([10.0, 11.0, 0.0, 900.0, 12.0]) == 11.0
