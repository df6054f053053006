"""Ids that a table gives out a second time, and rows that were read before.

The newest id of a table can fall. Either the table was emptied or restored from a backup:
then new rows get ids that were given out before. Or another server is read, a replica that
lags: then rows that were read before appear once more. Both can happen at any pace.

The time at which a row was created decides which it is. It is compared with the newest such
time of the rows that were known, so it does not matter what time it is now.

An example. Ids up to 50,000 are known, the newest row is of 11:59. At 12:00 the newest id is
48,000, and the table is followed from there. Row 48,001 of 11:40 was read before. Row 48,001
of 12:01 is new. Row 50,001 is new, whatever its time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from exporter.core.ports import Row
from exporter.reading.gaps import Gap, GapTracker
from exporter.reading.instants import instant

CLOCKS_DIFFER: Final = 300.0
"""By how many seconds the shop's clock may be ahead of the exporter's."""


def created(row: Row, now: float) -> float:
    """Return when a row was created: 0 if it has no valid time, or one that is far in the future.

    Such a time is not when the row came, so it tells no new row from one that was read. As ``now`` it would
    be later than all that was known, each time the row is read.
    """
    moment = instant(row["created"], now + CLOCKS_DIFFER + 1)
    return 0.0 if moment is None or moment > now + CLOCKS_DIFFER else moment


@dataclass(slots=True)
class Earlier:
    """What was known of a table before its newest id fell.

    Rows up to ``top`` that were created until ``created`` have been read, but for those in ``gaps``: their
    transactions were open then.
    """

    top: int
    created: float
    gaps: GapTracker = field(default_factory=lambda: GapTracker(0))

    @classmethod
    def of(cls, tracker: GapTracker, created: float, before: Earlier | None) -> Earlier:
        """Return what is known when the newest id falls, perhaps once more."""
        gaps = tracker.gaps
        if before is not None:
            gaps = [*before.gaps.gaps, *(gap for gap in gaps if gap.last > before.top)]
        top = max(tracker.top, 0 if before is None else before.top)
        return cls(top, created, GapTracker(0, top, gaps=sorted(gaps, key=lambda gap: gap.first)))

    @classmethod
    def known(cls, state: Mapping[str, Any], now: float) -> Self | None:
        """Return what a state holds of it.

        An earlier version noted the top and the time of the first rows with an id of the second time.
        """
        if "earlier" in state:
            return cls.from_json(state["earlier"])
        if "restart" in state:
            top, since, _ = state["restart"]
            return cls(int(top), now if since is None else float(since))
        return None

    def has_read(self, row: Row, now: float) -> bool:
        """Return whether the row was read before."""
        number = int(row["id"])
        if number > self.top or created(row, now) > self.created:
            return False
        return not self.gaps.fill(number)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-serialisable data."""
        gaps = [[gap.first, gap.last, gap.noticed] for gap in self.gaps.gaps]
        return {"top": self.top, "created": self.created, "gaps": gaps}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return what :meth:`to_json` described."""
        gaps = [Gap(int(first), int(last), float(noticed)) for first, last, noticed in data["gaps"]]
        return cls(int(data["top"]), float(data["created"]), GapTracker(0, int(data["top"]), gaps=gaps))
