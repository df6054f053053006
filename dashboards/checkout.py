"""Selling now: which store, which step of the checkout, which payment method."""

from __future__ import annotations

from typing import Final

from alerts import thresholds
from alerts.recording import ATTEMPTS, FAILED, LEAST, STAGES
from dashboards.lib.annotations import DEPLOYED, FIRING, FLUSHED, MAINTENANCE
from dashboards.lib.business import (
    FAILING_GOOD,
    FAILING_MEANING,
    RANGE,
    SHOWN,
    SINCE_INSTALLED,
    STAGE_NAMES,
    against_expected,
    an_hour,
    expected,
    failed_share,
    least_failed_share,
    orders,
    recent,
    recorded,
    revenue_of_a_day,
    since_last_order,
    stage_in_a_day,
)
from dashboards.lib.here import here
from dashboards.lib.links import ROW_STORE, Link
from dashboards.lib.page import Dashboard
from dashboards.lib.panels import Ask, Bars, Column, Graph, Panel, Row, Stat, Table
from dashboards.lib.style import Colour, line, override
from dashboards.lib.uids import CHECKOUT, INDEXERS, MONEY, PAGE_CACHE, SLO
from dashboards.lib.variables import Variable, labels_in
from exporter.collectors import (
    carts,
    checkout,
    customers,
    expected_orders,
    placements,
    redis,
    search_terms,
)
from exporter.collectors import orders as placed
from promql.expr import Expr, increase, max_by, over_time, sum_by, top
from promql.metrics import Selectable

UID: Final = CHECKOUT

STAGE_COLOURS: Final = {
    "Cart": Colour.NEUTRAL,
    "Address": Colour.SECOND,
    "Shipping": Colour.ACCENT,
    "Payment": Colour.THIRD,
    "Order": Colour.ORDERED,
}
CART_AGES: Final = {"lt_15m": "in 15 minutes", "lt_1h": "in an hour"}
BUSIEST: Final = 12
"""Stores that get a row of their own: enough to compare, few enough for a browser."""
_THIS_STORE: Final = Link("Only this store", UID, "against_expected", sets=(("store", ROW_STORE),))


def _worst_stores() -> Expr:
    """Return the ten stores that failed most at any time of the range, chance allowed for."""
    failed = over_time("max", here(LEAST["1h"])[RANGE].at_end())
    return top(SHOWN, max_by(failed, "store"))


def _busiest_methods() -> Expr:
    return top(SHOWN, sum_by(increase(here(placed.PLACED)["$__range"].at_end()), "method"))


def _most_waiting() -> Expr:
    return top(SHOWN, sum_by(over_time("max", here(placements.WAITING)[RANGE].at_end()), "store"))


def _of_busiest(metric: Selectable) -> Expr:
    return sum_by(here(metric, window="2h", store="=~$busiest"))


def _busiest() -> Variable:
    """Return the hidden variable over which rows are repeated: the stores with the most orders of a day."""
    return labels_in("busiest", "Busiest stores", top(BUSIEST, orders("1d", "store")), "store")


_HEADER: Final[tuple[Panel, ...]] = (
    Stat(
        key="selling",
        title="Orders against the usual",
        meaning=(
            "Orders against the usual for these hours of the week, over the shortest of 30 minutes, 2, 6 "
            "and 24 hours in which at least ten orders are expected."
        ),
        good="Around 100 %.",
        then="Sort the table of stores by it: one store, or all?",
        asks=(Ask(expr=against_expected()),),
        unit="percentunit",
        decimals=0,
        empty="no baseline yet",
        threshold=thresholds.ORDERS_AGAINST_EXPECTED,
        link=Link("Which store?", UID, "stores"),
        filled=True,
    ),
    Stat(
        key="orders_day",
        title="Orders in 24 hours",
        meaning="Orders placed in the last 24 hours, to the minute.",
        good="Near the same day of last week.",
        then="Compare with the expected orders below.",
        asks=(Ask(expr=orders("1d")),),
        unit="locale",
        decimals=0,
        empty="no order yet",
        base=Colour.NEUTRAL,
        spark=True,
        link=Link("Which store?", UID, "stores"),
    ),
    Stat(
        key="revenue_day",
        title="Revenue in 24 hours",
        meaning=f"Value of the orders of the last 24 hours in base currency. {SINCE_INSTALLED}",
        good="Moves with the orders.",
        then="If it does not, look at order value, discounts and currency below.",
        asks=(Ask(expr=revenue_of_a_day("currency"), legend="{{currency}}"),),
        unit="short",
        decimals=1,
        empty="no order counted yet",
        base=Colour.NEUTRAL,
        show="value_and_name",
        link=Link("Over time", MONEY, "revenue"),
    ),
    Stat(
        key="conversion",
        title="Carts that become orders",
        meaning="Carts with an order for each 100 carts with items, both of the last 24 hours.",
        good="What your shop usually has; a sudden change is the signal.",
        then="See at which step they leave.",
        asks=(Ask(expr=stage_in_a_day("order") / (stage_in_a_day("cart") > 0)),),
        unit="percentunit",
        decimals=1,
        empty="no cart in 24 hours",
        base=Colour.NEUTRAL,
        link=Link("Where do they leave?", UID, "funnel"),
    ),
    Stat(
        key="failing",
        title="Checkouts that fail, at least",
        meaning=FAILING_MEANING,
        good=FAILING_GOOD,
        then="All stores or one? See *Do payments fail?*, then the payment provider's status.",
        asks=(Ask(expr=least_failed_share("1h")),),
        unit="percentunit",
        decimals=1,
        empty="no attempt in an hour",
        threshold=thresholds.CHECKOUT_FAILURE_RATIO,
        link=Link("Since when?", UID, "failed_placements"),
    ),
    Stat(
        key="last_order",
        title="Time since the last order",
        meaning="Time since the newest order of any chosen store.",
        good="Short against the shop's usual gap between orders.",
        then="Long at a busy hour: see the first panel, which knows the hour of the week.",
        asks=(Ask(expr=since_last_order()),),
        unit="s",
        decimals=0,
        empty="no order yet",
        base=Colour.NEUTRAL,
        link=Link("By store", UID, "stores"),
    ),
)

_SELLING: Final[tuple[Panel, ...]] = (
    Graph(
        key="against_expected",
        title="Are orders what they should be?",
        meaning="Orders of the last two hours at each moment, and the usual for the same hours of the week.",
        good="The line stays around the dashed one.",
        then="Both fall: a quiet hour. Only orders fall: see the funnel and the payments.",
        asks=(
            Ask(expr=orders("2h"), legend="orders in 2 h"),
            Ask(expr=expected("2h"), legend="expected"),
        ),
        unit="locale",
        decimals=0,
        empty="no order yet",
        width=12,
        link=Link("Where do they leave?", UID, "stages"),
        overrides=(
            override("orders in 2 h", **line(Colour.NEUTRAL, fill=15)),
            override("expected", **line(Colour.MUTED, dashed=True)),
        ),
    ),
    Graph(
        key="methods",
        title="Has a payment method gone quiet?",
        meaning=(
            "Orders of the last hour at each moment, by the payment method they were placed with, the ten "
            "most used in this range."
        ),
        good="Each method keeps its share.",
        then="One method stops while others go on: its provider, its credentials or its script.",
        asks=(
            Ask(
                expr=an_hour(placed.PLACED, "method").only_if(_busiest_methods(), on=("method",)),
                legend="{{method}}",
            ),
        ),
        unit="locale",
        empty="no order counted yet",
        stacked=True,
        table=True,
        width=12,
        link=Link("Do payments fail?", UID, "failed_placements"),
        decimals=0,
    ),
    Table(
        key="stores",
        title="Which store is not selling?",
        meaning=(
            "Every chosen store over the last 24 hours, the one furthest below its usual first. Orders are "
            "read from the database; revenue, failures and carts are counted since the installation."
        ),
        good="Around 100 % of the usual; a recent last order.",
        then="Click a store to see this dashboard for it alone.",
        asks=(
            Ask(expr=recent("1d", "store") / (expected("1d", "store") > 0)),
            Ask(expr=orders("1d", "store")),
            Ask(expr=expected("1d", "store")),
            Ask(expr=since_last_order("store")),
            Ask(expr=revenue_of_a_day("store")),
            Ask(expr=failed_share("1d", "store")),
            Ask(expr=stage_in_a_day("order", "store") / (stage_in_a_day("cart", "store") > 0)),
        ),
        empty="no store known",
        columns=(
            Column(field="store", title="Store", link=_THIS_STORE),
            Column(
                field="Value #A",
                title="Against the usual",
                unit="percentunit",
                width=160,
                decimals=0,
                threshold=thresholds.ORDERS_AGAINST_EXPECTED,
                base=Colour.GOOD,
            ),
            Column(field="Value #B", title="Orders (24 h)", unit="locale", width=130, decimals=0),
            Column(field="Value #C", title="Expected (24 h)", unit="locale", width=140, decimals=0),
            Column(field="Value #D", title="Last order", unit="s", width=130, decimals=0),
            Column(field="Value #E", title="Revenue (24 h)", width=150, decimals=1),
            Column(
                field="Value #F",
                title="Checkouts failed (24 h)",
                unit="percentunit",
                width=190,
                decimals=1,
                threshold=thresholds.CHECKOUT_FAILURE_RATIO,
            ),
            Column(
                field="Value #G", title="Carts that order (24 h)", unit="percentunit", width=190, decimals=1
            ),
        ),
        sort="Value #A",
        descending=False,
        width=24,
        height=7,
        link=Link("Budgets by store", SLO, "stores"),
    ),
)

_FUNNEL: Final[tuple[Panel, ...]] = (
    Bars(
        key="funnel",
        title="Where do customers leave? (24 h)",
        meaning=f"Carts that reached each stage in 24 hours, each cart once per stage. {SINCE_INSTALLED}",
        good="Each step loses its usual share. Virtual carts skip address and shipping.",
        then="A step that suddenly loses most is broken: address form, shipping rates, payment methods.",
        asks=tuple(
            Ask(expr=stage_in_a_day(stage), legend=name, instant=True) for stage, name in STAGE_NAMES.items()
        ),
        unit="locale",
        decimals=0,
        empty="no cart in 24 hours",
        base=Colour.NEUTRAL,
        width=8,
        link=Link("Over time", UID, "stages"),
    ),
    Graph(
        key="stages",
        title="Did a step of the checkout stop?",
        meaning="Carts that reached each stage in the last quarter of an hour, at each moment.",
        good="The lines move together, one below the other.",
        then="Lines above a step go on and those below it fall: that step is broken.",
        asks=tuple(
            Ask(expr=recorded(STAGES, 15, stage=stage), legend=name) for stage, name in STAGE_NAMES.items()
        ),
        unit="locale",
        empty="nothing recorded yet, or rules not loaded",
        width=8,
        link=Link("Which store?", UID, "stores"),
        overrides=tuple(override(name, **line(colour)) for name, colour in STAGE_COLOURS.items()),
        decimals=0,
    ),
    Graph(
        key="guests",
        title="Do guests and customers both get through?",
        meaning="Orders for each cart of the last hour at each moment, by kind of customer.",
        good="Two lines at their usual heights.",
        then="Only one falls: look at login, address book or guest checkout.",
        asks=(
            Ask(
                expr=an_hour(checkout.STAGE_REACHED, "customer", stage="order")
                / (an_hour(checkout.STAGE_REACHED, "customer", stage="cart") > 0),
                legend="{{customer}}",
            ),
        ),
        unit="percentunit",
        empty="no cart in this range",
        width=8,
        link=Link("Which step?", UID, "stages"),
    ),
)

_PAYMENTS: Final[tuple[Panel, ...]] = (
    Graph(
        key="failed_placements",
        title="Do payments fail?",
        meaning="Attempts to place an order and those that left none, over the last hour at each moment.",
        good="The red area stays thin and in step with the attempts.",
        then="Red close to the attempts: nobody can pay. Many attempts, few orders: perhaps card testing.",
        asks=(
            Ask(expr=sum_by(here(ATTEMPTS["1h"])), legend="attempts in 1 h"),
            Ask(expr=sum_by(here(FAILED["1h"])), legend="failed"),
        ),
        unit="locale",
        decimals=0,
        empty="no attempt yet",
        width=8,
        link=Link("Budget", SLO, "checkout_left"),
        overrides=(
            override("attempts in 1 h", **line(Colour.NEUTRAL, fill=0)),
            override("failed", **line(Colour.CRITICAL, fill=30)),
        ),
    ),
    Graph(
        key="failed_share",
        title="In which store do they fail?",
        meaning=(
            "Failed share of the attempts of the last hour, of the ten stores that were worst in this range, "
            "chance allowed for: one failure of one attempt does not push out eighty of a hundred."
        ),
        good="Below the first line, but for single failures of a small store.",
        then="One store: its payment methods and their credentials. All: the provider, or the database.",
        asks=(
            Ask(expr=failed_share("1h", "store").only_if(_worst_stores(), on=("store",)), legend="{{store}}"),
        ),
        unit="percentunit",
        empty="no attempt in an hour",
        by_name=True,
        threshold=thresholds.CHECKOUT_FAILURE_RATIO,
        width=8,
        link=Link("Budgets by store", SLO, "stores"),
    ),
    Graph(
        key="waiting",
        by_name=True,
        title="Who is on a payment page?",
        meaning=(
            "Order numbers that active carts hold without an order: hosted payment pages, or declines. The "
            "ten stores that had most in this range."
        ),
        good="In step with the orders.",
        then="Rising while orders fall: customers do not come back from the payment page.",
        asks=(
            Ask(
                expr=sum_by(here(placements.WAITING), "store").only_if(_most_waiting(), on=("store",)),
                legend="{{store}}",
            ),
        ),
        unit="locale",
        empty="placements collector off",
        stacked=True,
        width=8,
        link=Link("Do payments fail?", UID, "failed_placements"),
        decimals=0,
    ),
)

_INTEREST: Final[tuple[Panel, ...]] = (
    Graph(
        key="carts",
        title="Do people fill carts?",
        meaning="Active carts with items that were changed lately, by the time since their last change.",
        good="Follows the visitors of the day.",
        then="Falls to nothing while pages are requested: adding to the cart is broken.",
        asks=tuple(
            Ask(expr=sum_by(here(carts.ACTIVE, age=age_)), legend=legend)
            for age_, legend in CART_AGES.items()
        ),
        unit="locale",
        empty="cart collector off",
        stacked=True,
        width=8,
        link=Link("The funnel", UID, "stages"),
        decimals=0,
    ),
    Graph(
        key="abandoned",
        title="Are more carts left behind?",
        meaning="Carts left in the last hour at each moment: with items, unchanged for the configured time.",
        good="A steady share of the carts.",
        then="A rise with orders falling: look for the broken step.",
        asks=(Ask(expr=an_hour(carts.ABANDONED), legend="carts left"),),
        unit="locale",
        empty="cart collector off",
        width=8,
        legend=False,
        link=Link("The funnel", UID, "stages"),
        decimals=0,
    ),
    Graph(
        key="abandoned_value",
        title="How much money is left in carts?",
        meaning="Value of the carts left in the last hour at each moment, in base currency.",
        good="A steady share of the revenue.",
        then="A rise with orders falling: look for the broken step.",
        asks=(Ask(expr=an_hour(carts.ABANDONED_VALUE, "currency"), legend="{{currency}}"),),
        unit="short",
        empty="cart collector off",
        width=8,
        link=Link("The funnel", UID, "stages"),
    ),
    Graph(
        key="search",
        title="Do searches find anything?",
        meaning="New search terms of the last hour by result, and uses of the top terms that find nothing.",
        good="Few terms without result.",
        then="No search has a result: the search engine or its index is gone.",
        asks=(
            Ask(expr=an_hour(search_terms.NEW, "result"), legend="new terms, results: {{result}}"),
            Ask(expr=an_hour(search_terms.USES), legend="searches without result"),
        ),
        unit="locale",
        empty="nothing counted yet",
        width=8,
        link=Link("Is the search index fresh?", INDEXERS, "backlog"),
        decimals=0,
    ),
    Graph(
        key="accounts",
        title="Do people register?",
        meaning="Accounts created in the last hour at each moment, by website.",
        good="A share of the orders.",
        then="Hundreds without orders: bots. None at all for a day: registration is broken.",
        asks=(Ask(expr=an_hour(customers.REGISTERED, "website"), legend="{{website}}"),),
        unit="locale",
        empty="nothing counted yet",
        width=8,
        link=Link("Where do they leave?", UID, "funnel"),
        decimals=0,
    ),
    Graph(
        key="sessions",
        title="How many visitors are there?",
        meaning="Live sessions in Redis, bots included.",
        good="Follows the day.",
        then="Falls to nothing: sessions were lost, customers are logged out and carts are gone.",
        asks=(Ask(expr=max_by(here(redis.SESSIONS)), legend="sessions", may_be_empty=True),),
        unit="locale",
        empty="no Redis that holds sessions only",
        width=8,
        legend=False,
        link=Link("Is Redis full?", PAGE_CACHE, "redis_memory"),
        decimals=0,
    ),
)

_EACH: Final[tuple[Panel, ...]] = (
    Graph(
        key="each_orders",
        title="$busiest: orders against the usual",
        meaning="Orders of the last two hours of this store, and the usual for the same hours of the week.",
        good="The line stays around the dashed one.",
        then="Click for this store alone.",
        asks=(
            Ask(expr=_of_busiest(expected_orders.RECENT), legend="orders in 2 h"),
            Ask(expr=_of_busiest(expected_orders.EXPECTED), legend="expected"),
        ),
        unit="locale",
        decimals=0,
        empty="no order in two hours",
        width=12,
        height=7,
        link=Link("Only this store", UID, "against_expected", sets=(("store", "${busiest}"),)),
        overrides=(
            override("orders in 2 h", **line(Colour.NEUTRAL, fill=15)),
            override("expected", **line(Colour.MUTED, dashed=True)),
        ),
    ),
    Graph(
        key="each_failed",
        title="$busiest: failed checkouts",
        meaning="Attempts to place an order in this store and those that left none, over the last hour.",
        good="The red area stays thin.",
        then="Click for this store alone.",
        asks=(
            Ask(expr=sum_by(here(ATTEMPTS["1h"], store="=~$busiest")), legend="attempts in 1 h"),
            Ask(expr=sum_by(here(FAILED["1h"], store="=~$busiest")), legend="failed"),
        ),
        unit="locale",
        decimals=0,
        empty="no attempt in an hour",
        width=12,
        height=7,
        link=Link("Only this store", UID, "failed_placements", sets=(("store", "${busiest}"),)),
        overrides=(
            override("attempts in 1 h", **line(Colour.NEUTRAL, fill=0)),
            override("failed", **line(Colour.CRITICAL, fill=30)),
        ),
    ),
)

DASHBOARD: Final = Dashboard(
    uid=UID,
    title="Magento / Selling now",
    description="Which store, which step of the checkout, which payment method does not sell?",
    variables=(_busiest(),),
    annotations=(FIRING, MAINTENANCE, DEPLOYED, FLUSHED),
    rows=(
        Row(panels=_HEADER),
        Row(title="Are we selling?", panels=_SELLING),
        Row(title="Where do customers leave?", panels=_FUNNEL),
        Row(title="Can customers pay?", panels=_PAYMENTS),
        Row(title="Is there interest?", panels=_INTEREST),
        Row(title="Store $busiest", panels=_EACH, collapsed=True, repeat="busiest", key="each_store"),
    ),
)
