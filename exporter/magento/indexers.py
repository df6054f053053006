r"""Magento's indexers and the materialized views behind them.

Sources: ``etc/indexer.xml`` and ``etc/mview.xml`` of every core module, 2.4.8-p1;
``Magento\Framework\Indexer\StateInterface``, ``Magento\Framework\Mview\View\StateInterface``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

INDEXER_STATES: Final = ("valid", "invalid", "working", "suspended")
"""``indexer_state.status``; ``suspended`` exists since 2.4.7."""

VIEW_STATES: Final = ("idle", "working", "suspended")
"""``mview_state.status``."""

SCHEDULE: Final = "schedule"
SAVE: Final = "save"
MODES: Final = (SCHEDULE, SAVE)
"""What ``indexer:show-mode`` prints as "Update by Schedule" and "Update on Save"."""

UNKNOWN: Final = "unknown"
"""What ``indexer:status`` prints for a status that is NULL."""

VIEWS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "catalog_category_flat": "catalog_category_flat",
        "catalog_category_product": "catalog_category_product",
        "catalog_product_attribute": "catalog_product_attribute",
        "catalog_product_category": "catalog_product_category",
        "catalog_product_flat": "catalog_product_flat",
        "catalog_product_price": "catalog_product_price",
        "cataloginventory_stock": "cataloginventory_stock",
        "catalogrule_product": "catalogrule_product",
        "catalogrule_rule": "catalogrule_rule",
        "catalogsearch_fulltext": "catalogsearch_fulltext",
        "customer_grid": "customer_dummy",
        "design_config_grid": "design_config_dummy",
        "inventory": "inventory",
        "sales_order_data_exporter": "sales_order_data_exporter",
        "sales_order_status_data_exporter": "sales_order_status_data_exporter",
        "store_data_exporter": "store_data_exporter",
    }
)
"""Indexer id to view id, of Magento Open Source. An extension's view is usually named as its indexer."""

VIEWS_WITHOUT_INDEXER: Final = ("cms_page_grid",)


CHANGELOG: Final = "<view_id>_cl"
"""Pattern, for people, of the names that :func:`changelog` makes."""


def changelog(view: str) -> str:
    """Return the view's changelog table, without prefix. It exists in mode ``schedule`` only."""
    return f"{view}_cl"


def indexers_of(views: Iterable[str]) -> dict[str, str]:
    """Return, for each view id, the indexer to name it by: its own, or the view id where none is known."""
    ids = set(views)
    renamed = {view: indexer for indexer, view in VIEWS.items()}
    names = {view: renamed.get(view, view) for view in ids}
    # An extension may have a view that bears the very name of another view's indexer.
    return {view: name if name == view or name not in ids else view for view, name in names.items()}
