"""Members of one kind, of which one is sick."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import pytest

from exporter.errors import (
    AccessDenied,
    LoginRefused,
    MissingColumn,
    SourceError,
    SourceLimited,
    SourceTimeout,
    SourceUnavailable,
)
from exporter.reading.members import NOT_OBSERVED, SHOWN, MemberReader


def healthy() -> Iterable[int]:
    return (1, 2)


def sick() -> Iterable[int]:
    yield 1
    raise MissingColumn("no such column")


def locked() -> Iterable[int]:
    raise SourceTimeout("locked")


def named(members: MemberReader) -> list[str]:
    samples = list(members.samples())
    assert {sample.metric for sample in samples} <= {NOT_OBSERVED}
    return [sample.labels[1] for sample in samples]


def test_only_the_sick_member_is_lost_and_named() -> None:
    members = MemberReader("indexers")
    assert [members.read(name, look) for name, look in (("a", healthy), ("b", sick), ("c", healthy))] == [
        [1, 2],
        [],
        [1, 2],
    ]
    assert named(members) == ["b"]
    assert members.read("b", healthy) == [1, 2]
    assert named(members) == []


@pytest.mark.parametrize("value", ["x", None])
def test_a_value_of_another_kind_is_the_members_own_fault(value: str | None) -> None:
    """A changelog of an extension may have texts for its versions."""
    members = MemberReader("indexers")
    assert members.read("b", lambda: [int(value)]) == []  # type: ignore[arg-type]
    assert named(members) == ["b"]


@pytest.mark.parametrize("error", [SourceUnavailable, SourceLimited, LoginRefused])
def test_a_server_that_is_gone_or_lets_nobody_in_has_no_members(error: type[SourceError]) -> None:
    def gone() -> Iterable[int]:
        raise error("gone")

    with pytest.raises(error):
        MemberReader("indexers").read("a", gone)


def test_one_line_a_change(caplog: pytest.LogCaptureFixture) -> None:
    members = MemberReader("indexers")
    for look in (healthy, sick, sick, locked, healthy, healthy):
        members.read("b", look)
        named(members)
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
        "collector indexers: b is not observed: no such column",
        "collector indexers: b is not observed: locked",
        "collector indexers: b is observed again",
    ]


def test_members_that_time_out_do_not_take_the_time_of_the_others() -> None:
    members, asked = MemberReader("indexers"), list[str]()

    def look(name: str) -> Iterable[int]:
        asked.append(name)
        return healthy() if name == "healthy" else locked()

    for _ in range(2):
        asked.clear()
        for name in ("a", "b", "c", "d", "healthy"):
            members.read(name, lambda name=name: look(name))  # type: ignore[misc]
        assert named(members) == ["a", "b", "c", "d"]
    assert asked == ["a", "b", "healthy"]


def test_a_bounded_number_is_named() -> None:
    members = MemberReader("placements")
    for number in range(SHOWN + 10):
        members.miss(f"store{number}", AccessDenied("no right"))
    assert len(named(members)) == SHOWN
