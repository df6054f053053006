"""After the order: payment, e-mails, invoices and shipments, the admin's grid, and old carts."""

from __future__ import annotations

from typing import Final

from alerts import thresholds
from dashboards.lib.annotations import CALLED, DEPLOYED, FIRING, FLUSHED, MAINTENANCE
from dashboards.lib.business import RANGE, SHOWN, five_minutes
from dashboards.lib.here import here
from dashboards.lib.links import Link
from dashboards.lib.page import Dashboard
from dashboards.lib.panels import Ask, Graph, Panel, Row
from dashboards.lib.style import HOURS, MINUTES, told_apart
from dashboards.lib.uids import AFTER_ORDER, CRON
from exporter.collectors import (
    carts,
    order_cancellations,
    order_documents,
    order_emails,
    order_grid,
    order_states,
)
from exporter.collectors import orders as placed
from promql.expr import Expr, age, max_by, now, over_time, sum_by, top

UID: Final = AFTER_ORDER

_WAITING: Final = "=~new|pending_payment|payment_review|holded"
"""The states in which an order waits for somebody."""


def _oldest_carts() -> Expr:
    return top(SHOWN, max_by(now() - over_time("min", here(carts.OLDEST)[RANGE].at_end()), "store"))


_AFTER: Final[tuple[Panel, ...]] = (
    Graph(
        key="open",
        title="Do orders get stuck?",
        meaning="Unfinished orders by state (`sales_order.state`).",
        good="`processing` follows the warehouse's day; the others stay low.",
        then="`pending_payment` grows: no confirmation arrives. `payment_review`: somebody must decide.",
        asks=(Ask(expr=sum_by(here(order_states.OPEN), "state"), legend="{{state}}"),),
        unit="locale",
        empty="order states collector off",
        width=8,
        link=Link("How old are they?", UID, "open_orders_age"),
        decimals=0,
        overrides=told_apart("new", "pending_payment", "processing", "payment_review", "holded"),
    ),
    Graph(
        key="open_orders_age",
        title="How old is the oldest unfinished order?",
        meaning=(
            "Age of the oldest order in each state in which an order waits for somebody. The dashed line is "
            "the limit of `pending_payment` alone: `payment_review` and `holded` get a ticket after two "
            "days, and `new` waits for a bank transfer or cheque as long as the shop allows."
        ),
        good="`pending_payment` below eight hours, after which Magento cancels it.",
        then=(
            "`pending_payment` older: the cron job `sales_clean_orders` fails or does not run. "
            "`payment_review` or `holded` older: open the orders in the admin and decide."
        ),
        asks=(
            Ask(
                expr=max_by(here(order_states.OLDEST_AGE, state=_WAITING), "state").or_else(
                    max_by(here(order_states.OPEN, state=_WAITING), "state") * 0
                ),
                legend="{{state}}",
            ),
        ),
        unit="s",
        empty="order states collector off",
        threshold=thresholds.OPEN_ORDER_SECONDS,
        width=8,
        link=Link("Does the job run?", CRON, "jobs"),
        clock=HOURS,
        overrides=told_apart("new", "pending_payment", "processing", "payment_review", "holded"),
    ),
    Graph(
        key="late",
        title="Do orders become late?",
        meaning="Unfinished orders that are older than a day (`pending_payment`) or two days "
        "(`payment_review`, `holded`), and less than twice as old. What is left for longer does not count.",
        good="Zero.",
        then="`pending_payment`: the cron job `sales_clean_orders` fails, or no confirmation arrives. The "
        "others: nobody looks at the list.",
        asks=(Ask(expr=sum_by(here(order_states.LATE), "state"), legend="{{state}}"),),
        unit="locale",
        decimals=0,
        empty="order states collector off",
        threshold=thresholds.LATE_ORDERS,
        width=8,
        link=Link("How old are they?", UID, "open_orders_age"),
        overrides=told_apart("pending_payment", "payment_review", "holded"),
    ),
    Graph(
        key="emails",
        title="Do customers get their e-mails?",
        meaning="Age of the oldest order, invoice, shipment or credit memo whose e-mail is owed.",
        good="Zero.",
        then="Rising: the cron job `sales_send_order_emails` or the mail server.",
        asks=(Ask(expr=max_by(here(order_emails.OLDEST), "document"), legend="{{document}}"),),
        unit="s",
        empty="e-mail collector off",
        threshold=thresholds.EMAIL_UNSENT_SECONDS,
        width=8,
        link=Link("Does the job run?", CRON, "jobs"),
        clock=MINUTES,
        overrides=told_apart("order", "invoice", "shipment", "creditmemo"),
    ),
    Graph(
        key="grid",
        title="Are orders in the list?",
        meaning="Orders that are not in the grid of orders, and the mails not yet sent.",
        good="Zero.",
        then="With asynchronous grids the cron job `sales_grid_order_async_insert` must run.",
        asks=(
            Ask(expr=max_by(here(order_grid.MISSING)), legend="orders missing in the grid"),
            Ask(expr=sum_by(here(order_emails.UNSENT)), legend="e-mails not sent"),
        ),
        unit="locale",
        decimals=0,
        empty="collector off",
        width=8,
        link=Link("Does the job run?", CRON, "jobs"),
    ),
    Graph(
        key="grid_age",
        title="Missing for how long?",
        meaning="Age of the oldest order that is not in the grid of orders.",
        good="Zero.",
        then="Rising: the cron job `sales_grid_order_async_insert` does not run, or fails at one order.",
        asks=(Ask(expr=max_by(here(order_grid.OLDEST)), legend="oldest missing order"),),
        unit="s",
        empty="collector off",
        width=8,
        legend=False,
        link=Link("Does the job run?", CRON, "jobs"),
        clock=MINUTES,
    ),
    Graph(
        key="unpaid",
        title="Are payments confirmed?",
        meaning=(
            "Share of the orders of the last two hours, older than ten minutes, that wait for their payment, "
            "by store. The orders are at most the newest 500 of the shop."
        ),
        good="Level: customers who leave at the provider's page are the same share each day.",
        then="Rising: the provider's webhook does not arrive. Magento cancels these orders after eight "
        "hours.",
        asks=(
            Ask(
                expr=sum_by(here(order_states.NEWEST_UNPAID), "store")
                / (sum_by(here(order_states.NEWEST), "store") > 0),
                legend="{{store}}",
            ),
        ),
        unit="percentunit",
        empty="no order in two hours",
        by_name=True,
        width=12,
        link=Link("How old are they?", UID, "open_orders_age"),
    ),
    Graph(
        key="documents",
        title="Does the shop keep up with its orders? (5 min)",
        meaning="Orders, invoices, shipments, refunds and cancellations of five minutes at each moment.",
        good="Invoices and shipments follow the orders.",
        then="Orders without invoices: capture fails. Refunds or cancellations above the usual: ask support.",
        asks=(
            Ask(expr=five_minutes(placed.PLACED), legend="orders"),
            Ask(expr=five_minutes(order_documents.INVOICED), legend="invoices"),
            Ask(expr=five_minutes(order_documents.SHIPPED), legend="shipments"),
            Ask(expr=five_minutes(order_documents.REFUNDED), legend="refunds"),
            Ask(expr=five_minutes(order_cancellations.CANCELLATIONS), legend="cancellations"),
            Ask(expr=five_minutes(placed.EDITED), legend="edited by an administrator"),
        ),
        unit="locale",
        empty="nothing counted yet",
        table=True,
        width=12,
        link=Link("Do orders get stuck?", UID, "open"),
        decimals=0,
    ),
)

_BLOAT: Final[tuple[Panel, ...]] = (
    Graph(
        key="quote_rows",
        title="Does the table of carts bloat?",
        meaning="The server's estimate of the rows of `quote`, within some 40 %.",
        good="Level: carts older than their lifetime, 30 days by default, are deleted.",
        then="Growing without end slows checkout and backups: see the age beside it.",
        asks=(Ask(expr=max_by(here(carts.TABLE_ROWS)), legend="rows"),),
        unit="locale",
        empty="the server gives no estimate",
        width=12,
        legend=False,
        link=Link("Does sales_clean_quotes run?", CRON, "jobs"),
        decimals=0,
    ),
    Graph(
        key="quote_age",
        title="Are old carts cleaned up?",
        meaning="Days since the oldest last change of a cart, the ten stores with the oldest in this range.",
        good="Up to the lifetime of carts, 30 days by default.",
        then="Older: the cron job `sales_clean_quotes` fails or does not keep up.",
        asks=(
            Ask(
                expr=max_by(age(here(carts.OLDEST)), "store").only_if(_oldest_carts(), on=("store",))
                / thresholds.DAY,
                legend="{{store}}",
            ),
        ),
        unit="none",
        axis="days",
        empty="no cart, or an index is missing",
        by_name=True,
        width=12,
        link=Link("Does sales_clean_quotes run?", CRON, "jobs"),
    ),
)

DASHBOARD: Final = Dashboard(
    uid=UID,
    title="Magento / After the order",
    description="Do orders get paid, confirmed, invoiced and shipped, and are old carts cleaned up?",
    annotations=(CALLED, FIRING, MAINTENANCE, DEPLOYED, FLUSHED),
    rows=(
        Row(title="What happens after the order?", panels=_AFTER),
        Row(title="Are old carts cleaned up?", panels=_BLOAT),
    ),
)
