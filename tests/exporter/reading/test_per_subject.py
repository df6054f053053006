"""One statement for many subjects."""

from typing import Any

from exporter.reading.per_subject import PerSubject
from tests.harness.core import FakeDatabase

THINGS = PerSubject(
    "things",
    "SELECT %(thing_#)s FROM {store} LIMIT %(limit)s",
    reads={"store": ("store_id",)},
    nobody={"thing": -1},
    parts=3,
)


def test_the_part_is_repeated_with_its_number() -> None:
    assert THINGS.query.sql.count("UNION ALL") == 2
    assert [f"%(thing_{number})s" in THINGS.query.sql for number in range(4)] == [True, True, True, False]


def test_subjects_fill_the_parts_of_as_many_statements_as_needed() -> None:
    database = FakeDatabase({"things": lambda **named: [dict(named)]})
    subjects = [{"thing": number} for number in range(4)]
    rows: list[Any] = list(THINGS.rows(database, subjects, limit=9))
    assert rows == [
        {"thing_0": 0, "thing_1": 1, "thing_2": 2, "limit": 9},
        {"thing_0": 3, "thing_1": -1, "thing_2": -1, "limit": 9},
    ]


def test_without_subjects_nothing_is_asked() -> None:
    database = FakeDatabase({})
    assert list(THINGS.rows(database, [])) == []
