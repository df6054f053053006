"""New customer accounts, by the website and store view where they were made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from exporter.core.collector import EVERY_HALF_MINUTE, Collector, Context
from exporter.core.metrics import Sample, counter
from exporter.magento.stores import of_known_stores
from exporter.reading.followed import Followed

# By id: there is no index on created_at.
CUSTOMERS: Final = Followed("customers", "customer_entity", columns=("website_id", "store_id"))

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
    notes = """
    Accounts that an import or an administrator made count as well.
    """
    source = "database"
    metrics = (REGISTERED,)
    queries = CUSTOMERS.queries
    refresh = EVERY_HALF_MINUTE

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield the samples of one run."""
        stores, registered = context.stores, context.memory.counters(REGISTERED)
        new = CUSTOMERS.read(context)
        if new.first_run:
            for row in CUSTOMERS.latest(context.database, LOOK_BACK):
                website, store = stores.website(row["website_id"]), stores.code(row["store_id"])
                registered.initialise(website=website, store=store)
        for row in new.rows:
            registered.add(website=stores.website(row["website_id"]), store=stores.code(row["store_id"]))
        return of_known_stores(registered.samples(), stores)
