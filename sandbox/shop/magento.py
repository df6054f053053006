"""What Magento Open Source 2.4.9 is made of, as far as the sandbox plays it: stores to payment methods.

The lists are Magento's own (its crontab.xml, cron_groups.xml, indexer.xml, mview.xml and
communication.xml). They are kept apart from the exporter's lists on purpose: the sandbox is what the
exporter is tested against.
"""

from dataclasses import dataclass
from hashlib import md5
from typing import Final


@dataclass(frozen=True, slots=True)
class StoreSpec:
    """A store view: its codes, its website's base currency and the website's time zone."""

    code: str
    website: str
    currency: str
    timezone: str


DEFAULT_STORES: Final = (
    StoreSpec("default", "base", "EUR", "Europe/Amsterdam"),
    StoreSpec("de", "base", "EUR", "Europe/Amsterdam"),
    StoreSpec("us", "us", "USD", "America/New_York"),
)


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    """How an order begins under a payment method.

    `reserves_early` says that the method saves the cart right after taking the order number, so that a
    failed placement leaves `reserved_order_id` behind; with the others it does not.
    """

    code: str
    state: str
    status: str
    captures: bool = False
    reserves_early: bool = False
    weight: int = 1


PAYMENT_METHODS: Final = {
    method.code: method
    for method in (
        PaymentMethod("checkmo", "new", "pending", weight=1),
        PaymentMethod("banktransfer", "new", "pending", weight=2),
        PaymentMethod("braintree", "processing", "processing", captures=True, weight=9),
        PaymentMethod(
            "paypal_express", "processing", "processing", captures=True, reserves_early=True, weight=5
        ),
        PaymentMethod("mollie_methods_ideal", "pending_payment", "pending_payment", weight=5),
    )
}

ORDER_STATUSES: Final = {
    "pending": "Pending",
    "pending_payment": "Pending Payment",
    "processing": "Processing",
    "complete": "Complete",
    "closed": "Closed",
    "canceled": "Canceled",
    "holded": "On Hold",
    "payment_review": "Payment Review",
    "fraud": "Suspected Fraud",
    "pending_paypal": "Pending PayPal",
    "paypal_reversed": "PayPal Reversed",
    "paypal_canceled_reversal": "PayPal Canceled Reversal",
}

ORDER_STATUS_STATES: Final = (
    # status, state, is_default, visible_on_front
    ("pending", "new", 1, 1),
    ("pending_payment", "pending_payment", 1, 0),
    ("processing", "processing", 1, 1),
    ("complete", "complete", 1, 1),
    ("closed", "closed", 1, 1),
    ("canceled", "canceled", 1, 1),
    ("holded", "holded", 1, 1),
    ("payment_review", "payment_review", 1, 1),
    ("fraud", "payment_review", 0, 1),
    ("fraud", "processing", 0, 1),
)

SEQUENCE_ENTITIES: Final = ("order", "invoice", "shipment", "creditmemo")
SEQUENCE_MAX: Final = 4294967295
SEQUENCE_WARNING: Final = 4294966295


@dataclass(frozen=True, slots=True)
class CronGroup:
    """One group of cron_groups.xml; all times in minutes."""

    name: str
    generate_every: int
    ahead_for: int
    lifetime: int
    cleanup_every: int = 10
    success_lifetime: int = 60
    failure_lifetime: int = 4320


CRON_GROUPS: Final = {
    group.name: group
    for group in (
        CronGroup("default", 15, 20, 15),
        CronGroup("index", 1, 4, 2),
        CronGroup("consumers", 15, 20, 15, failure_lifetime=600),
        CronGroup("analytics", 15, 20, 15),
    )
}


@dataclass(frozen=True, slots=True)
class CronJob:
    """A job of crontab.xml: its expression is read in the time zone of the default scope."""

    code: str
    schedule: str
    group: str = "default"


def _jobs(schedule: str, *codes: str, group: str = "default") -> tuple[CronJob, ...]:
    return tuple(CronJob(code, schedule, group) for code in codes)


CRON_JOBS: Final = {
    job.code: job
    for job in (
        *_jobs("* * * * *", "consumers_runner", group="consumers"),
        *_jobs("* * * * *", "indexer_reindex_all_invalid", "indexer_update_all_views", group="index"),
        *_jobs("*/5 * * * *", "indexer_clean_all_changelogs", group="index"),
        *_jobs("0 * * * *", "analytics_subscribe", "analytics_update", group="analytics"),
        *_jobs(
            "* * * * *",
            "bulk_cleanup",
            "catalog_product_frontend_actions_flush",
            "catalog_product_outdated_price_values_cleanup",
            "inventory_in_store_pickup_sales_send_order_notified_emails",
            "outdated_authentication_failures_cleanup",
            "sales_grid_order_async_insert",
            "sales_grid_order_invoice_async_insert",
            "sales_grid_order_shipment_async_insert",
            "sales_grid_order_creditmemo_async_insert",
            "sales_send_order_emails",
            "sales_send_order_invoice_emails",
            "sales_send_order_shipment_emails",
            "sales_send_order_creditmemo_emails",
        ),
        *_jobs("*/2 * * * *", "magento_newrelicreporting_cron"),
        *_jobs("*/5 * * * *", "catalog_product_attribute_value_synchronize", "newsletter_send_all"),
        *_jobs("*/10 * * * *", "bulk_mark_incomplete_operations_as_failed", "captcha_delete_expired_images"),
        *_jobs("*/30 * * * *", "captcha_delete_old_attempts"),
        *_jobs(
            "0 * * * *",
            "catalog_index_refresh_price",
            "expired_tokens_cleanup",
            "messagequeue_clean_outdated_locks",
            "sales_clean_orders",
            "security_deactivate_expired_users",
        ),
        *_jobs(
            "0 0 * * *",
            "aggregate_sales_report_bestsellers_data",
            "aggregate_sales_report_coupons_data",
            "aggregate_sales_report_invoiced_data",
            "aggregate_sales_report_order_data",
            "aggregate_sales_report_refunded_data",
            "aggregate_sales_report_shipment_data",
            "aggregate_sales_report_tax_data",
            "catalog_product_flat_indexer_store_cleanup",
            "clean_cron_schedule",
            "import_data_cleanup",
            "inventory_cleanup_reservations",
            "persistent_clear_expired",
            "sales_clean_quotes",
            "security_clean_admin_expired_sessions",
            "security_clean_password_reset_request_event_records",
            "sitemap_generate",
            "visitor_clean",
        ),
        *_jobs("0 1 * * *", "catalogrule_apply_all"),
        *_jobs("20 2 * * *", "backend_clean_locks"),
        *_jobs("30 2 * * *", "backend_clean_cache"),
        *_jobs("30 6,15 * * *", "mysqlmq_clean_messages"),
    )
}


@dataclass(frozen=True, slots=True)
class Indexer:
    """An indexer, its view, the columns whose changes the view hears of, and its mode in this shop."""

    code: str
    view: str
    subscriptions: tuple[tuple[str, str], ...]
    scheduled: bool = True


_PRODUCT = ("catalog_product_entity", "entity_id")
_PRODUCT_DECIMAL = ("catalog_product_entity_decimal", "entity_id")
_PRODUCT_INT = ("catalog_product_entity_int", "entity_id")
_STOCK_ITEM = ("cataloginventory_stock_item", "product_id")

# The flat catalogue's two indexers are left out: they count only where flat is enabled.
INDEXERS: Final = {
    indexer.code: indexer
    for indexer in (
        Indexer("design_config_grid", "design_config_dummy", (), scheduled=False),
        Indexer("customer_grid", "customer_dummy", (("customer_entity", "entity_id"),), scheduled=False),
        Indexer(
            "catalog_category_product",
            "catalog_category_product",
            (("catalog_category_entity", "entity_id"),),
        ),
        Indexer(
            "catalog_product_category",
            "catalog_product_category",
            (("catalog_category_product", "product_id"), _PRODUCT_INT),
        ),
        Indexer("catalogrule_rule", "catalogrule_rule", (("catalogrule", "rule_id"),)),
        Indexer("catalogrule_product", "catalogrule_product", (_PRODUCT, _PRODUCT_DECIMAL, _PRODUCT_INT)),
        Indexer("catalog_product_attribute", "catalog_product_attribute", (_PRODUCT_DECIMAL, _PRODUCT_INT)),
        Indexer(
            "catalog_product_price",
            "catalog_product_price",
            (_PRODUCT, _PRODUCT_DECIMAL, _PRODUCT_INT, _STOCK_ITEM),
        ),
        Indexer("cataloginventory_stock", "cataloginventory_stock", (_STOCK_ITEM, _PRODUCT_INT)),
        Indexer("inventory", "inventory", (("inventory_source_item", "source_item_id"),)),
        Indexer(
            "catalogsearch_fulltext",
            "catalogsearch_fulltext",
            (_PRODUCT, _PRODUCT_DECIMAL, _PRODUCT_INT, _STOCK_ITEM),
        ),
    )
}

CONSUMERS: Final = {
    "saveConfigProcessor": "saveConfig",
    "product_action_attribute.update": "product_action_attribute.update",
    "product_action_attribute.website.update": "product_action_attribute.website.update",
    "catalog_website_attribute_value_sync": "catalog_website_attribute_value_sync",
    "exportProcessor": "export",
    "inventory.source.items.cleanup": "inventory.source.items.cleanup",
    "inventory.mass.update": "inventory.mass.update",
    "inventory.reservations.cleanup": "inventory.reservations.cleanup",
    "inventory.reservations.update": "inventory.reservations.update",
    "inventory.reservations.updateSalabilityStatus": "inventory.reservations.updateSalabilityStatus",
    "inventory.indexer.sourceItem": "inventory.indexer.sourceItem",
    "inventory.indexer.stock": "inventory.indexer.stock",
    "media.content.synchronization": "media.content.synchronization",
    "media.gallery.renditions.update": "media.gallery.renditions.update",
    "media.gallery.synchronization": "media.gallery.synchronization",
    "media.storage.catalog.image.resize": "media.storage.catalog.image.resize",
    "product_alert": "product_alert.queue",
    "codegeneratorProcessor": "codegenerator",
    "sales.rule.update.coupon.usage": "sales.rule.update.coupon.usage",
    "sales.rule.quote.trigger.recollect": "sales.rule.quote.trigger.recollect",
    "async.operations.all": "async.operations.all",
}

PRICE_TOPIC: Final = "async.V1.products.base-prices.POST"
"""Topic of operations that set prices."""

MESSAGE_NEW: Final = 2
MESSAGE_IN_PROGRESS: Final = 3
MESSAGE_COMPLETE: Final = 4
MESSAGE_RETRY: Final = 5
MESSAGE_ERROR: Final = 6

OPERATION_COMPLETE: Final = 1
OPERATION_OPEN: Final = 4

STAGES: Final = (
    "cart",
    "shipping_address",
    "shipping_method",
    "payment_method",
    "placement_attempt",
)
"""How far a cart has come, in order; an order is what follows the last."""


def hashed(text: str) -> str:
    """Return how Magento writes a consumer's name, or a group and job, in the name of a lock."""
    return md5(text.encode(), usedforsecurity=False).hexdigest()
