"""New customer accounts, by the website and store view where they were made.

``customer_entity`` is followed by primary key: it has no index on
``created_at``. Accounts that an import or an administrator made count as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from exporter.core.collector import EVERY_HALF_MINUTE, Collector, Context
from exporter.core.metrics import Sample, counter
from exporter.core.query import Query
from exporter.magento.stores import of_known_stores
from exporter.reading.followed import new_rows, newest_id

NEWEST = Query(
    "customers_newest",
    "SELECT MAX(entity_id) AS id FROM {customer_entity}",
    reads={"customer_entity": ("entity_id",)},
)

NEW_CUSTOMERS = Query(
    "customers_new",
    """
    SELECT entity_id AS id, website_id, store_id
    FROM {customer_entity}
    WHERE entity_id > %(after)s
    ORDER BY entity_id
    LIMIT %(limit)s
    """,
    reads={"customer_entity": ("entity_id", "website_id", "store_id")},
)

REGISTERED = counter(
    "magento_customers_registered_total",
    "Customer accounts created (customer_entity), by website and by the store view they were made in.",
    "website",
    "store",
)

LOOK_BACK: Final = 1_000
"""Accounts read once at the first run, to know which websites and stores register customers."""


class CustomersCollector(Collector):
    """New customer accounts, exactly counted."""

    name = "customers"
    help = "New customer accounts; from customer_entity."
    source = "database"
    metrics = (REGISTERED,)
    queries = (NEWEST, NEW_CUSTOMERS)
    refresh = EVERY_HALF_MINUTE

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield the samples of one run."""
        followed, stores = context.memory.table("followed"), context.stores
        registered = context.memory.counters(REGISTERED)
        first_run = followed.get("tail") is None
        fresh = new_rows(
            context.database,
            rows=NEW_CUSTOMERS,
            newest=NEWEST,
            memory=followed,
            now=context.now,
            settle=context.tuning.settle_seconds,
        )
        if first_run:
            after = max(0, newest_id(context.database, NEWEST) - LOOK_BACK)
            for row in context.database.rows(NEW_CUSTOMERS, after=after, limit=LOOK_BACK):
                registered.initialise(
                    website=stores.website(row["website_id"]), store=stores.code(row["store_id"])
                )
        for row in fresh:
            registered.add(website=stores.website(row["website_id"]), store=stores.code(row["store_id"]))
        return of_known_stores(registered.samples(), stores)
