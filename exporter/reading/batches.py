"""Many things, some at a time: so no statement grows with the shop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

Item = TypeVar("Item")

IDS_A_STATEMENT: Final = 500
"""Ids of rows that one statement names at most. From 1,000 on MariaDB may join them like a table."""


def in_batches(items: Sequence[Item], size: int) -> Iterator[tuple[Item, ...]]:
    """Yield the items in order, ``size`` at a time and the rest in the end; nothing if there are none."""
    return (tuple(items[start : start + size]) for start in range(0, len(items), size))
