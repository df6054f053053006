"""The collector: from the followers' carts and the new orders to samples."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from exporter.collectors.checkout import by_id, by_time
from exporter.collectors.checkout.funnel import PAYMENT_STEPS, SHIPPING_STEPS, Funnel
from exporter.core.collector import EVERY_HALF_MINUTE, Collector, Context
from exporter.core.metrics import Sample, counter, gauge
from exporter.core.query import Connection
from exporter.magento.checkout import quotes_by_time
from exporter.reading.followed import Followed

ORDERS: Final = Followed(
    "checkout_orders",
    "sales_order",
    columns=("quote_id", "store_id", "is_virtual", "customer_is_guest"),
    select="quote_id, store_id, is_virtual = 1 AS is_virtual, customer_is_guest = 1 AS guest",
    connection=Connection.SALES,
    memory="orders",
)


STAGE_REACHED = counter(
    "magento_checkout_stage_reached_total",
    "Carts that reached the stage, each cart once per stage (quote, quote_address, quote_payment,"
    " sales_order). placement_attempt is a lower bound: an ordinary decline leaves no trace in the cart.",
    "store",
    "stage",
    "customer",
)
CARTS_SINCE_ORDER = gauge(
    "magento_checkout_carts_since_last_order",
    "Carts that were filled since the store's last order (quote, sales_order); absent before the first order"
    " that is seen, and for a store view that is switched off (store.is_active).",
    "store",
)
SHOP_CARTS_SINCE_ORDER = gauge(
    "magento_shop_carts_since_last_order",
    "Carts that were filled in the whole shop since the last order in any store; absent before the first"
    " order that is seen.",
)


class CheckoutCollector(Collector):
    """The funnel from cart to order."""

    name = "checkout"
    help = "Carts by the checkout stage they reach, from quote, quote_address, quote_payment and sales_order."
    notes = """
    Each cart counts once per stage, for the store and the kind of customer that it has at that moment.

    - A cart without items is no cart: headless storefronts make many of them.
    - `shipping_address`: the shipping address has a country. An estimate in the cart is enough, and the
      default address of a logged-in customer comes with the cart.
    - `placement_attempt`: the cart has an order number, or became an order. An ordinary decline leaves no
      number, so this is a lower bound. `magento_checkout_placement_attempts_total` counts the attempts.
    - `order`: the cart has an order. Several orders of one multishipping cart are one. An order implies
      every stage that its cart can have. Imported orders have no cart and are not counted.
    - A cart that was merged into another one or dropped counts nothing more. What it reached before stays.
    - An administrator's cart counts in every stage at once, when it becomes an order.

    `magento_checkout_carts_since_last_order` begins at 0 with each order of the store, an imported one
    included. Carts of the same run as an order count as older.

    Counting begins with the first start. Stages that a cart had reached before are not counted.

    On Magento 2.4.7 and newer, the steps of a new cart show with its next change, or when it is
    `tuning.settle_seconds` old. A step that leaves `quote.updated_at` alone is found half an hour after the
    cart's last change, at its next change, or with its order. Before 2.4.7, the newest 5,000 unfinished
    carts are read in turns, 250 at each run. So a stage can show 20 runs late, and an older cart shows
    with its order only.
    """
    source = "database"
    refresh = EVERY_HALF_MINUTE
    metrics = (STAGE_REACHED, CARTS_SINCE_ORDER, SHOP_CARTS_SINCE_ORDER)
    queries = (
        *by_time.QUERIES,
        *by_id.QUERIES,
        SHIPPING_STEPS,
        PAYMENT_STEPS,
        *ORDERS.queries,
    )

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield the samples of one run."""
        funnel = Funnel(
            context,
            context.memory.counters(STAGE_REACHED),
            newest=by_id.QUOTES.newest_id(context.database),
        )
        if quotes_by_time(context.database):
            by_time.follow(context, funnel)
        else:
            by_id.follow(context, funnel)
        funnel.note_orders(ORDERS.read(context).rows)
        funnel.forget()
        yield from funnel.samples()
        shop, stores = funnel.carts_since_order()
        if shop is not None:
            yield SHOP_CARTS_SINCE_ORDER.sample(shop)
        for store, carts in stores.items():
            yield CARTS_SINCE_ORDER.sample(carts, store=store)
