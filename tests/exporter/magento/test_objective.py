"""The objective of a store is learned from its own month, and neither from outages nor from card testing."""

import pytest

from exporter.magento.objective import DAY, DAYS, ENOUGH_DAYS, UNKNOWN, Day, counted, learned

TODAY = 20_000
NOW = (TODAY + 0.5) * DAY


def month(share: float, *, days: int = DAYS, attempts: int = 1_000) -> dict[int, Day]:
    return {TODAY - ago: (attempts, round(attempts * share)) for ago in range(1, days + 1)}


@pytest.mark.parametrize(
    ("usual", "objective"), [(0.01, 0.95), (0.03, 0.95), (0.08, 0.88), (0.15, 0.775), (0.4, 0.75)]
)
def test_half_as_many_again_may_fail_within_bounds(usual: float, objective: float) -> None:
    assert learned(month(usual), NOW) == pytest.approx(objective)


def test_nothing_is_learned_from_less_than_a_week() -> None:
    assert learned(month(0.15, days=ENOUGH_DAYS - 1), NOW) == UNKNOWN
    assert learned(month(0.15, days=ENOUGH_DAYS), NOW) != UNKNOWN


def test_days_without_attempts_do_not_count() -> None:
    assert learned({**month(0.15, days=6), TODAY - 8: (0, 0)}, NOW) == UNKNOWN


def test_a_week_of_card_testing_and_outages_is_not_the_usual() -> None:
    days = month(0.08)
    days |= {TODAY - ago: (20_000, 19_000) for ago in range(3, 10)}
    assert learned(days, NOW) == pytest.approx(0.88)


def test_a_week_without_a_failure_is_not_the_usual_either() -> None:
    days = month(0.08)
    days |= {TODAY - ago: (1_000, 0) for ago in range(3, 10)}
    assert learned(days, NOW) == pytest.approx(0.88)


def test_today_does_not_count() -> None:
    assert learned({**month(0.08), TODAY: (1_000_000, 1_000_000)}, NOW) == pytest.approx(0.88)
    assert learned({**month(0.08), TODAY - DAYS - 1: (1_000_000, 1_000_000)}, NOW) == pytest.approx(0.88)


def test_attempts_are_added_to_the_day_and_old_days_are_dropped() -> None:
    days = counted({TODAY: (5, 1), TODAY - DAYS: (7, 2), TODAY - DAYS - 1: (9, 3)}, NOW, 2, 1)
    assert days == {TODAY: (7, 2), TODAY - DAYS: (7, 2)}


def test_a_clock_that_was_ahead_leaves_no_day_in_the_future() -> None:
    assert counted({TODAY + 3: (5, 1)}, NOW, 1, 0) == {TODAY: (1, 0)}
