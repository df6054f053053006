"""E-mails to customers that should be sent and are not: order, invoice, shipment, credit memo."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from exporter.core.collector import EVERY_MINUTE, Collector, Context
from exporter.core.metrics import Sample, gauge
from exporter.core.ports import Row
from exporter.core.query import Connection
from exporter.magento.flags import Flag
from exporter.reading.instants import age
from exporter.reading.watch import Ages, Watch

DOCUMENTS: Final = ("order", "invoice", "shipment", "creditmemo")

ASYNC: Final = Flag.at("sales_email/general/async_sending", query="order_emails_async")

UNSENT = gauge(
    "magento_order_emails_unsent",
    "Documents at most seven days old whose e-mail is owed and was not sent 15 minutes after them, or after"
    " tuning.settle_seconds if that is longer. A new exporter begins with those of a day. At most some 1,000"
    " are counted.",
    "document",
)
OLDEST = gauge(
    "magento_order_emails_oldest_unsent_age_seconds",
    "Age of the oldest document counted in magento_order_emails_unsent; 0 when there is none.",
    "document",
)
ASYNC_SENDING = gauge(
    "magento_order_emails_async",
    "Whether the cron sends these e-mails (1) or the request does (0), by sales_email/general/async_sending.",
)


def _watch(document: str) -> Watch:
    columns = ("send_email", "email_sent", *(("state",) if document == "order" else ()))
    return Watch(
        f"{document}_emails",
        f"sales_{document}",
        columns=columns,
        select=", ".join(columns),
        # After a quarter of an hour the cron has had its chances. An order may wait a day for its payment.
        ages=Ages(first_look=900.0, look_back=86_400.0, forget=7 * 86_400.0, wait=86_400.0),
        connection=Connection.SALES,
        state=document,
    )


WATCHES: Final = {document: _watch(document) for document in DOCUMENTS}


class OrderEmailsCollector(Collector):
    """Unsent order e-mails."""

    name = "order_emails"
    help = "Order, invoice, shipment and credit memo e-mails that are owed and not sent; from sales_*."
    notes = """
    An e-mail is owed when `send_email` is 1, and sent when `email_sent` is 1. Otherwise it is unsent: it
    waits for the cron (asynchronous sending), it failed for good (synchronous sending), or the cron gave up
    after three tries (0, since 2.4.8).

    A document is looked at when it is 15 minutes old, or as old as `tuning.settle_seconds` if that is
    longer. It is looked at again until its e-mail is sent or it is a week old. A new exporter begins with
    the documents of a day.

    An order that waits for its payment gets its e-mail when it is paid. It is looked at until it is a day
    old; of such orders the newest 1,000. Not watched are an order that is paid later, and a document whose
    e-mail is requested later than 15 minutes after it for another reason.
    """
    source = "database"
    metrics = (UNSENT, OLDEST, ASYNC_SENDING)
    queries = (
        ASYNC.query,
        *(query for watch in WATCHES.values() for query in watch.queries),
    )
    refresh = EVERY_MINUTE

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield the samples of one run."""
        for document, watch in WATCHES.items():
            unsent = watch.look(context, late=_is_unsent, waits=_waits_for_payment)
            oldest = max((age(row["created"], context.now) or 0.0 for row in unsent), default=0.0)
            yield UNSENT.sample(len(unsent), document=document)
            yield OLDEST.sample(oldest, document=document)
        yield ASYNC_SENDING.sample(float(ASYNC.is_on(context.database, context.locked)))


def _is_unsent(row: Row) -> bool:
    return row["send_email"] == 1 and (row["email_sent"] is None or row["email_sent"] <= 0)


def _waits_for_payment(row: Row) -> bool:
    return row["send_email"] is None and row.get("state") in {"pending_payment", "payment_review"}
