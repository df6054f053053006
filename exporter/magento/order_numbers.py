"""What is remembered of the order numbers that one store's sequence has given out.

A number is *taken* with a row of the sequence table, *noticed* by the run that
sees the table's largest id grow, *settled* when that was long enough ago, and
*held* while an active cart keeps it. Here it is its id in that table, the
``value``; its text is made by :class:`exporter.magento.checkout.OrderSequence`.
Times are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Self

MISSES: Final = 3
"""Orders in a row with a number of another making, after which the sequence says nothing about the store."""

BEHIND: Final = 1_000
"""Values by which a replica may lag behind the one that was read before it."""

FALLEN_SECONDS: Final = 1_800.0
"""Seconds after which a sequence that is lower than it was has been restored, although no order tells."""


class Span(NamedTuple):
    """Values that were noticed together; at ``since``, the run before, they could not be seen yet."""

    first: int
    last: int
    noticed: float
    since: float = 0.0


@dataclass(slots=True)
class OrderNumbers:
    """The numbers of one store.

    ``top`` is the largest value noticed, ``open`` the spans that are not settled
    yet, ``held`` maps a value that a cart keeps to the time since when, ``misses``
    counts the latest orders in a row whose number is not of this sequence. ``fallen``
    says since when the sequence is lower than it was, and its lowest value since then.
    """

    top: int
    open: list[Span] = field(default_factory=list)
    held: dict[int, float] = field(default_factory=dict)
    misses: int = 0
    fallen: tuple[float, int] | None = None

    @property
    def foreign(self) -> bool:
        """Whether the store's orders are numbered by something else."""
        return self.misses >= MISSES

    def judge(self, *, own: bool, top: int) -> None:
        """Take in one of the latest orders: whether its number is of this sequence, now at ``top``."""
        if not own:
            self.misses = min(MISSES, self.misses + 1)
            return
        if self.foreign:
            self.top = top
        self.misses = 0

    def notice(self, top: int, now: float, since: float, *, newer_orders: bool = False) -> None:
        """Take in the sequence's largest value; ``since`` is when it was read before.

        A lower value than before comes from a replica that lags, or from a backup. A replica
        shows no order that is newer than all before (``newer_orders``) and yet fewer numbers.
        So with such an order the sequence was restored, and its numbers are given out again.
        The same holds if it is much lower, or for long.
        """
        if self.foreign:
            self._begin(top)
        elif top < self.top:
            began, lowest = self.fallen or (now, top)
            self.fallen = (began, min(lowest, top))
            if newer_orders or top < self.top - BEHIND or now - began >= FALLEN_SECONDS:
                self._begin(self.fallen[1])
                self._take(top, now, since)
        else:
            self.fallen = None
            self._take(top, now, since)

    def _begin(self, top: int) -> None:
        self.top, self.open, self.held, self.fallen = top, [], {}, None

    def _take(self, top: int, now: float, since: float) -> None:
        if top > self.top:
            self.open.append(Span(self.top + 1, top, now, since))
            self.top = top

    def settled(self, now: float, settle_seconds: float) -> Span | None:
        """Return the oldest span if it was noticed long enough ago; none while the sequence is lower."""
        if self.fallen is None and self.open and now - self.open[0].noticed >= settle_seconds:
            return self.open[0]
        return None

    def finish(self, upto: int) -> None:
        """Take the values up to this one off the oldest span."""
        if upto < self.open[0].last:
            self.open[0] = self.open[0]._replace(first=upto + 1)
        else:
            del self.open[0]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-serialisable data."""
        return {
            "top": self.top,
            "open": [list(span) for span in self.open],
            "held": {str(value): since for value, since in self.held.items()},
            "misses": self.misses,
            **({} if self.fallen is None else {"fallen": list(self.fallen)}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return what :meth:`to_json` described."""
        held = {int(value): since for value, since in data["held"].items()}
        fallen = (float(data["fallen"][0]), int(data["fallen"][1])) if "fallen" in data else None
        return cls(data["top"], [Span(*span) for span in data["open"]], held, data["misses"], fallen)
