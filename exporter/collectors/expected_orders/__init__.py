"""How many orders a store has lately, and how many it should have.

:mod:`.history` counts the orders into buckets; :mod:`.baseline` says what past weeks let expect.
"""

from exporter.collectors.expected_orders.collector import (
    BASELINE,
    EXPECTED,
    HOLIDAY,
    RECENT,
    SHOP_SINCE_LAST,
    SINCE_LAST,
    ExpectedOrdersCollector,
)
from exporter.collectors.expected_orders.history import ORDERS

__all__ = [
    "BASELINE",
    "EXPECTED",
    "HOLIDAY",
    "ORDERS",
    "RECENT",
    "SHOP_SINCE_LAST",
    "SINCE_LAST",
    "ExpectedOrdersCollector",
]
