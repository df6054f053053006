"""Portions: nothing lost, nothing twice, in order."""

from __future__ import annotations

from exporter.core.portions import in_portions


def test_every_item_is_in_one_portion_in_its_order() -> None:
    assert list(in_portions(range(7), 3)) == [(0, 1, 2), (3, 4, 5), (6,)]
    assert list(in_portions("abcd", 2)) == [("a", "b"), ("c", "d")]


def test_no_items_make_no_portion() -> None:
    assert list(in_portions([], 3)) == []
