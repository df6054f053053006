"""Log lines: bounded, whatever a client or a server does."""

from __future__ import annotations

import logging

import pytest

from exporter import log


def test_lines_of_one_place_are_bounded_and_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up(level="info", form="logfmt")
    for number in range(10_000):
        logging.getLogger("flood").warning("line %d", number)
    logging.getLogger("quiet").warning("another place")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == log.MOST_A_MINUTE + 1
    assert "left out for a minute" in lines[-2]
    assert "another place" in lines[-1]


def test_after_a_minute_lines_come_again() -> None:
    bounded = log.Bounded()

    def passes(at: float) -> bool:
        record = logging.LogRecord("name", logging.WARNING, "file.py", 1, "message", None, None)
        record.created = at
        return bounded.filter(record)

    assert sum(passes(100.0) for _ in range(100)) == log.MOST_A_MINUTE
    assert not passes(159.0)
    assert passes(160.0)
    assert passes(50.0), "the clock was set back"


def test_other_handlers_see_the_line_as_it_was(caplog: pytest.LogCaptureFixture) -> None:
    log.set_up(level="info", form="logfmt")
    logging.getLogger().addHandler(caplog.handler)  # set_up put the root's handlers away
    for _ in range(log.MOST_A_MINUTE):
        logging.getLogger("flood").warning("line")
    assert {record.getMessage() for record in caplog.records} == {"line"}
