"""Indexers: does the storefront show what the catalogue says, and which indexer holds it up."""

from __future__ import annotations

from typing import Final

from alerts import thresholds
from alerts.recording import INDEXER_STALE, STOREFRONT_STALE
from dashboards.lib.annotations import CALLED, DEPLOYED, FIRING, MAINTENANCE, REINDEXED
from dashboards.lib.here import here
from dashboards.lib.links import Link
from dashboards.lib.page import Dashboard
from dashboards.lib.panels import Ask, Column, Graph, Panel, Row, Stat, Table, Timeline, Worst
from dashboards.lib.style import Colour, words
from dashboards.lib.uids import CRON, INDEXERS
from dashboards.lib.variables import values_of
from exporter.collectors import indexers, prices
from promql.expr import Expr, age, clamp_min, delta, max_by, min_by, sum_by, union
from promql.metrics import Selectable

UID: Final = INDEXERS
_CHOSEN: Final = "=~$indexer"
_OFF: Final = "indexer collector off"

STATES: Final = {
    0.0: ("valid", Colour.GOOD),
    1.0: ("working", Colour.NEUTRAL),
    2.0: ("suspended", Colour.WARNING),
    3.0: ("invalid", Colour.CRITICAL),
}
VIEW_STATES: Final = {
    0.0: ("idle", Colour.GOOD),
    1.0: ("working", Colour.NEUTRAL),
    2.0: ("suspended", Colour.WARNING),
}
MODES: Final = {0.0: ("on save", Colour.WARNING), 1.0: ("by schedule", Colour.GOOD)}
_YES_NO: Final = {0.0: ("fresh", Colour.GOOD), 1.0: ("stale", Colour.CRITICAL)}


def _code(metric: Selectable, states: dict[float, tuple[str, Colour]]) -> Expr:
    """Return a state set as one number per indexer, of several shops the worst; none for an unknown state."""
    coded = [
        here(metric, indexer=_CHOSEN, state=word).equals(1) * value for value, (word, _) in states.items()
    ]
    return max_by(union(*coded), "indexer")


def _backlog() -> Expr:
    return max_by(here(indexers.BACKLOG, indexer=_CHOSEN), "indexer")


_HEADER: Final[tuple[Panel, ...]] = (
    Stat(
        key="stale",
        title="The storefront is",
        meaning="Whether changes wait for any indexer, chosen or not, that has not run for 15 minutes.",
        good="Fresh: what merchants change is shown within minutes.",
        then="See which indexer is stale below, and whether cron runs (group `index`).",
        asks=(Ask(expr=max_by(here(STOREFRONT_STALE))),),
        unit="none",
        empty="no indexer by schedule, or rules not loaded",
        mappings=words(_YES_NO),
        base=Colour.GOOD,
        link=Link("Since when?", UID, "stale_by_indexer"),
        filled=True,
    ),
    Stat(
        key="invalid",
        title="Invalid indexers",
        meaning="Indexers in status `invalid`: they are rebuilt in full at their next cron run.",
        good="None for long. An attribute or a price rule that was changed makes one invalid on purpose.",
        then="If it stays, its reindex fails: see the cron job `indexer_reindex_all_invalid`.",
        asks=(Ask(expr=sum_by(here(indexers.STATE, state="invalid", indexer=_CHOSEN))),),
        unit="short",
        decimals=0,
        empty=_OFF,
        threshold=thresholds.INDEXERS_INVALID,
        link=Link("Which one?", UID, "state"),
    ),
    Stat(
        key="working",
        title="Indexers at work",
        meaning="Indexers in status `working`, that is in a full rebuild.",
        good="None or one, for minutes.",
        then="One that works for hours may belong to a process that was killed: see the time in the table.",
        asks=(Ask(expr=sum_by(here(indexers.STATE, state="working", indexer=_CHOSEN))),),
        unit="short",
        decimals=0,
        empty=_OFF,
        base=Colour.NEUTRAL,
        link=Link("Which one?", UID, "state"),
    ),
    Stat(
        key="backlog_now",
        title="Largest backlog",
        meaning="Entities that wait for the indexer with the longest queue, as `indexer:status` counts them.",
        good="Up to some thousands after an import, gone within minutes.",
        then="See below whether it falls. If it does not, cron's group `index` is not keeping up.",
        asks=(Ask(expr=max_by(_backlog())),),
        unit="short",
        decimals=0,
        empty="no indexer by schedule, or not read",
        threshold=thresholds.INDEXER_BACKLOG_ROWS,
        link=Link("Which one, and does it fall?", UID, "backlog"),
    ),
    Stat(
        key="mode",
        title="Run on save",
        meaning="Indexers in mode `save`: they work inside the request that saves a product.",
        good="None of the catalogue's in production; the grids of customers and design matter less.",
        then="`bin/magento indexer:set-mode schedule`; on save, admins wait and imports lock tables.",
        asks=(Ask(expr=sum_by(here(indexers.MODE, mode="save", indexer=_CHOSEN))),),
        unit="short",
        decimals=0,
        empty=_OFF,
        base=Colour.NEUTRAL,
        link=Link("Which one?", UID, "table"),
    ),
    Stat(
        key="broken",
        title="Views with loss",
        meaning="Views whose changelog is missing, or that are ahead of it: changes are skipped silently.",
        good="None.",
        then="Reset the view: set its mode to realtime and back to schedule, then reindex it in full.",
        asks=(
            Ask(
                expr=sum_by(
                    here(indexers.VERSION_AHEAD, indexer=_CHOSEN)
                    .truth(">", 0)
                    .or_else(here(indexers.CHANGELOG_MISSING, indexer=_CHOSEN))
                )
            ),
        ),
        unit="short",
        decimals=0,
        empty="no indexer by schedule, or not read",
        threshold=thresholds.VIEWS_BROKEN,
        link=Link("Which one?", UID, "version_ahead"),
    ),
)

_WHICH: Final[tuple[Panel, ...]] = (
    Graph(
        key="backlog",
        title="Is the backlog worked off?",
        meaning="Entities that wait, by indexer.",
        good="It rises and falls: changes come, the next cron run takes them.",
        then="A line that only rises: the view is stuck or suspended, or cron's group `index` does not run.",
        asks=(Ask(expr=_backlog(), legend="{{indexer}}"),),
        unit="locale",
        empty="no indexer by schedule, or not read",
        threshold=thresholds.INDEXER_BACKLOG_ROWS,
        table=True,
        width=12,
        height=9,
        link=Link("Is cron alive?", CRON, "last_execution"),
        decimals=0,
    ),
    Timeline(
        key="stale_by_indexer",
        title="Which indexer keeps the storefront stale?",
        meaning="Whether changes have waited for a quarter of an hour in which the indexer did not run.",
        good="Fresh throughout.",
        then="A stale indexer that is `working` hangs; one that is `idle` is not being started by cron.",
        asks=(Ask(expr=max_by(here(INDEXER_STALE, indexer=_CHOSEN), "indexer"), legend="{{indexer}}"),),
        unit="none",
        empty="no indexer by schedule, or rules not loaded",
        mappings=words(_YES_NO),
        width=12,
        height=9,
        link=Link("Is cron alive?", CRON, "last_execution"),
    ),
    Timeline(
        key="state",
        title="Who was rebuilt, and when?",
        meaning="Status of every indexer (`indexer_state.status`).",
        good="Valid, with short stretches of work.",
        then="Invalid for long: the reindex does not come. Working for long: its process may be dead.",
        asks=(Ask(expr=_code(indexers.STATE, STATES), legend="{{indexer}}"),),
        unit="none",
        empty=_OFF,
        mappings=words(STATES),
        width=12,
        height=9,
        link=Link("Details", UID, "table"),
    ),
    Timeline(
        key="view_state",
        title="Do the views take up changes?",
        meaning="Status of every view (`mview_state.status`): the part that follows changelogs.",
        good="Idle, with short stretches of work each minute in which something changed.",
        then="Working for long is a hung or killed process: Magento then skips the view and logs nothing.",
        asks=(Ask(expr=_code(indexers.VIEW_STATE, VIEW_STATES), legend="{{indexer}}"),),
        unit="none",
        empty="no view is used, or not read",
        mappings=words(VIEW_STATES),
        width=12,
        height=9,
        link=Link("Details", UID, "table"),
    ),
)

_DETAIL: Final[tuple[Panel, ...]] = (
    Table(
        key="table",
        title="How is each indexer doing?",
        meaning="Every indexer with its mode, status and backlog.",
        good="Valid, by schedule, small backlog, changed recently.",
        then="Follow the row that is red; its runbook names the commands.",
        asks=(
            Ask(expr=_code(indexers.STATE, STATES)),
            Ask(expr=min_by(here(indexers.MODE, mode="schedule", indexer=_CHOSEN), "indexer")),
            Ask(expr=_backlog()),
            Ask(expr=_code(indexers.VIEW_STATE, VIEW_STATES)),
            Ask(expr=max_by(age(here(indexers.VIEW_UPDATED, indexer=_CHOSEN)), "indexer")),
            Ask(expr=max_by(age(here(indexers.UPDATED, indexer=_CHOSEN)), "indexer")),
            Ask(expr=max_by(here(indexers.VERSION_AHEAD, indexer=_CHOSEN), "indexer")),
        ),
        empty=_OFF,
        columns=(
            Column(
                field="indexer",
                title="Indexer",
                link=Link("Only this indexer", UID, sets=(("indexer", "${__value.raw}"),)),
            ),
            Column(field="Value #A", title="Status", width=120, mappings=words(STATES)),
            Column(field="Value #B", title="Mode", width=130, mappings=words(MODES)),
            Column(
                field="Value #C",
                title="Backlog",
                width=120,
                decimals=0,
                threshold=thresholds.INDEXER_BACKLOG_ROWS,
            ),
            Column(field="Value #D", title="View", width=120, mappings=words(VIEW_STATES)),
            Column(field="Value #E", title="View changed", unit="s", width=150, decimals=0),
            Column(field="Value #F", title="Status changed", unit="s", width=160, decimals=0),
            Column(
                field="Value #G",
                title="Changes skipped",
                width=150,
                decimals=0,
                threshold=thresholds.VIEWS_BROKEN,
            ),
        ),
        sort="Value #C",
        width=24,
        height=10,
        link=Link("Is the backlog worked off?", UID, "backlog"),
    ),
    Worst(
        key="version_ahead",
        title="Will changes be skipped?",
        meaning="By how many versions each view is ahead of its changelog.",
        good="Zero. A changelog that was emptied by hand, or restored from a dump, starts below its view.",
        then="Changes are not indexed until the changelog has caught up: reset the view, then reindex.",
        asks=(
            Ask(
                expr=max_by(here(indexers.VERSION_AHEAD, indexer=_CHOSEN), "indexer"),
                legend="{{indexer}}",
            ),
        ),
        unit="locale",
        decimals=0,
        empty="no indexer by schedule, or not read",
        threshold=thresholds.VIEWS_BROKEN,
        width=6,
        link=Link("Details", UID, "table"),
        height=9,
        by="indexer",
        above=0,
        rest="no view",
    ),
    Timeline(
        key="changelog_missing",
        title="Is a changelog missing?",
        meaning="Whether the changelog table of a view in mode schedule is there and can be read.",
        good="There, for every view.",
        then="Set the view's mode to realtime and back to schedule: that creates table and triggers.",
        asks=(
            Ask(
                expr=max_by(here(indexers.CHANGELOG_MISSING, indexer=_CHOSEN), "indexer"),
                legend="{{indexer}}",
            ),
        ),
        unit="none",
        empty="no indexer by schedule, or not read",
        mappings=words({0.0: ("there", Colour.GOOD), 1.0: ("missing", Colour.CRITICAL)}),
        width=8,
        link=Link("Details", UID, "table"),
        height=9,
    ),
    Graph(
        key="changes",
        title="How much is changed?",
        meaning="Growth of each changelog per interval: changes that the triggers recorded.",
        good="Follows the working day and the imports.",
        then="A flood from one source keeps every cache cold: find the import that saves unchanged products.",
        asks=(
            Ask(
                expr=sum_by(
                    clamp_min(
                        delta(here(indexers.CHANGELOG_VERSION, indexer=_CHOSEN)["$__rate_interval"]), 0
                    ),
                    "indexer",
                ),
                legend="{{indexer}}",
            ),
        ),
        unit="locale",
        empty="no indexer by schedule, or not read",
        bars=True,
        stacked=True,
        width=10,
        height=9,
        link=Link("Is the backlog worked off?", UID, "backlog"),
        decimals=0,
        table=True,
    ),
)

_PRICES: Final[tuple[Panel, ...]] = (
    Graph(
        key="prices",
        title="Do the products have a price?",
        meaning="Products with a price above zero for guests in the price index, by website, at most 200.",
        good="Level: all products, or 200.",
        then="A fall: rebuild the price index, then look at what changed the prices.",
        asks=(Ask(expr=max_by(here(prices.PRODUCTS), "website"), legend="{{website}}"),),
        unit="locale",
        decimals=0,
        empty="prices collector off",
        by_name=True,
        width=24,
        link=Link("Is the price index valid?", UID, "table"),
    ),
)

DASHBOARD: Final = Dashboard(
    uid=UID,
    title="Magento / Indexers",
    description="Does the storefront show what the catalogue says, and which indexer holds it up.",
    by_store=False,
    variables=(values_of("indexer", "Indexer", indexers.UPDATED, "indexer"),),
    annotations=(CALLED, FIRING, MAINTENANCE, DEPLOYED, REINDEXED),
    rows=(
        Row(panels=_HEADER),
        Row(title="Which indexer holds it up?", panels=_WHICH),
        Row(title="Every indexer", panels=_DETAIL),
        Row(title="Does the price index have prices?", panels=_PRICES),
    ),
)
