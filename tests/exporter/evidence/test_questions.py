"""The queries of a runbook are asked for the alert's shop alone, and what cannot be asked says why."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest

from exporter.errors import SourceError, SourceUnavailable, UnexpectedAnswer
from exporter.evidence.money import NOT_CONFIGURED, NOT_MEASURED, Cost, cost
from exporter.evidence.questions import SERIES, Answer, Asking, answers, filled, of_shop
from exporter.sources.monitoring import Series
from exporter.web.runbook_text import read

PAGES = sorted((Path(__file__).resolve().parents[3] / "runbooks").glob("Magento*.md"))
LABELS = {"shop": "main", "store": "de"}


class Server:
    """A Prometheus that gives one answer to each query, or always the same error."""

    def __init__(self, *found: Series, error: SourceError | None = None) -> None:
        self.found, self.error, self.asked = list(found), error, list[tuple[str, float]]()

    def series(self, query: str, at: float) -> list[Series]:
        self.asked.append((query, at))
        if self.error:
            raise self.error
        return self.found

    def value(self, query: str, at: float) -> float | None:
        return next((series.value for series in self.series(query, at)), None)


def selectors(node: Any) -> Iterator[Any]:
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("expr", "lhs", "rhs", "param", "vector_selector"):
        inner = getattr(node, name, None)
        if inner is not None and not isinstance(inner, str | int | float):
            yield from selectors(inner)
    for argument in getattr(node, "args", None) or ():
        yield from selectors(argument)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_series_of_a_query_is_the_shops_own(page: Path) -> None:
    for query in read(page).queries:
        text = of_shop(re.sub(r"\$\{?[A-Z_]+\}?", "x", query), "main")
        assert all('shop="main"' in str(found) for found in selectors(promql_parser.parse(text))), text


def ends() -> float:
    return time.monotonic() + 60


def test_labels_are_filled_in_and_what_is_missing_is_not_asked() -> None:
    assert filled('x{store="$STORE"} > 1', LABELS) == 'x{shop="main",store="de"} > 1'
    assert filled('x{queue="$QUEUE"}', LABELS) is None
    assert filled("x", {}) == "x"


def test_answers_of_then_and_now() -> None:
    found = [Series({"shop": "main", "store": "de", "state": "idle", "code": str(n)}, n) for n in range(9)]
    server = Server(*found)
    asked = answers(server, Asking(("x", 'y{queue="$QUEUE"}'), 100.0), LABELS, ends=ends())
    assert list(asked.now) == list(asked.then) == [0]
    assert asked.now[0].rows[1] == ("code 1, state idle", 1)
    assert (len(asked.now[0].rows), asked.now[0].more) == (SERIES, 3)
    assert [at == 100.0 for _, at in server.asked] == [False, True]


@pytest.mark.parametrize(
    ("server", "why", "asked"),
    [
        (None, NOT_CONFIGURED, 0),
        (Server(error=SourceUnavailable("cannot reach Prometheus")), "cannot reach Prometheus", 1),
        (Server(error=UnexpectedAnswer("status 400")), "status 400", 2),
        (Server(), "no series", 2),
    ],
)
def test_why_there_is_no_answer(server: Server | None, why: str, asked: int) -> None:
    found = answers(server, Asking(("x", "y")), LABELS, ends=ends())
    assert set(found.now.values()) == {Answer(why=why)}
    assert server is None or len(server.asked) == asked


def test_no_time_is_left() -> None:
    found = answers(Server(), Asking(("x",)), LABELS, ends=time.monotonic() - 1)
    assert found.now[0].why == "no time was left to ask"


def test_what_an_incident_costs() -> None:
    server = Server(Series({"currency": "EUR"}, 12.5))
    assert cost(server, LABELS, 1_000.0, 1_600.0) == Cost(12.5, {"EUR": 12.5})
    query, at = server.asked[-1]
    assert (query, at) == (
        'sum by (currency) (max_over_time(magento:revenue_missing:sum{shop="main",store="de"}[600s]))',
        1_600.0,
    )


def test_what_is_not_measured_is_not_nothing() -> None:
    assert cost(None, LABELS, 1.0, 0.0).why == NOT_CONFIGURED
    assert cost(Server(), LABELS, 1.0, 0.0).why == NOT_MEASURED
    assert cost(Server(error=SourceUnavailable("gone")), LABELS, 1.0, 0.0).why == "gone"
