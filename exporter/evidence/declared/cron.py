"""Evidence of the alerts on cron."""

from __future__ import annotations

from typing import Final

from exporter.collectors import cron
from exporter.evidence.conditions import above, at_most, both
from exporter.evidence.model import Evidence, Hypothesis, OwnSeries, Pick, Setting, SourceFails, Unit

HOUR: Final = 3600.0

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
    "jobs that are due",
    metric=cron.OVERDUE,
    pick=Pick.COUNT,
    ignore=("job_code",),
    absent=0.0,
)
_PENDING: Final = OwnSeries(
    "pending", "runs planned or due", metric=cron.JOBS, labels={"status": "pending"}, absent=0.0
)
_ENABLED: Final = Setting(
    "enabled", "cron is enabled in env.php", Unit.YES_NO, path="cron/enabled", absent=1.0
)
_DATABASE: Final = SourceFails("database", "the database fails", Unit.YES_NO, source="database")

EVIDENCE: Final = (
    Evidence(
        "MagentoCronStopped",
        facts=(_SILENT, _ENABLED, _LONGEST, _PENDING, _DATABASE),
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
        ),
    ),
)
