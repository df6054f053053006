"""New customers and fruitless searches against the truth."""

import time
from collections.abc import Iterator

import pytest

from exporter.collectors.customers import CustomersCollector
from exporter.collectors.search_terms import SearchTermsCollector
from exporter.core.memory import VolatileStore
from sandbox.servers.mariadb import MariaDB
from tests.harness.observed import ObservedShop, observed_shop

Found = dict[tuple[str, ...], float]
NEW = "magento_search_terms_new_total"
USES = "magento_search_zero_result_uses_total"


@pytest.fixture(scope="module")
def observed(mariadb: MariaDB) -> Iterator[ObservedShop]:
    with observed_shop(mariadb) as shop:
        yield shop


def search_terms(observed: ObservedShop, state: VolatileStore, now: float) -> Found:
    return observed.collect(SearchTermsCollector(), state, now)


def test_new_accounts_equal_the_truth(observed: ObservedShop) -> None:
    shop, state = observed.shop, VolatileStore()
    shop.register_customer("us")
    observed.collect(CustomersCollector(), state, time.time())
    before = int(shop.database.value("SELECT MAX(entity_id) FROM {customer_entity}"))
    for store in ("default", "default", "de", "us"):
        shop.register_customer(store)
    observed.collect(CustomersCollector(), state, time.time())
    found = observed.collect(CustomersCollector(), state, time.time())
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
    with observed_shop(mariadb) as observed:
        state = VolatileStore()
        observed.collect(CustomersCollector(), state, time.time())
        observed.shop.register_customer("us")
        observed.collect(CustomersCollector(), state, time.time())
        observed.shop.register_customer("de")
        observed.shop.database.execute("DELETE FROM {store} WHERE code = 'de'")
        observed.collect(CustomersCollector(), state, time.time())
        found = observed.collect(CustomersCollector(), state, time.time())
        assert found == {
            ("magento_customers_registered_total", "us", "us"): 1,
            ("magento_customers_registered_total", "base", "(deleted)"): 1,
        }
        observed.shop.database.execute("DELETE FROM {store} WHERE code = 'us'")
        found = observed.collect(CustomersCollector(), state, time.time())
        assert ("magento_customers_registered_total", "us", "us") not in found


def test_new_terms_count_once_when_their_results_are_known(observed: ObservedShop) -> None:
    shop, state, now = observed.shop, VolatileStore(), time.time()
    shop.search("private old term", 3)
    search_terms(observed, state, now)
    shop.search("private a", 3)
    shop.search("private b", 0)
    shop.search("private b", 0)
    shop.search("private c", 0, store="us")
    assert not any(search_terms(observed, state, now + 60).values())
    shop.search("private b", 5)
    shop.search("private old term", 0)
    found = search_terms(observed, state, now + 400)
    assert {key: value for key, value in found.items() if key[0] == NEW and value} == {
        (NEW, "default", "found"): 2,
        (NEW, "us", "none"): 1,
    }
    assert found[NEW, "de", "none"] == 0
    assert search_terms(observed, state, now + 1000)[NEW, "default", "found"] == 2
    assert not any("private" in label for key in found for label in key)


def test_uses_of_terms_without_result(observed: ObservedShop) -> None:
    shop, state, now = observed.shop, VolatileStore(), time.time()
    for _ in range(40):
        shop.search("private nothing", 0, store="de")
    shop.search("private something", 9, store="de")
    assert search_terms(observed, state, now)[USES, "de"] == 0
    for _ in range(3):
        shop.search("private nothing", 0, store="de")
        shop.search("private something", 9, store="de")
    assert search_terms(observed, state, now + 60)[USES, "de"] == 0
    assert search_terms(observed, state, now + 660)[USES, "de"] == 3
    assert search_terms(observed, state, now + 1320)[USES, "de"] == 3


def test_before_2_4_7_there_is_no_index_for_the_uses(mariadb: MariaDB) -> None:
    with observed_shop(mariadb, version="2.4.6", prefix="q_") as observed:
        found = search_terms(observed, VolatileStore(), time.time())
        assert {key[0] for key in found} == {NEW}
