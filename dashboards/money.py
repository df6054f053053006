"""Money: revenue by store and currency, order values, discounts and payment methods."""

from __future__ import annotations

from typing import Final

from alerts.recording import REVENUE
from dashboards.lib.annotations import CALLED, DEPLOYED, FIRING, FLUSHED, MAINTENANCE
from dashboards.lib.business import RANGE, SHOWN, an_hour, five_minutes
from dashboards.lib.here import here
from dashboards.lib.links import Link
from dashboards.lib.page import Dashboard
from dashboards.lib.panels import Ask, Column, Graph, Panel, Row, Table
from dashboards.lib.uids import AFTER_ORDER, CHECKOUT, MONEY
from exporter.collectors import order_cancellations, order_documents
from exporter.collectors import orders as placed
from promql.expr import Expr, increase, over_time, sum_by, top
from promql.metrics import Selectable

UID: Final = MONEY


def _largest_stores() -> Expr:
    return top(SHOWN, sum_by(over_time("sum", here(REVENUE)[RANGE].at_end()), "store", "currency"))


def _by_method() -> tuple[Expr, ...]:
    """Return orders, revenue, mean value, units, coupon share and discount share of each payment method.

    All of the whole shop: only the orders are counted by store, so a chosen store would divide unlike things.
    """
    placed_orders = _a_day(placed.PLACED, "method", store="=~.+")
    revenue = _a_day(placed.REVENUE_BY_METHOD, "method")
    return (
        placed_orders,
        revenue,
        revenue / (placed_orders > 0),
        _a_day(placed.ITEMS_BY_METHOD, "method") / (placed_orders > 0),
        _a_day(placed.WITH_COUPON_BY_METHOD, "method") / (placed_orders > 0),
        _a_day(placed.DISCOUNT_BY_METHOD, "method") / (revenue > 0),
    )


def _a_day(metric: Selectable, *by: str, **matchers: str) -> Expr:
    return sum_by(increase(here(metric, **matchers)["1d"]), *by)


_FLOW: Final[tuple[Panel, ...]] = (
    Graph(
        key="revenue",
        by_name=True,
        title="Which stores earn? (5 min)",
        meaning=(
            "Order value of the five minutes before each moment in base currency, the ten stores that earned "
            "most in this range."
        ),
        good="Each store at its usual height.",
        then="Currencies are not converted: choose stores of one currency to compare.",
        asks=(
            Ask(
                expr=sum_by(here(REVENUE), "store", "currency").only_if(
                    _largest_stores(), on=("store", "currency")
                ),
                legend="{{store}} {{currency}}",
            ),
        ),
        unit="short",
        empty="nothing recorded yet, or rules not loaded",
        table=True,
        width=12,
        link=Link("By store", CHECKOUT, "stores"),
    ),
    Graph(
        key="money_flow",
        title="Does the money come in, and stay? (5 min)",
        meaning="Value ordered, invoiced, refunded and cancelled in the five minutes before each moment.",
        good="Invoiced follows ordered; refunded and cancelled stay small.",
        then=(
            "Ordered without invoiced: capture fails. A sudden rise of refunded or cancelled: ask "
            "support and fraud."
        ),
        asks=(
            Ask(expr=five_minutes(placed.REVENUE, "currency"), legend="ordered {{currency}}"),
            Ask(expr=five_minutes(order_documents.INVOICED_BASE, "currency"), legend="invoiced {{currency}}"),
            Ask(expr=five_minutes(order_documents.REFUNDED_BASE, "currency"), legend="refunded {{currency}}"),
            Ask(
                expr=five_minutes(order_cancellations.CANCELED_BASE, "currency"),
                legend="cancelled {{currency}}",
            ),
        ),
        unit="short",
        empty="nothing counted yet",
        table=True,
        width=12,
        link=Link("Do orders get stuck?", AFTER_ORDER, "open"),
    ),
)

_ORDER: Final[tuple[Panel, ...]] = (
    Graph(
        key="order_value",
        title="Is an order worth the usual? (1 h)",
        meaning="Mean value of the orders of the last hour at each moment, in base currency.",
        good="The range that is usual for your shop.",
        then="A sudden fall is a price or discount error; a rise may be fraud. Currencies are not converted.",
        asks=(
            Ask(
                expr=an_hour(placed.REVENUE) / (an_hour(placed.PLACED) > 0),
                legend="mean order value",
            ),
        ),
        unit="short",
        empty="no order in this range",
        width=8,
        link=Link("Which stores earn?", UID, "revenue"),
    ),
    Graph(
        key="units",
        title="How full is an order? (1 h)",
        meaning="Units for each order of the last hour at each moment.",
        good="The range that is usual for your shop.",
        then="A sudden rise: bulk buyers, resellers or a pricing mistake that somebody found.",
        asks=(Ask(expr=an_hour(placed.ITEMS) / (an_hour(placed.PLACED) > 0), legend="units an order"),),
        unit="none",
        empty="no order in this range",
        width=8,
        legend=False,
        link=Link("Is an order worth the usual?", UID, "order_value"),
        decimals=1,
    ),
    Graph(
        key="coupons",
        title="Are discounts given away? (1 h)",
        meaning="Share of the orders of an hour with a coupon, and discount for each unit of revenue.",
        good="Changes only with campaigns.",
        then="A sudden rise without a campaign is a leaked or too generous coupon.",
        asks=(
            Ask(
                expr=an_hour(placed.WITH_COUPON) / (an_hour(placed.PLACED) > 0),
                legend="orders with coupon",
            ),
            Ask(
                expr=an_hour(placed.DISCOUNT) / (an_hour(placed.REVENUE) > 0),
                legend="discount of revenue",
            ),
        ),
        unit="percentunit",
        empty="no order in this range",
        width=8,
        link=Link("Which stores earn?", UID, "revenue"),
    ),
)

_METHODS: Final[tuple[Panel, ...]] = (
    Table(
        key="methods_table",
        title="What does each payment method bring?",
        meaning=(
            "Each payment method of the whole shop in the last 24 hours, whichever stores are chosen. "
            "Currencies are not converted."
        ),
        good="Shares, order values and discounts that are usual for your shop.",
        then="A method unlike the rest: look at its fees, its limits, and the coupons that come with it.",
        asks=tuple(Ask(expr=expr) for expr in _by_method()),
        empty="no order counted yet",
        columns=(
            Column(field="method", title="Payment method"),
            Column(field="Value #A", title="Orders (24 h)", unit="locale", width=150, decimals=0),
            Column(field="Value #B", title="Revenue (24 h)", width=160, decimals=1),
            Column(field="Value #C", title="Mean order", width=140, decimals=1),
            Column(field="Value #D", title="Units an order", unit="none", width=150, decimals=1),
            Column(field="Value #E", title="With coupon", unit="percentunit", width=140, decimals=0),
            Column(field="Value #F", title="Discount of revenue", unit="percentunit", width=180, decimals=0),
        ),
        sort="Value #B",
        width=24,
        height=7,
        link=Link("Has one gone quiet?", CHECKOUT, "methods"),
    ),
)

DASHBOARD: Final = Dashboard(
    uid=UID,
    title="Magento / Money",
    description="Which stores earn, is an order worth the usual, and does the money come in and stay?",
    annotations=(CALLED, FIRING, MAINTENANCE, DEPLOYED, FLUSHED),
    rows=(
        Row(title="Does money come in?", panels=_FLOW),
        Row(title="Is an order worth the usual?", panels=_ORDER),
        Row(title="By payment method", panels=_METHODS),
    ),
)
