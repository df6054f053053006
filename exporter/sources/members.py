"""Asking several servers of one kind: some may be down, and the others still count."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from exporter.errors import SourceError

log: Final = logging.getLogger("exporter.sources")

Answer = TypeVar("Answer")


class Members:
    """Asks every member, remembers which ones failed, and logs one line per change."""

    def __init__(self, kind: str) -> None:
        """``kind`` names the members in log lines, e.g. ``redis``."""
        self._kind = kind
        self._failing: dict[str, str] = {}

    def ask(self, calls: Mapping[str, Callable[[], Answer]]) -> dict[str, Answer | None]:
        """Return every member's answer, ``None`` where a :exc:`SourceError` was raised.

        If there is no answer at all, the last error is raised.
        """
        answers: dict[str, Answer | None] = {}
        error: SourceError | None = None
        for name, call in calls.items():
            try:
                answers[name] = call()
            except SourceError as failure:
                answers[name], error = None, failure
                self._note(name, str(failure))
            else:
                self._note(name, "")
        if error is not None and all(answer is None for answer in answers.values()):
            raise error
        return answers

    def _note(self, name: str, problem: str) -> None:
        if problem == self._failing.get(name, ""):
            return
        self._failing[name] = problem
        log.warning("%s %s: %s", self._kind, name, problem or "answers again")
