"""A simulated Magento shop: true tables, builders of data, and shoppers, cron, indexers and consumers.

shop = install(connection, prefix="m2_")            # tables and first rows
order = shop.orders.place("us", "braintree")        # what Magento writes for an order
bulk_history(shop, orders=100_000, days=60)         # a past to measure against
"""

from sandbox.shop.builders.history import bulk_history
from sandbox.shop.builders.shop import Shop
from sandbox.shop.database import ShopDatabase, Split
from sandbox.shop.install import install
from sandbox.shop.magento import DEFAULT_STORES, StoreSpec

__all__ = ["DEFAULT_STORES", "Shop", "ShopDatabase", "Split", "StoreSpec", "bulk_history", "install"]
