"""What `make matrix` writes: what could not be had or has failed never reads as if it had passed."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sandbox.suites import LeftOut

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def matrix() -> ModuleType:
    spec = importlib.util.spec_from_file_location("matrix", ROOT / "scripts" / "matrix.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["matrix"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def line_of(page: str, title: str) -> str:
    return next(line for line in page.splitlines() if line.startswith(f"| {title} |"))


def test_each_result_reads_as_what_it_is(matrix: ModuleType) -> None:
    found = {
        "redis-7.0": matrix.Result("7.0.15", "2026-01-02", passed=26),
        "redis-8.0": matrix.Result("8.0.2", "2026-01-02", passed=20, failed=("test_a::one", "test_a::two")),
        "valkey-9": matrix.Result(date="2026-01-02", left_out="sid has 10.0 now"),
    }
    page = matrix.page(found)
    assert line_of(page, "Redis 7.0").endswith("| 26 | 2026-01-02 | holds |")
    assert line_of(page, "Redis 8.0").endswith("| 20 | 2026-01-02 | **2 failed** |")
    assert line_of(page, "Valkey 9").endswith("| - | 2026-01-02 | **left out**: sid has 10.0 now |")
    assert line_of(page, "MySQL 9.7").endswith("| - | - | **left out**: not run yet |")
    assert "- Redis 8.0: `test_a::two`" in page


def test_a_suite_that_cannot_be_had_is_left_out(matrix: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Path:
        raise LeftOut("sid: apt-get update fails")

    monkeypatch.setattr(matrix.suites, "unpack", fail)
    monkeypatch.setattr(matrix, "tests", None)
    version = next(version for version in matrix.VERSIONS if version.name == "mysql-9.7")
    assert matrix.examine(version).word == "**left out**: sid: apt-get update fails"


def test_a_suite_that_has_moved_on_is_left_out(
    matrix: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(matrix, "STATE", tmp_path)
    monkeypatch.setattr(matrix, "_unpacked", lambda *_: "1:10.1.0-2")
    monkeypatch.setattr(matrix, "tests", None)
    version = next(version for version in matrix.VERSIONS if version.name == "mysql-9.7")
    assert matrix.examine(version).word == "**left out**: sid has 10.1.0 now"


def test_a_selection_that_finds_no_tests_is_an_error(matrix: ModuleType, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text('<testsuites><testsuite><testcase name="one"/></testsuite></testsuites>')
    with pytest.raises(SystemExit, match="only 1 tests ran"):
        matrix._read(report)


def test_every_version_has_a_name_of_its_own_and_an_area_with_tests(matrix: ModuleType) -> None:
    names = [version.name for version in matrix.VERSIONS]
    assert len(names) == len(set(names))
    for version in matrix.VERSIONS:
        assert all((ROOT / path).exists() for path in version.area.tests)


def test_the_page_is_what_was_found_last(matrix: ModuleType) -> None:
    kept: dict[str, dict[str, Any]] = json.loads(matrix.KEPT.read_text())
    results = {
        name: matrix.Result(**{**found, "failed": tuple(found["failed"])}) for name, found in kept.items()
    }
    assert matrix.PAGE.read_text() == matrix.page(results)
