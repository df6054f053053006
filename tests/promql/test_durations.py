"""Lengths of time: how they are written, and what is none."""

from __future__ import annotations

import pytest

from exporter.errors import SpecError
from promql.durations import Duration, Macro, span


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (1, "1s"),
        (90, "90s"),
        (120, "2m"),
        (3600, "1h"),
        (86_400, "1d"),
        (604_800, "1w"),
    ],
)
def test_durations_are_in_the_largest_unit_that_divides_them(seconds: float, text: str) -> None:
    assert str(Duration(seconds)) == text
    assert span(text) == Duration(seconds)


def test_milliseconds_follow_the_seconds() -> None:
    assert str(Duration(0.5)) == "500ms"
    assert str(Duration(86_399.999)) == "23h59m59s999ms"
    assert str(Duration(0.9996)) == "1s"


def test_what_grafana_fills_in_is_a_span() -> None:
    assert span("$__range") is Macro.RANGE


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "-5m", "5m:", "1x", "1h30m", "٣h", "$interval"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(SpecError, match="no duration"):
        span(text)
