"""The checkout funnel: how many carts reach each stage, each cart once per stage.

:mod:`.funnel` says what counts. The carts come to it from one of two followers:
:mod:`.by_time` where ``quote`` has an index on the time of the last change, else
:mod:`.by_id`.
"""

from exporter.collectors.checkout.collector import (
    CARTS_SINCE_ORDER,
    ORDERS,
    SHOP_CARTS_SINCE_ORDER,
    STAGE_REACHED,
    CheckoutCollector,
)

__all__ = ["CARTS_SINCE_ORDER", "ORDERS", "SHOP_CARTS_SINCE_ORDER", "STAGE_REACHED", "CheckoutCollector"]
