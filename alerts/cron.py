"""Cron: all that Magento does later depends on it (e-mails, indexes, prices, queues)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from alerts import thresholds as limits
from alerts.lib.cases import HOUR, MINUTE, Ago, At, Cases, Gone, Hourly, Input, Level
from alerts.lib.condition import Clause, only_where, unless
from alerts.lib.model import Alert, Category, NoData, Panel, Severity, Team, Unit, Urgently
from alerts.thresholds import critical, warning
from exporter.collectors import cron
from promql.expr import Expr, age, increase, over_time, seconds, series, sum_by
from promql.metrics import SHOP

_cron: Final = partial(
    Alert, severity=Severity.WARNING, team=Team.PLATFORM, service="cron", category=Category.CRON
)
_JOB: Final = {"job_code": "sales_send_order_emails"}

_JOB_OF_A_SHOP: Final = (*SHOP, "job_code")
_SILENT_FOR: Final = age(series(cron.LAST_EXECUTION))


def _runs(window: str, status: str) -> Expr:
    """Return the runs of each job that ended with the status."""
    return sum_by(increase(series(cron.RUNS, status=status)[window]), *_JOB_OF_A_SHOP)


def _never(window: str, status: str) -> Clause:
    """Return the guard that leaves out the jobs with a run that ended with the status."""
    runs = increase(series(cron.RUNS, status=status)[window])
    return unless(runs > limits.ONE_EVENT, on=_JOB_OF_A_SHOP)


def _not_done_for(status: str) -> Expr:
    """Return how long ago the run was due that ended so, and that no success followed."""
    return age(series(cron.NOT_DONE, status=status))


_not_running: Final = unless(series(cron.RUNNING), on=_JOB_OF_A_SHOP)
"""A job that runs now may succeed yet. If it runs for too long, MagentoCronJobOverrunning fires."""

_PRICES: Final = Urgently(
    'match "^(catalogrule_apply_all|currency_rates_update)$" $labels.job_code', "for jobs that make prices"
)
_not_done: Final = partial(
    _cron,
    threshold=warning(limits.CRON_NOT_DONE_SECONDS),
    unit=Unit.SECONDS,
    urgently=_PRICES,
    scope="job_code",
    for_=15 * MINUTE,
    keep_firing_for=30 * MINUTE,
    no_data=NoData.OPTIONAL,
)


def _cases_of_not_done(
    status: str, *, errors: Input, silent: Mapping[str, Mapping[str, Level]], expected: str
) -> Cases:
    return Cases(
        entity={"job_code": "sales_clean_quotes"},
        labels={"status": status},
        inputs={
            "not_done": Input(
                cron.NOT_DONE,
                labels={"status": status},
                bad=Ago(3_660),
                good=Gone(at_once=True),
                edge=Ago(3_600),
            ),
            "errors": errors,
            "running": Input(cron.RUNNING, bad=Gone(), good=Gone(), needed=False),
        },
        silent={**silent, "it runs": {"running": At(600)}},
        needs_all_inputs=False,
        warm_up=2 * HOUR,
        expected_description=expected,
    )


ALERTS: Final = (
    _cron(
        name="MagentoCronStopped",
        severity=Severity.URGENT,
        value=_SILENT_FOR,
        threshold=critical(limits.CRON_SILENT_SECONDS),
        unit=Unit.SECONDS,
        scope="",
        for_=2 * MINUTE,
        keep_firing_for=30 * MINUTE,
        summary="Magento's cron has stopped.",
        description="No cron job has started for {{ $value | humanizeDuration }} (limit %limit%).",
        impact="No order e-mails, no price and stock updates, no exports; catalogue changes stay invisible.",
        first_action="Look at the crontab of the shop's user and at var/log/cron.log on the cron node.",
        why="Some job is due every minute, so 15 minutes without a start are never normal. After 15 minutes "
        "Magento also marks planned runs as missed (schedule_lifetime). It fires after 2 minutes, before "
        "the alerts that a stopped cron causes, and inhibits them. It keeps firing for 20 minutes while "
        "cron catches up, so that those alerts do not notify afterwards.",
        panel=Panel("magento-cron", "last_execution"),
        cases=Cases(
            inputs={"last_execution": Input(cron.LAST_EXECUTION, bad=Ago(930), good=Ago(30), edge=Ago(900))},
            expected_description="No cron job has started for 15m 30s (limit 15m).",
        ),
    ),
    _cron(
        name="MagentoCronLagging",
        value=series(cron.LAG),
        threshold=warning(limits.CRON_LAG_SECONDS),
        unit=Unit.SECONDS,
        guard=(only_where(_SILENT_FOR < seconds(warning(limits.CRON_SILENT_SECONDS)), on=SHOP),),
        scope="",
        for_=10 * MINUTE,
        keep_firing_for=10 * MINUTE,
        summary="Cron runs, but late.",
        description="The oldest due job has waited {{ $value | humanizeDuration }} (limit %limit%).",
        impact="Jobs start late and are soon marked missed: e-mails, prices and stock follow with delay.",
        first_action="See who waits: one job, the jobs of one group, or all; then what runs longest.",
        why="A due job starts within a minute or two. After 15 minutes (2 in the group index) it "
        "is marked missed. Ten minutes of lag are more than a busy moment. If nothing has "
        "started for five minutes, cron has stopped: see MagentoCronStopped.",
        panel=Panel("magento-cron", "lag"),
        cases=Cases(
            inputs={
                "lag": Input(cron.LAG, bad=At(330), good=At(40), edge=At(300)),
                "last_execution": Input(cron.LAST_EXECUTION, bad=Ago(30), good=Ago(330)),
            },
            silent={"cron has stopped": {"last_execution": Ago(300)}},
            expected_description="The oldest due job has waited 5m 30s (limit 5m).",
        ),
    ),
    _cron(
        name="MagentoCronJobFailing",
        value=_runs("1h", "error"),
        threshold=warning(limits.CRON_JOB_FAILURES),
        guard=(_never("1h", "success"),),
        scope="job_code",
        for_=5 * MINUTE,
        keep_firing_for=15 * MINUTE,
        summary="A cron job fails again and again.",
        description='{{ $labels.job_code }} failed {{ $value | printf "%.0f" }} times in the last hour '
        "and did not succeed once.",
        impact="What this job does is not done; the runbook says what that means for the usual jobs.",
        first_action="Read the message of its last error row in cron_schedule, then var/log/exception.log.",
        why="One failed run may be chance. Three failures in an hour without a success are not.",
        panel=Panel("magento-cron", "failures"),
        cases=Cases(
            entity=_JOB,
            inputs={
                "errors": Input(
                    cron.RUNS, labels={"status": "error"}, bad=Hourly(3), good=Hourly(0), edge=Hourly(2.4)
                ),
                "successes": Input(
                    cron.RUNS, labels={"status": "success"}, bad=Hourly(0), good=Hourly(60), needed=False
                ),
            },
            warm_up=2 * HOUR,
            reaches_limit_after=59 * MINUTE,
            expected_description="sales_send_order_emails failed 3 times in the last hour and did not "
            "succeed once.",
        ),
    ),
    _not_done(
        name="MagentoCronDailyJobFailed",
        value=_not_done_for("error"),
        guard=(
            _not_running,
            unless(_runs("1h", "error") > warning(limits.CRON_JOB_FAILURES), on=_JOB_OF_A_SHOP),
        ),
        summary="A cron job failed when it was due, and has not succeeded since.",
        description="{{ $labels.job_code }} was due {{ $value | humanizeDuration }} ago, failed, and has not "
        "succeeded since (limit %limit%).",
        impact="What it does is not done until its next run: price rules, clean-ups, reports or feeds.",
        first_action="Read the message of its last error row in cron_schedule (kept for three days).",
        why="Magento does not repeat a failed run, so a daily job waits for the next night. After an hour a "
        "frequent job has run again and succeeded. A job that fails all the time is "
        "MagentoCronJobFailing's.",
        panel=Panel("magento-cron", "jobs"),
        cases=_cases_of_not_done(
            "error",
            errors=Input(cron.RUNS, labels={"status": "error"}, bad=Hourly(0), good=Hourly(0), needed=False),
            silent={"it fails all the time": {"errors": Hourly(4)}},
            expected="sales_clean_quotes was due 1h 1m 0s ago, failed, and has not succeeded since "
            "(limit 1h).",
        ),
    ),
    _not_done(
        name="MagentoCronJobNeverRan",
        value=_not_done_for("missed"),
        guard=(
            _not_running,
            unless(_runs("1h", "missed") > warning(limits.CRON_JOB_MISSED), on=_JOB_OF_A_SHOP),
        ),
        summary="A cron job was planned, but nothing started it.",
        description="{{ $labels.job_code }} was due {{ $value | humanizeDuration }} ago, was not started, "
        "and has not succeeded since (limit %limit%).",
        impact="What it does is not done until its next run: price rules, clean-ups, reports or feeds.",
        first_action="Look for a long job in the same cron group at the times at which this one is due.",
        why="A planned run that no process starts within its lifetime is marked missed, and nothing makes up "
        "for it. After an hour a frequent job has run again. A job that misses run after run is "
        "MagentoCronJobMissed's.",
        panel=Panel("magento-cron", "jobs"),
        cases=_cases_of_not_done(
            "missed",
            errors=Input(cron.RUNS, labels={"status": "missed"}, bad=Hourly(0), good=Hourly(0), needed=False),
            silent={"it misses run after run": {"errors": Hourly(8)}},
            expected="sales_clean_quotes was due 1h 1m 0s ago, was not started, and has not succeeded "
            "since (limit 1h).",
        ),
    ),
    _cron(
        name="MagentoCronJobMissed",
        value=_runs("1h", "missed"),
        threshold=warning(limits.CRON_JOB_MISSED),
        guard=(
            unless(
                over_time("max", _SILENT_FOR["1h":"1m"]) > seconds(critical(limits.CRON_SILENT_SECONDS)),
                on=SHOP,
            ),
        ),
        scope="job_code",
        for_=15 * MINUTE,
        keep_firing_for=15 * MINUTE,
        summary="A cron job misses planned runs.",
        description='{{ $labels.job_code }} missed {{ $value | printf "%.0f" }} planned runs in the last '
        "hour (limit %limit%).",
        impact="The job runs less often than planned; its work piles up.",
        first_action="See which job runs longest: it holds the group's process or its own lock.",
        why="A few missed runs after a deployment are normal. More than five an hour, for 15 minutes, mean "
        "that the job or its group takes longer than its interval. Runs that were missed while cron stood "
        "still do not count; MagentoCronStopped is about those.",
        panel=Panel("magento-cron", "missed"),
        cases=Cases(
            entity=_JOB,
            inputs={
                "missed": Input(
                    cron.RUNS, labels={"status": "missed"}, bad=Hourly(7), good=Hourly(0), edge=Hourly(4.9)
                ),
                "last_execution": Input(
                    cron.LAST_EXECUTION, bad=Ago(30), good=Ago(960), needed=False, shared=True
                ),
            },
            silent={"cron stood still": {"last_execution": Ago(960)}},
            needs_all_inputs=False,
            warm_up=2 * HOUR,
            reaches_limit_after=HOUR,
            expected_description="sales_send_order_emails missed 7 planned runs in the last hour (limit 5).",
        ),
    ),
    _cron(
        name="MagentoCronJobOverrunning",
        value=series(cron.RUNNING),
        threshold=warning(limits.CRON_RUNNING_SECONDS),
        unit=Unit.SECONDS,
        scope="job_code",
        for_=5 * MINUTE,
        keep_firing_for=5 * MINUTE,
        no_data=NoData.OPTIONAL,
        summary="A cron job runs far too long, or was killed.",
        description="{{ $labels.job_code }} has been running for {{ $value | humanizeDuration }} "
        "(limit %limit%).",
        impact="Its own next runs are missed. Where only one cron:run may exist, all other jobs wait for it.",
        first_action="Look for `cron:run` in `ps aux` on the cron node: is its process still there?",
        why="Magento's own jobs end within minutes. A row that stays `running` is a hung or a killed job.",
        panel=Panel("magento-cron", "running"),
        cases=Cases(
            entity={"job_code": "catalogrule_apply_all"},
            inputs={"running": Input(cron.RUNNING, bad=At(3660), good=At(120), edge=At(3600))},
            expected_description="catalogrule_apply_all has been running for 1h 1m 0s (limit 1h).",
        ),
    ),
    _cron(
        name="MagentoCronTableBloated",
        value=series(cron.TABLE_ROWS),
        threshold=warning(limits.CRON_TABLE_ROWS),
        scope="",
        for_=HOUR,
        summary="The table of cron runs has grown far too large.",
        description="The table cron_schedule holds about {{ $value | humanize }} rows (limit %limit%).",
        impact="Every cron start gets slower, and deadlocks become likely. In the end cron stops.",
        first_action="Count its rows by job_code and status; see which group's clean-up does not run.",
        why="Magento keeps an hour of successes and three days of failures: a few thousand rows. The "
        "server's estimate may be wrong by 40 %, which does not matter at this size.",
        panel=Panel("magento-cron", "table_rows"),
        cases=Cases(
            inputs={"table_rows": Input(cron.TABLE_ROWS, bad=At(55_000), good=At(3_000), edge=At(50_000))},
            expected_description="The table cron_schedule holds about 55k rows (limit 50000).",
        ),
    ),
)
