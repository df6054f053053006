"""New customers against the truth."""

from exporter.collectors.customers import CustomersCollector
from exporter.core.memory import VolatileStore
from sandbox.servers.mariadb import MariaDB
from tests.harness.shop import ShopInMariaDB, shop_in_mariadb


def test_new_accounts_equal_the_truth(observed: ShopInMariaDB) -> None:
    shop, state = observed.shop, VolatileStore()
    shop.customers.register("us")
    observed.run(CustomersCollector(), state=state)
    before = int(shop.database.value("SELECT MAX(entity_id) FROM {customer_entity}"))
    for store in ("default", "default", "de", "us"):
        shop.customers.register(store)
    observed.run(CustomersCollector(), state=state)
    found = observed.run(CustomersCollector(), state=state)
    truth = {
        ("magento_customers_registered_total", website, store): float(number)
        for website, store, number in shop.database.rows(
            "SELECT w.code, s.code, COUNT(*) FROM {customer_entity} c JOIN {store} s USING (store_id)"
            " JOIN {store_website} w ON w.website_id = c.website_id WHERE c.entity_id > %s GROUP BY 1, 2",
            (before,),
        )
    }
    assert {key: value for key, value in found.items() if value} == truth
    assert not any("@" in label for key in found for label in key)


def test_an_account_of_a_deleted_store(mariadb: MariaDB) -> None:
    with shop_in_mariadb(mariadb) as observed:
        state = VolatileStore()
        observed.run(CustomersCollector(), state=state)
        observed.shop.customers.register("us")
        observed.run(CustomersCollector(), state=state)
        observed.shop.customers.register("de")
        observed.shop.database.execute("DELETE FROM {store} WHERE code = 'de'")
        observed.run(CustomersCollector(), state=state)
        found = observed.run(CustomersCollector(), state=state)
        assert found == {
            ("magento_customers_registered_total", "us", "us"): 1,
            ("magento_customers_registered_total", "base", "(deleted)"): 1,
        }
        observed.shop.database.execute("DELETE FROM {store} WHERE code = 'us'")
        found = observed.run(CustomersCollector(), state=state)
        assert ("magento_customers_registered_total", "us", "us") not in found
