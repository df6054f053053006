"""What the shop noted as an instant, and what is read of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from exporter.reading.instants import NOTED_SINCE, age, instant
from tests.harness.core import NOON


@pytest.mark.parametrize("value", [None, 0, 0.0, Decimal(0), 3_600, -3_600, NOTED_SINCE - 1])
def test_a_zero_date_is_no_instant_whatever_time_zone_it_went_through(value: Any) -> None:
    assert instant(value, NOON) is None
    assert age(value, NOON) is None


@pytest.mark.parametrize("ahead", [1, 8 * 3_600, 2**31])
def test_the_future_is_now(ahead: int) -> None:
    assert instant(NOON + ahead, NOON) == NOON
    assert age(NOON + ahead, NOON) == 0


@pytest.mark.parametrize("ago", [0, 1, 10 * 365 * 86_400])
def test_any_other_instant_is_itself_in_seconds_or_milliseconds(ago: int) -> None:
    for value in (NOON - ago, 1000 * (NOON - ago)):
        assert instant(value, NOON) == NOON - ago
        assert age(value, NOON) == ago
