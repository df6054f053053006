"""Reading many members of one kind, of which one may be sick: a changelog, a store's order numbers.

Only the sick one is lost. A metric and one log line say which.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from exporter.core.metrics import Sample, gauge
from exporter.errors import (
    LoginRefused,
    SourceError,
    SourceLimited,
    SourceTimeout,
    SourceUnavailable,
    UnexpectedAnswer,
)

log: Final = logging.getLogger("exporter.reading")

NOT_OBSERVED: Final = gauge(
    "magento_collector_member_not_observed",
    "1 for each member that the collector could not read in its last run, such as one changelog or the order"
    " numbers of one store. Absent for those that it read.",
    "collector",
    "member",
)

OF_ALL: Final = (SourceUnavailable, SourceLimited, LoginRefused)
"""What is no member's own: the server is gone, or lets the exporter in no more."""

SHOWN: Final = 50
"""Members named at most."""

TIMEOUTS: Final = 2
"""Time-outs of members in one run. After that none is asked again that timed out in the run before."""

Answer = TypeVar("Answer")


class MemberReader:
    """Reads the members of one collector; lives as long as the collector."""

    def __init__(self, collector: str) -> None:
        self._collector = collector
        self._failing: dict[str, SourceError] = {}
        self._found: dict[str, SourceError] = {}

    def read(self, member: str, look: Callable[[], Iterable[Answer]]) -> list[Answer]:
        """Return what the look gives, or nothing if this member cannot be read.

        Raises the errors in :data:`OF_ALL`: then there is nothing to be read at all.
        """
        known = self._failing.get(member)
        timeouts = sum(isinstance(error, SourceTimeout) for error in self._found.values())
        if isinstance(known, SourceTimeout) and timeouts >= TIMEOUTS:
            self._found[member] = known
            return []
        try:
            return list(look())
        except OF_ALL:
            raise
        except SourceError as error:
            self._found[member] = error
        except (TypeError, ValueError) as error:
            # A text stands in the place of a number: the table is not Magento's.
            self._found[member] = UnexpectedAnswer(f"its values are of another kind ({type(error).__name__})")
        return []

    def miss(self, member: str, problem: SourceError) -> None:
        """Note a member that cannot even be looked for."""
        self._found[member] = problem

    def samples(self) -> Iterator[Sample]:
        """Yield the members that were not read, log what has changed, and begin anew."""
        for member, error in self._found.items():
            if str(error) != str(self._failing.get(member, "")):
                log.warning("collector %s: %s is not observed: %s", self._collector, member, error)
        for member in self._failing.keys() - self._found.keys():
            log.warning("collector %s: %s is observed again", self._collector, member)
        self._failing, self._found = self._found, {}
        for member in sorted(self._failing)[:SHOWN]:
            yield NOT_OBSERVED.sample(1, collector=self._collector, member=member)
