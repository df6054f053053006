"""Evidence of the alerts on cron."""

from __future__ import annotations

from typing import Final

from exporter.collectors import cron
from exporter.evidence.conditions import above, at_most, both, either, given
from exporter.evidence.declared.shared import (
    DATABASE,
    DAY,
    DEPLOYED,
    HOUR,
    INDEXERS_WORKING,
    KILLED,
    LOCK_WAITERS,
)
from exporter.evidence.model import Evidence, Hypothesis, LabelIs, OwnSeries, Pick, PromQL, Setting, Unit

_SILENT: Final = OwnSeries(
    "silent", "since any job was started", Unit.SECONDS, metric=cron.LAST_EXECUTION, age=True
)
_LONGEST: Final = OwnSeries(
    "longest",
    "the longest run that goes on",
    Unit.SECONDS,
    metric=cron.RUNNING,
    ignore=("job_code",),
    absent=0.0,
)
_OWN_RUN: Final = OwnSeries(
    "own_run", "this job's run goes on since", Unit.SECONDS, metric=cron.RUNNING, absent=0.0
)
_WAITING_JOBS: Final = OwnSeries(
    "waiting_jobs",
    "jobs with more than two runs due",
    metric=cron.OVERDUE,
    pick=Pick.SEVERAL,  # at each full minute many jobs are due once, until cron starts them
    ignore=("job_code",),
    absent=0.0,
)
_INDEXING: Final = LabelIs(
    "indexing",
    "the job rebuilds indexes",
    Unit.YES_NO,
    label="job_code",
    pattern="indexer_reindex_all_invalid",
)
_PENDING: Final = OwnSeries(
    "pending", "runs planned or due", metric=cron.JOBS, labels={"status": "pending"}, absent=0.0
)
_ENABLED: Final = Setting(
    "enabled", "cron is enabled in env.php", Unit.YES_NO, path="cron/enabled", absent=1.0
)
_ERRORS: Final = PromQL(
    "errors",
    "failed runs of this job in an hour",
    query=f'sum(increase({cron.RUNS.name}{{status="error",%s}}[1h])) or vector(0)',
    labels=("job_code",),
)
_JOBS_WITH: Final = (
    f'count(sum by (job_code) (increase({cron.RUNS.name}{{status="STATUS",%s}}[1h])) > 0.5) or vector(0)'
)
_FAILING_JOBS: Final = PromQL(
    "failing_jobs",
    "jobs with failed runs in an hour",
    query=_JOBS_WITH.replace("STATUS", "error"),
)
_MISSED: Final = PromQL(
    "missed",
    "jobs that missed runs in an hour",
    query=_JOBS_WITH.replace("STATUS", "missed"),
)
_DELAY: Final = PromQL(
    "delay",
    "mean delay of the starts in ten minutes",
    Unit.SECONDS,
    query=(
        f"sum(rate({cron.START_DELAY.name}_sum{{%s}}[10m]))"
        f" / sum(rate({cron.START_DELAY.name}_count{{%s}}[10m]))"
    ),
)
_SILENCE: Final = PromQL(
    "silence",
    "the longest silence of cron in a day",
    Unit.SECONDS,
    query=f"max(max_over_time((time() - {cron.LAST_EXECUTION.name}{{%s}})[1d:5m]))",
)
_ROWS: Final = OwnSeries("rows", "rows of cron_schedule, about", metric=cron.TABLE_ROWS)
_GREW: Final = PromQL(
    "grew",
    "runs that ended in an hour, a row each",
    query=f"sum(increase({cron.RUNS.name}{{%s}}[1h]))",
)

EVIDENCE: Final = (
    Evidence(
        "MagentoCronStopped",
        facts=(_SILENT, _ENABLED, _LONGEST, _PENDING, DATABASE),
        hypotheses=(
            Hypothesis(
                "the crontab is gone (new server, deploy, restored backup)",
                both(above("enabled"), at_most("longest", HOUR), at_most("database"), above("silent", 300)),
            ),
            Hypothesis("cron was switched off for a deploy and is still off", at_most("enabled")),
            Hypothesis("runs are started but hang", above("longest", HOUR)),
        ),
    ),
    Evidence(
        "MagentoCronLagging",
        facts=(_OWN_RUN, _LONGEST, _WAITING_JOBS, _SILENT),
        hypotheses=(
            Hypothesis(
                "only one process may run, and it is busy",
                both(above("waiting_jobs", 3), above("longest", 300)),
            ),
            Hypothesis(
                "one job's earlier run is still at it",
                both(above("longest", 300), at_most("waiting_jobs", 3)),
            ),
            Hypothesis(
                "a group is not started any more",
                both(above("waiting_jobs"), at_most("longest", 300), at_most("silent", 300)),
            ),
        ),
    ),
    Evidence(
        "MagentoCronJobFailing",
        facts=(_ERRORS, _OWN_RUN, _FAILING_JOBS, KILLED, DEPLOYED),
        hypotheses=(
            Hypothesis("a row was left running for a day", above("own_run", DAY)),
            Hypothesis(
                "its process is killed (memory, deploy, OOM)", given(above("errors"), above("killed"))
            ),
            Hypothesis(
                "its code is gone or half installed", both(above("errors"), at_most("deployed", HOUR))
            ),
            Hypothesis(
                "the job throws", both(above("errors"), above("deployed", HOUR), at_most("own_run", DAY))
            ),
        ),
    ),
    Evidence(
        "MagentoCronJobMissed",
        facts=(_OWN_RUN, _LONGEST, _MISSED, _DELAY, _SILENT),
        hypotheses=(
            Hypothesis("its own long run is in the way", above("own_run", 600)),
            Hypothesis(
                "one hung job blocks a whole group", both(at_most("own_run", 600), above("longest", 600))
            ),
            Hypothesis(
                "the server is too slow to start PHP in time",
                both(at_most("longest", 600), above("delay", 60)),
            ),
            Hypothesis("cron is started too seldom", both(at_most("longest", 600), above("silent", 240))),
        ),
    ),
    Evidence(
        "MagentoCronJobOverrunning",
        facts=(_OWN_RUN, _INDEXING, INDEXERS_WORKING, LOCK_WAITERS),
        hypotheses=(
            Hypothesis("it is a full reindex", both(above("indexing"), above("indexers_working"))),
            Hypothesis("it waits for a lock in the database", above("lock_waiters")),
            Hypothesis(
                "it died: memory, deploy, restart",
                both(above("own_run", HOUR), either(at_most("indexing"), at_most("indexers_working"))),
            ),
        ),
    ),
    Evidence(
        "MagentoCronTableBloated",
        facts=(_ROWS, _GREW, _PENDING, _MISSED),
        hypotheses=(
            Hypothesis("many runs are missed or fail, all day", above("missed", 10)),
            Hypothesis("too much is planned ahead", both(at_most("missed", 10), above("pending", 10_000))),
            Hypothesis(
                "rows of a module that was removed", both(at_most("missed", 10), at_most("pending", 10_000))
            ),
        ),
    ),
    Evidence(
        "MagentoCronDailyJobFailed",
        facts=(_ERRORS, _FAILING_JOBS, _OWN_RUN, KILLED),
        hypotheses=(
            Hypothesis("its process was killed (memory, restart, deploy)", above("killed")),
            Hypothesis("the database went away in the night", above("failing_jobs", 3)),
            Hypothesis("it collided with another job, an import or a backup", at_most("failing_jobs", 3)),
        ),
    ),
    Evidence(
        "MagentoCronJobNeverRan",
        facts=(_SILENCE, _LONGEST, _SILENT),
        hypotheses=(
            Hypothesis("cron stood still at that minute: deploy, backup, reboot", above("silence", 900)),
            Hypothesis(
                "a long job held the only process", both(at_most("silence", 900), above("longest", HOUR))
            ),
            Hypothesis(
                "its group is started too seldom", both(at_most("silence", 900), at_most("longest", HOUR))
            ),
        ),
    ),
)
