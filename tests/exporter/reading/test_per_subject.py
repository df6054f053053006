"""One statement for many subjects."""

from typing import Any

from exporter.core.query import Query
from exporter.reading.per_subject import ask, repeated
from tests.harness.core import FakeDatabase

QUERY = Query(
    "things", repeated("SELECT %(thing_#)s FROM {store} LIMIT %(limit)s", 3), reads={"store": ("store_id",)}
)


def test_the_part_is_repeated_with_its_number() -> None:
    assert QUERY.sql.count("UNION ALL") == 2
    assert [f"%(thing_{number})s" in QUERY.sql for number in range(4)] == [True, True, True, False]


def test_subjects_fill_the_slots_of_as_many_statements_as_needed() -> None:
    database = FakeDatabase({"things": lambda **named: [dict(named)]})
    subjects = [{"thing": number} for number in range(4)]
    rows: list[Any] = list(ask(database, QUERY, subjects, nobody={"thing": -1}, slots=3, limit=9))
    assert rows == [
        {"thing_0": 0, "thing_1": 1, "thing_2": 2, "limit": 9},
        {"thing_0": 3, "thing_1": -1, "thing_2": -1, "limit": 9},
    ]


def test_without_subjects_nothing_is_asked() -> None:
    database = FakeDatabase({})
    assert list(ask(database, QUERY, [], nobody={"thing": -1}, slots=3)) == []
