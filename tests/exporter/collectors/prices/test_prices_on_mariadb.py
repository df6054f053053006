"""Products with a price against what the index has."""

from exporter.collectors.prices import PricesCollector
from sandbox.servers.mariadb import MariaDB
from sandbox.shop.install import PRODUCTS
from tests.harness.shop import shop_in_mariadb


def test_products_with_a_price_for_guests(mariadb: MariaDB) -> None:
    with shop_in_mariadb(mariadb, prefix="m_") as observed:
        database = observed.shop.database
        codes = [code for (code,) in database.rows("SELECT code FROM {store_website} WHERE website_id > 0")]
        name = "magento_price_index_products"
        assert observed.run(PricesCollector()) == {(name, code): float(PRODUCTS) for code in codes}
        first, *others = codes
        database.execute(
            "UPDATE {catalog_product_index_price} JOIN {store_website} USING (website_id) SET min_price = 0"
            " WHERE code = %s AND customer_group_id = 0 AND entity_id > 4",
            (first,),
        )
        database.execute("DELETE FROM {catalog_product_index_price} WHERE website_id > 1")
        assert observed.run(PricesCollector()) == {
            (name, first): 4.0,
            **{(name, code): 0.0 for code in others},
        }
        database.execute(
            "INSERT INTO {core_config_data} (scope, scope_id, path, value)"
            " VALUES ('default', 0, 'indexer/catalog_product_price/dimensions_mode', 'website')"
        )
        assert observed.run(PricesCollector()) == {}
