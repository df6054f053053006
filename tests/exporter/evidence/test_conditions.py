"""Three answers: a fact that is not known decides nothing, unless another one decides already."""

from __future__ import annotations

import pytest

from exporter.evidence.conditions import Condition, above, at_most, both


@pytest.mark.parametrize(
    ("condition", "facts", "holds"),
    [
        (above("a", 2), {"a": 3.0}, True),
        (above("a", 2), {"a": 2.0}, False),
        (above("a", 2), {}, None),
        (at_most("a", 2), {"a": 2.0}, True),
        (at_most("a", 2), {}, None),
        (both(above("a"), above("b")), {"a": 1.0, "b": 1.0}, True),
        (both(above("a"), above("b")), {"a": 0.0}, False),
        (both(above("a"), above("b")), {"a": 1.0}, None),
    ],
)
def test_what_holds(condition: Condition, facts: dict[str, float], holds: bool | None) -> None:
    assert condition.holds(facts) is holds


def test_a_condition_names_the_facts_that_it_needs() -> None:
    assert both(above("a"), both(at_most("b"), above("c"))).names == {"a", "b", "c"}
