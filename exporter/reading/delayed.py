"""Reading the rows of an append-only table once, when they are old enough to be final.

Some rows get their interesting columns only after they were inserted: the
number of results of a search, the mark that an e-mail was sent. Such rows are
read once, ``age`` seconds after their id was first seen. Because every
transaction that held a smaller id has ended by then, nothing is missed and
nothing is read twice. No column with a time is needed, and the clocks of the
shop and of the exporter may differ.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

from exporter.reading.restarts import Restarts


@dataclass(slots=True)
class DelayedCursor:
    """Every id up to ``done`` has been read; ``marks`` say which was the largest id at what Unix time."""

    done: int
    marks: list[tuple[float, int]] = field(default_factory=list)
    restarts: Restarts = field(default_factory=Restarts)

    def note(self, newest: int, now: float, *, settle: float) -> None:
        """Note the largest visible id; a mark is only kept if it is news.

        When the ids have started again, or a restored table is being filled, reading
        goes on from the newest row; see :mod:`exporter.reading.restarts`, also for ``settle``.
        """
        largest, found = self._largest(), newest - self._largest()
        shortened = self.restarts.shortened(newest, settled=self.done, top=largest, now=now, settle=settle)
        if shortened or self.restarts.returning(found, first=largest + 1, now=now, settle=settle):
            self.done, self.marks = newest, []
        elif found > 0:
            self.marks.append((now, newest))

    def _largest(self) -> int:
        return max((number for _, number in self.marks), default=self.done)

    def ripe(self, now: float, age: float) -> int:
        """Return the largest id first seen at least ``age`` seconds ago, or ``done``."""
        return max((number for seen, number in self.marks if seen <= now - age), default=self.done)

    def finish(self, upto: int) -> None:
        """Note that every row up to ``upto`` has been read."""
        self.done = max(self.done, upto)
        self.marks = [(seen, number) for seen, number in self.marks if number > self.done]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-serialisable data."""
        marks = [[seen, number] for seen, number in self.marks]
        return {"done": self.done, "marks": marks, **self.restarts.to_json()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Return what :meth:`to_json` described."""
        marks = [(float(seen), int(number)) for seen, number in data["marks"]]
        return cls(int(data["done"]), marks, Restarts.from_json(data))
