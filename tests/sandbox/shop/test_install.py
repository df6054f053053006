"""The sandbox shop's tables as MariaDB has them: columns, indexes, foreign keys, and how versions differ."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest

from sandbox.servers.mariadb import MariaDB
from sandbox.shop import DEFAULT_STORES, Shop, Split, StoreSpec, install, magento
from sandbox.shop.__main__ import main
from sandbox.shop.schema import VERSIONS

type_of_index = (
    "SELECT index_name, GROUP_CONCAT(column_name ORDER BY seq_in_index) FROM information_schema.statistics"
)


@contextmanager
def installed(
    server: MariaDB,
    *,
    version: str = VERSIONS[0],
    prefix: str = "",
    split: bool = False,
    stores: tuple[StoreSpec, ...] = DEFAULT_STORES,
) -> Iterator[Shop]:
    name = f"shop_{uuid4().hex[:12]}"
    parts = Split(f"{name}_checkout", f"{name}_sales") if split else None
    server.execute(f"CREATE DATABASE {name}")
    try:
        with server.connect(name) as connection:
            yield install(connection, version=version, prefix=prefix, split=parts, stores=stores)
    finally:
        for database in (name, *((parts.checkout, parts.sales) if parts else ())):
            server.execute(f"DROP DATABASE IF EXISTS {database}")


@pytest.fixture(scope="module", params=VERSIONS)
def of_version(request: pytest.FixtureRequest, mariadb: MariaDB) -> Iterator[tuple[str, Shop]]:
    with installed(mariadb, version=request.param, prefix="m2_") as shop:
        yield request.param, shop


@pytest.fixture(scope="module")
def newest(mariadb: MariaDB) -> Iterator[Shop]:
    with installed(mariadb) as shop:
        yield shop


def indexes(shop: Shop, table: str) -> dict[str, str]:
    rows = shop.database.rows(
        f"{type_of_index} WHERE table_schema = DATABASE() AND table_name = %s GROUP BY index_name",
        (f"{shop.database.prefix}{table}",),
    )
    return {name.removeprefix(shop.database.prefix): columns for name, columns in rows}


def column_type(shop: Shop, table: str, column: str) -> str | None:
    rows = shop.database.rows(
        "SELECT column_type FROM information_schema.columns"
        " WHERE table_schema = DATABASE() AND table_name = %s AND column_name = %s",
        (f"{shop.database.prefix}{table}", column),
    )
    return rows[0][0] if rows else None


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (
            "cron_schedule",
            {"CRON_SCHEDULE_JOB_CODE_STATUS_SCHEDULED_AT": "job_code,status,scheduled_at"},
        ),
        (
            "quote",
            {
                "QUOTE_CUSTOMER_ID_STORE_ID_IS_ACTIVE": "customer_id,store_id,is_active",
                "QUOTE_STORE_ID_UPDATED_AT": "store_id,updated_at",
            },
        ),
        ("quote_address", {"QUOTE_ADDRESS_QUOTE_ID": "quote_id"}),
        ("quote_payment", {"QUOTE_PAYMENT_QUOTE_ID": "quote_id"}),
        (
            "sales_order",
            {
                "SALES_ORDER_INCREMENT_ID_STORE_ID": "increment_id,store_id",
                "SALES_ORDER_STATUS": "status",
                "SALES_ORDER_STATE": "state",
                "SALES_ORDER_STORE_ID": "store_id",
                "SALES_ORDER_CREATED_AT": "created_at",
                "SALES_ORDER_CUSTOMER_ID": "customer_id",
                "SALES_ORDER_EXT_ORDER_ID": "ext_order_id",
                "SALES_ORDER_QUOTE_ID": "quote_id",
                "SALES_ORDER_UPDATED_AT": "updated_at",
                "SALES_ORDER_SEND_EMAIL": "send_email",
                "SALES_ORDER_EMAIL_SENT": "email_sent",
                "SALES_ORDER_STORE_STATE_CREATED": "store_id,state,created_at",
                "SALES_ORDER_CUSTOMER_EMAIL_IS_GUEST_STORE_ID": "customer_email,customer_is_guest,store_id",
            },
        ),
        ("sales_order_payment", {"SALES_ORDER_PAYMENT_PARENT_ID": "parent_id"}),
        ("indexer_state", {"INDEXER_STATE_INDEXER_ID": "indexer_id"}),
        ("mview_state", {"MVIEW_STATE_VIEW_ID": "view_id", "MVIEW_STATE_MODE": "mode"}),
        (
            "queue_message_status",
            {
                "QUEUE_MESSAGE_STATUS_QUEUE_ID_MESSAGE_ID": "queue_id,message_id",
                "QUEUE_MESSAGE_STATUS_STATUS_UPDATED_AT": "status,updated_at",
            },
        ),
        (
            "magento_operation",
            {
                "MAGENTO_OPERATION_BULK_UUID_ERROR_CODE": "bulk_uuid,error_code",
                "MAGENTO_OPERATION_STATUS_STARTED_AT": "status,started_at",
            },
        ),
        ("catalog_product_price_cl", {}),
    ],
)
def test_key_tables_have_exactly_magentos_indexes(newest: Shop, table: str, expected: dict[str, str]) -> None:
    secondary = {name: columns for name, columns in indexes(newest, table).items() if name != "PRIMARY"}
    foreign = {column for _, column in foreign_keys(newest, table)}
    implied = {name for name, columns in secondary.items() if columns in foreign and name not in expected}

    assert {name: columns for name, columns in secondary.items() if name not in implied} == expected


def foreign_keys(shop: Shop, table: str) -> set[tuple[str, str]]:
    rows = shop.database.rows(
        "SELECT referenced_table_name, column_name FROM information_schema.key_column_usage"
        " WHERE table_schema = DATABASE() AND table_name = %s AND referenced_table_name IS NOT NULL",
        (f"{shop.database.prefix}{table}",),
    )
    return {(str(name), str(column)) for name, column in rows}


def test_no_index_is_made_up_by_a_foreign_key_on_the_quote(newest: Shop) -> None:
    assert foreign_keys(newest, "quote") == {("store", "store_id")}
    assert set(indexes(newest, "quote")) == {
        "PRIMARY",
        "QUOTE_CUSTOMER_ID_STORE_ID_IS_ACTIVE",
        "QUOTE_STORE_ID_UPDATED_AT",
    }


def test_older_versions_lack_what_came_later(of_version: tuple[str, Shop]) -> None:
    version, shop = of_version
    before_2_4_9, old = version != "2.4.9", version not in ("2.4.9", "2.4.8")
    before_4_4, in_2_3 = version in ("2.4.3", "2.3.7"), version == "2.3.7"
    guests = "SALES_ORDER_CUSTOMER_EMAIL_IS_GUEST_STORE_ID"

    for table in ("mview_state", "catalog_product_price_cl"):
        assert (column_type(shop, table, "version_id") or "").startswith("int") is before_2_4_9
    assert (column_type(shop, "admin_user_session", "ip") == "varchar(15)") is before_2_4_9
    assert (guests in indexes(shop, "sales_order")) is not before_2_4_9
    assert ("QUOTE_STORE_ID" in indexes(shop, "quote")) is old
    assert ("QUOTE_STORE_ID_UPDATED_AT" in indexes(shop, "quote")) is not old
    assert ("SALES_ORDER_STORE_STATE_CREATED" in indexes(shop, "sales_order")) is not old
    assert (column_type(shop, "sales_order", "email_sent") or "").endswith("unsigned") is old
    assert shop.database.has_table("sales_order_status_change_history") is not old
    assert shop.database.has_column("magento_operation", "started_at") is not before_4_4
    assert shop.database.has_column("customer_entity", "session_cutoff") is not before_4_4
    assert shop.database.has_column("magento_operation", "operation_key") is not in_2_3
    assert ("CRON_SCHEDULE_SCHEDULED_AT_STATUS" in indexes(shop, "cron_schedule")) is in_2_3
    assert ("MAGENTO_BULK_START_TIME" in indexes(shop, "magento_bulk")) is not in_2_3


def test_a_prefix_is_before_every_table(of_version: tuple[str, Shop]) -> None:
    _, shop = of_version
    names = [
        row[0]
        for row in shop.database.rows(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
        )
    ]

    assert all(name.startswith("m2_") for name in names)
    assert {"m2_catalog_product_price_cl", "m2_sequence_order_1", "m2_quote"} <= set(names)


def test_every_version_can_sell(of_version: tuple[str, Shop]) -> None:
    _, shop = of_version
    customer = shop.customers.register("us")
    order = shop.orders.place("us", "braintree", customer_id=customer)
    shop.documents.ship(order)
    shop.messages.start_bulk(2)
    shop.customers.search("yoga", 3)
    shop.messages.publish("export", 2)

    state = shop.database.value("SELECT state FROM {sales_order} WHERE entity_id = %s", (order,))

    assert state == "complete"


def test_split_databases_hold_their_tables_and_no_foreign_keys_between(mariadb: MariaDB) -> None:
    with installed(mariadb, split=True, prefix="x_") as shop:
        assert shop.database.split is not None
        order = shop.orders.place("us", "paypal_express")
        where = dict(
            mariadb.execute(
                "SELECT table_name, table_schema FROM information_schema.tables WHERE table_name IN"
                " ('x_quote', 'x_sales_order', 'x_sequence_order_1', 'x_store', 'x_sales_order_grid')"
                " AND table_schema LIKE %s",
                (f"{shop.database.split.sales.removesuffix('_sales')}%",),
            )
        )
        across = mariadb.execute(
            "SELECT COUNT(*) FROM information_schema.key_column_usage"
            " WHERE table_schema IN (%s, %s) AND referenced_table_schema <> table_schema",
            (shop.database.split.checkout, shop.database.split.sales),
        )
        status = shop.database.value("SELECT status FROM {sales_order_grid} WHERE entity_id = %s", (order,))

    assert where["x_quote"] == shop.database.split.checkout
    assert {where["x_sales_order"], where["x_sales_order_grid"], where["x_sequence_order_1"]} == {
        shop.database.split.sales
    }
    assert where["x_store"] not in (shop.database.split.checkout, shop.database.split.sales)
    assert across == ((0,),)
    assert status == "processing"


def test_stores_websites_and_currencies_are_as_asked(newest: Shop) -> None:
    found = newest.database.rows(
        "SELECT s.code, w.code FROM {store} s JOIN {store_website} w ON w.website_id = s.website_id"
        " ORDER BY s.store_id"
    )

    assert found == [("admin", "admin"), ("default", "base"), ("de", "base"), ("us", "us")]
    assert newest.stores["us"].currency == "USD"
    assert newest.stores["de"].currency == "EUR"


def test_scheduled_views_have_changelogs_and_triggers(newest: Shop) -> None:
    enabled = newest.database.rows("SELECT view_id FROM {mview_state} WHERE mode = 'enabled'")
    disabled = newest.database.rows("SELECT view_id FROM {mview_state} WHERE mode = 'disabled'")
    triggers = newest.database.value(
        "SELECT COUNT(*) FROM information_schema.triggers"
        " WHERE trigger_schema = DATABASE() AND trigger_name LIKE 'trg_%'"
    )

    assert {view for (view,) in disabled} == {"design_config_dummy", "customer_dummy"}
    assert len(enabled) == len(magento.INDEXERS) - 2
    assert all(newest.database.has_table(f"{view}_cl") for (view,) in enabled)
    assert not newest.database.has_table("customer_dummy_cl")
    assert triggers % 3 == 0
    assert triggers > 0


def test_triggers_ignore_errors_before_2_4_9(of_version: tuple[str, Shop]) -> None:
    version, shop = of_version
    bodies = shop.database.rows(
        "SELECT action_statement FROM information_schema.triggers WHERE trigger_schema = DATABASE()"
    )
    assert {"INSERT IGNORE" in body for (body,) in bodies} == {version != "2.4.9"}


def test_only_real_changes_reach_a_changelog(newest: Shop) -> None:
    def version() -> int:
        return int(
            newest.database.value("SELECT COALESCE(MAX(version_id), 0) FROM {catalog_product_price_cl}")
        )

    before = version()
    newest.database.execute(
        "UPDATE {catalog_product_entity} SET updated_at = updated_at + INTERVAL 1 SECOND WHERE entity_id = 3"
    )
    untouched = version()
    newest.database.execute(
        "UPDATE {catalog_product_entity_decimal} SET value = value + 1 WHERE entity_id = 3"
    )

    assert untouched == before
    assert version() == before + 1
    assert (
        newest.database.value(
            "SELECT entity_id FROM {catalog_product_price_cl} ORDER BY version_id DESC LIMIT 1"
        )
        == 3
    )


def test_the_command_installs_a_shop_with_a_past(mariadb: MariaDB) -> None:
    name = f"shop_{uuid4().hex[:12]}"
    common = ["install", "--database-socket", str(mariadb.socket), "--database-name", name]
    try:
        status = main([*common, "--prefix", "p_", "--history-days", "0.1", "--rate", "1"])
        again = main([*common, "--prefix", "p_"])
        orders = mariadb.execute("SELECT COUNT(*) FROM p_sales_order", database=name)
        customers = mariadb.execute("SELECT COUNT(*) FROM p_customer_entity", database=name)
        undated = mariadb.execute("SELECT COUNT(*) FROM p_sales_order WHERE created_at = 0", database=name)
        foreign = mariadb.execute("SELECT COUNT(product_id) FROM p_vendor_feed_cl", database=name)
    finally:
        mariadb.execute(f"DROP DATABASE IF EXISTS {name}")

    assert (status, again) == (0, 2)
    assert orders == ((145,),)
    assert (undated, foreign) == (((1,),), ((2,),))
    assert customers[0][0] > 0
