"""The jobs of cron group `default` that change something here."""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Final

from sandbox.shop import magento
from sandbox.shop.builders import grids
from sandbox.shop.simulation import indexing
from sandbox.shop.simulation.cron import Job, JobError
from sandbox.shop.simulation.world import Component, utc_now

EMAILS_PER_RUN: Final = 50
PENDING_MINUTES: Final = 480
QUOTE_DAYS: Final = 30
MESSAGE_DAYS: Final = 7
BULK_DAYS: Final = 60


def send_emails(part: Component, table: str) -> None:
    """Send what waits, oldest first, at most fifty a run."""
    if not part.fault("emails-unsent"):
        part.database.execute(
            f"UPDATE {{{table}}} SET email_sent = 1, send_email = 1"
            f" WHERE send_email = 1 AND email_sent IS NULL ORDER BY entity_id LIMIT {EMAILS_PER_RUN}"
        )


def insert_grid_rows(part: Component, kind: str) -> None:
    """Copy new and changed orders or documents to the admin's grid."""
    if not part.fault("grid-missing"):
        grids.copy_missing(part.database, kind)


def clean_orders(part: Component) -> None:
    """Cancel what has waited too long for its payment; one order that resists stops the whole job."""
    if part.fault("orders-stuck-pending-payment"):
        raise JobError("We cannot cancel this order.")
    too_old = utc_now() - timedelta(seconds=part.world.pace.seconds(PENDING_MINUTES * 60))
    found = part.database.rows(
        "SELECT entity_id FROM {sales_order} WHERE status = 'pending_payment' AND updated_at < %s LIMIT 100",
        (too_old,),
    )
    for (order_id,) in found:
        part.shop.orders.cancel(order_id, grid=False)


def clean_quotes(part: Component) -> None:
    """Delete carts that nobody touched for a month, fifty at a time."""
    stores = ", ".join(str(store.store_id) for store in part.shop.stores.values())
    part.database.execute(
        f"DELETE FROM {{quote}} WHERE store_id IN ({stores}) AND updated_at < %s LIMIT 50",
        (utc_now() - timedelta(days=QUOTE_DAYS),),
    )


def clean_messages(part: Component) -> None:
    """Delete messages of the MySQL transport that are done or failed for a week."""
    part.database.execute(
        "DELETE m FROM {queue_message} m JOIN {queue_message_status} s ON s.message_id = m.id"
        " WHERE s.status IN (%s, %s, %s) AND s.updated_at < %s",
        (
            magento.MESSAGE_COMPLETE,
            magento.MESSAGE_ERROR,
            magento.MESSAGE_NEW,
            utc_now() - timedelta(days=MESSAGE_DAYS),
        ),
    )


def clean_bulks(part: Component) -> None:
    """Delete bulks with their operations after two months."""
    part.database.execute(
        "DELETE FROM {magento_bulk} WHERE start_time < %s", (utc_now() - timedelta(days=BULK_DAYS),)
    )


def clean_message_locks(part: Component) -> None:
    """Forget which messages were being processed, all of them, as 2.4.8 does."""
    part.database.execute("DELETE FROM {queue_lock}")


JOBS: Final[Mapping[str, Job]] = {
    "sales_send_order_emails": partial(send_emails, table="sales_order"),
    "sales_send_order_invoice_emails": partial(send_emails, table="sales_invoice"),
    "sales_send_order_shipment_emails": partial(send_emails, table="sales_shipment"),
    "sales_send_order_creditmemo_emails": partial(send_emails, table="sales_creditmemo"),
    "sales_grid_order_async_insert": partial(insert_grid_rows, kind="order"),
    "sales_grid_order_invoice_async_insert": partial(insert_grid_rows, kind="invoice"),
    "sales_grid_order_shipment_async_insert": partial(insert_grid_rows, kind="shipment"),
    "sales_grid_order_creditmemo_async_insert": partial(insert_grid_rows, kind="creditmemo"),
    "sales_clean_orders": clean_orders,
    "sales_clean_quotes": clean_quotes,
    "mysqlmq_clean_messages": clean_messages,
    "bulk_cleanup": clean_bulks,
    "messagequeue_clean_outdated_locks": clean_message_locks,
    "catalogrule_apply_all": indexing.apply_catalog_rules,
}
