"""The matrix is whole: each source has a cell for each fault, and what it refers to is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.fault_matrix.cells import FAULTS, SOURCES, TABLE, Elsewhere, NoSense

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("source", SOURCES)
def test_every_fault_has_a_cell(source: str) -> None:
    assert set(TABLE[source]) == set(FAULTS)


def test_every_source_has_cells() -> None:
    assert set(TABLE) == set(SOURCES)


def test_what_is_shown_elsewhere_is_there() -> None:
    for cells in TABLE.values():
        for cell in cells.values():
            if isinstance(cell, Elsewhere):
                file, _, test = cell.test.partition("::")
                assert f"def {test}" in (ROOT / file).read_text(), cell


def test_what_makes_no_sense_says_why() -> None:
    reasons = {cell.why for cells in TABLE.values() for cell in cells.values() if isinstance(cell, NoSense)}
    assert all(len(reason.split()) > 2 for reason in reasons)
