"""The exporter itself: can its numbers be trusted, and what does it cost."""

from __future__ import annotations

from typing import Final

from alerts import thresholds
from alerts.thresholds import MINUTE
from dashboards.lib.annotations import CALLED, DEPLOYED, FIRING, MAINTENANCE
from dashboards.lib.business import behind
from dashboards.lib.here import here
from dashboards.lib.links import Link
from dashboards.lib.page import Dashboard
from dashboards.lib.panels import Ask, Column, Graph, Panel, Row, Stack, Stat, Table, Timeline, Worst
from dashboards.lib.style import MINUTES, Colour, line, override, words
from dashboards.lib.uids import EXPORTER, OVERVIEW
from dashboards.lib.variables import values_of
from exporter.collectors.cron import CronCollector
from exporter.collectors.deployment import INFO, PATCH_MISSING, SUPPORT_ENDS
from exporter.core import self_metrics as own
from exporter.reading.members import NOT_OBSERVED
from exporter.web.metrics import BUILD_INFO
from promql.expr import (
    Expr,
    age,
    clamp_min,
    increase,
    max_by,
    min_by,
    now,
    over_time,
    rate,
    series,
    sum_by,
    top,
)
from promql.metrics import (
    PROBE_CERTIFICATE,
    PROBE_LAST_MODIFIED,
    PROBE_SUCCESS,
    PROCESS_CPU,
    PROCESS_FILES,
    PROCESS_MEMORY,
    PROCESS_STARTED,
    SCRAPE_DURATION,
    SCRAPE_SAMPLES,
    SHOP,
    UP,
)

UID: Final = EXPORTER
_CHOSEN: Final = "=~$collector"
_LEGEND: Final = "{{instance}} {{shop}}"
_UP: Final = {0.0: ("down", Colour.CRITICAL), 1.0: ("up", Colour.GOOD)}
_SUCCESS: Final = {0.0: ("fails", Colour.CRITICAL), 1.0: ("works", Colour.GOOD)}
_ENABLED: Final = {0.0: ("off", Colour.MUTED), 1.0: ("on", Colour.GOOD)}


def _ours(expr: Expr) -> Expr:
    """Keep the targets that were this exporter within the last day, so that a dead one is still shown."""
    enabled = here(own.ENABLED, collector=CronCollector.name)
    seen = enabled.or_else(over_time("last", enabled["1d":"5m"]))
    return expr.only_if(seen, on=SHOP)


_HEADER: Final[tuple[Panel, ...]] = (
    Stat(
        key="up_now",
        title="The exporter is",
        meaning="Whether Prometheus can scrape every chosen exporter.",
        good="Up.",
        then="Everything else on these dashboards is old data: `systemctl status`, network, port, login.",
        asks=(Ask(expr=min_by(_ours(here(UP)))),),
        unit="none",
        empty="not scraped for a day",
        mappings=words(_UP),
        filled=True,
        link=Link("Since when?", UID, "up"),
    ),
    Stat(
        key="sources_down",
        title="Sources down",
        meaning="Backends (database, RabbitMQ, Varnish, ...) that did not answer at their last use.",
        good="None.",
        then="See which; the numbers of the others are true.",
        asks=(Ask(expr=sum_by(here(own.SOURCE_UP).truth("==", 0))),),
        unit="short",
        decimals=0,
        empty="exporter is not scraped",
        threshold=thresholds.ANY_DOWN,
        link=Link("Which?", UID, "sources"),
    ),
    Stat(
        key="failing_now",
        title="Collectors fail",
        meaning="Collectors whose last run failed or is late.",
        good="None.",
        then="See which and why in the table; `magento-exporter doctor` names the fix.",
        asks=(Ask(expr=sum_by(here(own.SUCCESS, collector=_CHOSEN).truth("==", 0))),),
        unit="short",
        decimals=0,
        empty="exporter is not scraped",
        threshold=thresholds.ANY_DOWN,
        link=Link("Which?", UID, "collectors"),
    ),
    Stat(
        key="behind_now",
        title="Data is behind by",
        meaning="How long ago the most delayed collector should have had its next good run.",
        good="Seconds.",
        then="Its series are old, and end after its maximum staleness.",
        asks=(Ask(expr=behind(collector=_CHOSEN)),),
        unit="s",
        decimals=0,
        empty="no good run yet",
        threshold=thresholds.DATA_AGE_SECONDS,
        link=Link("Which?", UID, "freshness"),
    ),
    Stat(
        key="scrape_now",
        title="A scrape takes",
        meaning="How long Prometheus waits for the exporter's answer.",
        good="Well below the scrape timeout.",
        then="See which collector takes the time.",
        asks=(Ask(expr=max_by(_ours(here(SCRAPE_DURATION)))),),
        unit="s",
        empty="not scraped",
        threshold=thresholds.SCRAPE_SECONDS,
        link=Link("Which collector?", UID, "durations"),
    ),
    Stat(
        key="series_now",
        title="Series",
        meaning="Series in one scrape.",
        good="Level; it grows with stores, jobs and queues, never with orders.",
        then="A sudden rise: see which collector.",
        asks=(Ask(expr=sum_by(_ours(here(SCRAPE_SAMPLES)))),),
        unit="locale",
        decimals=0,
        empty="not scraped",
        base=Colour.NEUTRAL,
        spark=True,
        link=Link("Which collector?", UID, "series"),
    ),
)

_TRUST: Final[tuple[Panel | Stack, ...]] = (
    Timeline(
        key="up",
        title="Can Prometheus reach it?",
        meaning="Whether each exporter answered its scrape.",
        good="Up throughout.",
        then="Down: the process, the network or the login. Gaps on all dashboards are from here.",
        asks=(Ask(expr=_ours(here(UP)), legend=_LEGEND),),
        unit="none",
        empty="not scraped for a day",
        mappings=words(_UP),
        width=12,
        height=5,
        link=Link("Are we selling?", OVERVIEW, "selling"),
    ),
    Timeline(
        key="sources",
        title="Do the sources answer?",
        meaning="Whether each backend answered at its last use. What is not configured is not listed.",
        good="Up throughout.",
        then="Down: its collectors fail, and their series end after a while. It recovers without help.",
        asks=(Ask(expr=min_by(here(own.SOURCE_UP), "source"), legend="{{source}}"),),
        unit="none",
        empty="exporter is not scraped",
        mappings=words(_UP),
        width=12,
        height=5,
        link=Link("Which collectors suffer?", UID, "collectors"),
    ),
    Timeline(
        key="success",
        title="Which collector fails, and since when?",
        meaning="Whether each collector's last run succeeded.",
        good="Works throughout.",
        then="One alone: a right or a table is missing. Several of one source: the source is down.",
        asks=(Ask(expr=min_by(here(own.SUCCESS, collector=_CHOSEN), "collector"), legend="{{collector}}"),),
        unit="none",
        empty="exporter is not scraped",
        mappings=words(_SUCCESS),
        width=12,
        height=12,
        link=Link("Why?", UID, "errors"),
    ),
    Stack(
        panels=(
            Worst(
                key="freshness",
                title="Which numbers are old?",
                meaning="How long ago each collector should have had its next good run.",
                good="Zero, or short peaks of seconds.",
                then="A straight rise: it fails or hangs; see its errors.",
                asks=(
                    Ask(
                        expr=behind("collector", collector=_CHOSEN),
                        legend="{{collector}}",
                    ),
                ),
                unit="s",
                clock=MINUTES,
                empty="no good run yet",
                threshold=thresholds.DATA_AGE_SECONDS,
                width=12,
                height=6,
                link=Link("Why?", UID, "errors"),
                by="collector",
                above=MINUTE,
                rest="all in time",
            ),
            Worst(
                key="errors",
                title="Why do collectors fail?",
                meaning="Failed or late runs by reason, per interval of the graph.",
                good="Zero.",
                then="Rights: `magento-exporter grants`. Timeouts: a slow backend. See the log.",
                asks=(
                    Ask(
                        expr=sum_by(
                            increase(here(own.ERRORS, collector=_CHOSEN)["$__rate_interval"]),
                            "collector",
                            "reason",
                        ).or_else(sum_by(here(own.ENABLED, collector=_CHOSEN)) * 0),
                        legend="{{collector}} {{reason}}",
                    ),
                ),
                unit="locale",
                decimals=0,
                empty="exporter is not scraped",
                bars=True,
                stacked=True,
                width=12,
                height=6,
                link=Link("Since when?", UID, "success"),
                by="collector",
                above=0,
                rest="none fails",
            ),
        )
    ),
    Table(
        key="collectors",
        title="How is each collector doing?",
        meaning="Every collector: whether it works, how old its data is and what it costs.",
        good="Works, a few milliseconds, nothing dropped.",
        then=(
            "Off is a choice, or its source is not configured. Members not read: stores or changelogs without"
            " the right to read them; the doctor has the GRANT."
        ),
        asks=(
            Ask(expr=max_by(here(own.ENABLED, collector=_CHOSEN), "collector")),
            Ask(expr=min_by(here(own.SUCCESS, collector=_CHOSEN), "collector")),
            Ask(expr=clamp_min(max_by(age(here(own.LAST_SUCCESS, collector=_CHOSEN)), "collector"), 0)),
            Ask(expr=max_by(here(own.DURATION, collector=_CHOSEN), "collector")),
            Ask(expr=sum_by(here(own.SERIES, collector=_CHOSEN), "collector")),
            Ask(expr=sum_by(here(own.DROPPED, collector=_CHOSEN), "collector")),
            Ask(
                expr=sum_by(increase(here(own.ERRORS, collector=_CHOSEN)["1d"]), "collector").or_else(
                    max_by(here(own.ENABLED, collector=_CHOSEN), "collector") * 0
                )
            ),
            Ask(
                expr=sum_by(here(NOT_OBSERVED, collector=_CHOSEN), "collector").or_else(
                    max_by(here(own.ENABLED, collector=_CHOSEN), "collector") * 0
                )
            ),
        ),
        empty="exporter is not scraped",
        columns=(
            Column(
                field="collector",
                title="Collector",
                link=Link("Only this collector", UID, sets=(("collector", "${__value.raw}"),)),
            ),
            Column(field="Value #A", title="Enabled", width=110, mappings=words(_ENABLED)),
            Column(field="Value #B", title="Last run", width=110, mappings=words(_SUCCESS)),
            Column(field="Value #C", title="Last good run", unit="s", width=140, decimals=0),
            Column(
                field="Value #D",
                title="Took",
                unit="s",
                width=120,
                threshold=thresholds.COLLECTOR_SECONDS,
            ),
            Column(field="Value #E", title="Series", unit="locale", width=110, decimals=0),
            Column(
                field="Value #F",
                title="Series dropped",
                unit="locale",
                width=140,
                decimals=0,
                threshold=thresholds.ANY_DROPPED,
            ),
            Column(field="Value #G", title="Failed runs (24 h)", width=160, decimals=0),
            Column(field="Value #H", title="Members not read", unit="locale", width=150, decimals=0),
        ),
        sort="Value #D",
        width=24,
        height=11,
        link=Link("How long has it been failing?", UID, "success"),
    ),
)

_COST: Final[tuple[Panel, ...]] = (
    Graph(
        key="scrape_duration",
        title="Is a scrape fast enough?",
        meaning="How long Prometheus waits for the answer.",
        good="Well below the lines.",
        then="Above them scrapes are lost: see which collector takes the time.",
        asks=(Ask(expr=_ours(here(SCRAPE_DURATION)), legend=_LEGEND),),
        unit="s",
        empty="not scraped",
        threshold=thresholds.SCRAPE_SECONDS,
        soft_most=1.0,
        width=6,
        link=Link("Which collector?", UID, "durations"),
    ),
    Graph(
        key="durations",
        title="Which collector takes the time?",
        meaning="How long each collector's last run took, the ten slowest.",
        good="Milliseconds; it does not grow with the shop.",
        then=(
            "Growing with the shop's history is a bug of the exporter: report it with `docs/cost.md` at hand."
        ),
        asks=(
            Ask(
                expr=top(10, max_by(here(own.DURATION, collector=_CHOSEN), "collector")),
                legend="{{collector}}",
            ),
        ),
        unit="s",
        empty="exporter is not scraped",
        soft_most=1.0,
        width=9,
        table=True,
        link=Link("Every collector", UID, "collectors"),
    ),
    Graph(
        key="series",
        title="Does the number of series grow?",
        meaning="Series by collector, and those left out because a collector was over its limit.",
        good="Level, none left out.",
        then="Left out: too many stores, jobs or queues for the limit; ask why there are so many.",
        asks=(
            Ask(expr=sum_by(here(own.SERIES, collector=_CHOSEN), "collector"), legend="{{collector}}"),
            Ask(expr=sum_by(here(own.DROPPED, collector=_CHOSEN)), legend="left out"),
        ),
        unit="locale",
        empty="exporter is not scraped",
        stacked=True,
        width=9,
        table=True,
        link=Link("Every collector", UID, "collectors"),
        overrides=(override("left out", **line(Colour.CRITICAL)),),
        decimals=0,
    ),
    Graph(
        key="cpu",
        title="Is it busy?",
        meaning="CPU seconds per second of the exporter's process.",
        good="A few hundredths.",
        then="Near 1: it is the bottleneck; scrape less often, or switch off a collector.",
        asks=(Ask(expr=_ours(rate(here(PROCESS_CPU)["$__rate_interval"])), legend=_LEGEND),),
        unit="percentunit",
        empty="not scraped",
        width=4,
        link=Link("Which collector?", UID, "durations"),
    ),
    Graph(
        key="memory",
        title="Leaks?",
        meaning="Resident memory of the exporter's process.",
        good="Level after the first minutes.",
        then="A steady rise over days: report it, restart it.",
        asks=(Ask(expr=_ours(here(PROCESS_MEMORY)), legend=_LEGEND),),
        unit="bytes",
        empty="not scraped",
        width=4,
        link=Link("Does the number of series grow?", UID, "series"),
    ),
    Graph(
        key="files",
        title="Open files",
        meaning="Open files and sockets of the exporter's process.",
        good="Level.",
        then="Rising: connections are not closed; report it with the log.",
        asks=(Ask(expr=_ours(here(PROCESS_FILES)), legend=_LEGEND),),
        unit="locale",
        empty="not scraped",
        width=4,
        link=Link("Do the sources answer?", UID, "sources"),
        decimals=0,
    ),
    Table(
        key="versions",
        title="Which version runs?",
        meaning="Version and Python of every chosen exporter, and how long each has been running.",
        good="One version, everywhere.",
        then="A short time running: it was restarted; see the log for why.",
        asks=(
            Ask(
                expr=max_by(
                    here(BUILD_INFO).join("*", age(here(PROCESS_STARTED)), on=SHOP, group_left=()),
                    "instance",
                    "shop",
                    "version",
                    "python",
                )
            ),
        ),
        empty="not scraped",
        columns=(
            Column(field="instance", title="Exporter"),
            Column(field="shop", title="Shop"),
            Column(field="version", title="Version", width=90),
            Column(field="python", title="Python", width=80),
            Column(field="Value", title="Running for", unit="s", width=110, decimals=0),
        ),
        width=8,
        link=Link("Can it be reached?", UID, "up"),
    ),
    Table(
        key="shop",
        title="Which shop?",
        meaning="Version, edition and mode of the shop, read from its files.",
        good="Mode `production`.",
        then="Mode `developer` or `default` in production is slow and shows errors to visitors.",
        asks=(Ask(expr=max_by(here(INFO), "version", "edition", "mode")),),
        empty="no files of the shop, or exporter is not scraped",
        columns=(
            Column(field="version", title="Version"),
            Column(field="edition", title="Edition"),
            Column(field="mode", title="Mode"),
        ),
        width=4,
        link=Link("Can it be reached?", UID, "up"),
    ),
)

_OUTSIDE: Final[tuple[Panel, ...]] = (
    Timeline(
        key="outside",
        title="Is the shop served, seen from outside?",
        meaning="Whether a prober outside got each page. Pages of the shops chosen above.",
        good="Served throughout.",
        then="All pages: DNS, CDN, certificate or edge. Cart and GraphQL alone: PHP or what it needs.",
        asks=(
            Ask(
                expr=max_by(series(PROBE_SUCCESS, shop="=~$shop", page="!~|exposed.*"), "shop", "page"),
                legend="{{shop}} {{page}}",
            ),
        ),
        unit="none",
        empty="no probe from outside is set up",
        mappings=words({0.0: ("fails", Colour.CRITICAL), 1.0: ("served", Colour.GOOD)}),
        width=12,
        height=6,
        link=Link("Are we selling?", OVERVIEW, "selling"),
    ),
    Graph(
        key="written",
        title="When were the sitemap and feeds written?",
        meaning="Age of each probed file by the server's Last-Modified.",
        good="Falls to zero each night.",
        then="Rises beyond a day: its cron job fails, or the directory is full or not writable.",
        asks=(
            Ask(
                expr=now() - max_by(series(PROBE_LAST_MODIFIED, shop="=~$shop", page="!="), "page"),
                legend="{{page}}",
                may_be_empty=True,
            ),
        ),
        unit="s",
        empty="no file is probed",
        threshold=thresholds.FILE_SECONDS,
        by_name=True,
        width=12,
        height=6,
        link=Link("Is it served?", UID, "outside"),
    ),
    Stat(
        key="certificate",
        title="Certificate ends in",
        meaning="Time until the first certificate of the chain ends, as the shop serves it.",
        good="More than three weeks: it is renewed 30 days before its end.",
        then="Run the renewal by hand and read what it says.",
        asks=(
            Ask(
                expr=min_by(series(PROBE_CERTIFICATE, shop="=~$shop", page="!=")) - now(),
            ),
        ),
        unit="s",
        decimals=0,
        empty="no probe over TLS",
        threshold=thresholds.CERTIFICATE_SECONDS,
        width=8,
        height=4,
        link=Link("Is it served?", UID, "outside"),
    ),
    Stat(
        key="support",
        title="Magento is supported for",
        meaning="Time until Adobe's standard support of this version ends. Read from the shop's files.",
        good="More than a quarter of a year.",
        then="Plan the upgrade. After the end no security fix comes without extended support.",
        asks=(Ask(expr=min_by(here(SUPPORT_ENDS)) - now()),),
        unit="s",
        decimals=0,
        empty="version or its support not known",
        threshold=thresholds.SUPPORT_SECONDS,
        width=8,
        height=4,
        link=Link("Which version is it?", UID, "shop"),
    ),
    Stat(
        key="patch",
        title="Has it the newest patch?",
        meaning="Whether a newer patch of this version's line is out, as far as this exporter knows.",
        good="Yes.",
        then="Read what the newest patch closes, and agree on a date.",
        asks=(Ask(expr=max_by(here(PATCH_MISSING))),),
        unit="none",
        empty="version or its line not known",
        mappings=words({0.0: ("yes", Colour.GOOD), 1.0: ("no", Colour.WARNING)}),
        width=8,
        height=4,
        link=Link("Which version is it?", UID, "shop"),
    ),
)

DASHBOARD: Final = Dashboard(
    uid=UID,
    title="Magento / Exporter",
    description="Can the numbers be trusted, and what do they cost.",
    by_store=False,
    variables=(values_of("collector", "Collector", own.ENABLED, "collector"),),
    annotations=(CALLED, FIRING, MAINTENANCE, DEPLOYED),
    rows=(
        Row(panels=_HEADER),
        Row(title="Can the numbers be trusted?", panels=_TRUST),
        Row(title="Does a customer get in?", panels=_OUTSIDE),
        Row(title="What do they cost?", panels=_COST),
    ),
)
