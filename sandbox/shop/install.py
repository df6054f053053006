"""Create a shop's database as Magento's installer and a first configuration leave it."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import md5

from pymysql.connections import Connection
from pymysql.cursors import Cursor

from sandbox.shop import magento, schema
from sandbox.shop.builders.shop import Shop
from sandbox.shop.builders.views import add_sequences
from sandbox.shop.database import ShopDatabase, Split
from sandbox.shop.magento import DEFAULT_STORES, StoreSpec

PRODUCTS = 60
CATEGORIES = 6
ROOT_CATEGORY = 2
PRICE_ATTRIBUTE = 77
STATUS_ATTRIBUTE = 97


def install(
    connection: "Connection[Cursor]",
    *,
    version: str = schema.VERSIONS[0],
    prefix: str = "",
    stores: Sequence[StoreSpec] = DEFAULT_STORES,
    split: Split | None = None,
    now: datetime | None = None,
) -> Shop:
    """Fill the connection's database (and with `split` two more) with tables and a shop's first rows.

    `version` is one of `schema.VERSIONS`; with `now` the shop's clock stands still. The database must have
    none of the tables yet. Returns the shop, ready for carts and orders.
    """
    database = ShopDatabase(connection, prefix=prefix, split=split, now=now)
    _create_tables(database, version)
    with database.transaction():
        _add_stores(database, stores)
        _add_configuration(database, stores)
        _add_order_statuses(database)
        _add_queues(database)
        _add_catalogue(database, stores)
        _add_administrator(database)
        _add_content(database)
    for store_id in range(len(stores) + 1):
        add_sequences(database, store_id)
    _add_indexers(database)
    return Shop(database)


def _create_tables(database: ShopDatabase, version: str) -> None:
    database.execute("SET foreign_key_checks = 0")
    if database.split is not None:
        for name in (database.split.checkout, database.split.sales):
            database.execute(f"CREATE DATABASE IF NOT EXISTS `{name}`")
    home = schema.connections()
    for table, statement in schema.create_statements():
        local = statement
        if database.split is not None:
            elsewhere = frozenset(other for other, logical in home.items() if logical != home[table])
            local = schema.without_foreign_keys_to(statement, elsewhere)
        database.execute(schema.marked(local))
    for statement in schema.change_statements(version):
        database.execute(schema.marked(statement))
    database.execute("SET foreign_key_checks = 1")


def _add_stores(database: ShopDatabase, stores: Sequence[StoreSpec]) -> None:
    _add_admin_store(database)
    websites = list(dict.fromkeys(store.website for store in stores))
    for position, website in enumerate(websites, start=1):
        first = next(number for number, store in enumerate(stores, start=1) if store.website == website)
        database.insert(
            "store_website",
            website_id=position,
            code=website,
            name=f"Website {website}",
            default_group_id=position,
            is_default=int(position == 1),
        )
        database.insert(
            "store_group",
            group_id=position,
            website_id=position,
            name=f"Store {website}",
            code=f"{website}_group",
            root_category_id=ROOT_CATEGORY,
            default_store_id=first,
        )
    for number, store in enumerate(stores, start=1):
        website_id = websites.index(store.website) + 1
        database.insert(
            "store",
            store_id=number,
            code=store.code,
            website_id=website_id,
            group_id=website_id,
            name=f"Store View {store.code}",
            is_active=1,
        )


def _add_admin_store(database: ShopDatabase) -> None:
    """Rows with id 0, which auto-increment columns take only by an update."""
    website = database.insert("store_website", code="admin", name="Admin")
    database.execute("UPDATE {store_website} SET website_id = 0 WHERE website_id = %s", (website,))
    group = database.insert("store_group", code="default", name="Default")
    database.execute("UPDATE {store_group} SET group_id = 0 WHERE group_id = %s", (group,))
    store = database.insert("store", code="admin", name="Admin", is_active=1)
    database.execute("UPDATE {store} SET store_id = 0 WHERE store_id = %s", (store,))


def _add_configuration(database: ShopDatabase, stores: Sequence[StoreSpec]) -> None:
    websites = list(dict.fromkeys(store.website for store in stores))
    rows: list[tuple[str, int, str, str]] = [
        ("default", 0, path, value) for path, value in _default_configuration(stores[0]).items()
    ]
    for store in stores:
        website_id = websites.index(store.website) + 1
        rows += [
            ("websites", website_id, "general/locale/timezone", store.timezone),
            ("websites", website_id, "currency/options/base", store.currency),
            ("websites", website_id, "currency/options/default", store.currency),
        ]
    database.insert_many(
        "core_config_data", ("scope", "scope_id", "path", "value"), list(dict.fromkeys(rows))
    )


def _default_configuration(main: StoreSpec) -> dict[str, str]:
    settings = {
        "general/locale/timezone": main.timezone,
        "currency/options/base": main.currency,
        "currency/options/default": main.currency,
        "catalog/price/scope": "1",
        "web/unsecure/base_url": "http://shop.invalid/",
        "web/secure/base_url": "https://shop.invalid/",
        "catalog/search/engine": "opensearch",
        "catalog/search/opensearch_server_hostname": "search.invalid",
        "catalog/search/opensearch_server_port": "9200",
        "system/full_page_cache/caching_application": "2",
        "system/full_page_cache/ttl": "86400",
        "dev/grid/async_indexing": "1",
        "sales_email/general/async_sending": "1",
        "checkout/cart/delete_quote_after": "30",
        "sales/orders/delete_pending_after": "480",
    }
    for group in magento.CRON_GROUPS.values():
        settings |= {
            f"system/cron/{group.name}/schedule_generate_every": str(group.generate_every),
            f"system/cron/{group.name}/schedule_ahead_for": str(group.ahead_for),
            f"system/cron/{group.name}/schedule_lifetime": str(group.lifetime),
            f"system/cron/{group.name}/history_cleanup_every": str(group.cleanup_every),
            f"system/cron/{group.name}/history_success_lifetime": str(group.success_lifetime),
            f"system/cron/{group.name}/history_failure_lifetime": str(group.failure_lifetime),
        }
    return settings


def _add_order_statuses(database: ShopDatabase) -> None:
    database.insert_many("sales_order_status", ("status", "label"), list(magento.ORDER_STATUSES.items()))
    database.insert_many(
        "sales_order_status_state",
        ("status", "state", "is_default", "visible_on_front"),
        magento.ORDER_STATUS_STATES,
    )


def _add_queues(database: ShopDatabase) -> None:
    database.insert_many("queue", ("name",), [(queue,) for queue in magento.CONSUMERS.values()])
    database.insert("queue_poison_pill", version="version-5f0c0ffee0000")


def _add_catalogue(database: ShopDatabase, stores: Sequence[StoreSpec]) -> None:
    database.insert(
        "inventory_source",
        source_code="default",
        name="Default Source",
        is_pickup_location_active=0,
        country_id="NL",
        postcode="00000",
    )
    database.insert("inventory_stock", stock_id=1, name="Default Stock")
    database.insert("inventory_source_stock_link", stock_id=1, source_code="default", priority=1)
    for website in dict.fromkeys(store.website for store in stores):
        database.insert("inventory_stock_sales_channel", type="website", code=website, stock_id=1)
    database.insert("cataloginventory_stock", stock_id=1, website_id=0, stock_name="Default")
    categories = [(number, 3, 1, f"1/{number}", number, 1, 0) for number in range(1, CATEGORIES + 1)]
    database.insert_many(
        "catalog_category_entity",
        ("entity_id", "attribute_set_id", "parent_id", "path", "position", "level", "children_count"),
        categories,
    )
    for product in range(1, PRODUCTS + 1):
        _add_product(database, product)
    database.execute(
        "INSERT INTO {catalog_product_index_price}"
        " (entity_id, customer_group_id, website_id, price, final_price, min_price, max_price)"
        " SELECT entity_id, g.id, website_id, 10 + entity_id, 10 + entity_id, 10 + entity_id, 10 + entity_id"
        " FROM {catalog_product_entity} JOIN (SELECT 0 AS id UNION SELECT 1) AS g JOIN {store_website}"
        " WHERE website_id > 0"
    )
    rule = database.insert(
        "catalogrule", name="Autumn", is_active=1, simple_action="by_percent", discount_amount=10
    )
    database.insert("catalogrule_group_website", rule_id=rule, customer_group_id=0, website_id=1)
    database.execute(
        "INSERT INTO {catalogrule_product_price}"
        " (rule_date, customer_group_id, product_id, rule_price, website_id)"
        " SELECT DATE(UTC_TIMESTAMP() + INTERVAL days.n DAY), 0, 1, 9.0, 1"
        " FROM (SELECT -1 AS n UNION SELECT 0 UNION SELECT 1) AS days"
    )


def _add_product(database: ShopDatabase, product: int) -> None:
    sku, out_of_stock = f"SB-{product:04d}", product % 20 == 0
    quantity = 0 if out_of_stock else 10000
    database.insert(
        "catalog_product_entity", entity_id=product, attribute_set_id=4, type_id="simple", sku=sku
    )
    database.insert(
        "catalog_product_entity_decimal", attribute_id=PRICE_ATTRIBUTE, entity_id=product, value=10 + product
    )
    database.insert("catalog_product_entity_int", attribute_id=STATUS_ATTRIBUTE, entity_id=product, value=1)
    database.insert("catalog_category_product", category_id=3 + product % 4, product_id=product)
    database.insert(
        "cataloginventory_stock_item",
        product_id=product,
        stock_id=1,
        qty=quantity,
        is_in_stock=int(not out_of_stock),
        manage_stock=1,
    )
    database.insert(
        "cataloginventory_stock_status",
        product_id=product,
        website_id=0,
        stock_id=1,
        qty=quantity,
        stock_status=int(not out_of_stock),
    )
    database.insert(
        "inventory_source_item",
        source_code="default",
        sku=sku,
        quantity=quantity,
        status=int(not out_of_stock),
    )


def _add_administrator(database: ShopDatabase) -> None:
    user = database.insert(
        "admin_user",
        firstname="Private",
        lastname="Administrator",
        email="administrator@private.invalid",
        username="private-admin",
        password="private-hash",
        is_active=1,
    )
    role = database.insert(
        "authorization_role", role_type="G", user_type="2", role_name="Administrators", tree_level=1
    )
    database.insert(
        "authorization_role",
        parent_id=role,
        tree_level=2,
        role_type="U",
        user_id=user,
        user_type="2",
        role_name="private-admin",
    )


def _add_content(database: ShopDatabase) -> None:
    for identifier in ("home", "no-route", "privacy-policy-cookie-restriction-mode"):
        database.insert("cms_page", title=identifier.title(), identifier=identifier, content="<p>Sandbox</p>")
    database.insert("cms_block", title="Footer", identifier="footer_links", content="<p>Sandbox</p>")
    database.insert("flag", flag_code="catalog_rules_dirty", state=0)
    database.insert_many(
        "report_event_types",
        ("event_type_id", "event_name"),
        [
            (1, "catalog_product_view"),
            (2, "sendfriend_product"),
            (3, "catalog_product_compare_add_product"),
            (4, "checkout_cart_add_product"),
            (5, "wishlist_add_product"),
            (6, "wishlist_share"),
        ],
    )
    database.insert_many(
        "setup_module",
        ("module", "schema_version", "data_version"),
        [(f"Magento_{name}", "2.0.0", "2.0.0") for name in ("Store", "Sales", "Quote", "Indexer", "Cron")],
    )


def _add_indexers(database: ShopDatabase) -> None:
    for indexer in magento.INDEXERS.values():
        database.execute(
            "INSERT INTO {indexer_state} (indexer_id, status, updated, hash_config)"
            " VALUES (%s, 'valid', UTC_TIMESTAMP(), %s)",
            (indexer.code, md5(indexer.code.encode(), usedforsecurity=False).hexdigest()),
        )
        if indexer.scheduled:
            subscribe(database, indexer)
        else:
            database.execute(
                "INSERT INTO {mview_state} (view_id, mode, status, updated, version_id)"
                " VALUES (%s, 'disabled', 'idle', UTC_TIMESTAMP(), 0)",
                (indexer.view,),
            )
    for table in dict.fromkeys(
        table for indexer in magento.INDEXERS.values() for table, _ in indexer.subscriptions
    ):
        _create_triggers(database, table)


def subscribe(database: ShopDatabase, indexer: magento.Indexer) -> None:
    """Create an indexer's changelog and state of its view; the triggers come with the subscribed tables."""
    number = database.column_type("mview_state", "version_id")
    database.execute(
        f"CREATE TABLE {{{indexer.view}_cl}} ("
        f"`version_id` {number} NOT NULL AUTO_INCREMENT,"
        " `entity_id` int unsigned NOT NULL DEFAULT 0,"
        " PRIMARY KEY (`version_id`)) ENGINE=InnoDB"
    )
    database.execute(
        "INSERT INTO {mview_state} (view_id, mode, status, updated, version_id)"
        " VALUES (%s, 'enabled', 'idle', UTC_TIMESTAMP(), 0)",
        (indexer.view,),
    )


def _create_triggers(database: ShopDatabase, table: str) -> None:
    """Write each changed row's id to every subscribed changelog, as Magento's triggers do."""
    listeners = [
        (indexer.view, column)
        for indexer in magento.INDEXERS.values()
        if indexer.scheduled
        for subscribed, column in indexer.subscriptions
        if subscribed == table
    ]
    if not listeners:
        return
    # From 2.4.9 on a save fails with its trigger. Before, an error that IGNORE covers lost the change.
    from_2_4_9 = database.column_type("mview_state", "version_id").startswith("bigint")
    into = "INSERT" if from_2_4_9 else "INSERT IGNORE"
    for event, row in (("insert", "NEW"), ("update", "NEW"), ("delete", "OLD")):
        body = " ".join(
            f"{into} INTO {{{view}_cl}} (`entity_id`) VALUES ({row}.`{column}`);"
            for view, column in listeners
        )
        if event == "update":
            body = f"IF {_changed(database, table)} THEN {body} END IF;"
        database.execute(
            f"CREATE TRIGGER `trg_{database.prefix}{table}_after_{event}`"
            f" AFTER {event.upper()} ON {{{table}}} FOR EACH ROW BEGIN {body} END"
        )


def _changed(database: ShopDatabase, table: str) -> str:
    """Compare old and new in every column but the time of the change, which Magento's triggers ignore."""
    columns = sorted(database.columns(table) - {"updated_at"})
    return "(" + " OR ".join(f"NOT(NEW.`{name}` <=> OLD.`{name}`)" for name in columns) + ")"
