"""Whether the index has prices: without them a website shows no products, or gives them away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from exporter.core.collector import EVERY_MINUTE, Collector, Context
from exporter.core.metrics import Sample, gauge
from exporter.core.query import Query
from exporter.magento.flags import Flag
from exporter.reading.batches import in_batches
from exporter.reading.per_subject import PerSubject

MOST: Final = 200
"""Products of one website that are counted: the index has a row for each product, group and website."""

SPLIT: Final = Flag.at("indexer/catalog_product_price/dimensions_mode", query="prices_dimensions")
"""``none`` or nothing: one table. Else the index lies in a table for each website or customer group."""

WEBSITES: Final = Query(
    "prices_websites",
    "SELECT website_id FROM {store_website} WHERE website_id > 0",
    reads={"store_website": ("website_id",)},
)

_WEBSITES_A_STATEMENT: Final = 10

# From the highest price down. For a range of prices MySQL reads all of the index while statistics are stale.
PRICED: Final = PerSubject(
    "prices_indexed",
    """
    SELECT # AS part, min_price > 0 AS priced
    FROM {catalog_product_index_price} {index catalog_product_index_price}
    WHERE website_id = %(website_#)s AND customer_group_id = 0
    ORDER BY min_price DESC
    LIMIT %(limit)s
    """,
    reads={"catalog_product_index_price": ("website_id", "customer_group_id", "min_price")},
    nobody={"website": 0},
    index={"catalog_product_index_price": ("website_id", "customer_group_id", "min_price")},
    parts=_WEBSITES_A_STATEMENT,
)

PRODUCTS = gauge(
    "magento_price_index_products",
    "Products with a price above zero for guests (catalog_product_index_price), at most 200 a website.",
    "website",
)


class PricesCollector(Collector):
    """Products that have a price."""

    name = "prices"
    help = "Products with a price for guests, by website; from the price index."
    notes = """
    Where the price index is split by website or customer group (`indexer:set-dimensions-mode`), its tables
    have other names and nothing is shown.
    """
    source = "database"
    metrics = (PRODUCTS,)
    queries = (SPLIT.query, WEBSITES, PRICED.query)
    refresh = EVERY_MINUTE

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield the samples of one run."""
        if SPLIT.value(context.database, context.locked) not in ("", "none"):
            return
        found = [int(row["website_id"]) for row in context.database.rows(WEBSITES)]
        for some in in_batches(found, _WEBSITES_A_STATEMENT):
            rows = PRICED.rows(context.database, [{"website": one} for one in some], limit=MOST)
            products = Counter(row["part"] for row in rows if row["priced"])
            for part, website in enumerate(some):
                yield PRODUCTS.sample(float(products[part]), website=context.stores.website(website))
