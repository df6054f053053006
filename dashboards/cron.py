"""Cron: is it alive, is it late, and which job is to blame."""

from __future__ import annotations

from typing import Final

from alerts import thresholds
from alerts.thresholds import MINUTE
from dashboards.lib.annotations import CALLED, DEPLOYED, FIRING, MAINTENANCE, REINDEXED
from dashboards.lib.here import here
from dashboards.lib.links import Link
from dashboards.lib.page import Dashboard
from dashboards.lib.panels import Ask, Column, Graph, Panel, Row, Stat, Table, Worst
from dashboards.lib.style import MINUTES, Colour, line, override, words
from dashboards.lib.uids import CRON
from dashboards.lib.variables import values_of
from exporter.collectors import cron
from promql.expr import Expr, age, increase, max_by, sum_by, top

UID: Final = CRON
_JOBS: Final = "=~$job_code"
_OFF: Final = "cron collector off"


def _runs(status: str, window: str, *by: str) -> Expr:
    return sum_by(increase(here(cron.RUNS, status=status, job_code=_JOBS)[window]), *by)


def _mean(summary_of: str, window: str) -> Expr:
    metric = {"duration": cron.DURATION, "delay": cron.START_DELAY}[summary_of]
    total = sum_by(increase(here(metric, part="sum", job_code=_JOBS)[window]), "job_code")
    count = sum_by(increase(here(metric, part="count", job_code=_JOBS)[window]), "job_code")
    return total / (count > 0)


def _running() -> Expr:
    """Return how long jobs have been running, and a zero without a job, which tells idle from unread."""
    read = sum_by(here(cron.JOBS, status="running")) * 0
    return max_by(here(cron.RUNNING, job_code=_JOBS), "job_code").or_else(read)


_HEADER: Final[tuple[Panel, ...]] = (
    Stat(
        key="alive",
        title="Is cron alive?",
        meaning="Time since Magento last started any cron job (`cron_schedule.executed_at`).",
        good="Under a minute or two: every minute has at least one default job.",
        then="Check the system's crontab and that PHP starts; *Does cron start jobs?* shows since when.",
        asks=(Ask(expr=max_by(age(here(cron.LAST_EXECUTION)))),),
        unit="s",
        decimals=0,
        empty="no job has run yet, or not read",
        threshold=thresholds.CRON_SILENT_SECONDS,
        link=Link("When did it stop?", UID, "last_execution"),
        filled=True,
    ),
    Stat(
        key="lag_now",
        title="Latest job late",
        meaning=cron.LAG.help,
        good="Under a minute; cron runs once a minute.",
        then="Look for one long job that holds up its group: *What runs too long?*",
        asks=(Ask(expr=max_by(here(cron.LAG))),),
        unit="s",
        decimals=0,
        empty=_OFF,
        threshold=thresholds.CRON_LAG_SECONDS,
        link=Link("Which jobs are late?", UID, "jobs"),
    ),
    Stat(
        key="overdue",
        title="Runs past time",
        meaning="Planned runs whose time has come, over the chosen jobs.",
        good="A handful at the start of each minute, then none.",
        then="If it grows, cron starts fewer jobs than it plans: see which in the table.",
        asks=(Ask(expr=sum_by(here(cron.OVERDUE, job_code=_JOBS))),),
        unit="short",
        decimals=0,
        empty=_OFF,
        base=Colour.NEUTRAL,
        link=Link("Which jobs are late?", UID, "jobs"),
    ),
    Stat(
        key="errors_hour",
        title="Failed runs (1 h)",
        meaning="Runs of the chosen jobs that ended in status `error`.",
        good="None. A failing job is silent in the shop: its work is simply not done.",
        then="Read the exception in `var/log/cron.log` or `cron_schedule.messages` for the job in the table.",
        asks=(Ask(expr=_runs("error", "1h")),),
        unit="short",
        decimals=0,
        empty="no run counted yet",
        threshold=thresholds.CRON_ERRORS_AN_HOUR,
        link=Link("Which jobs fail?", UID, "failures"),
    ),
    Stat(
        key="missed_hour",
        title="Missed runs (1 h)",
        meaning="Planned runs of the chosen jobs that were given up: not started within `schedule_lifetime`.",
        good="None, or a few after a deployment.",
        then="Cron is blocked or started too rarely; a missed run is never made up for.",
        asks=(Ask(expr=_runs("missed", "1h")),),
        unit="short",
        decimals=0,
        empty="no run counted yet",
        threshold=thresholds.CRON_MISSED_AN_HOUR,
        link=Link("Which jobs miss runs?", UID, "failures"),
    ),
    Stat(
        key="longest",
        title="Longest run now",
        meaning="How long the oldest run in status `running` of the chosen jobs has been running.",
        good="Minutes. Default jobs end within them; indexing a large catalogue takes longer.",
        then="See whether its process still lives. A dead one keeps the status until the next run cleans it.",
        asks=(Ask(expr=max_by(_running())),),
        unit="s",
        decimals=0,
        empty=_OFF,
        mappings=words({0.0: ("none", Colour.GOOD)}),
        threshold=thresholds.CRON_RUNNING_SECONDS,
        link=Link("Which job?", UID, "running"),
    ),
)

_SCHEDULE: Final[tuple[Panel, ...]] = (
    Graph(
        key="last_execution",
        title="Does cron start jobs?",
        meaning="Time since any job was last started.",
        good="Rises and falls, below a minute or two.",
        then="A straight rise is a stopped cron: crontab, PHP, disk, or the cron server itself.",
        asks=(Ask(expr=max_by(age(here(cron.LAST_EXECUTION))), legend="since the last start"),),
        unit="s",
        empty=_OFF,
        threshold=thresholds.CRON_SILENT_SECONDS,
        width=8,
        link=Link("Which jobs are late?", UID, "jobs"),
        overrides=(override("since the last start", **line(Colour.NEUTRAL)),),
        clock=MINUTES,
    ),
    Graph(
        key="lag",
        title="How long does a job wait for its start?",
        meaning=cron.LAG.help,
        good="Rises and falls, below a minute.",
        then="Rising while jobs are still being started: one long job blocks its group.",
        asks=(Ask(expr=max_by(here(cron.LAG)), legend="longest wait"),),
        unit="s",
        empty=_OFF,
        threshold=thresholds.CRON_LAG_SECONDS,
        width=8,
        link=Link("What runs too long?", UID, "running"),
        overrides=(override("longest wait", **line(Colour.ACCENT)),),
        clock=MINUTES,
    ),
    Worst(
        key="start_delay",
        title="How late do jobs start? (10 min)",
        meaning="Mean time between planned and real start, of the runs that started.",
        good="Under a minute.",
        then="Jobs of one group run one after another: look for the long job before the late ones.",
        asks=(
            Ask(
                expr=_mean("delay", "10m"),
                legend="{{job_code}}",
            ),
        ),
        unit="s",
        empty="no job started in this range",
        width=8,
        link=Link("What runs too long?", UID, "running"),
        by="job_code",
        above=MINUTE,
        rest="no job a minute late",
        shown=5,
        clock=MINUTES,
    ),
)

_BLAME: Final[tuple[Panel, ...]] = (
    Worst(
        key="failures",
        title="Which jobs fail?",
        meaning="Runs that ended in `error`, by job, per interval of the graph.",
        good="Zero.",
        then="One job: read its exception. All at once: database or PHP was away, or cron was stopped.",
        asks=(
            Ask(
                expr=_runs("error", "$__rate_interval", "job_code"),
                legend="{{job_code}}",
            ),
        ),
        unit="locale",
        decimals=0,
        empty="no run counted yet",
        bars=True,
        stacked=True,
        width=8,
        link=Link("Every job", UID, "jobs"),
        height=7,
        by="job_code",
        above=0,
        rest="no job failed",
        shown=5,
    ),
    Worst(
        key="missed",
        title="Which jobs miss their time?",
        meaning="Planned runs that were given up because they were not started in time, by job.",
        good="Zero; a deployment may leave a few.",
        then="One group: a long job blocks it. All groups: cron was stopped or starts too rarely.",
        asks=(
            Ask(
                expr=_runs("missed", "$__rate_interval", "job_code"),
                legend="{{job_code}}",
            ),
        ),
        unit="locale",
        decimals=0,
        empty="no run counted yet",
        bars=True,
        stacked=True,
        width=8,
        link=Link("Every job", UID, "jobs"),
        height=7,
        by="job_code",
        above=0,
        rest="no job missed its time",
        shown=5,
    ),
    Worst(
        key="running",
        title="What runs too long?",
        meaning="How long each job's oldest row has been in status `running`.",
        good="Short peaks. A line that climbs for hours is a hung job, or one whose process died.",
        then="Find the process on the cron server; if there is none, the row is a leftover of a killed run.",
        asks=(Ask(expr=_running(), legend="{{job_code}}"),),
        unit="s",
        empty=_OFF,
        threshold=thresholds.CRON_RUNNING_SECONDS,
        width=8,
        link=Link("Every job", UID, "jobs"),
        clock=MINUTES,
        height=7,
        by="job_code",
        above=MINUTE,
        rest="none for a minute",
        shown=5,
    ),
    Table(
        key="jobs",
        title="How is each job doing?",
        meaning="Every job that the shop has planned lately, over the last 24 hours.",
        good="A recent success for each, no errors, nothing overdue.",
        then="Sort by a column. A job without a success in its period has stopped doing its work.",
        asks=(
            Ask(expr=max_by(age(here(cron.LAST_SUCCESS, job_code=_JOBS)), "job_code")),
            Ask(expr=max_by(here(cron.OVERDUE, job_code=_JOBS), "job_code")),
            Ask(expr=_runs("success", "1d", "job_code")),
            Ask(expr=_runs("error", "1d", "job_code")),
            Ask(expr=_runs("missed", "1d", "job_code")),
            Ask(expr=_mean("duration", "1d")),
            Ask(expr=_mean("delay", "1d")),
            Ask(expr=max_by(age(here(cron.NOT_DONE, job_code=_JOBS)), "job_code"), may_be_empty=True),
        ),
        empty=_OFF,
        columns=(
            Column(
                field="job_code",
                title="Job",
                link=Link("Only this job", UID, sets=(("job_code", "${__value.raw}"),)),
            ),
            Column(field="Value #A", title="Last success", unit="s", width=130, decimals=0),
            Column(field="Value #B", title="Overdue", width=110, decimals=0),
            Column(field="Value #C", title="Succeeded (24 h)", width=150, decimals=0),
            Column(field="Value #D", title="Failed (24 h)", width=130, decimals=0),
            Column(field="Value #E", title="Missed (24 h)", width=130, decimals=0),
            Column(field="Value #F", title="Mean duration", unit="s", width=140),
            Column(field="Value #G", title="Mean delay", unit="s", width=130),
            Column(
                field="Value #H",
                title="Not done since",
                unit="s",
                width=140,
                decimals=0,
                threshold=thresholds.CRON_NOT_DONE_SECONDS,
            ),
        ),
        sort="Value #D",
        width=24,
        height=10,
        link=Link("Which jobs fail?", UID, "failures"),
    ),
)

_COST: Final[tuple[Panel, ...]] = (
    Graph(
        key="time_spent",
        title="Where does cron spend its time? (10 min)",
        meaning="Share of the last ten minutes that each job worked: 100 % keeps one process busy.",
        good="The indexers lead; the sum stays well below the number of cron groups.",
        then="Move a job that keeps its group busy into a group with its own process.",
        asks=(
            Ask(
                expr=top(
                    8,
                    sum_by(increase(here(cron.DURATION, part="sum", job_code=_JOBS)["10m"]), "job_code")
                    / 600,
                ),
                legend="{{job_code}}",
            ),
        ),
        unit="percentunit",
        empty="no successful run in this range",
        stacked=True,
        table=True,
        width=10,
        link=Link("Every job", UID, "jobs"),
        calcs=("max",),
    ),
    Graph(
        key="outcomes",
        title="Runs, 10 min",
        meaning="Runs per minute by outcome, over the chosen jobs, in the last ten minutes at each moment.",
        good="A steady rate of `success`.",
        then="If `success` falls without `error`, cron plans or starts less: *Does cron start jobs?*",
        asks=(
            Ask(
                expr=sum_by(increase(here(cron.RUNS, job_code=_JOBS)["10m"]), "status") / 10,
                legend="{{status}}",
            ),
        ),
        unit="opm",
        empty="no run counted yet",
        width=4,
        link=Link("Which jobs fail?", UID, "failures"),
        overrides=(
            override("success", **line(Colour.GOOD)),
            override("error", **line(Colour.CRITICAL)),
            override("missed", **line(Colour.WARNING)),
        ),
    ),
    Graph(
        key="planned",
        title="Are runs planned?",
        meaning="Rows of `cron_schedule` of all jobs that are pending (planned ahead) or running.",
        good="A level number of pending rows; few are running.",
        then="No pending rows: cron does not plan; it needs the cache to remember when it last did.",
        asks=(Ask(expr=sum_by(here(cron.JOBS), "status"), legend="{{status}}"),),
        unit="locale",
        empty=_OFF,
        width=5,
        link=Link("Does cron start jobs?", UID, "last_execution"),
        overrides=(
            override("pending", **line(Colour.NEUTRAL)),
            override("running", **line(Colour.ACCENT)),
        ),
        decimals=0,
    ),
    Graph(
        key="table_rows",
        title="Does it bloat?",
        meaning="The server's estimate of the rows of `cron_schedule`, within some 40 %.",
        good="Thousands. Magento deletes old rows every ten minutes or so.",
        then="Beyond the line every cron start gets slow; check the history settings and cleaning.",
        asks=(Ask(expr=max_by(here(cron.TABLE_ROWS)), legend="rows"),),
        unit="locale",
        empty="the server gives no estimate",
        threshold=thresholds.CRON_TABLE_ROWS,
        width=5,
        legend=False,
        link=Link("Is cron alive?", UID, "alive"),
        decimals=0,
    ),
)

DASHBOARD: Final = Dashboard(
    uid=UID,
    title="Magento / Cron",
    description="Is cron alive, is it late, and which job is to blame. Cron serves the whole shop.",
    by_store=False,
    variables=(values_of("job_code", "Cron job", cron.OVERDUE, "job_code"),),
    annotations=(CALLED, FIRING, MAINTENANCE, DEPLOYED, REINDEXED),
    rows=(
        Row(panels=_HEADER),
        Row(title="Is the schedule kept?", panels=_SCHEDULE),
        Row(title="Which job is to blame?", panels=_BLAME),
        Row(title="What does cron do all day?", panels=_COST),
    ),
)
