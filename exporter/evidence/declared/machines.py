"""Evidence of the alerts on machines, databases, and on the exporter itself."""

from __future__ import annotations

from functools import partial
from typing import Final

from exporter.collectors import cron
from exporter.evidence.conditions import above, at_most, both, given
from exporter.evidence.declared.shared import (
    CONNECTIONS,
    DEADLOCKS,
    DISK_FREE,
    HIT_RATIO,
    HOUR,
    INDEXERS_WORKING,
    KILLED,
    LOCK_WAITERS,
    RUNNING_STATEMENTS,
    SERVED,
    shop_wide,
)
from exporter.evidence.model import Evidence, Hypothesis, LabelIs, OwnSeries, PromQL, Setting, Unit

_role: Final = partial(shop_wide, labels=("magento_role",))
_mount: Final = partial(shop_wide, labels=("magento_role", "mountpoint"))

_GROWTH: Final = _mount(
    "growth",
    "share of the disk that was filled within an hour",
    Unit.SHARE,
    query="max(magento:host_disk_free:ratio{%s} offset 1h - magento:host_disk_free:ratio{%s})",
)
_FREE: Final = _mount(
    "free", "free share of this disk", Unit.SHARE, query="min(magento:host_disk_free:ratio{%s})"
)
_OF_DATABASE: Final = LabelIs(
    "of_database",
    "it is a database's machine",
    Unit.YES_NO,
    label="magento_role",
    pattern=r"(.+\+)?database(_replica)?(\+.+)?",
)
_LONGEST_JOB: Final = OwnSeries(
    "longest_job",
    "the longest cron job that runs",
    Unit.SECONDS,
    metric=cron.RUNNING,
    ignore=("job_code",),
    absent=0.0,
)
_SQL_ERROR: Final = _role(
    "sql_error", "number of the error while applying", query="max(mysql_slave_status_last_sql_errno{%s})"
)
_IO_ERROR: Final = _role(
    "io_error", "number of the error while reading", query="max(mysql_slave_status_last_io_errno{%s})"
)
_TOOK: Final = PromQL(
    "took", "Prometheus' last try took", Unit.SECONDS, query="max(scrape_duration_seconds{%s})"
)
_UP: Final = PromQL("up", "Prometheus reaches the exporter", Unit.YES_NO, query="max(up{%s})")
_OTHERS: Final = shop_wide(
    "others",
    "share of the shop's other exporters that are up",
    Unit.SHARE,
    query='avg(up{job!="magento",%s})',
)
_EARLIER: Final = shop_wide(
    "earlier",
    "targets of the exporter's job that there were an hour ago",
    query='count(up{job="magento",%s} offset 1h)',
)
_RELOADED: Final = PromQL(
    "reload_failed",
    "Prometheus refused its newest configuration",
    Unit.YES_NO,
    query="1 - min(prometheus_config_last_reload_successful)",
)
_NEW_PROMETHEUS: Final = PromQL(
    "prometheus_runs",
    "since Prometheus was started",
    Unit.SECONDS,
    query='time() - max(process_start_time_seconds{job="prometheus"})',
)
_MOVED: Final = shop_wide(
    "moved", "exporters of this shop that are up", query='sum(up{job="magento",%s}) or vector(0)'
)
_SESSIONS_IN_FILES: Final = Setting(
    "session_files",
    "sessions are kept in files (env.php)",
    Unit.YES_NO,
    path="session/save",
    absent=1.0,
    equals="files",
)

ON_LOCKS: Final = Evidence(
    "MagentoDatabaseLocksHeld",
    facts=(LOCK_WAITERS, RUNNING_STATEMENTS, INDEXERS_WORKING, _LONGEST_JOB, DEADLOCKS),
    hypotheses=(
        Hypothesis("an indexer or cron job", given(above("lock_waiters"), above("indexers_working"))),
        Hypothesis(
            "an import or a bulk update",
            given(above("lock_waiters"), both(at_most("indexers_working"), above("deadlocks"))),
        ),
        Hypothesis(
            "a forgotten session or a report",
            given(
                above("lock_waiters"),
                both(at_most("indexers_working"), at_most("longest_job", 600), at_most("deadlocks")),
            ),
        ),
    ),
)
"""What holds the locks is asked in the same way however many wait."""

EVIDENCE: Final = (
    Evidence(
        "MagentoDatabaseRefusesConnections",
        facts=(CONNECTIONS, LOCK_WAITERS, RUNNING_STATEMENTS, HIT_RATIO, DISK_FREE),
        hypotheses=(
            Hypothesis("the disk is full", at_most("disk_free", 0.02)),
            Hypothesis("one statement blocks all others", above("lock_waiters")),
            Hypothesis("crawlers, or a flushed cache", at_most("hit_ratio", 0.7)),
            Hypothesis(
                "more PHP workers than connections",
                both(at_most("lock_waiters"), at_most("running_statements", 20)),
            ),
        ),
    ),
    ON_LOCKS,
    Evidence(
        "MagentoReplicaStopped",
        facts=(_SQL_ERROR, _IO_ERROR, DISK_FREE),
        hypotheses=(
            Hypothesis("the disk is full", at_most("disk_free", 0.02)),
            Hypothesis("an error while applying", above("sql_error")),
            Hypothesis("the primary is out of reach", above("io_error")),
            Hypothesis("somebody stopped it", both(at_most("sql_error"), at_most("io_error"))),
        ),
    ),
    Evidence(
        "MagentoReplicaLagging",
        facts=(INDEXERS_WORKING, _LONGEST_JOB),
        hypotheses=(
            Hypothesis("a reindex, import or bulk delete", above("indexers_working")),
            Hypothesis(
                "the replica's disk is too slow",
                both(at_most("indexers_working"), at_most("longest_job", 600)),
            ),
        ),
    ),
    Evidence(
        "MagentoDiskFull",
        facts=(_FREE, _GROWTH, _OF_DATABASE),
        hypotheses=(
            Hypothesis("binary logs", both(above("of_database"), at_most("growth", 0.05))),
            Hypothesis("a dump or a backup", above("growth", 0.05)),
            Hypothesis("logs or reports", both(at_most("of_database"), at_most("growth", 0.05))),
        ),
    ),
    Evidence(
        "MagentoDiskFilling",
        facts=(_FREE, _GROWTH, _OF_DATABASE),
        hypotheses=(
            Hypothesis("an import, dump or reindex", above("growth", 0.05)),
            Hypothesis("binary logs after many changes", both(above("of_database"), at_most("growth", 0.05))),
            Hypothesis("a log that writes too much", both(at_most("of_database"), at_most("growth", 0.05))),
        ),
    ),
    Evidence(
        "MagentoInodesLow",
        facts=(_SESSIONS_IN_FILES,),
        hypotheses=(
            Hypothesis("sessions in files", above("session_files")),
            Hypothesis("caches in files", at_most("session_files")),
        ),
    ),
    Evidence(
        "MagentoExporterDown",
        facts=(_UP, _OTHERS, SERVED),
        hypotheses=(
            Hypothesis("only the exporter is dead", both(above("others", 0.5), above("served", 0.5))),
            Hypothesis("the server is down", both(at_most("others"), at_most("served"))),
            Hypothesis("the network to the shop is down", both(at_most("others", 0.5), above("served", 0.5))),
        ),
    ),
    Evidence(
        "MagentoExporterUnreachable",
        facts=(_UP, _TOOK, KILLED),
        hypotheses=(
            Hypothesis("the kernel or systemd ended it for its memory", above("killed")),
            Hypothesis(
                "the process is not there: not started after a reboot, or stopped",
                both(at_most("up"), at_most("took", 1)),
            ),
            Hypothesis("it answers too late", both(at_most("up"), above("took", 1))),
        ),
    ),
    Evidence(
        "MagentoExporterMissing",
        facts=(_RELOADED, _NEW_PROMETHEUS, _EARLIER),
        hypotheses=(
            Hypothesis("the new configuration was refused, or the old one is loaded", above("reload_failed")),
            Hypothesis(
                "this Prometheus was set up anew, without the pack's configuration",
                both(at_most("reload_failed"), at_most("prometheus_runs", HOUR)),
            ),
            Hypothesis(
                "the job is gone from the configuration, or renamed",
                both(at_most("reload_failed"), above("prometheus_runs", HOUR), above("earlier")),
            ),
        ),
    ),
    Evidence(
        "MagentoExporterVanished",
        facts=(_MOVED, _EARLIER),
        hypotheses=(
            Hypothesis("it moved, and `shop` is not set", above("moved")),
            Hypothesis("the entry was removed or misspelt", at_most("moved")),
        ),
    ),
)
