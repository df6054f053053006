"""After the order: it does not move on, its e-mail does not come, or nobody sees it."""

from __future__ import annotations

from functools import partial
from typing import Final

from alerts import thresholds as limits
from alerts.lib.cases import MINUTE, At, Cases, Input
from alerts.lib.model import Alert, Category, Panel, Severity, Team, Unit, Urgently
from alerts.thresholds import critical, warning
from exporter.collectors import order_emails, order_grid, order_states
from promql.expr import series

_orders: Final = partial(
    Alert, severity=Severity.WARNING, team=Team.COMMERCE, service="orders", category=Category.BUSINESS
)
_PENDING: Final = "pending_payment"
_REVIEW: Final = "=~payment_review|holded"

ALERTS: Final = (
    _orders(
        name="MagentoOrdersPendingPaymentStuck",
        value=series(order_states.OLDEST_AGE, state=_PENDING),
        threshold=warning(limits.OPEN_ORDER_SECONDS),
        unit=Unit.SECONDS,
        scope="store",
        for_=30 * MINUTE,
        keep_firing_for=30 * MINUTE,
        summary="Orders wait too long for their payment.",
        description="The oldest order of {{ $labels.store }} that waits for payment is "
        "{{ $value | humanizeDuration }} old (limit %limit%).",
        impact="Stock stays reserved, paid orders may not be shipped, and customers ask where they are.",
        first_action="See whether the cron job sales_clean_orders fails, and whether payment webhooks "
        "arrive.",
        why="Magento cancels these orders after eight hours by default. One order that cannot be cancelled "
        "stops the whole job.",
        panel=Panel("magento-after-order", "open_orders_age"),
        cases=Cases(
            entity={"store": "de"},
            labels={"state": _PENDING},
            inputs={
                "oldest_age": Input(
                    order_states.OLDEST_AGE,
                    labels={"state": _PENDING},
                    bad=At(90_000),
                    good=At(7_200),
                    edge=At(86_400),
                )
            },
            expected_description="The oldest order of de that waits for payment is 1d 1h 0m 0s old (limit "
            "1d).",
        ),
    ),
    _orders(
        name="MagentoOrdersStuckInReview",
        value=series(order_states.OLDEST_AGE, state=_REVIEW),
        threshold=warning(limits.REVIEW_SECONDS),
        unit=Unit.SECONDS,
        scope="store",
        for_=30 * MINUTE,
        keep_firing_for=30 * MINUTE,
        summary="Orders are held and nobody looks at them.",
        description="The oldest order of {{ $labels.store }} in state {{ $labels.state }} is "
        "{{ $value | humanizeDuration }} old (limit %limit%).",
        impact="Paid or suspicious orders are neither shipped nor refunded; authorisations run out.",
        first_action="Open the oldest orders in this state in the admin and decide, or ask the gateway.",
        why="People or the gateway decide a review within a day. After two days nobody looks at the list.",
        panel=Panel("magento-after-order", "open_orders_age"),
        cases=Cases(
            entity={"store": "de", "state": "payment_review"},
            inputs={
                "oldest_age": Input(
                    order_states.OLDEST_AGE, bad=At(180_000), good=At(7_200), edge=At(172_800)
                )
            },
            expected_description="The oldest order of de in state payment_review is 2d 2h 0m 0s old (limit "
            "2d).",
        ),
    ),
    _orders(
        name="MagentoOrderEmailsUnsent",
        value=series(order_emails.OLDEST),
        threshold=warning(limits.EMAIL_UNSENT_SECONDS),
        unit=Unit.SECONDS,
        urgently=Urgently(f"gt $value {critical(limits.EMAIL_UNSENT_SECONDS):.1f}", "after four hours"),
        scope="document",
        for_=15 * MINUTE,
        keep_firing_for=15 * MINUTE,
        summary="Customers do not get their e-mails.",
        description="An e-mail for a document of type {{ $labels.document }} has been unsent for {{ $value "
        "| humanizeDuration }} (limit %limit%).",
        impact="Customers doubt their order, order twice, or call.",
        first_action="Look for mail errors in var/log/exception.log, then at the job that sends them.",
        why="Magento sends e-mails at once, or by a job that runs every minute. If one is half an "
        "hour late, sending is broken.",
        panel=Panel("magento-after-order", "emails"),
        cases=Cases(
            entity={"document": "order"},
            inputs={"oldest": Input(order_emails.OLDEST, bad=At(1860), good=At(0), edge=At(1800))},
            expected_description="An e-mail for a document of type order has been unsent for 31m 0s (limit "
            "30m).",
        ),
    ),
    _orders(
        name="MagentoOrdersMissingFromGrid",
        value=series(order_grid.MISSING),
        threshold=0,
        for_=15 * MINUTE,
        keep_firing_for=10 * MINUTE,
        summary="Orders are missing from the admin's list.",
        description='{{ $value | printf "%.0f" }} orders are not in the order grid.',
        impact="Nobody sees, packs or ships these orders; exports that read the grid lose them.",
        first_action="See whether the grid is filled by cron (dev/grid/async_indexing) and that job runs.",
        why="An order enters the grid in its own transaction, or a minute later by cron.",
        panel=Panel("magento-after-order", "grid"),
        cases=Cases(
            inputs={"missing": Input(order_grid.MISSING, bad=At(3), good=At(0), edge=At(0))},
            expected_description="3 orders are not in the order grid.",
        ),
    ),
)
