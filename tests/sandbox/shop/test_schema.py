"""The SQL files of the sandbox shop: complete, and read as they are meant."""

import re

import pytest

from sandbox.shop import magento, schema


def test_every_table_is_created_once_and_has_a_connection() -> None:
    tables = [table for table, _ in schema.create_statements()]

    assert len(tables) == len(set(tables))
    assert set(tables) == set(schema.connections())


@pytest.mark.parametrize(
    ("table", "connection"),
    [
        ("quote", "checkout"),
        ("quote_payment", "checkout"),
        ("sales_order", "sales"),
        ("sales_sequence_profile", "sales"),
        ("sales_order_status_change_history", "default"),
        ("cron_schedule", "default"),
        ("store", "default"),
    ],
)
def test_tables_belong_to_magentos_connections(table: str, connection: str) -> None:
    assert schema.connections()[table] == connection


def test_every_reference_is_to_a_table_that_exists() -> None:
    known = set(schema.connections())
    for table, statement in schema.create_statements():
        referenced = set(re.findall(r"REFERENCES `\{prefix\}(\w+)`", statement))
        assert referenced <= known, table


def test_every_table_name_carries_the_prefix() -> None:
    for _, statement in schema.create_statements():
        assert re.match(r"CREATE TABLE `\{prefix\}\w+`", statement)
        assert not re.search(r"REFERENCES `(?!\{prefix\})", statement)


def test_versions_add_up_from_the_newest() -> None:
    counts = [len(list(schema.change_statements(version))) for version in schema.VERSIONS]

    assert counts[0] == 0
    assert counts == sorted(counts)
    assert len(set(counts)) == len(counts)


def test_an_unknown_version_is_refused() -> None:
    with pytest.raises(ValueError, match=r"2\.4\.9, 2\.4\.8"):
        list(schema.change_statements("1.9.4"))


def test_a_split_drops_only_the_foreign_keys_across_databases() -> None:
    statement = next(text for table, text in schema.create_statements() if table == "quote_item")

    local = schema.without_foreign_keys_to(statement, frozenset({"store"}))

    assert "`{prefix}store`" not in local
    assert local.count("FOREIGN KEY") == statement.count("FOREIGN KEY") - 1
    assert local.count("\n    KEY") == statement.count("\n    KEY")


def test_views_listen_to_tables_that_exist() -> None:
    known = set(schema.connections())
    for indexer in magento.INDEXERS.values():
        assert {table for table, _ in indexer.subscriptions} <= known


def test_the_cron_has_magentos_jobs() -> None:
    assert magento.CRON_JOBS["consumers_runner"].group == "consumers"
    assert magento.CRON_JOBS["catalogrule_apply_all"].schedule == "0 1 * * *"
    assert {job.group for job in magento.CRON_JOBS.values()} == set(magento.CRON_GROUPS)
