"""Evidence of the alerts on message queues."""

from __future__ import annotations

from typing import Final

from exporter.collectors import cron, queues_database
from exporter.evidence.conditions import above, at_most, both
from exporter.evidence.model import Evidence, Hypothesis, OwnSeries, PromQL, Setting, Unit
from exporter.magento import queues

_STARTER: Final = OwnSeries(
    "starter",
    "since the job that starts consumers succeeded",
    Unit.SECONDS,
    metric=cron.LAST_SUCCESS,
    labels={"job_code": "consumers_runner"},
    age=True,
)
_CRON_RUN: Final = Setting(
    "cron_run",
    "cron starts consumers (env.php)",
    Unit.YES_NO,
    path="cron_consumers_runner/cron_run",
    absent=1.0,
)
_IN_PROGRESS: Final = OwnSeries(
    "in_progress",
    "the oldest message in progress",
    Unit.SECONDS,
    metric=queues_database.IN_PROGRESS_AGE,
    absent=0.0,
)
_DONE: Final = PromQL(
    "done",
    "messages done in ten minutes",
    query=f"sum(increase({queues.COMPLETED.name}{{%s}}[10m]))",
    labels=("queue", "broker"),
)
_NEW: Final = PromQL(
    "new",
    "messages put in within ten minutes",
    query=f"sum(increase({queues.PUBLISHED.name}{{%s}}[10m]))",
    labels=("queue", "broker"),
)

EVIDENCE: Final = (
    Evidence(
        "MagentoConsumerDead",
        facts=(_STARTER, _CRON_RUN, _IN_PROGRESS, _DONE),
        hypotheses=(
            Hypothesis(
                "cron's group `consumers` does not run",
                both(above("cron_run"), above("starter", 180)),
            ),
            Hypothesis(
                "a supervisor is meant to start it, and is down",
                at_most("cron_run"),
            ),
        ),
    ),
    Evidence(
        "MagentoQueueStalled",
        facts=(_IN_PROGRESS, _DONE, _NEW, _STARTER, _CRON_RUN),
        hypotheses=(
            Hypothesis(
                "nobody starts the consumer",
                both(at_most("done"), at_most("in_progress", 600)),
            ),
            Hypothesis(
                "a consumer lives, and hangs on one message",
                both(at_most("done"), above("in_progress", 600)),
            ),
            Hypothesis("more comes in than it can do", above("done")),
        ),
    ),
)
