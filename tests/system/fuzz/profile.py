"""How long to look: ``FUZZ=20`` looks twenty times as long as ``make test`` does."""

from __future__ import annotations

import os
from typing import Final

from hypothesis import HealthCheck, settings

EFFORT: Final = int(os.environ.get("FUZZ", "1"))


def examples(number: int) -> settings:
    """Return settings for so many examples, times the effort; the server is the same for all of them."""
    return settings(
        max_examples=number * EFFORT,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
