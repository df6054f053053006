"""Counting the rows of an append-only table exactly once, in spite of how InnoDB commits.

InnoDB hands out an auto-increment id when a row is *inserted*, but the row is
visible only when its transaction *commits*. So a row with a smaller id can appear
after one with a larger id. "Everything above the largest id seen" would lose it.

A :class:`GapTracker` therefore remembers the unsettled end of the table: the ids it
has counted, and the gaps between them with the time when they were noticed. An open
transaction may still fill a gap. A gap that stayed empty for ``settle`` seconds counts
as rolled back and is passed over.

Every run reads the rows above ``settled`` again: none on a table that is written by
one transaction at a time, and at most the rows of the last ``settle`` seconds otherwise.
Missed is a row whose transaction stayed open for longer than ``settle`` after a younger
row became visible.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(slots=True)
class Gap:
    """Ids from ``first`` to ``last`` that are missing since ``noticed`` (Unix seconds)."""

    first: int
    last: int
    noticed: float


@dataclass(slots=True)
class GapTracker:
    """The unsettled end of a table with increasing ids.

    Every id up to ``settled`` is final. Above it, ids are either in ``seen``
    (counted) or inside one of ``gaps`` (ordered by id); ``top`` is the largest id seen.
    """

    settled: int
    top: int = 0
    seen: set[int] = field(default_factory=set)
    gaps: list[Gap] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.top = max(self.top, self.settled)

    def take(
        self,
        ids: Iterable[int],
        *,
        now: float,
        settle: float,
        end: tuple[float, int] | None = None,
    ) -> list[int]:
        """Accept the ids visible above ``settled`` at ``now``; return those not counted before, in order.

        ``now`` is the time at which the reading *began*. ``ids`` must hold every
        visible id between ``settled`` and its own largest one. ``end`` is an earlier
        moment and the table's largest id then: what is missing below that id has been
        missing since that moment, although it is noticed only now.
        """
        new = sorted(set(ids) - self.seen)
        new = [number for number in new if number > self.settled]
        late = [number for number in new if number <= self.top]
        self._fill(late)
        for number in new[len(late) :]:
            if number > self.top + 1:
                missing_since = end[0] if end is not None and number <= end[1] else now
                self.gaps.append(Gap(self.top + 1, number - 1, missing_since))
            self.top = number
        self.seen.update(new)
        self._settle(now - settle)
        return new

    def fill(self, number: int) -> bool:
        """Take one id out of its gap; return whether it was in one."""
        inside = any(gap.first <= number <= gap.last for gap in self.gaps)
        if inside:
            self._fill([number])
        return inside

    def _fill(self, late: Sequence[int]) -> None:
        """Cut late arrivals, which are in order, out of their gaps."""
        if not late:
            return
        pieces: list[Gap] = []
        waiting = deque(late)
        for gap in self.gaps:
            start = gap.first
            while waiting and waiting[0] <= gap.last:
                number = waiting.popleft()
                if number > start:
                    pieces.append(Gap(start, number - 1, gap.noticed))
                start = max(start, number + 1)
            if start <= gap.last:
                pieces.append(Gap(start, gap.last, gap.noticed))
        self.gaps = pieces

    def _settle(self, horizon: float) -> None:
        """Move ``settled`` up to just below the first gap that is still young."""
        self.gaps = self.gaps[self._expired(horizon) :]
        self.settled = self.gaps[0].first - 1 if self.gaps else self.top
        self.seen = {number for number in self.seen if number > self.settled}

    def _expired(self, horizon: float) -> int:
        """Return how many gaps at the lower end were noticed at or before ``horizon``."""
        for position, gap in enumerate(self.gaps):
            if gap.noticed > horizon:
                return position
        return len(self.gaps)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-serialisable data."""
        return {
            "settled": self.settled,
            "top": self.top,
            "seen": sorted(self.seen),
            "gaps": [[gap.first, gap.last, gap.noticed] for gap in self.gaps],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return what :meth:`to_json` described."""
        gaps = [Gap(int(first), int(last), float(noticed)) for first, last, noticed in data["gaps"]]
        return cls(int(data["settled"]), int(data["top"]), set(data["seen"]), gaps)
