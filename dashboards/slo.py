"""Objectives: how much may still go wrong this month, and how fast it is being used up."""

from __future__ import annotations

from typing import Final

from alerts import thresholds
from alerts.recording import ATTEMPTS, BUDGET, BURN, FAILED, SLO_PERIOD, STOREFRONT_STALE
from dashboards.lib.annotations import CALLED, DEPLOYED, FIRING, MAINTENANCE
from dashboards.lib.business import failed_share
from dashboards.lib.here import here
from dashboards.lib.links import ROW_STORE, Link
from dashboards.lib.page import Dashboard
from dashboards.lib.panels import Ask, Column, Graph, Panel, Row, Stack, Stat, Table
from dashboards.lib.style import Colour, at_most, line, override
from dashboards.lib.uids import CHECKOUT, INDEXERS, SLO
from exporter.collectors import placements
from promql.expr import Expr, clamp_max, clamp_min, max_by, over_time, sum_by

UID: Final = SLO
PERIOD: Final = SLO_PERIOD
PERIOD_SECONDS: Final = 30 * thresholds.DAY
_USED_UP: Final = (at_most(0.0, "used up", Colour.CRITICAL),)
_NO_ATTEMPT: Final = "no attempt yet"
_TOO_EARLY: Final = "not enough data yet"
_NO_RULES: Final = "nothing recorded yet, or rules not loaded"


def _spent(window: str, *by: str) -> Expr:
    """Return the failures as a multiple of those that the objectives of the stores allow."""
    allowed = here(ATTEMPTS[window]) * here(BUDGET)
    return sum_by(here(FAILED[window]), *by) / (sum_by(allowed, *by) > 0)


def _checkout_left(*by: str) -> Expr:
    return 1 - _spent(PERIOD, *by)


def _checkout_burn(window: str) -> Expr:
    return _spent(window)


def _burn_of_six_hours() -> Expr:
    """Return the burn rate that a forecast goes on with: 0 when nobody tried to order."""
    nobody = sum_by(here(ATTEMPTS["6h"])).equals(0)
    return _checkout_burn("6h").or_else(nobody)


def _stale_share(window: str) -> Expr:
    return max_by(over_time("avg", here(STOREFRONT_STALE)[window:"1m"]))


def _stale_share_of_period() -> Expr:
    """Return the stale part of the whole period: before it was observed, a shop counts as fresh."""
    stale = max_by(over_time("sum", here(STOREFRONT_STALE)[PERIOD:"5m"]))
    return stale / (PERIOD_SECONDS / (5 * thresholds.MINUTE))


def _freshness_left() -> Expr:
    return 1 - _stale_share_of_period() / thresholds.FRESHNESS_BUDGET


def _time_left(left: Expr, burn: Expr) -> Expr:
    """Return how long the budget lasts if it goes on burning like this; at most its period."""
    least = 1 / PERIOD_SECONDS  # not 0: what is used up stays used up when nothing fails any more
    return clamp_max(clamp_min(left, 0) * PERIOD_SECONDS / clamp_min(burn, least), PERIOD_SECONDS)


_RENEWED: Final = "The newest half hour is in it, estimated until it is over."

_CHECKOUT: Final[tuple[Panel, ...]] = (
    Stat(
        key="checkout_success",
        title="Succeeded (30 d)",
        meaning=(
            "Share of the attempts to place an order in the last 30 days that left an order. Attempts, not "
            f"customers: each retry counts. {_RENEWED}"
        ),
        good="Above the objective of each store, in the table below. A store's own month decides it.",
        then="See when the budget was spent, and in which store.",
        asks=(Ask(expr=1 - failed_share(PERIOD)),),
        unit="percentunit",
        decimals=2,
        empty=_TOO_EARLY,
        base=Colour.NEUTRAL,
        link=Link("When was it spent?", UID, "checkout_budget"),
        width=8,
    ),
    Stat(
        key="checkout_left",
        title="Budget left (30 d)",
        meaning=f"Part of the month's allowed failures that is left. {_RENEWED}",
        good="More than a quarter.",
        then="Nothing left: changes to the checkout wait until it recovers.",
        asks=(Ask(expr=_checkout_left()),),
        unit="percentunit",
        decimals=0,
        empty=_TOO_EARLY,
        threshold=thresholds.BUDGET_LEFT,
        filled=True,
        link=Link("When was it spent?", UID, "checkout_budget"),
        width=8,
        mappings=_USED_UP,
    ),
    Stat(
        key="checkout_attempts",
        title="Attempts (30 d)",
        meaning="Attempts to place an order from which the figures above are calculated. ",
        good="Thousands. With few, one failure weighs much: the alerts allow for that.",
        then="Few attempts: judge by the orders against the usual instead.",
        asks=(Ask(expr=sum_by(here(ATTEMPTS[PERIOD]))),),
        unit="locale",
        decimals=0,
        empty=_TOO_EARLY,
        base=Colour.NEUTRAL,
        link=Link("Where do customers leave?", CHECKOUT, "funnel"),
        width=8,
    ),
)

_PACE: Final[tuple[Panel | Stack, ...]] = (
    Stack(
        panels=(
            Stat(
                key="checkout_burn_now",
                title="Burn rate (1 h)",
                meaning="How many times faster than allowed the budget is being spent, over the last hour.",
                good="Up to 1.",
                then="14.4 spends a month's budget in two days: see which store.",
                asks=(Ask(expr=_checkout_burn("1h")),),
                unit="none",
                decimals=1,
                empty="no attempt in an hour",
                threshold=thresholds.BURN_RATE,
                link=Link("Since when?", UID, "checkout_burn"),
                width=4,
            ),
            Stat(
                key="checkout_lasts",
                title="Lasts (as in 6 h)",
                meaning="Time until the budget is gone at the pace of the last six hours; 30 days at most.",
                good="The whole month.",
                then="Hours or days: treat it as an incident.",
                asks=(Ask(expr=_time_left(_checkout_left(), _burn_of_six_hours())),),
                unit="s",
                decimals=0,
                empty=_TOO_EARLY,
                base=Colour.NEUTRAL,
                link=Link("Since when?", UID, "checkout_burn"),
                width=4,
                mappings=_USED_UP,
            ),
        )
    ),
    Graph(
        key="checkout_burn",
        title="Is the checkout burning its budget? (1 h, 6 h)",
        meaning="Burn rate of all chosen stores over one hour and six hours.",
        good="Below the first line.",
        then="Both above 14.4: customers cannot pay now. Only the short one: it has just begun.",
        asks=(
            Ask(expr=_checkout_burn("1h"), legend="1 hour"),
            Ask(expr=_checkout_burn("6h"), legend="6 hours"),
        ),
        unit="none",
        empty=_NO_ATTEMPT,
        threshold=thresholds.BURN_RATE,
        soft_most=2.0,
        width=10,
        height=8,
        link=Link("Do payments fail?", CHECKOUT, "failed_placements"),
        overrides=(
            override("1 hour", **line(Colour.NEUTRAL, fill=0)),
            override("6 hours", **line(Colour.ACCENT)),
        ),
    ),
    Graph(
        key="checkout_budget",
        title="When was the budget spent? (30 d)",
        meaning=f"Part of the 30 days' budget that was left at each moment. {_RENEWED}",
        good="A level line; it rises again as old failures leave the 30 days.",
        then="A step down is an incident: what was deployed or changed then?",
        asks=(Ask(expr=_checkout_left(), legend="budget left"),),
        unit="percentunit",
        empty=_TOO_EARLY,
        threshold=thresholds.BUDGET_LEFT,
        least=None,
        soft_most=1.0,
        width=10,
        height=8,
        legend=False,
        link=Link("Which store?", UID, "stores"),
        overrides=(override("budget left", **line(Colour.NEUTRAL)),),
    ),
)

_STORES: Final[tuple[Panel, ...]] = (
    Table(
        key="stores",
        title="Which store spends it?",
        meaning="Every chosen store, the fastest burning first.",
        good="Every store below 1 with budget left.",
        then="Click a store to see its checkout.",
        asks=(
            Ask(expr=max_by(here(BURN["6h"]), "store")),
            Ask(expr=max_by(here(BURN["1h"]), "store")),
            Ask(expr=_checkout_left("store")),
            Ask(expr=sum_by(here(FAILED[PERIOD]), "store")),
            Ask(expr=sum_by(here(ATTEMPTS[PERIOD]), "store")),
            Ask(expr=max_by(here(placements.OBJECTIVE), "store")),
        ),
        empty=_NO_ATTEMPT,
        columns=(
            Column(
                field="store",
                title="Store",
                link=Link("Its checkout", CHECKOUT, "failed_placements", sets=(("store", ROW_STORE),)),
            ),
            Column(
                field="Value #A",
                title="Burn (6 h)",
                unit="none",
                decimals=1,
                width=140,
                threshold=thresholds.BURN_RATE,
            ),
            Column(
                field="Value #B",
                title="Burn (1 h)",
                unit="none",
                decimals=1,
                width=140,
                threshold=thresholds.BURN_RATE,
            ),
            Column(
                field="Value #C",
                title="Budget left",
                unit="percentunit",
                decimals=0,
                width=140,
                threshold=thresholds.BUDGET_LEFT,
                base=Colour.GOOD,
            ),
            Column(field="Value #D", title="Failed (30 d)", unit="locale", decimals=0, width=150),
            Column(field="Value #E", title="Attempts (30 d)", unit="locale", decimals=0, width=150),
            Column(field="Value #F", title="Objective", unit="percentunit", decimals=1, width=120),
        ),
        sort="Value #A",
        width=24,
        height=7,
        link=Link("Stores by orders", CHECKOUT, "stores"),
    ),
)

_FRESHNESS: Final[tuple[Panel, ...]] = (
    Stat(
        key="fresh_share",
        title="Fresh (30 d)",
        meaning=(
            "Share of the last 30 days in which the storefront showed what the catalogue said: no "
            "change waited a quarter of an hour for an indexer that did not run. The objective is "
            f"{thresholds.FRESHNESS_SLO:.0%}. Time before the shop was observed counts as fresh."
        ),
        good=f"Above {thresholds.FRESHNESS_SLO:.0%}.",
        then="See when it was stale, and because of which indexer.",
        asks=(Ask(expr=1 - _stale_share_of_period()),),
        unit="percentunit",
        decimals=2,
        empty=_NO_RULES,
        base=Colour.NEUTRAL,
        link=Link("Which indexer?", INDEXERS, "stale_by_indexer"),
        width=12,
    ),
    Stat(
        key="freshness_left",
        title="Budget left (30 d)",
        meaning="Part of the month's allowed stale time that is left.",
        good="More than a quarter.",
        then="Nothing left: find out why indexers stand still before the next campaign.",
        asks=(Ask(expr=_freshness_left()),),
        unit="percentunit",
        decimals=0,
        empty=_NO_RULES,
        threshold=thresholds.BUDGET_LEFT,
        filled=True,
        link=Link("Since when?", UID, "freshness_burn"),
        width=12,
        mappings=_USED_UP,
    ),
)

_FRESHNESS_PACE: Final[tuple[Panel | Stack, ...]] = (
    Stack(
        panels=(
            Stat(
                key="freshness_burn_now",
                title="Burn rate (1 h)",
                meaning="How many times faster than allowed the budget is being spent, over the last hour.",
                good="Zero.",
                then="An indexer stands still now, or did within the hour.",
                asks=(Ask(expr=_stale_share("1h") / thresholds.FRESHNESS_BUDGET),),
                unit="none",
                decimals=1,
                empty=_NO_RULES,
                threshold=thresholds.BURN_RATE,
                link=Link("Since when?", UID, "freshness_burn"),
                width=4,
            ),
            Stat(
                key="freshness_lasts",
                title="Lasts (as in 6 h)",
                meaning="Time until the budget is gone at the pace of the last six hours; 30 days at most.",
                good="The whole month.",
                then="Hours: an indexer stands still now.",
                asks=(
                    Ask(
                        expr=_time_left(_freshness_left(), _stale_share("6h") / thresholds.FRESHNESS_BUDGET),
                    ),
                ),
                unit="s",
                decimals=0,
                empty=_NO_RULES,
                base=Colour.NEUTRAL,
                link=Link("Which indexer?", INDEXERS, "stale_by_indexer"),
                width=4,
                mappings=_USED_UP,
            ),
        )
    ),
    Graph(
        key="freshness_burn",
        title="Is the storefront stale? (1 h, 6 h)",
        meaning="Burn rate of the freshness budget over one hour and six hours.",
        good="Zero.",
        then="Above the line: an indexer does not run. See which.",
        asks=(
            Ask(expr=_stale_share("1h") / thresholds.FRESHNESS_BUDGET, legend="1 hour"),
            Ask(expr=_stale_share("6h") / thresholds.FRESHNESS_BUDGET, legend="6 hours"),
        ),
        unit="none",
        empty=_NO_RULES,
        threshold=thresholds.BURN_RATE,
        soft_most=2.0,
        width=20,
        height=8,
        link=Link("Which indexer?", INDEXERS, "stale_by_indexer"),
        overrides=(
            override("1 hour", **line(Colour.NEUTRAL, fill=0)),
            override("6 hours", **line(Colour.ACCENT)),
        ),
    ),
)

DASHBOARD: Final = Dashboard(
    uid=UID,
    title="Magento / SLO",
    description="How much may still go wrong this month, and how fast it is being used up.",
    time_from="now-7d",
    annotations=(CALLED, FIRING, MAINTENANCE, DEPLOYED),
    rows=(
        Row(title="Customers who try to order succeed", panels=_CHECKOUT, key="checkout"),
        Row(panels=_PACE),
        Row(panels=_STORES),
        Row(title="The storefront shows what the catalogue says", panels=_FRESHNESS, key="fresh"),
        Row(panels=_FRESHNESS_PACE),
    ),
)
