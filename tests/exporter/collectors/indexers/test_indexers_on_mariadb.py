"""Indexers against a real database: every value against what an independent reading says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from exporter.collectors.indexers import BACKLOG_ENTITIES, NEWEST_VERSION, IndexersCollector
from exporter.core.collector import Tuning
from exporter.rights.statements import Account
from exporter.sources.database import DatabaseLimits
from sandbox.servers.mariadb import MariaDB
from tests.harness.shop import ShopInMariaDB, shop_in_mariadb

TABLES = ("indexer_state", "mview_state")
CHANGELOG = """
CREATE TABLE {%s} (
    version_id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
    entity_id int unsigned NOT NULL DEFAULT 0
)
"""


@pytest.fixture(params=["", "shop_"], ids=["no prefix", "prefix"])
def shop(request: pytest.FixtureRequest, mariadb: MariaDB) -> Iterator[ShopInMariaDB]:
    with shop_in_mariadb(mariadb, tables=TABLES, prefix=request.param) as shop:
        yield shop


def add_indexer(
    shop: ShopInMariaDB, indexer: str | None, status: str | None, updated: str | None = None
) -> None:
    shop.database.insert("indexer_state", indexer_id=indexer, status=status, updated=updated, hash_config="x")


def add_view(
    shop: ShopInMariaDB,
    view: str | None,
    *,
    mode: str | None = "enabled",
    status: str | None = "idle",
    version: int | None = 0,
    updated: str | None = None,
) -> None:
    shop.database.insert(
        "mview_state", view_id=view, mode=mode, status=status, version_id=version, updated=updated
    )


def add_changelog(shop: ShopInMariaDB, view: str, entities: list[int], *, first: int = 1) -> None:
    table = f"{view}_cl"
    shop.database.rows(CHANGELOG % table)
    shop.tables_were_made()
    rows = [(first + place, entity) for place, entity in enumerate(entities)]
    shop.database.insert_many(table, ("version_id", "entity_id"), rows)


def collected(shop: ShopInMariaDB, tuning: Tuning | None = None) -> dict[tuple[str, ...], float]:
    return shop.run(IndexersCollector(), tuning=tuning)


def of(found: dict[tuple[str, ...], float], name: str) -> dict[tuple[str, ...], float]:
    return {key[1:]: value for key, value in found.items() if key[0] == name}


def test_a_fresh_shop_without_rows_yields_nothing(shop: ShopInMariaDB) -> None:
    assert collected(shop) == {}


def test_state_is_a_set_and_names_the_instant_in_utc(shop: ShopInMariaDB) -> None:
    add_indexer(shop, "catalog_product_price", "working", "2026-01-02 03:04:05")
    add_indexer(shop, "inventory", "suspended")
    add_indexer(shop, "extension_index", None)
    add_indexer(shop, None, "valid")
    found = collected(shop)
    state = of(found, "magento_indexer_state")
    assert [key for key, value in state.items() if value] == [
        ("catalog_product_price", "working"),
        ("inventory", "suspended"),
        ("extension_index", "unknown"),
    ]
    assert state[("inventory", "valid")] == 0
    assert of(found, "magento_indexer_updated_timestamp_seconds") == {
        ("catalog_product_price",): datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()
    }


def test_instants_do_not_depend_on_the_servers_time_zone(shop: ShopInMariaDB) -> None:
    shop.database.execute("SET GLOBAL time_zone = '+05:30'")
    try:
        add_view(shop, "inventory", status="working", mode="disabled", updated="2026-01-02 03:04:05")
        found = of(collected(shop), "magento_indexer_view_updated_timestamp_seconds")
    finally:
        shop.database.rows("SET GLOBAL time_zone = 'SYSTEM'")
    assert found == {("inventory",): datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()}


def test_a_second_row_of_an_indexer_is_ignored_as_magento_ignores_it(shop: ShopInMariaDB) -> None:
    add_indexer(shop, "inventory", "valid")
    add_indexer(shop, "inventory", "invalid")
    state = of(collected(shop), "magento_indexer_state")
    assert state[("inventory", "valid")] == 1
    assert state[("inventory", "invalid")] == 0


def test_mode_of_indexers_whose_view_has_another_name_or_no_row(shop: ShopInMariaDB) -> None:
    for indexer in ("customer_grid", "inventory", "extension_index"):
        add_indexer(shop, indexer, "valid")
    add_view(shop, "customer_dummy")
    add_view(shop, "cms_page_grid", mode="disabled")
    add_changelog(shop, "customer_dummy", [])
    mode = of(collected(shop), "magento_indexer_mode")
    assert {key for key, value in mode.items() if value} == {
        ("customer_grid", "schedule"),
        ("cms_page_grid", "save"),
        ("inventory", "save"),  # no row of its view: Magento takes that for "Update on Save"
    }


def test_backlog_is_what_indexer_status_counts(shop: ShopInMariaDB) -> None:
    add_view(shop, "inventory", version=3)
    add_changelog(shop, "inventory", [1, 2, 3, 7, 7, 8, 7, 9])
    found = collected(shop)
    truth = shop.database.rows(
        "SELECT COUNT(DISTINCT entity_id), MAX(version_id) FROM {inventory_cl} WHERE version_id > 3"
    )
    assert truth == [(3, 8)]
    assert of(found, "magento_indexer_backlog") == {("inventory",): 3}
    assert of(found, "magento_indexer_backlog_exact") == {("inventory",): 1}
    assert of(found, "magento_indexer_changelog_version") == {("inventory",): 8}
    assert of(found, "magento_indexer_version_ahead") == {("inventory",): 0}
    assert of(found, "magento_indexer_changelog_missing") == {("inventory",): 0}


def test_a_long_backlog_becomes_its_upper_bound_and_says_so(shop: ShopInMariaDB) -> None:
    add_view(shop, "inventory", version=None)
    add_changelog(shop, "inventory", [5] * 11)
    found = collected(shop, Tuning(backlog_scan_limit=10))
    assert of(found, "magento_indexer_backlog") == {("inventory",): 11}
    assert of(found, "magento_indexer_backlog_exact") == {("inventory",): 0}
    found = collected(shop, Tuning(backlog_scan_limit=11))
    assert of(found, "magento_indexer_backlog") == {("inventory",): 1}


def test_a_version_ahead_of_its_changelog_is_no_backlog_but_a_signal(shop: ShopInMariaDB) -> None:
    add_view(shop, "inventory", version=500)
    add_changelog(shop, "inventory", [1, 2])
    add_view(shop, "catalogrule_rule", version=7)
    add_changelog(shop, "catalogrule_rule", [])
    found = collected(shop)
    assert of(found, "magento_indexer_backlog") == {("inventory",): 0, ("catalogrule_rule",): 0}
    assert of(found, "magento_indexer_version_ahead") == {("inventory",): 498, ("catalogrule_rule",): 7}


def test_a_missing_changelog_matters_in_mode_schedule_only(shop: ShopInMariaDB) -> None:
    add_view(shop, "inventory", mode="disabled", version=4)
    add_view(shop, "catalogrule_rule")
    found = collected(shop)
    assert of(found, "magento_indexer_changelog_missing") == {("catalogrule_rule",): 1}
    assert of(found, "magento_indexer_backlog") == {}


def test_a_changelog_that_goes_and_comes_is_noticed_without_a_restart(shop: ShopInMariaDB) -> None:
    add_view(shop, "inventory")
    add_changelog(shop, "inventory", [1])
    remembers = shop.open(IndexersCollector.queries, limits=DatabaseLimits())
    shop.read_through(IndexersCollector(), remembers)
    assert collected(shop)[("magento_indexer_backlog", "inventory")] == 1
    shop.database.rows("DROP TABLE {inventory_cl}")
    found = collected(shop)
    assert found["magento_collector_member_not_observed", "indexers", "inventory"] == 1
    assert ("magento_indexer_backlog", "inventory") not in found
    found = collected(shop)
    assert found["magento_indexer_changelog_missing", "inventory"] == 1
    assert not of(found, "magento_collector_member_not_observed")


def test_a_view_of_a_strange_name_harms_no_other(shop: ShopInMariaDB) -> None:
    add_view(shop, "x`; DROP TABLE y")
    add_view(shop, "inventory")
    add_changelog(shop, "inventory", [1])
    assert of(collected(shop), "magento_indexer_backlog") == {("inventory",): 1}


def test_the_changelog_is_read_by_its_key(shop: ShopInMariaDB) -> None:
    add_changelog(shop, "inventory", [])
    shop.database.rows("INSERT INTO {inventory_cl} (entity_id) SELECT seq % 997 FROM seq_1_to_60000")
    plan = shop.explain(NEWEST_VERSION.on(changelog="inventory_cl"))
    assert [row["Extra"] for row in plan] == ["Select tables optimized away"]
    plan = shop.explain(BACKLOG_ENTITIES.on(changelog="inventory_cl"), version=55_000, newest=60_000)
    assert [(row["type"], row["key"]) for row in plan] == [("range", "PRIMARY")]
    assert int(plan[0]["rows"]) < 12_000


def without(found: dict[tuple[str, ...], float], indexer: str) -> dict[tuple[str, ...], float]:
    return {key: value for key, value in found.items() if indexer not in key}


def test_a_changelog_that_is_not_built_as_magentos_costs_its_own_indexer_only(shop: ShopInMariaDB) -> None:
    """Of an extension with a column of its own for what changed."""
    add_view(shop, "catalog_product_price", version=1)
    add_changelog(shop, "catalog_product_price", [1, 2, 3])
    before, foreign = collected(shop), "amasty_sorting_bestseller"
    assert before
    add_view(shop, foreign)
    shop.database.rows(
        f"CREATE TABLE {{{foreign}_cl}} (version_id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, product_id INT)"
    )
    shop.database.rows(f"INSERT INTO {{{foreign}_cl}} (product_id) VALUES (1), (2)")
    shop.server.execute(
        f"GRANT SELECT (version_id) ON {shop.name}.{shop.prefix}{foreign}_cl"
        f" TO {Account(shop.login(IndexersCollector.queries))}"
    )
    found = collected(shop)
    assert without(found, foreign) == before
    assert found["magento_collector_member_not_observed", "indexers", foreign] == 1
    assert ("magento_indexer_backlog", foreign) not in found
    assert found["magento_indexer_mode", foreign, "schedule"] == 1


def test_a_locked_changelog_costs_its_own_indexer_only(shop: ShopInMariaDB) -> None:
    for view in ("catalog_product_price", "catalog_product_category"):
        add_view(shop, view, version=1)
        add_changelog(shop, view, [1, 2, 3])
    collector = IndexersCollector()
    shop.read_through(collector, shop.open(collector.queries, limits=DatabaseLimits(lock_wait=1)))
    before = shop.run(collector)
    with shop.connection() as other:
        other.execute("LOCK TABLES {catalog_product_price_cl} WRITE")
        found = shop.run(collector)
        other.execute("UNLOCK TABLES")
    assert without(before, "catalog_product_price").items() <= found.items()
    assert found["magento_collector_member_not_observed", "indexers", "catalog_product_price"] == 1
    assert shop.run(collector) == before
