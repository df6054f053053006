"""How sure a comparison of two counts is: Wilson's interval, for a share and for a ratio of rates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

_Z: Final = 1.96
"""Nineteen of twenty intervals hold the true value."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the true value is, most likely."""

    low: float
    high: float

    def percent(self) -> str:
        """Return it as a person reads it."""
        return f"{self.low * 100:.0f} to {self.high * 100:.0f} %"


def share(part: float, whole: float) -> Interval:
    """Return the interval of a share; everything is possible where nothing was tried."""
    if whole <= 0:
        return Interval(0.0, 1.0)
    part = min(max(part, 0.0), whole)
    middle = part + _Z**2 / 2
    doubt = _Z * math.sqrt(part * (whole - part) / whole + _Z**2 / 4)
    return Interval(
        max((middle - doubt) / (whole + _Z**2), 0.0), min((middle + doubt) / (whole + _Z**2), 1.0)
    )


def ratio(after: float, before: float, *, exposure: float) -> Interval:
    """Return the interval of the rate after, as a multiple of the rate before.

    ``exposure`` is how many orders were to be expected after, for each one before, if nothing had changed.
    Given both counts together, the later one is a share of them: so the doubt about both counts is in it.
    """
    among = share(after, after + before)
    low = among.low / (1 - among.low) / exposure if among.low < 1 else math.inf
    high = among.high / (1 - among.high) / exposure if among.high < 1 else math.inf
    return Interval(low, high)
