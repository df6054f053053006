"""The queries of a runbook, asked of Prometheus for one alert: what a person would copy, answered.

Only queries that stand in the runbook are asked. Labels of the alert are filled in where the runbook has
variables, and each series is that of the alert's shop: one Prometheus may have many.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from exporter.errors import SourceError, UnexpectedAnswer
from exporter.evidence.capture import AskedForAll, Labels
from exporter.evidence.money import NOT_CONFIGURED

MOST: Final = 20
"""Queries of a page that are asked at most."""

SERIES: Final = 6
"""Series of an answer that are shown."""

_VARIABLE: Final = re.compile(r"\$\{?([A-Z][A-Z0-9_]*)\}?")
_STRING: Final = re.compile(r"\"[^\"]*\"|'[^']*'")
_SELECTOR: Final = re.compile(r"(?<![\w:.$])([a-zA-Z_:][\w:]*)(?![\w:]|\s*\(|\s+(?:by|without)\b)(\s*\{)?")
_LISTS: Final = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_WORDS: Final = frozenset(
    ["and", "or", "unless", "on", "ignoring", "group_left", "group_right", "bool", "offset", "inf", "nan"]
)
_HIDDEN: Final = frozenset({"__name__", "job", "instance", "shop"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query has at one moment: labels in words and the value, or ``why`` there is none."""

    rows: tuple[tuple[str, float], ...] = ()
    more: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Asking:
    """What a page wants to be asked: its queries, and when the alert fired (0: not known)."""

    queries: tuple[str, ...] = ()
    started_at: float = 0.0
    ended_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers to the queries of a page by their place in it, when the alert fired and now."""

    then: Mapping[int, Answer]
    now: Mapping[int, Answer]


def filled(query: str, labels: Labels) -> str | None:
    """Return the query for the alert's labels and shop; ``None`` if it needs a label that is not there."""
    if any(name.lower() not in labels for name in _VARIABLE.findall(query)):
        return None
    query = _VARIABLE.sub(lambda found: labels[found[1].lower()], query)
    return of_shop(query, labels["shop"]) if "shop" in labels else query


def of_shop(query: str, shop: str) -> str:
    """Return the query with every selector narrowed to one shop."""
    hidden = [found.span() for pattern in (_STRING, _LISTS) for found in pattern.finditer(query)]
    hidden += _braces(query)

    def narrow(found: re.Match[str]) -> str:
        if any(start <= found.start() < end for start, end in hidden) or found[1].lower() in _WORDS:
            return found[0]
        return f'{found[1]}{{shop="{shop}",' if found[2] else f'{found[1]}{{shop="{shop}"}}'

    return _SELECTOR.sub(narrow, query)


def _braces(query: str) -> list[tuple[int, int]]:
    """Return where label matchers and ranges stand: names in them are no series."""
    return [found.span() for found in re.finditer(r"\{[^}]*\}|\[[^]]*\]", query)]


def answers(prometheus: AskedForAll | None, asking: Asking, labels: Labels, *, ends: float) -> Answers:
    """Ask every query, now and at the alert's start, until the time (monotonic) is up. Raises nothing."""
    now = time.time()
    then_at = asking.started_at if 0 < asking.started_at < now else 0.0
    then: dict[int, Answer] = {}
    current: dict[int, Answer] = {}
    trouble = "" if prometheus else NOT_CONFIGURED
    for place, query in enumerate(asking.queries[:MOST]):
        text = filled(query, labels)
        if text is None:
            continue  # the page says what is to be set
        for at, found in ((now, current), (then_at, then)):
            if prometheus is None or trouble or time.monotonic() > ends:
                found[place] = Answer(why=trouble or "no time was left to ask")
            elif at:
                found[place], trouble = _ask(prometheus, text, at, labels)
    return Answers(then, current)


def _ask(prometheus: AskedForAll, query: str, at: float, labels: Labels) -> tuple[Answer, str]:
    """Return the answer, and what keeps Prometheus from answering anything else."""
    try:
        found = prometheus.series(query, at)
    except SourceError as error:
        return Answer(why=str(error)), "" if error.reason == UnexpectedAnswer.reason else str(error)
    rows = [(_named(series.labels, labels), series.value) for series in found]
    return Answer(tuple(rows[:SERIES]), max(0, len(rows) - SERIES), "" if rows else "no series"), ""


def _named(labels: Mapping[str, str], known: Labels) -> str:
    """Return what tells the series of an answer apart; values may be anything and are escaped later."""
    shown: Sequence[str] = [
        f"{name} {value[:80]}"
        for name, value in sorted(labels.items())
        if name not in _HIDDEN and known.get(name) != value
    ]
    return ", ".join(shown[:4])
