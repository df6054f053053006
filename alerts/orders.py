"""After the order: it does not move on, its e-mail does not come, or nobody sees it."""

from __future__ import annotations

from functools import partial
from typing import Final

from alerts import thresholds as limits
from alerts.lib.cases import DAY, HOUR, MINUTE, At, Cases, Hourly, Input, Line
from alerts.lib.condition import only_where, unless
from alerts.lib.model import Alert, Category, NoData, Panel, Severity, Team, Unit, Urgently
from alerts.lib.recording import Recording
from alerts.thresholds import critical, warning
from exporter.collectors import order_emails, order_grid, order_states
from exporter.collectors.customers import REGISTERED
from exporter.collectors.expected_orders import HOLIDAY
from exporter.collectors.order_cancellations import CANCELLATIONS
from exporter.collectors.order_documents import REFUNDED, SHIPPED
from exporter.core.metrics import Metric
from exporter.magento.orders import PENDING_PAYMENT
from promql.expr import Expr, clamp_min, increase, max_by, over_time, relabel, series, sum_by, union
from promql.metrics import SHOP, STORE

_orders: Final = partial(
    Alert, severity=Severity.WARNING, team=Team.COMMERCE, service="orders", category=Category.BUSINESS
)
_PENDING: Final = PENDING_PAYMENT
_REVIEW: Final = "=~payment_review|holded"


def _recorded(name: str, expr: Expr, text: str) -> Recording:
    return Recording(name, expr, group="orders", help=text)


def _undone(counter: Metric, kind: str) -> Expr:
    return relabel(sum_by(increase(series(counter)["2h"]), *STORE), target="kind", value=kind)


def _shipments(offset: str) -> Expr:
    shipped = series(SHIPPED)
    return sum_by(increase((shipped.before(offset) if offset else shipped)["12h"]), *SHOP)


_DE: Final = {"store": "de"}

UNPAID_SHARE: Final = _recorded(
    "magento:orders_newest_unpaid:ratio",
    series(order_states.NEWEST_UNPAID) / (series(order_states.NEWEST) > 0),
    "Share of the orders of the last two hours that wait for their payment, by store.",
)
UNDONE: Final = _recorded(
    "magento:orders_undone:increase2h",
    union(_undone(CANCELLATIONS, "cancelled"), _undone(REFUNDED, "refunded")),
    "Orders cancelled and refunded in the last two hours, by store and kind.",
)
REGISTRATIONS: Final = _recorded(
    "magento:customers_registered:increase1h",
    sum_by(increase(series(REGISTERED)["1h"]), *SHOP, "website"),
    "Accounts made in the last hour, by website.",
)
RECORDINGS: Final = (UNPAID_SHARE, UNDONE, REGISTRATIONS)

ALERTS: Final = (
    _orders(
        name="MagentoOrdersPendingPaymentStuck",
        value=series(order_states.LATE, state=_PENDING),
        threshold=warning(limits.LATE_ORDERS),
        scope=None,
        for_=30 * MINUTE,
        keep_firing_for=30 * MINUTE,
        summary="Orders wait too long for their payment.",
        description="Orders of {{ $labels.store }} that have waited for their payment for a day, and not yet "
        "for two: {{ $value }} (limit %limit%).",
        impact="Stock stays reserved, paid orders may not be shipped, and customers ask where they are.",
        first_action="See whether the cron job sales_clean_orders fails, and whether payment webhooks "
        "arrive.",
        why="Magento cancels these orders after eight hours by default. One order that cannot be cancelled "
        "stops the whole job. What has waited for two days does not count any more.",
        panel=Panel("magento-after-order", "late"),
        cases=Cases(
            entity={"store": "de"},
            labels={"state": _PENDING},
            inputs={
                "late": Input(
                    order_states.LATE, labels={"state": _PENDING}, bad=At(3), good=At(0), edge=At(0)
                )
            },
            expected_description="Orders of de that have waited for their payment for a day, and not yet for "
            "two: 3 (limit 0).",
        ),
    ),
    _orders(
        name="MagentoOrdersStuckInReview",
        value=series(order_states.LATE, state=_REVIEW),
        threshold=warning(limits.LATE_ORDERS),
        scope=None,
        for_=30 * MINUTE,
        keep_firing_for=30 * MINUTE,
        summary="Orders are held and nobody looks at them.",
        description="Orders of {{ $labels.store }} in state {{ $labels.state }} that were placed two days "
        "ago, and not yet four: {{ $value }} (limit %limit%).",
        impact="Paid or suspicious orders are neither shipped nor refunded; authorisations run out.",
        first_action="Open the oldest orders in this state in the admin and decide, or ask the gateway.",
        why="People or the gateway decide a review within a day. After two days nobody looks at the list. An "
        "order that is left for four days does not count any more.",
        panel=Panel("magento-after-order", "late"),
        cases=Cases(
            entity={"store": "de", "state": "payment_review"},
            inputs={"late": Input(order_states.LATE, bad=At(3), good=At(0), edge=At(0))},
            expected_description="Orders of de in state payment_review that were placed two days ago, and "
            "not yet four: 3 (limit 0).",
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
    _orders(
        name="MagentoPaymentsUnconfirmed",
        severity=Severity.URGENT,
        service="payment",
        value=series(UNPAID_SHARE) - over_time("avg", series(UNPAID_SHARE).before("2h")["1w"]),
        threshold=warning(limits.UNPAID_MORE),
        unit=Unit.RATIO,
        guard=(only_where(series(order_states.NEWEST_UNPAID) >= limits.UNPAID_ORDERS),),
        scope="store",
        for_=15 * MINUTE,
        keep_firing_for=30 * MINUTE,
        summary="Payments are not confirmed: many more new orders than usual wait for theirs.",
        description="In {{ $labels.store }} the share of new orders that wait for their payment is "
        "{{ $value | humanizePercentage }} above that of the week (limit %limit%).",
        impact="Customers have paid, and nothing is shipped. After eight hours Magento cancels their orders.",
        first_action="Look for the payment provider's webhooks in its console and in the web server's log.",
        why="It looks at the orders of the last two hours, older than ten minutes. Customers who leave are "
        "in the usual share. Magento cancels after eight hours by default (delete_pending_after), so "
        "there is "
        "time to repair the webhook.",
        panel=Panel("magento-after-order", "unpaid"),
        cases=Cases(
            entity=_DE,
            inputs={
                "newest": Input(order_states.NEWEST, bad=At(100), good=At(100)),
                "unpaid": Input(
                    order_states.NEWEST_UNPAID, bad=Line(5 - 27 * 4, 27), good=At(5), edge=At(30)
                ),
            },
            silent={
                "the shop's orders always wait": {"unpaid": At(60)},
                "hardly any orders": {"newest": At(12), "unpaid": At(9)},
            },
            needs_all_inputs=False,
            warm_up=4 * HOUR,
            reaches_limit_after=56 * MINUTE,
            expected_description="In de the share of new orders that wait for their payment is 31.95% above "
            "that of the week (limit 25 %).",
        ),
    ),
    _orders(
        name="MagentoShipmentsStopped",
        value=_shipments("") / (_shipments("1w") > limits.SHIPMENTS_COUNT),
        op="<",
        threshold=warning(limits.SHIPMENTS),
        unit=Unit.RATIO,
        guard=(unless(max_by(series(HOLIDAY), *SHOP).equals(1), on=SHOP),),
        scope="",
        for_=2 * HOUR,
        keep_firing_for=HOUR,
        no_data=NoData.OPTIONAL,
        summary="Orders are not shipped.",
        description="In twelve hours only {{ $value | humanizePercentage }} of the shipments of the same "
        "hours of last week were made (limit %limit%).",
        impact="Customers wait for their goods, and nobody in the warehouse may have seen the orders.",
        first_action="Ask the warehouse; then look whether the export to the ERP runs and its orders arrive.",
        why="A warehouse works at the same hours each week. On a public holiday it is silent. Any other "
        "day off "
        "looks the same, so it is a warning.",
        panel=Panel("magento-after-order", "documents"),
        cases=Cases(
            inputs={
                "shipped": Input(SHIPPED, labels=_DE, bad=Hourly(1), good=Hourly(10), edge=Hourly(2.1)),
                "holiday": Input(HOLIDAY, labels=_DE, bad=At(0), good=At(0), needed=False),
            },
            silent={"it is a holiday": {"holiday": At(1)}},
            needs_all_inputs=False,
            covers_all_places=True,
            warm_up=8 * DAY,
            step=HOUR,
            reaches_limit_after=10 * HOUR,
            clears_after=HOUR,
            expected_description="In twelve hours only 10% of the shipments of the same hours of last week "
            "were made (limit 20 %).",
        ),
    ),
    _orders(
        name="MagentoOrdersUndone",
        value=series(UNDONE)
        / clamp_min(over_time("max", series(UNDONE)["1w":"30m"].before("2h")), limits.UNDONE_AT_LEAST),
        threshold=warning(limits.UNDONE_FACTOR),
        unit=Unit.FACTOR,
        scope="store",
        for_=15 * MINUTE,
        keep_firing_for=HOUR,
        no_data=NoData.OPTIONAL,
        summary="A wave of cancellations or refunds.",
        description='In {{ $labels.store }} {{ $value | printf "%.1f" }} times as many orders were '
        "{{ $labels.kind }} in two hours as in the busiest two hours of the last week (limit %limit%).",
        impact="Sales are lost, or somebody gives money back that nobody has asked for.",
        first_action="Look at the latest of them: did a person, an integration or a cron job do it?",
        why="A person or a nightly batch makes the busiest two hours of a week. Twice as many, and at least "
        "20, have another cause.",
        panel=Panel("magento-after-order", "documents"),
        cases=Cases(
            entity=_DE,
            labels={"kind": "cancelled"},
            inputs={"canceled": Input(CANCELLATIONS, bad=Hourly(20), good=Hourly(2), edge=Hourly(9.5))},
            warm_up=6 * HOUR,
            step=5 * MINUTE,
            reaches_limit_after=50 * MINUTE,
            windows_full_after=2 * HOUR,
            clears_after=65 * MINUTE,
            expected_description="In de 2.5 times as many orders were cancelled in two hours as in the "
            "busiest two hours of the last week (limit 2).",
        ),
    ),
    _orders(
        name="MagentoRegistrationsUnusual",
        severity=Severity.URGENT,
        service="customers",
        category=Category.SECURITY,
        value=series(REGISTRATIONS)
        / clamp_min(
            over_time("max", series(REGISTRATIONS)["1w":"30m"].before("1h")), limits.REGISTRATIONS_AT_LEAST
        ),
        threshold=warning(limits.REGISTRATIONS_FACTOR),
        unit=Unit.FACTOR,
        scope="",
        for_=10 * MINUTE,
        keep_firing_for=HOUR,
        no_data=NoData.OPTIONAL,
        summary="Accounts are registered by a program.",
        description='On {{ $labels.website }} {{ $value | printf "%.1f" }} times as many accounts were '
        "made in "
        "an hour as in the busiest hour of the last week (limit %limit%).",
        impact="The shop sends spam in its own name, and its mails are soon refused; fraud may follow.",
        first_action="Turn on reCAPTCHA for new accounts; block the addresses they come from at the CDN.",
        why="Three times the busiest hour of a week, and at least 90 accounts, are no customers. A campaign "
        "that asks for accounts, or an import, looks the same.",
        panel=Panel("magento-checkout", "accounts"),
        cases=Cases(
            entity={"website": "main"},
            inputs={
                "registered": Input(REGISTERED, labels=_DE, bad=Hourly(120), good=Hourly(4), edge=Hourly(89))
            },
            warm_up=6 * HOUR,
            step=5 * MINUTE,
            reaches_limit_after=40 * MINUTE,
            windows_full_after=HOUR,
            clears_after=15 * MINUTE,
            expected_description="On main 3.7 times as many accounts were made in an hour as in the busiest "
            "hour of the last week (limit 3).",
        ),
    ),
)
