"""The named locks of Magento's lock provider ``db``: GET_LOCK of ``<database>|<name>``.

Anybody may ask with IS_USED_LOCK who holds one, without a right and without reading a table.
"""

from __future__ import annotations

from hashlib import md5
from typing import Final

from exporter.core.query import Query

GROUPS: Final = ("default", "index", "consumers")
"""Cron groups. Their lock is held while rows are planned and cleaned."""

JOBS: Final = (
    ("consumers", "consumers_runner"),
    ("default", "aggregate_sales_report_order_data"),
    ("default", "backend_clean_cache"),
    ("default", "catalog_product_alert"),
    ("default", "catalogrule_apply_all"),
    ("default", "mysqlmq_clean_messages"),
    ("default", "newsletter_send_all"),
    ("default", "sales_clean_quotes"),
    ("default", "sales_grid_order_async_insert"),
    ("default", "sales_send_order_emails"),
    ("default", "sitemap_generate"),
    ("index", "indexer_clean_all_changelogs"),
    ("index", "indexer_reindex_all_invalid"),
    ("index", "indexer_update_all_views"),
)
"""Group and code of the core's jobs that work for long, or for which much waits."""

CONSUMERS: Final = (
    "async.operations.all",
    "catalog_website_attribute_value_sync",
    "codegeneratorProcessor",
    "exportProcessor",
    "inventory.indexer.sourceItem",
    "inventory.indexer.stock",
    "inventory.mass.update",
    "inventory.reservations.cleanup",
    "inventory.reservations.update",
    "inventory.reservations.updateSalabilityStatus",
    "inventory.source.items.cleanup",
    "media.content.synchronization",
    "media.gallery.renditions.update",
    "media.gallery.synchronization",
    "media.storage.catalog.image.resize",
    "product_action_attribute.update",
    "product_action_attribute.website.update",
    "product_alert",
    "sales.rule.quote.trigger.recollect",
    "sales.rule.update.coupon.usage",
    "saveConfigProcessor",
)
"""The core's consumers. Each holds its lock as long as its process lives."""


def _hashed(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()


LOCKS: Final = (
    *(("cron_group", group, f"CRON_{group}") for group in GROUPS),
    *(("cron_job", job, f"CRON_{_hashed(f'{group}_{job}')}") for group, job in JOBS),
    *(("consumer", name, _hashed(name)) for name in CONSUMERS),
)
"""Kind, name, and Magento's name of the lock."""

LONGEST: Final = 64
"""Characters of a lock's name. Magento hashes what is longer, and its locks are not found then."""

HOLDERS: Final = Query(
    "named_locks",
    "SELECT "
    + ", ".join(
        f"IS_USED_LOCK(LEFT(CONCAT(DATABASE(), '|{lock}'), {LONGEST})) AS lock_{number}"
        for number, (_, _, lock) in enumerate(LOCKS)
    ),
    reads={},
)
"""The id of the connection that holds each lock, or NULL."""
