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

from exporter.core.counting import PATIENCE


@dataclass(slots=True)
class Ripening:
    """Every id up to ``done`` has been read; ``marks`` say which was the largest id at what Unix time.

    ``behind`` is the time since which the largest id has been below ``done``: a
    replica that lags, or a table that was emptied or restored.
    """

    done: int
    marks: list[tuple[float, int]] = field(default_factory=list)
    behind: float | None = None

    def note(self, newest: int, now: float) -> None:
        """Note the largest visible id; a mark is only kept if it is news.

        When the ids start again, because the table is empty or has been behind for
        longer than a replica may be, reading goes on from the newest row.
        """
        if newest >= self.done:
            self.behind = None
        else:
            self.behind = now if self.behind is None else self.behind
            if not newest or now - self.behind >= PATIENCE:
                self.done, self.marks, self.behind = newest, [], None
        if newest > max((number for _, number in self.marks), default=self.done):
            self.marks.append((now, newest))

    def ripe(self, now: float, age: float) -> int:
        """Return the largest id first seen at least ``age`` seconds ago, or ``done``."""
        return max((number for seen, number in self.marks if seen <= now - age), default=self.done)

    def finish(self, upto: int) -> None:
        """Note that every row up to ``upto`` has been read."""
        self.done = max(self.done, upto)
        self.marks = [(seen, number) for seen, number in self.marks if number > self.done]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-serialisable data."""
        behind = {} if self.behind is None else {"behind": self.behind}
        return {"done": self.done, "marks": [[seen, number] for seen, number in self.marks], **behind}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Return what :meth:`to_json` described."""
        marks = [(float(seen), int(number)) for seen, number in data["marks"]]
        return cls(int(data["done"]), marks, data.get("behind"))
