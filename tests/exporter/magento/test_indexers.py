"""Which name a view goes by."""

from __future__ import annotations

from exporter.magento.indexers import changelog, indexers_of


def test_a_view_bears_the_name_of_its_indexer() -> None:
    assert indexers_of(["customer_dummy", "inventory", "cms_page_grid", "extension"]) == {
        "customer_dummy": "customer_grid",
        "inventory": "inventory",
        "cms_page_grid": "cms_page_grid",
        "extension": "extension",
    }


def test_two_views_never_share_a_name() -> None:
    names = indexers_of(["customer_dummy", "customer_grid"])
    assert names == {"customer_dummy": "customer_dummy", "customer_grid": "customer_grid"}


def test_changelog() -> None:
    assert changelog("inventory") == "inventory_cl"
