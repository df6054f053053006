"""Selling now: which store, which step of the checkout, which payment method."""

from __future__ import annotations

from typing import Final

from alerts import thresholds
from alerts.recording import FAILED, LEAST, STAGES
from alerts.selling import glance
from dashboards.lib.annotations import CALLED, DEPLOYED, FIRING, FLUSHED, MAINTENANCE
from dashboards.lib.business import (
    ATTEMPTS_AND_FAILED,
    BARS_WITH_THE_USUAL,
    FAILING_GOOD,
    FAILING_MEANING,
    RANGE,
    SHOWN,
    SINCE_INSTALLED,
    STAGE_NAMES,
    against_expected,
    attempts_and_failed,
    expected,
    failed_share,
    five_minutes,
    least_failed_share,
    orders,
    orders_with_the_usual,
    recent,
    revenue_of_a_day,
    since_last_order,
    stage_in_a_day,
)
from dashboards.lib.here import here
from dashboards.lib.links import ROW_STORE, Link
from dashboards.lib.page import Dashboard
from dashboards.lib.panels import Ask, Bars, Column, Graph, Panel, Row, Stat, Table
from dashboards.lib.style import Colour, line, override, words
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


def _busiest() -> Variable:
    """Return the hidden variable over which rows are repeated: the stores with the most orders of a day."""
    return labels_in("busiest", "Busiest stores", top(BUSIEST, orders("1d", "store")), "store")


_NOW: Final[tuple[Panel, ...]] = (
    Stat(
        key="selling",
        title="Against the usual",
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
        width=8,
        height=3,
    ),
    Stat(
        key="last_order",
        title="Last order ago",
        meaning="Time since the newest order of any chosen store.",
        good="Short against the shop's usual gap between orders.",
        then="Long at a busy hour: see the first panel, which knows the hour of the week.",
        asks=(Ask(expr=since_last_order()),),
        unit="s",
        decimals=0,
        empty="no order yet",
        base=Colour.NEUTRAL,
        link=Link("By store", UID, "stores"),
        width=8,
        height=3,
    ),
    Stat(
        key="failing",
        title="Failed at least (1 h)",
        meaning=FAILING_MEANING,
        good=FAILING_GOOD,
        then="All stores or one? See *Do payments fail?*, then the payment provider's status.",
        asks=(Ask(expr=least_failed_share("1h")),),
        unit="percentunit",
        decimals=1,
        empty="no attempt in an hour",
        threshold=thresholds.CHECKOUT_FAILURE_RATIO,
        link=Link("Since when?", UID, "failed_placements"),
        width=8,
        height=3,
    ),
)

_DAY: Final[tuple[Panel, ...]] = (
    Stat(
        key="orders_day",
        title="Orders (24 h)",
        meaning="Orders placed in the last 24 hours, to the minute.",
        good="Near the same day of last week.",
        then="Compare with the expected orders below.",
        asks=(Ask(expr=orders("1d")),),
        unit="locale",
        decimals=0,
        empty="no order yet",
        base=Colour.NEUTRAL,
        link=Link("Which store?", UID, "stores"),
        width=8,
        height=3,
    ),
    Stat(
        key="revenue_day",
        title="Revenue (24 h)",
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
        width=8,
        height=3,
    ),
    Stat(
        key="conversion",
        title="Carts ordered (24 h)",
        meaning="Carts with an order for each 100 carts with items, both of the last 24 hours.",
        good="What your shop usually has; a sudden change is the signal.",
        then="See at which step they leave.",
        asks=(Ask(expr=stage_in_a_day("order") / (stage_in_a_day("cart") > 0)),),
        unit="percentunit",
        decimals=1,
        empty="no cart in 24 hours",
        base=Colour.NEUTRAL,
        link=Link("Where do they leave?", UID, "funnel"),
        width=8,
        height=3,
    ),
)

_SELLING: Final[tuple[Panel, ...]] = (
    Graph(
        key="against_expected",
        title="Are orders what they should be? (5 min)",
        meaning="Orders of the five minutes before each moment, those of a week ago, and the usual.",
        good="The bars reach about as high as the lines.",
        then="Bars and lines fall: a quiet hour. Only the bars fall: see the funnel and the payments.",
        asks=orders_with_the_usual(),
        unit="locale",
        decimals=0,
        empty="no order yet",
        bars=True,
        width=12,
        link=Link("Where do they leave?", UID, "stages"),
        overrides=BARS_WITH_THE_USUAL,
    ),
    Graph(
        key="methods",
        title="Has a payment method gone quiet? (5 min)",
        meaning=(
            "Orders of the five minutes before each moment, by the payment method they were placed with, the "
            "ten most used in this range."
        ),
        good="Each method keeps its share.",
        then="One method stops while others go on: its provider, its credentials or its script.",
        asks=(
            Ask(
                expr=five_minutes(placed.PLACED, "method").only_if(_busiest_methods(), on=("method",)),
                legend="{{method}}",
            ),
        ),
        unit="locale",
        empty="no order counted yet",
        bars=True,
        stacked=True,
        table=True,
        width=12,
        link=Link("Do payments fail?", UID, "failed_placements"),
        decimals=0,
    ),
    Graph(
        key="due",
        title="Are orders overdue?",
        meaning=(
            "Orders that should have come since the last one, in the store where most are missing and in the "
            "whole shop. By the hour of the week alone, and by the carts filled since then as well."
        ),
        good="Far below the first line; it falls to zero with each order.",
        then="All rise: customers fill carts and cannot order. Only the hour's rises: nobody comes.",
        asks=(
            Ask(expr=max_by(here(glance.AWAITED)), legend="by hour and carts"),
            Ask(expr=max_by(here(expected_orders.SINCE_LAST)), legend="by the hour, a store"),
            Ask(expr=max_by(here(expected_orders.SHOP_SINCE_LAST)), legend="by the hour, the shop"),
        ),
        unit="locale",
        decimals=0,
        empty="no baseline yet",
        threshold=thresholds.ORDERS_OVERDUE,
        soft_most=20.0,
        width=8,
        link=Link("Which step?", UID, "stages"),
    ),
    Graph(
        key="carts_since",
        title="Are carts filled without an order?",
        meaning="Carts filled since the last order, in the store with most and in the whole shop.",
        good="A few; it falls to zero with each order.",
        then="Rising without end: the step after the cart is broken.",
        asks=(
            Ask(expr=max_by(here(checkout.CARTS_SINCE_ORDER)), legend="a store"),
            Ask(expr=max_by(here(checkout.SHOP_CARTS_SINCE_ORDER)), legend="the shop"),
        ),
        unit="locale",
        decimals=0,
        empty="no order yet",
        width=8,
        link=Link("Which step?", UID, "stages"),
    ),
    Graph(
        key="method_gap",
        title="Orders since a method's last",
        meaning=(
            "Orders of the store that came since the last one with each payment method, in the store with "
            "most. The ten most used methods in this range."
        ),
        good="Each method falls to zero now and then.",
        then="One that was used often rises without end: it is dead, whatever its provider says.",
        asks=(
            Ask(
                expr=max_by(here(placed.SINCE_LAST), "method").only_if(_busiest_methods(), on=("method",)),
                legend="{{method}}",
            ),
        ),
        unit="locale",
        decimals=0,
        empty="no order counted yet",
        by_name=True,
        width=8,
        link=Link("Do payments fail?", UID, "failed_placements"),
    ),
    Table(
        key="stores",
        title="How did each store sell?",
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
            Ask(expr=max_by(here(expected_orders.HOLIDAY), "store"), may_be_empty=True),
        ),
        empty="no store known",
        columns=(
            Column(field="store", title="Store", link=_THIS_STORE),
            Column(
                field="Value #A",
                title="Against the usual (24 h)",
                unit="percentunit",
                width=200,
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
            Column(
                field="Value #H",
                title="Public holiday",
                width=130,
                mappings=words({0.0: ("no", Colour.MUTED), 1.0: ("yes", Colour.ACCENT)}),
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
        title="Did a step of the checkout stop? (5 min)",
        meaning="Carts that reached each stage in the five minutes before each moment.",
        good="The lines move together, one below the other.",
        then="Lines above a step go on and those below it fall: that step is broken.",
        asks=tuple(
            Ask(expr=sum_by(here(STAGES, stage=stage)), legend=name) for stage, name in STAGE_NAMES.items()
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
        title="Do guests and customers order? (5 min)",
        meaning="Orders of the five minutes before each moment, by kind of customer.",
        good="Both at their usual heights.",
        then="Only one stops: look at login, address book or guest checkout.",
        asks=(
            Ask(
                expr=five_minutes(checkout.STAGE_REACHED, "customer", stage="order"),
                legend="{{customer}}",
            ),
        ),
        unit="locale",
        decimals=0,
        empty="no order in this range",
        bars=True,
        stacked=True,
        width=8,
        link=Link("Which step?", UID, "stages"),
    ),
)

_PAYMENTS: Final[tuple[Panel, ...]] = (
    Graph(
        key="failed_placements",
        title="Do payments fail? (5 min)",
        meaning="Attempts to order in the five minutes before each moment, and those that left no order.",
        good="Little red at the foot of the bars.",
        then="Red as high as the attempts: nobody can pay. Many attempts, few orders: perhaps card testing.",
        asks=attempts_and_failed(),
        unit="locale",
        decimals=0,
        empty="no attempt yet",
        bars=True,
        width=8,
        link=Link("Budget", SLO, "checkout_left"),
        overrides=ATTEMPTS_AND_FAILED,
    ),
    Graph(
        key="failed_share",
        title="In which store do they fail? (5 min)",
        meaning=(
            "Failed attempts of the five minutes before each moment, of the ten stores that were worst in "
            "this range, chance allowed for."
        ),
        good="A few declined cards.",
        then="One store: its payment methods and their credentials. All: the provider, or the database.",
        asks=(
            Ask(
                expr=sum_by(here(FAILED["5m"]), "store").only_if(_worst_stores(), on=("store",)),
                legend="{{store}}",
            ),
        ),
        unit="locale",
        decimals=0,
        empty="no attempt yet",
        by_name=True,
        bars=True,
        stacked=True,
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
        empty="no attempt yet, or placements collector off",
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
        title="Are more carts left behind? (5 min)",
        meaning="Carts left in the five minutes before each moment, unchanged for the configured time.",
        good="A steady share of the carts.",
        then="A rise with orders falling: look for the broken step.",
        asks=(Ask(expr=five_minutes(carts.ABANDONED), legend="carts left"),),
        unit="locale",
        empty="cart collector off",
        width=8,
        legend=False,
        link=Link("The funnel", UID, "stages"),
        decimals=0,
    ),
    Graph(
        key="abandoned_value",
        title="How much money is left in carts? (5 min)",
        meaning="Value of the carts left in the five minutes before each moment, in base currency.",
        good="A steady share of the revenue.",
        then="A rise with orders falling: look for the broken step.",
        asks=(Ask(expr=five_minutes(carts.ABANDONED_VALUE, "currency"), legend="{{currency}}"),),
        unit="short",
        empty="cart collector off",
        width=8,
        link=Link("The funnel", UID, "stages"),
    ),
    Graph(
        key="search",
        title="Do searches find anything? (5 min)",
        meaning="New search terms of five minutes by result, and uses of the top terms that find nothing.",
        good="Few terms without result.",
        then="No search has a result: the search engine or its index is gone.",
        asks=(
            Ask(expr=five_minutes(search_terms.NEW, "result"), legend="new terms, results: {{result}}"),
            Ask(expr=five_minutes(search_terms.USES), legend="searches without result"),
        ),
        unit="locale",
        empty="nothing counted yet",
        width=8,
        link=Link("Is the search index fresh?", INDEXERS, "backlog"),
        decimals=0,
    ),
    Graph(
        key="accounts",
        title="Do people register? (5 min)",
        meaning="Accounts created in the five minutes before each moment, by website.",
        good="A share of the orders.",
        then="Hundreds without orders: bots. None at all for a day: registration is broken.",
        asks=(Ask(expr=five_minutes(customers.REGISTERED, "website"), legend="{{website}}"),),
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
        title="$busiest: orders against the usual (5 min)",
        meaning="Orders of five minutes of this store, those of a week ago, and the usual.",
        good="The bars reach about as high as the lines.",
        then="Click for this store alone.",
        asks=orders_with_the_usual(store="=~$busiest"),
        unit="locale",
        decimals=0,
        empty="no order in this range",
        bars=True,
        width=12,
        height=7,
        link=Link("Only this store", UID, "against_expected", sets=(("store", "${busiest}"),)),
        overrides=BARS_WITH_THE_USUAL,
    ),
    Graph(
        key="each_failed",
        title="$busiest: failed checkouts (5 min)",
        meaning="Attempts to place an order in this store in five minutes, and those that left none.",
        good="Little red at the foot of the bars.",
        then="Click for this store alone.",
        asks=attempts_and_failed(store="=~$busiest"),
        unit="locale",
        decimals=0,
        empty="no attempt in this range",
        bars=True,
        width=12,
        height=7,
        link=Link("Only this store", UID, "failed_placements", sets=(("store", "${busiest}"),)),
        overrides=ATTEMPTS_AND_FAILED,
    ),
)

DASHBOARD: Final = Dashboard(
    uid=UID,
    title="Magento / Selling now",
    description="Which store, which step of the checkout, which payment method does not sell?",
    variables=(_busiest(),),
    annotations=(CALLED, FIRING, MAINTENANCE, DEPLOYED, FLUSHED),
    rows=(
        Row(panels=_NOW),
        Row(panels=_DAY),
        Row(title="Are we selling?", panels=_SELLING),
        Row(title="Where do customers leave?", panels=_FUNNEL),
        Row(title="Can customers pay?", panels=_PAYMENTS),
        Row(title="Is there interest?", panels=_INTEREST),
        Row(title="Store $busiest", panels=_EACH, collapsed=True, repeat="busiest", key="each_store"),
    ),
)
