"""docs/cost.md: each ratio is that of the two cases it names."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
COST = {
    "rows_read": 0.0,
    "statements": 2.0,
    "bytes_sent": 3.0,
    "server_ms": 0.0,
    "wall_ms": 5.0,
    "cpu_ms": 6.0,
}


@pytest.fixture(scope="module")
def bench_page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_page", ROOT / "scripts" / "bench_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def case(server: str, stores: int, orders: int, rows: float) -> dict[str, Any]:
    cost = {**COST, "rows_read": rows}
    return {
        "server": server,
        "stores": stores,
        "orders": orders,
        "date": "2026-01-02",
        "scrapes": 1,
        "total": cost,
        "collectors": {"cron": cost},
        "statements": {"cron_newest": cost},
        "largest_run": {"cron": 70},
        "largest_statement": {"cron_newest": 60},
        "settling": {"cron": {"runs": 1, "rows_read": 9, "largest_run": 9}},
        "peers": {"revenue by store": {**COST, "rows_read": 1000 * rows}},
        "process": {"start_seconds": 1.0, "resident_mib": 70.0},
    }


@pytest.fixture
def results() -> dict[str, Any]:
    cases = (
        case("MariaDB 10.11", 3, 10_000, 200),
        case("MariaDB 10.11", 500, 10_000, 500),
        case("MariaDB 10.11", 3, 1_000_000, 220),
        case("MySQL 9.7", 3, 10_000, 100),
    )
    return {
        "orders_a_minute": 100,
        "carts_an_order": 3,
        "scrape_seconds": 15,
        "warm_up": 120,
        "cores": 2,
        "cases": {str(number): each for number, each in enumerate(cases)},
    }


def test_cases_that_differ_in_one_thing_are_compared(bench_page: ModuleType, results: dict[str, Any]) -> None:
    page = bench_page.as_page(results)
    assert "| MariaDB 10.11, 500 stores, 10,000 orders, against 3 stores | 500 to 200 | 2.50 |" in page
    assert "| MariaDB 10.11, 3 stores, 1,000,000 orders, against 10,000 orders | 220 to 200 | 1.10 |" in page
    assert "| MySQL 9.7, 3 stores, 10,000 orders, against MariaDB 10.11 | 100 to 200 | 0.50 |" in page
    assert page.count("against 500 stores") == 0, "1,000,000 orders and 3 stores differ from it in two things"
    assert "against a scrape | 200,000 to 200 | 1,000 |" in page


def test_what_was_measured_of_another_revision_is_not_compared(
    bench_page: ModuleType, results: dict[str, Any]
) -> None:
    results["cases"]["1"]["revision"] = "abc"
    assert "against 3 stores" not in bench_page.as_page(results)


def test_what_was_not_measured_is_not_there(bench_page: ModuleType, results: dict[str, Any]) -> None:
    page = bench_page.as_page(results)
    assert "The answer itself" not in page
    assert "What the shop feels" not in page


def test_what_the_shop_feels_names_both_and_their_ratio(
    bench_page: ModuleType, results: dict[str, Any]
) -> None:
    windows = {"rates": [90.0, 110.0], "rate": 100.0, "median_ms": 10.0, "p99_ms": 20.0, "deadlocks": 0}
    results["impact"] = {
        "date": "2026-01-02", "clients": 2, "windows": 4, "seconds": 10.0, "scrape_seconds": 5.0, "cores": 2,
        "without": windows, "with": {**windows, "rate": 99.0, "p99_ms": 21.0},
    }  # fmt: skip
    page = bench_page.as_page(results)
    assert "0.990 times the orders a second, 1.050 times the p99" in page
    assert "| without the exporter | 100.0 | 90.0 to 110.0 | 10.00 | 20.00 |" in page


def test_a_goal_that_is_missed_says_what_stands_in_the_way(
    bench_page: ModuleType, results: dict[str, Any]
) -> None:
    results["cases"]["0"]["process"]["resident_mib"] = 80.0
    page = bench_page.as_page(results)
    assert "| rows a scrape | 2,000 | 200.0 | met |" in page
    assert "| rows at 500 stores, against 3 | 2 times | 2.50 | **missed** |" in page
    assert "| resident MiB | 75 | 80.0 | **missed** |" in page
    (missed,) = [line for line in page.splitlines() if line.startswith("- ")]
    assert missed.startswith("- resident MiB: ")
