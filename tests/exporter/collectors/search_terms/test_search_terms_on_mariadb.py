"""Searches without a result against the truth."""

from exporter.collectors.search_terms import SearchTermsCollector
from exporter.core.memory import VolatileStore
from sandbox.servers.mariadb import MariaDB
from tests.harness.shop import NOW, ShopInMariaDB, shop_in_mariadb

Found = dict[tuple[str, ...], float]
NEW = "magento_search_terms_new_total"
USES = "magento_search_zero_result_uses_total"


def search_terms(observed: ShopInMariaDB, state: VolatileStore, now: float) -> Found:
    return observed.run(SearchTermsCollector(), now, state=state)


def test_new_terms_count_once_when_their_results_are_known(observed: ShopInMariaDB) -> None:
    shop, state, now = observed.shop, VolatileStore(), NOW.timestamp()
    shop.customers.search("private old term", 3)
    search_terms(observed, state, now)
    shop.customers.search("private a", 3)
    shop.customers.search("private b", 0)
    shop.customers.search("private b", 0)
    shop.customers.search("private c", 0, store="us")
    assert not any(search_terms(observed, state, now + 60).values())
    shop.customers.search("private b", 5)
    shop.customers.search("private old term", 0)
    found = search_terms(observed, state, now + 400)
    assert {key: value for key, value in found.items() if key[0] == NEW and value} == {
        (NEW, "default", "found"): 2,
        (NEW, "us", "none"): 1,
    }
    assert found[NEW, "de", "none"] == 0
    assert search_terms(observed, state, now + 1000)[NEW, "default", "found"] == 2
    assert not any("private" in label for key in found for label in key)


def test_uses_of_terms_without_result(observed: ShopInMariaDB) -> None:
    shop, state, now = observed.shop, VolatileStore(), NOW.timestamp()
    for _ in range(40):
        shop.customers.search("private nothing", 0, store="de")
    shop.customers.search("private something", 9, store="de")
    assert search_terms(observed, state, now)[USES, "de"] == 0
    for _ in range(3):
        shop.customers.search("private nothing", 0, store="de")
        shop.customers.search("private something", 9, store="de")
    assert search_terms(observed, state, now + 60)[USES, "de"] == 0
    assert search_terms(observed, state, now + 660)[USES, "de"] == 3
    assert search_terms(observed, state, now + 1320)[USES, "de"] == 3


def test_before_2_4_7_there_is_no_index_for_the_uses(mariadb: MariaDB) -> None:
    with shop_in_mariadb(mariadb, version="2.4.6", prefix="q_") as observed:
        found = search_terms(observed, VolatileStore(), NOW.timestamp())
        assert {key[0] for key in found} == {NEW}
