"""Overview: are we selling, and if not, where to look. One screen, cheap at any number of stores.

Every query here reads gauges and recording rules; none reads a counter over a range.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from alerts import thresholds
from alerts.recording import STOREFRONT_STALE
from alerts.selling import glance
from alerts.thresholds import critical, warning
from dashboards.lib.alerting import firing, number_firing
from dashboards.lib.annotations import CALLED, DEPLOYED, FIRING, FLUSHED, MAINTENANCE
from dashboards.lib.business import (
    ATTEMPTS_AND_FAILED,
    BAND,
    BARS_WITH_THE_USUAL,
    MILLISECONDS,
    SINCE_INSTALLED,
    STAGE_NAMES,
    attempts_and_failed,
    behind,
    gaps_missed,
    hit_ratio,
    orders,
    orders_with_the_usual,
    revenue_of_a_day,
    selling_state,
    since_last_order,
    stage_in_a_day,
    usual_gap,
)
from dashboards.lib.here import here
from dashboards.lib.links import ROW_STORE, Link, Page
from dashboards.lib.page import Dashboard
from dashboards.lib.panels import Ask, Bars, Column, Graph, Panel, Row, Stack, Stat, Table, Timeline
from dashboards.lib.style import Colour, fixed, override, steps, word_list, words
from dashboards.lib.uids import (
    AFTER_ORDER,
    CHECKOUT,
    CRON,
    EXPORTER,
    INDEXERS,
    MONEY,
    OVERVIEW,
    PAGE_CACHE,
    QUEUES,
    SLO,
)
from dashboards.lib.variables import Constant
from dashboards.stands_on import STANDS_ON
from exporter.collectors import all_collectors, cron, deployment, indexers
from exporter.magento import queues
from exporter.pack.addresses import NO_RUNBOOK_PAGES
from promql.expr import (
    Expr,
    function,
    max_by,
    sum_by,
)

UID: Final = OVERVIEW


def _collectors_of_each_source() -> Mapping[str, list[str]]:
    """Return the names of the collectors by the source that they read."""
    found: dict[str, list[str]] = {}
    for collector in all_collectors():
        found.setdefault(collector.source, []).append(collector.name)
    return found


def _lateness(collectors: Iterable[str]) -> Expr:
    """Return 0 while all these collectors are in time, 1 if one is behind, 2 if its numbers are history."""
    late = behind(collector=f"=~{'|'.join(collectors)}")
    limit = thresholds.DATA_AGE_SECONDS
    return late.truth(">=", warning(limit)) + late.truth(">=", critical(limit))


_BAND: Final[tuple[Panel, ...]] = (
    Stat(
        key="selling",
        title="Is the shop selling now?",
        meaning=(
            "The newest evidence: the failed share of the last five and ten minutes, chance allowed for, "
            "unless orders hold; and the orders expected since the last one. Two doubts are a no. A single "
            "store of several that does not sell makes the band orange."
        ),
        good="Selling.",
        then="See since when, and whether attempts fail or nobody tries. Then *Selling now*.",
        asks=(Ask(expr=selling_state()),),
        unit="none",
        empty="no order yet, or rules not loaded",
        mappings=BAND,
        link=Link("Which store?", CHECKOUT, "stores"),
        filled=True,
        width=9,
        height=5,
    ),
    Stat(
        key="since",
        title="Not selling since",
        meaning="When the last order came before selling stopped, or came in doubt.",
        good="Nothing: it sells.",
        then="Compare with deployments and with what is firing.",
        asks=(Ask(expr=max_by(here(glance.SINCE)) * MILLISECONDS, may_be_empty=True),),
        unit="dateTimeAsIsoNoDateIfToday",
        empty="it sells",
        base=Colour.NEUTRAL,
        link=Link("What happened then?", CHECKOUT, "failed_placements"),
        width=4,
        height=5,
    ),
    Stat(
        key="lost",
        title="Lost since, about",
        meaning=(
            "Orders that were expected and did not come since the shop stopped selling, times the mean order "
            "of the last day, in base currency, one figure a currency."
        ),
        good="Nothing.",
        then="It is what an hour of repair costs. Some customers come back, most do not.",
        asks=(Ask(expr=sum_by(here(glance.LOST), "currency"), legend="{{currency}}", may_be_empty=True),),
        unit="short",
        decimals=1,
        empty="nothing",
        base=Colour.NEUTRAL,
        show="value_and_name",
        link=Link("By store", CHECKOUT, "stores"),
        width=4,
        height=5,
    ),
    Stat(
        key="last_order",
        title="Since the last order, and the usual gap",
        meaning=(
            "Time since the newest order of any chosen store, the time that is usual between two at this "
            "hour of the week, and how many orders were expected at least since then."
        ),
        good=f"Fewer than {warning(thresholds.ORDERS_OVERDUE):.0f} orders expected since.",
        then="See whether people still fill carts and try to pay.",
        asks=(
            Ask(expr=since_last_order(), legend="ago"),
            Ask(expr=usual_gap(), legend="usual gap"),
            Ask(expr=gaps_missed(), legend="orders due since"),
        ),
        unit="s",
        decimals=0,
        empty="no order yet",
        base=Colour.NEUTRAL,
        show="value_and_name",
        overrides=(
            override("usual gap", color=fixed(Colour.MUTED)),
            override(
                "orders due since",
                unit="none",
                thresholds={
                    "mode": "absolute",
                    "steps": steps(thresholds.ORDERS_OVERDUE, base=Colour.GOOD),
                },
            ),
        ),
        link=Link("By store", CHECKOUT, "stores"),
        width=7,
        height=5,
    ),
)

_FIVE_MINUTES: Final[tuple[Panel, ...]] = (
    Graph(
        key="against_expected",
        title="Orders (5 min), and the usual",
        meaning=(
            "Orders of the five minutes before each moment. Behind them those of the same minutes a week "
            "ago, and what the weeks before let expect."
        ),
        good="The bars reach about as high as the lines.",
        then="No bars: nothing is sold. See whether attempts fail beside it, or nobody tries.",
        asks=orders_with_the_usual(),
        unit="locale",
        decimals=0,
        empty="nothing recorded yet, or rules not loaded",
        bars=True,
        width=12,
        height=7,
        link=Link("Which store?", CHECKOUT, "stores"),
        overrides=BARS_WITH_THE_USUAL,
    ),
    Graph(
        key="failed",
        title="Attempts to pay (5 min), and failures",
        meaning="Attempts to order in the five minutes before each moment, and those that left no order.",
        good="Little red at the foot of the bars.",
        then="Red as high as the attempts: nobody can pay. See store and payment method.",
        asks=attempts_and_failed(),
        unit="locale",
        decimals=0,
        empty="no attempt yet",
        bars=True,
        width=12,
        height=7,
        link=Link("Where?", CHECKOUT, "failed_placements"),
        overrides=ATTEMPTS_AND_FAILED,
    ),
)

_NOW: Final[tuple[Panel, ...]] = (
    Stat(
        key="alerts",
        title="Alerts",
        meaning="Alerts of this pack that fire now. Critical: customers cannot buy.",
        good="Zero and zero.",
        then="Start with the critical ones in the list below; each links to its runbook.",
        asks=(
            Ask(expr=number_firing("critical"), legend="critical"),
            Ask(expr=number_firing("=~urgent|warning"), legend="warning"),
        ),
        unit="none",
        decimals=0,
        empty="no rules loaded",
        show="value_and_name",
        threshold=thresholds.ANY_ALERT,
        overrides=(
            override(
                "warning",
                thresholds={
                    "mode": "absolute",
                    "steps": [{"color": "green", "value": None}, {"color": "orange", "value": 1}],
                },
            ),
        ),
        link=Link("Which?", UID, "alert_list"),
        width=3,
        height=3,
    ),
    Stat(
        key="maintenance",
        title="Shop is",
        meaning="Whether `var/.maintenance.flag` exists: then every visitor gets 503.",
        good="Open.",
        then="`bin/magento maintenance:disable`, unless a deployment is under way.",
        asks=(Ask(expr=max_by(here(deployment.MAINTENANCE)), may_be_empty=True),),
        unit="none",
        empty="not watched",
        mappings=words({0.0: ("open", Colour.GOOD), 1.0: ("closed", Colour.CRITICAL)}),
        link=Link("Are we selling?", CHECKOUT, "against_expected"),
        width=3,
        height=3,
    ),
    Stat(
        key="cron_lag",
        title="Cron late",
        meaning=cron.LAG.help,
        good="Under a minute.",
        then="Rising steadily: cron is stopped or blocked. Indexes, mails and queues wait for it.",
        asks=(Ask(expr=max_by(here(cron.LAG))),),
        unit="s",
        decimals=0,
        empty="cron collector off",
        threshold=thresholds.CRON_LAG_SECONDS,
        link=Link("Is cron alive?", CRON, "last_execution"),
        width=3,
        height=3,
    ),
    Stat(
        key="queue_age",
        title="Queue age",
        meaning="How long the oldest message of any queue has waited for a consumer.",
        good="Under a minute or two; consumers are started every minute.",
        then="See which queue, and whether it has a consumer.",
        asks=(Ask(expr=function("floor", max_by(here(queues.OLDEST_AGE)))),),
        unit="s",
        decimals=0,
        empty="no queue found",
        threshold=thresholds.QUEUE_OLDEST_SECONDS,
        link=Link("Which queue?", QUEUES, "oldest_age"),
        width=3,
        height=3,
    ),
    Stat(
        key="backlog",
        title="Unindexed",
        meaning="Entities waiting for the indexer with the longest backlog.",
        good="Gone within minutes of a change or an import.",
        then="If it only grows, prices and stock in the storefront are old: *Indexers*.",
        asks=(Ask(expr=max_by(here(indexers.BACKLOG))),),
        unit="locale",
        decimals=0,
        empty="no indexer in mode schedule",
        threshold=thresholds.INDEXER_BACKLOG_ROWS,
        link=Link("Which indexer?", INDEXERS, "backlog"),
        width=3,
        height=3,
    ),
    Stat(
        key="storefront",
        title="Catalogue",
        meaning="Whether changes have waited a quarter of an hour for an indexer that did not run.",
        good="Today's catalogue.",
        then="See which indexer is stale and whether cron runs it.",
        asks=(Ask(expr=max_by(here(STOREFRONT_STALE))),),
        unit="none",
        empty="recording rules not loaded",
        mappings=words({0.0: ("today's catalogue", Colour.GOOD), 1.0: ("an old catalogue", Colour.CRITICAL)}),
        link=Link("Which indexer?", INDEXERS, "stale_by_indexer"),
        width=3,
        height=3,
    ),
    Stat(
        key="hit_ratio",
        title="Hits 5 min",
        meaning="Share of the page requests looked up in the cache that it answered, last five minutes.",
        good="Above 80 %, usually above 90 %.",
        then="A sudden fall is a flush or a deployment; a slow one is a page that lost its caching.",
        asks=(Ask(expr=hit_ratio()),),
        unit="percentunit",
        decimals=0,
        empty="too few pages requested, or cache not read",
        threshold=thresholds.CACHE_HIT_RATIO,
        link=Link("Since when?", PAGE_CACHE, "hit_ratio"),
        width=3,
        height=3,
    ),
    Stat(
        key="freshness",
        title="Data late",
        meaning="How long ago the most delayed collector should have had its next good run.",
        good="Seconds.",
        then="If it grows, this screen shows history: *Exporter* says which source is down.",
        asks=(Ask(expr=behind()),),
        unit="s",
        decimals=0,
        empty="exporter is not scraped",
        threshold=thresholds.DATA_AGE_SECONDS,
        link=Link("Which collector?", EXPORTER, "collectors"),
        width=3,
        height=3,
    ),
)

_CAUSES: Final[tuple[Panel | Stack, ...]] = (
    Table(
        key="alert_list",
        title="What is firing?",
        meaning="Alerts of this pack that fire now.",
        good="An empty list.",
        then="Take the critical ones first; a click on the name opens the runbook.",
        asks=(
            Ask(
                expr=max_by(
                    firing("=~critical|urgent|warning"),
                    "severity",
                    "alertname",
                    "store",
                    "shop",
                ),
                may_be_empty=True,
            ),
        ),
        empty="nothing is firing",
        columns=(
            Column(
                field="severity",
                title="Severity",
                width=90,
                mappings=word_list(
                    {"critical": Colour.CRITICAL, "urgent": Colour.WARNING, "warning": Colour.WARNING}
                ),
            ),
            Column(
                field="alertname",
                title="Alert (its runbook)",
                link=Page("Runbook", "${runbooks}${__value.raw}"),
            ),
            Column(
                field="store",
                title="Store",
                width=80,
                link=Link("This store", CHECKOUT, "stores", sets=(("store", ROW_STORE),)),
            ),
            Column(field="shop", title="Shop", width=80),
        ),
        sort="severity",
        descending=False,
        link=Link("Objectives and budgets", SLO, "checkout_left"),
        width=8,
        height=6,
    ),
    Stack(
        panels=(
            Stat(
                key="orders",
                title="Orders in 24 h",
                meaning="Orders placed in the last 24 hours, to the minute.",
                good="Near the same day of last week: see the orders above.",
                then="Which store and which payment method: *Selling now*.",
                asks=(Ask(expr=orders("1d")),),
                unit="locale",
                decimals=0,
                empty="no order yet",
                base=Colour.NEUTRAL,
                link=Link("Are they paid and shipped?", AFTER_ORDER, "documents"),
                width=4,
                height=3,
            ),
            Stat(
                key="revenue",
                title="Revenue in 24 h",
                meaning=(
                    "Value of the orders placed in the last 24 hours in base currency, one figure a currency."
                    f" {SINCE_INSTALLED}"
                ),
                good="Moves with the orders.",
                then="Orders normal and revenue not: look at prices and discounts in *Selling now*.",
                asks=(Ask(expr=revenue_of_a_day("currency"), legend="{{currency}}"),),
                unit="short",
                decimals=1,
                empty="no order counted yet",
                base=Colour.NEUTRAL,
                show="value_and_name",
                link=Link("Revenue by store", MONEY, "revenue"),
                width=4,
                height=3,
            ),
        )
    ),
    Bars(
        key="funnel",
        title="Where do they leave? (24 h)",
        meaning=f"Carts that reached each stage in 24 hours, each cart once per stage. {SINCE_INSTALLED}",
        good="Each step loses a share that you know; virtual carts skip address and shipping.",
        then="A step that suddenly loses most is broken: address form, shipping rates, payment methods.",
        asks=tuple(
            Ask(expr=stage_in_a_day(stage), legend=name, instant=True) for stage, name in STAGE_NAMES.items()
        ),
        unit="locale",
        decimals=0,
        empty="no cart in 24 hours",
        base=Colour.NEUTRAL,
        link=Link("The funnel over time", CHECKOUT, "stages"),
        width=6,
        height=6,
    ),
    Timeline(
        key="collectors",
        title="Is what you see fresh?",
        meaning=(
            "Whether the numbers of each source are current. Late: a collector's next good "
            "run is overdue by five minutes; old: by a quarter of an hour."
        ),
        good="All fresh. A source that the shop does not have is not listed.",
        then=(
            "Late numbers do not change any more, and old ones disappear. Numbers of other sources are right."
        ),
        asks=tuple(
            Ask(expr=_lateness(collectors), legend=source, may_be_empty=source != "database")
            for source, collectors in _collectors_of_each_source().items()
        ),
        unit="none",
        empty="exporter is not scraped",
        mappings=words(
            {0.0: ("fresh", Colour.GOOD), 1.0: ("late", Colour.WARNING), 2.0: ("old", Colour.CRITICAL)}
        ),
        link=Link("Which collector?", EXPORTER, "collectors"),
        width=6,
        height=6,
    ),
)

DASHBOARD: Final = Dashboard(
    uid=UID,
    title="Magento / Overview",
    description="Are we selling? And if not: where to look. One screen; every panel leads one level deeper.",
    variables=(Constant(name="runbooks", label="Runbooks", query=NO_RUNBOOK_PAGES),),
    annotations=(CALLED, FIRING, MAINTENANCE, DEPLOYED, FLUSHED),
    rows=(
        Row(panels=_BAND),
        Row(panels=_FIVE_MINUTES),
        Row(panels=_NOW),
        Row(panels=_CAUSES),
        Row(title="What it stands on", panels=STANDS_ON, collapsed=True),
    ),
)
