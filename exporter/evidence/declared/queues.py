"""Evidence of the alerts on message queues."""

from __future__ import annotations

from typing import Final

from exporter.collectors import bulk, cron, queues_database
from exporter.evidence.conditions import above, at_most, both
from exporter.evidence.declared.shared import DEPLOYED, HOUR
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
_CONSUMERS: Final = OwnSeries(
    "consumers", "consumers that are connected", metric=queues.CONSUMERS, absent=0.0
)
_FAILED: Final = PromQL(
    "failed",
    "messages that failed in an hour",
    query=f"sum(increase({queues.FAILED.name}{{%s}}[1h]))",
    labels=("queue", "broker"),
)
_BULK_WAITING: Final = OwnSeries("waiting", "bulk operations that wait", metric=bulk.WAITING)
_BULK_FALLING: Final = PromQL(
    "falling",
    "bulk operations that wait, fewer than ten minutes ago",
    query=f"max({bulk.WAITING.name}{{%s}} offset 10m) - max({bulk.WAITING.name}{{%s}})",
)
_BULK: Final = {"queue": "async.operations.all"}
_BULK_CONSUMERS: Final = OwnSeries(
    "consumers", "consumers of bulk operations", metric=queues.CONSUMERS, labels=_BULK, absent=0.0
)
_BULK_MESSAGES: Final = OwnSeries(
    "messages",
    "messages of bulk operations",
    metric=queues.MESSAGES,
    labels={**_BULK, "state": "new"},
    absent=0.0,
)

EVIDENCE: Final = (
    Evidence(
        "MagentoConsumerDead",
        facts=(_CONSUMERS, _STARTER, _CRON_RUN, _DONE),
        hypotheses=(
            Hypothesis(
                "cron's group `consumers` does not run",
                both(above("cron_run"), above("starter", 180)),
            ),
            Hypothesis(
                "a supervisor is meant to start it, and is down",
                at_most("cron_run"),
            ),
            Hypothesis(
                "it dies at its start or at its first message",
                both(above("cron_run"), at_most("starter", 180), at_most("consumers")),
            ),
        ),
    ),
    Evidence(
        "MagentoQueueMessagesFailing",
        facts=(_FAILED, _DONE, DEPLOYED),
        hypotheses=(
            Hypothesis(
                "a deploy broke the consumer's code",
                both(above("failed"), at_most("done"), at_most("deployed", 6 * HOUR)),
            ),
            Hypothesis(
                "something that the consumer needs is away or forbidden",
                both(above("failed"), at_most("done"), above("deployed", 6 * HOUR)),
            ),
            Hypothesis(
                "single wrong data: a deleted product, a wrong SKU",
                both(above("failed"), above("done")),
            ),
        ),
    ),
    Evidence(
        "MagentoBulkNotStarted",
        facts=(_BULK_CONSUMERS, _BULK_MESSAGES, _BULK_WAITING, _BULK_FALLING, _STARTER),
        hypotheses=(
            Hypothesis(
                "the messages are lost: queue purged, RabbitMQ reinstalled, other virtual host",
                both(above("waiting"), at_most("messages")),
            ),
            Hypothesis(
                "the consumer works, but a large request is before the others",
                both(above("falling", 10), above("consumers")),
            ),
            Hypothesis("the consumer is not started, or dies", both(at_most("consumers"), above("messages"))),
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
