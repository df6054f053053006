"""An earlier version's state file, rights and dashboards go on working, or one line says what to do.

`recorded.json` is what the version of 25 November 2026 left; `record.py` says how it was made.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from exporter.collectors import all_collectors
from exporter.core.memory import VolatileStore
from exporter.core.self_metrics import SELF_METRICS
from sandbox.servers.mariadb import MariaDB
from tests.exporter.collectors.story import DATABASE_COLLECTORS
from tests.harness.limits import LONG
from tests.harness.shop import Found, ShopInMariaDB, shop_in_mariadb
from tests.system.upgrade.record import RECORDED

LEFT: Final[dict[str, Any]] = json.loads(RECORDED.read_text())
AT: Final = float(LEFT["at"])
MINUTE: Final = 60
USER, HOST, PASSWORD = "of_before", "127.0.0.1", "of-before"
ACCOUNT: Final = f"'{USER}'@'{HOST}'"
NEXT: Final = {"quote": 932, "sales_order": 319, "sequence_order_1": 181, "sequence_order_2": 105}
"""Ids that the earlier version saw last (carts, orders) and those that come next (order numbers)."""


@pytest.fixture(scope="module")
def shop(mariadb: MariaDB) -> Iterator[ShopInMariaDB]:
    """The shop at which the earlier version looked, as far as its ids go."""
    with shop_in_mariadb(mariadb, now=datetime.fromtimestamp(AT, UTC)) as shop:
        for table, number in NEXT.items():
            shop.database.execute(f"ALTER TABLE {{{table}}} AUTO_INCREMENT = {number}")
        shop.shop.orders.place("us", "checkmo", at=datetime.fromtimestamp(AT - 30 * MINUTE, UTC))
        yield shop
        mariadb.execute(f"DROP USER IF EXISTS {ACCOUNT}")


def test_counters_go_on_where_they_were(shop: ShopInMariaDB) -> None:
    state = VolatileStore()
    state.commit([(namespace, key, value) for namespace, key, value in LEFT["state"]])
    before = {
        (namespace.partition("/")[2].partition("(")[0], *json.loads(key)): float(json.loads(value)[0])
        for namespace, key, value in LEFT["state"]
        if "_total(" in namespace
    }
    collectors = [kind() for kind in DATABASE_COLLECTORS]

    def look(minutes: int) -> Found:
        at = AT + minutes * MINUTE
        shop.set_clock(datetime.fromtimestamp(at, UTC))
        pages = [shop.run(collector, at, state=state) for collector in collectors]
        return {key: value for page in pages for key, value in page.items()}

    def orders(found: Found) -> float:
        return sum(value for key, value in found.items() if key[0] == "magento_orders_placed_total")

    found = look(1)
    assert len(before) > 70
    assert {key: found.get(key) for key, value in before.items() if found.get(key, -1.0) < value} == {}
    assert orders(found) == sum(v for key, v in before.items() if key[0] == "magento_orders_placed_total")
    success = "magento_cron_job_last_success_timestamp_seconds"
    assert found[success, "indexer_update_all_views"] == 1_793_888_945
    shop.shop.orders.place("de", "checkmo", at=datetime.fromtimestamp(AT + 2 * MINUTE, UTC))
    assert orders(look(3)) == orders(found) + 1


def test_each_right_that_is_missing_is_one_line_and_the_statement_mends_it(
    shop: ShopInMariaDB, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    shop.server.execute(f"CREATE USER {ACCOUNT} IDENTIFIED BY '{PASSWORD}'")
    for table, columns in LEFT["rights"]:
        shop.server.execute(f"GRANT SELECT ({columns}) ON {shop.name}.{table} TO {ACCOUNT}")
    before = rights_missing(shop, tmp_path / "password")
    assert before, "since then columns have come that are read"
    for finding in before:
        assert finding["fix"].startswith("GRANT SELECT (")
        assert "\n" not in finding["seen"] + finding["fix"]
        shop.server.execute(finding["fix"].removesuffix(";"))
    assert rights_missing(shop, tmp_path / "password") == []


def rights_missing(shop: ShopInMariaDB, password: Path) -> list[dict[str, str]]:
    settings = {
        "host": HOST, "port": shop.server.port, "user": USER, "name": shop.name, "password_file": password,
    }  # fmt: skip
    chosen = [word for name, value in settings.items() for word in ("--set", f"database.{name}={value}")]
    result = subprocess.run(
        [sys.executable, "-m", "exporter", "doctor", "--json", *chosen],
        capture_output=True,
        text=True,
        timeout=LONG,
        check=False,
    )
    assert "Traceback" not in result.stderr
    findings: list[dict[str, str]] = json.loads(result.stdout)["findings"]
    return [f for f in findings if f["check"] == "database rights" and f["status"] == "error"]


def test_series_that_dashboards_of_before_ask_for_are_still_there() -> None:
    """By name and by labels; no name was taken away and no label left a series."""
    declared = [metric for kind in all_collectors() for metric in kind.metrics] + list(SELF_METRICS)
    now = {metric.name: set(metric.labels) for metric in declared}
    assert len(LEFT["metrics"]) > 100
    assert [fact for fact in LEFT["metrics"] if not set(fact[1:]) <= now.get(fact[0], set())] == []
