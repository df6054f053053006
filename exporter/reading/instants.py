"""Instants that the shop noted: one rule for all that is read of them.

=============================================  ==========================================
what stands in the column                      is read as
=============================================  ==========================================
``NULL``, a zero date, anything in 1970        none: absent, never 0, and without an age
an instant in milliseconds                     the same in seconds: publishers of messages do so
an instant after the exporter's clock          that clock's time: an age of 0
any other                                      itself
=============================================  ==========================================

Shops that began on Magento 2.3.0 or before keep ``0000-00-00 00:00:00``. MariaDB and MySQL give 0 for
one, or ``NULL`` for the least of several. PHP makes a zero date an hour of 1970 or of the day before it.
From 2038 on MariaDB 10.11 gives ``NULL`` as well, so such a ``DATETIME`` is none.
"""

from __future__ import annotations

from typing import Any, Final

NOTED_SINCE: Final = 365 * 86_400
"""The end of 1970, in Unix seconds: no shop is as old."""
_MILLISECONDS: Final = 1e11
"""From here on it is no time in seconds: that would be the year 5138, and no server gives one after 3001."""


def instant(value: Any, now: float) -> float | None:
    """Return an instant in Unix seconds, at most ``now``; None if there is none."""
    moment = 0.0 if value is None else float(value)
    moment = moment / 1000 if moment >= _MILLISECONDS else moment
    return None if moment < NOTED_SINCE else min(moment, now)


def age(value: Any, now: float) -> float | None:
    """Return how many seconds ago that was, never less than 0; None if there is no instant."""
    moment = instant(value, now)
    return None if moment is None else now - moment


def noted(column: str) -> str:
    """Return the SQL of a column's instant, NULL if it has none: the least of several is then a real one."""
    return f"CASE WHEN {column} >= FROM_UNIXTIME({NOTED_SINCE}) THEN {column} END"
