import re

import pytest

from exporter.collectors import all_collectors
from exporter.core.query import Connection, Query
from exporter.errors import UsageError
from exporter.rights.statements import (
    Account,
    Dialect,
    columns_read,
    grant_statements,
    named_tables,
    queries_of,
    user_statements,
)

EXPORTER = Account("exporter")
JOBS = Query(
    "jobs",
    "SELECT status FROM {cron_schedule} WHERE job_code = 'a'",
    {"cron_schedule": ("status", "job_code")},
)
NEWEST = Query("newest", "SELECT MAX(schedule_id) FROM {cron_schedule}", {"cron_schedule": ("schedule_id",)})
CARTS = Query("carts", "SELECT 1 FROM {quote}", {"quote": ("entity_id",)}, Connection.CHECKOUT)
CHANGES = Query(
    "changes", "SELECT 1 FROM {changelog}", {"changelog": ("version_id",)}, named={"changelog": "<view>_cl"}
)
ONE = {Connection.DEFAULT: "shop"}


def test_one_grant_a_table_with_the_columns_of_all_its_queries() -> None:
    assert grant_statements(EXPORTER, [JOBS, NEWEST], ONE, named={}) == [
        "GRANT SELECT (`job_code`, `schedule_id`, `status`) ON `shop`.`cron_schedule` TO 'exporter'@'%'"
    ]


def test_the_prefix_is_part_of_the_name() -> None:
    (statement,) = grant_statements(EXPORTER, [NEWEST], ONE, named={}, prefix="m2_")
    assert "ON `shop`.`m2_cron_schedule` TO" in statement


def test_a_split_shop_has_its_carts_elsewhere() -> None:
    split = {**ONE, Connection.CHECKOUT: "carts"}
    assert [
        s.split(" ON ")[1].split(" TO ")[0]
        for s in grant_statements(EXPORTER, [NEWEST, CARTS], split, named={})
    ] == [
        "`carts`.`quote`",
        "`shop`.`cron_schedule`",
    ]
    assert "`shop`.`quote`" in grant_statements(EXPORTER, [CARTS], ONE, named={})[0]


def test_a_pattern_is_expanded_with_the_real_tables() -> None:
    named = {"<view>_cl": ["price_cl", "stock_cl"]}
    assert columns_read([CHANGES], named) == {
        Connection.DEFAULT: {"price_cl": ("version_id",), "stock_cl": ("version_id",)}
    }
    assert grant_statements(EXPORTER, [CHANGES], ONE, named={"<view>_cl": []}) == []
    with pytest.raises(KeyError):
        grant_statements(EXPORTER, [CHANGES], ONE, named={})


def test_patterns_find_their_tables() -> None:
    existing = ["price_cl", "_cl", "price_clx", "stock_cl", "cron_schedule"]
    assert named_tables([CHANGES, JOBS], existing) == {"<view>_cl": ["price_cl", "stock_cl"]}


def test_names_are_quoted() -> None:
    account = Account("o'hara", "10.0.0.%")
    (statement,) = grant_statements(account, [NEWEST], {Connection.DEFAULT: "my`shop"}, named={})
    assert statement.endswith(" ON `my``shop`.`cron_schedule` TO 'o''hara'@'10.0.0.%'")


@pytest.mark.parametrize("bad", ["a\\", "a\nb", "a\x00", "a\x1b[0m"])
def test_what_cannot_be_quoted_under_every_sql_mode_is_refused(bad: str) -> None:
    for account in (Account(bad), Account("a", host=bad), Account("a", password=bad)):
        with pytest.raises(UsageError):
            user_statements(account, Dialect.MYSQL)
    with pytest.raises(UsageError):
        grant_statements(EXPORTER, [NEWEST], {Connection.DEFAULT: bad}, named={})


def test_only_mariadb_limits_the_statements_of_an_account() -> None:
    limits = "WITH MAX_USER_CONNECTIONS 10"
    assert user_statements(EXPORTER, Dialect.MARIADB) == [
        f"CREATE USER IF NOT EXISTS 'exporter'@'%' IDENTIFIED BY '<password>' {limits} MAX_STATEMENT_TIME 5",
        f"ALTER USER 'exporter'@'%' {limits} MAX_STATEMENT_TIME 5",
    ]
    assert user_statements(EXPORTER, Dialect.MYSQL)[-1] == f"ALTER USER 'exporter'@'%' {limits}"


def test_no_limits_and_tls() -> None:
    account = Account("e", password="s", max_connections=0, statement_seconds=0, require_tls=True)
    assert user_statements(account, Dialect.MARIADB) == [
        "CREATE USER IF NOT EXISTS 'e'@'%' IDENTIFIED BY 's' REQUIRE SSL",
        "ALTER USER 'e'@'%' IDENTIFIED BY 's' REQUIRE SSL",
    ]


def test_a_password_that_nobody_gave_changes_none() -> None:
    account = Account("e", max_connections=0, statement_seconds=0)
    assert user_statements(account, Dialect.MYSQL) == [
        "CREATE USER IF NOT EXISTS 'e'@'%' IDENTIFIED BY '<password>'"
    ]


def test_the_stores_are_read_whatever_is_collected() -> None:
    tables = columns_read(queries_of([]), {})[Connection.DEFAULT]
    assert tables.keys() == {"core_config_data", "store", "store_website"}


PERSONAL = re.compile(
    r"(.*_)?(email|name|firstname|middlename|lastname|dob|taxvat|gender|vat_id|company|street|city|region"
    r"|postcode|telephone|fax|ip|x_forwarded_for|password_hash|token|secret|hash|customer_note|query_text"
    r"|additional_information|additional_data|cc_.*|body|details|serialized_data|messages|session_id)"
)
NOT_PERSONAL = {"send_email", ("queue", "name"), ("magento_operation", "topic_name")}
"""Whether an e-mail is to be sent at all, and the names of a queue and of a topic."""


def test_no_collector_reads_a_personal_column() -> None:
    queries = queries_of(all_collectors())
    named = {pattern: [pattern] for query in queries for pattern in query.named.values()}
    read = {
        (table, column)
        for tables in columns_read(queries, named).values()
        for table, columns in tables.items()
        for column in columns
        if PERSONAL.fullmatch(column) and not NOT_PERSONAL & {column, (table, column)}
    }
    assert not read
