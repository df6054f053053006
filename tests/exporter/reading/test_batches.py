"""Portions: nothing lost, nothing twice, in order."""

from __future__ import annotations

from exporter.reading.batches import in_batches


def test_every_item_is_in_one_portion_in_its_order() -> None:
    assert list(in_batches(range(7), 3)) == [(0, 1, 2), (3, 4, 5), (6,)]
    assert list(in_batches("abcd", 2)) == [("a", "b"), ("c", "d")]


def test_no_items_make_no_portion() -> None:
    assert list(in_batches([], 3)) == []
