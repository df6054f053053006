"""Several servers of one kind, some of them down."""

from __future__ import annotations

import logging

import pytest

from exporter.errors import AccessDenied, SourceUnavailable
from exporter.sources.members import Members


def down() -> int:
    raise SourceUnavailable("no answer")


def denied() -> int:
    raise AccessDenied("wrong password")


def test_who_is_down_is_none() -> None:
    assert Members("redis").ask({"a": lambda: 1, "b": down}) == {"a": 1, "b": None}


def test_nobody_answers() -> None:
    with pytest.raises(AccessDenied):
        Members("redis").ask({"a": down, "b": denied})


def test_an_answer_that_is_false_is_an_answer() -> None:
    assert Members("redis").ask({"a": dict, "b": down}) == {"a": {}, "b": None}


def test_one_line_per_change(caplog: pytest.LogCaptureFixture) -> None:
    members = Members("redis")
    with caplog.at_level(logging.INFO):
        for call in (lambda: 1, down, down, lambda: 1, lambda: 1):
            members.ask({"a": lambda: 1, "b": call})
    assert [record.getMessage() for record in caplog.records] == [
        "redis b: no answer",
        "redis b: answers again",
    ]
