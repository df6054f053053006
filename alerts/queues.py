"""Queues and bulk requests: work that Magento does later."""

from __future__ import annotations

from functools import partial
from typing import Final

from alerts import thresholds as limits
from alerts.lib.cases import HOUR, MINUTE, At, Cases, Gone, Hourly, Input, Until
from alerts.lib.condition import only_where, unless
from alerts.lib.model import Alert, Category, NoData, Panel, Severity, Team, Unit
from alerts.thresholds import critical, warning
from exporter.collectors import bulk, queues_database, queues_rabbitmq
from exporter.collectors.deployment import INFO, QUEUE_CONNECTION
from exporter.magento import queues
from promql.expr import increase, over_time, series, sum_by, union
from promql.metrics import SHOP

_queue: Final = partial(
    Alert, severity=Severity.WARNING, team=Team.PLATFORM, service="queues", category=Category.QUEUE
)
_EXPORT: Final = {"queue": "export", "broker": "mysql"}
_ASYNC: Final = {"queue": "async.operations.all", "broker": "rabbitmq"}
_EACH: Final = (*SHOP, "queue", "broker")
_REDELIVERED: Final = series(queues_rabbitmq.REDELIVERED)
_REDELIVERING: Final = increase(_REDELIVERED["10m"]) * 6 > increase(_REDELIVERED["30m"])
"""The last ten minutes have at least half of the share that is theirs in half an hour."""
_FAILED: Final = "=~failed|failed_retriable|rejected"
_BULK_FAILED: Final = series(bulk.OPERATIONS, status=_FAILED)
_UNCOUNTED: Final = _BULK_FAILED.only_if(series(bulk.EXACT, status=_FAILED).equals(0))

SELLS_WITHOUT_BROKER: Final = union(
    series(INFO, version=r"=~2\.3\..*|2\.4\.[0-4](-.*)?"),
    series(QUEUE_CONNECTION, connection="=~db|stomp"),
)
"""Up to 2.4.4, placing an order publishes to the database. From 2.4.5 on it publishes to RabbitMQ, if that is
the default connection, and fails without it. To Artemis it publishes too, and goes on without it."""

ALERTS: Final = (
    _queue(
        name="MagentoBrokerBlocksPublishers",
        severity=Severity.CRITICAL,
        value=series(queues_rabbitmq.ALARM).unless(SELLS_WITHOUT_BROKER, on=SHOP),
        op="==",
        threshold=1,
        for_=2 * MINUTE,
        keep_firing_for=5 * MINUTE,
        no_data=NoData.OPTIONAL,
        summary="RabbitMQ takes no new messages.",
        description="RabbitMQ's {{ $labels.resource }} alarm is raised: it blocks everybody who publishes.",
        impact="From Magento 2.4.5 on, placing an order publishes a message: every order hangs or fails.",
        first_action="Place a test order. Free the disk or memory of RabbitMQ's server that is short.",
        why="Two minutes outlast a short peak of memory. RabbitMQ goes on answering and counts as up, so "
        "MagentoBackendDown does not see it. Up to Magento 2.4.4 an order publishes to the database, as "
        "with another default connection.",
        panel=Panel("magento-queues", "alarms"),
        cases=Cases(
            entity={"resource": "memory"},
            inputs={
                "alarm": Input(queues_rabbitmq.ALARM, bad=At(1), good=At(0)),
                "old": Input(INFO, labels={"version": "2.4.4-p3"}, bad=Gone(), good=Gone(), needed=False),
                "artemis": Input(
                    QUEUE_CONNECTION, labels={"connection": "stomp"}, bad=Gone(), good=Gone(), needed=False
                ),
            },
            needs_all_inputs=False,
            silent={
                "an order does not publish to RabbitMQ": {"old": At(1)},
                "queues are in Artemis": {"artemis": At(1)},
            },
            expected_description="RabbitMQ's memory alarm is raised: it blocks everybody who publishes.",
        ),
    ),
    _queue(
        name="MagentoQueueStalled",
        value=series(queues.OLDEST_AGE),
        threshold=critical(limits.QUEUE_OLDEST_SECONDS),
        unit=Unit.SECONDS,
        scope="queue",
        for_=5 * MINUTE,
        keep_firing_for=10 * MINUTE,
        no_data=NoData.OPTIONAL,
        summary="Messages wait in a queue and nobody takes them.",
        description="The oldest message in {{ $labels.queue }} ({{ $labels.broker }}) has waited "
        "{{ $value | humanizeDuration }} (limit %limit%).",
        impact="What was promised is not done: exports, mass updates, stock, coupon limits, asynchronous "
        "requests.",
        first_action="Check whether the queue's consumer is running; start it once by hand and read its "
        "errors.",
        why="Consumers are started every minute. A long queue alone is no fault. A message that "
        "has waited for an hour is one.",
        panel=Panel("magento-queues", "oldest_age"),
        cases=Cases(
            entity=_EXPORT,
            inputs={"oldest_age": Input(queues.OLDEST_AGE, bad=At(3720), good=At(20), edge=At(3600))},
            expected_description="The oldest message in export (mysql) has waited 1h 2m 0s (limit 1h).",
        ),
    ),
    _queue(
        name="MagentoConsumerDead",
        value=series(queues.MESSAGES, state=queues.NEW),
        threshold=0,
        guard=(
            only_where(series(queues.CONSUMERS).equals(0), on=_EACH),
            only_where(increase(series(queues.COMPLETED)["5m"]).equals(0), on=_EACH),
            unless(over_time("min", series(queues.MESSAGES, state=queues.IN_PROGRESS)["5m"]) > 0, on=_EACH),
        ),
        for_=5 * MINUTE,
        keep_firing_for=10 * MINUTE,
        no_data=NoData.OPTIONAL,
        summary="Messages wait in a queue and no consumer works on it.",
        description='{{ $value | printf "%.0f" }} messages wait in {{ $labels.queue }}. No consumer is '
        "connected, none is done, and none is in progress.",
        impact="Nothing of this queue is done until a consumer starts.",
        first_action="See whether the cron job consumers_runner runs, or the supervisor that starts "
        "consumers.",
        why="When messages come, a consumer starts within a minute or two. One that cron starts polls the "
        "queue and is never connected as a consumer. So it is judged by what it does in five minutes: a "
        "message that is done, or one that is in progress all the time.",
        panel=Panel("magento-queues", "consumers"),
        cases=Cases(
            entity=_ASYNC,
            labels={"state": queues.NEW},
            inputs={
                "waiting": Input(
                    queues.MESSAGES, labels={"state": queues.NEW}, bad=At(40), good=At(0), edge=At(0)
                ),
                "consumers": Input(queues.CONSUMERS, bad=At(0), good=At(1)),
                "completed": Input(queues.COMPLETED, bad=Hourly(0), good=Hourly(60)),
                "in_progress": Input(
                    queues.MESSAGES,
                    labels={"state": queues.IN_PROGRESS},
                    bad=At(0),
                    good=At(1),
                    needed=False,
                ),
            },
            warm_up=10 * MINUTE,
            reaches_limit_after=4 * MINUTE,
            expected_description="40 messages wait in async.operations.all. No consumer is connected, none "
            "is done, and none is in progress.",
        ),
    ),
    _queue(
        name="MagentoQueueMessagesFailing",
        value=increase(series(queues.FAILED)["1h"]),
        threshold=warning(limits.QUEUE_FAILED),
        scope="queue",
        for_=5 * MINUTE,
        keep_firing_for=30 * MINUTE,
        no_data=NoData.OPTIONAL,
        summary="Messages of a queue fail and are not retried.",
        description='{{ $value | printf "%.0f" }} messages of {{ $labels.queue }} ended in error in the last '
        "hour (limit %limit%).",
        impact="Magento does not retry them: the work of each is lost until somebody repeats it.",
        first_action="Read the lines 'Message has been rejected' in var/log/system.log: one cause, or bad "
        "messages?",
        why="If a consumer throws an exception, the message goes into error at once. Some are wrong input; "
        "many are a fault.",
        panel=Panel("magento-queues", "failed"),
        cases=Cases(
            entity=_EXPORT,
            inputs={"failed": Input(queues.FAILED, bad=Hourly(14), good=Hourly(0), edge=Hourly(9.9))},
            warm_up=2 * HOUR,
            reaches_limit_after=42 * MINUTE,
            clears_after=17 * MINUTE,
            expected_description="11 messages of export ended in error in the last hour (limit 10).",
        ),
    ),
    _queue(
        name="MagentoQueueRedelivering",
        value=increase(_REDELIVERED["30m"]),
        threshold=warning(limits.QUEUE_REDELIVERED),
        guard=(only_where(_REDELIVERING, on=_EACH),),
        scope="queue",
        for_=15 * MINUTE,
        keep_firing_for=15 * MINUTE,
        no_data=NoData.OPTIONAL,
        summary="A queue delivers its messages again and again.",
        description='{{ $value | printf "%.0f" }} messages of {{ $labels.queue }} were delivered once more '
        "in the last 30 minutes (limit %limit%).",
        impact="A consumer dies on a message, or restarts all the time: the queue moves slowly or not at "
        "all.",
        first_action="Read the consumer's end in the system's log: out of memory, or an exception?",
        why="From 2.4.3 to 2.4.8 cron looks into each queue once a minute: it takes a message and gives it "
        "back. That makes 30 in half an hour in a queue that is never empty. Twenty more are a loop. A "
        "consumer without --max-messages holds a hundred messages, and a deployment gives them back at once. "
        "So it must go on in the last ten minutes.",
        panel=Panel("magento-queues", "redelivered"),
        cases=Cases(
            entity=_ASYNC,
            inputs={
                "redelivered": Input(
                    queues_rabbitmq.REDELIVERED, bad=Hourly(150), good=Hourly(60), edge=Hourly(99)
                )
            },
            silent={
                "a deployment ends a consumer that holds a hundred messages": {
                    "redelivered": Until(
                        90 * MINUTE, Hourly(60), Until(91 * MINUTE, Hourly(6_000), Hourly(60))
                    )
                }
            },
            warm_up=HOUR,
            reaches_limit_after=13 * MINUTE,
            clears_after=16 * MINUTE,
            expected_description="74 messages of async.operations.all were delivered once more in the last "
            "30 minutes (limit 50).",
        ),
    ),
    _queue(
        name="MagentoQueueMessageAbandoned",
        value=series(queues_database.IN_PROGRESS_AGE),
        threshold=warning(limits.QUEUE_IN_PROGRESS_SECONDS),
        unit=Unit.SECONDS,
        scope="queue",
        for_=15 * MINUTE,
        keep_firing_for=15 * MINUTE,
        no_data=NoData.OPTIONAL,
        summary="A consumer died while it worked on a message.",
        description="A message of {{ $labels.queue }} has been in progress for "
        "{{ $value | humanizeDuration }} (limit %limit%).",
        impact="Its work is not done. Magento gives it back after a day, and it may kill the next consumer.",
        first_action="Read the consumer's end in the system's log: out of memory, or an exception?",
        why="A message takes seconds, and a large export takes an hour. One that is in progress for six "
        "hours "
        "has no consumer any more: it was killed.",
        panel=Panel("magento-queues", "in_progress"),
        cases=Cases(
            entity={"queue": "export", "broker": "mysql"},
            inputs={
                "age": Input(queues_database.IN_PROGRESS_AGE, bad=At(21_660), good=At(600), edge=At(21_600))
            },
            expected_description="A message of export has been in progress for 6h 1m 0s (limit 6h).",
        ),
    ),
    _queue(
        name="MagentoBulkFailing",
        value=sum_by(_UNCOUNTED.or_else(_BULK_FAILED - over_time("min", _BULK_FAILED["1h"])), *SHOP),
        threshold=warning(limits.BULK_FAILED),
        scope="",
        for_=5 * MINUTE,
        keep_firing_for=30 * MINUTE,
        no_data=NoData.OPTIONAL,
        summary="Bulk operations fail.",
        description='{{ $value | printf "%.0f" }} operations of bulk requests failed within an hour, or too '
        "many are kept to be counted (limit %limit%).",
        impact="Mass updates or an integration's asynchronous requests are not applied.",
        first_action="Open System > Action Logs > Bulk Actions and read the message of a failed operation.",
        why="The table keeps failures for weeks, so only their growth counts. It is measured from the "
        "lowest number of the hour, so that a clean-up hides nothing. If the table holds more than the "
        "exporter counts (tuning.backlog_scan_limit), growth cannot be seen. Then the alert fires until the "
        "rows are deleted.",
        panel=Panel("magento-queues", "bulk"),
        cases=Cases(
            inputs={
                "failed": Input(
                    bulk.OPERATIONS,
                    labels={"status": "failed"},
                    bad=Hourly(30),
                    good=Hourly(0),
                    edge=Hourly(19),
                ),
                "exact": Input(bulk.EXACT, labels={"status": "failed"}, bad=At(1), good=At(1), needed=False),
            },
            fires={
                "more are kept than are counted": {"failed": At(10_000), "exact": At(0)},
                "a clean-up came just before": {
                    "failed": Until(140 * MINUTE, At(5000), Until(141 * MINUTE, At(0), Hourly(60)))
                },
            },
            silent={"a clean-up": {"failed": Until(140 * MINUTE, At(5000), At(0))}},
            warm_up=2 * HOUR,
            reaches_limit_after=40 * MINUTE,
            clears_after=19 * MINUTE,
            needs_all_inputs=False,
            expected_description="23 operations of bulk requests failed within an hour, or too many are "
            "kept to be counted (limit 20).",
        ),
    ),
    _queue(
        name="MagentoBulkNotStarted",
        value=series(bulk.WAITING_AGE),
        threshold=warning(limits.BULK_WAITING_SECONDS),
        unit=Unit.SECONDS,
        scope="consumer",
        for_=5 * MINUTE,
        keep_firing_for=10 * MINUTE,
        no_data=NoData.OPTIONAL,
        summary="A bulk request is not started.",
        description="A bulk request of {{ $labels.consumer }} has had operations without a start for "
        "{{ $value | humanizeDuration }} (limit %limit%).",
        impact="The admin shows it as not started; an integration waits for an answer that does not come.",
        first_action="Look for the consumer: async.operations.all, or product_action_attribute.update.",
        why=(
            "No consumer has taken an operation of async.operations.all that is not started. Other "
            "consumers do not record a start, so their operations (consumer others) count until they end. "
            "Magento's own clean-up never deletes such operations."
        ),
        panel=Panel("magento-queues", "bulk_waiting"),
        cases=Cases(
            entity={"consumer": "async.operations.all"},
            inputs={"waiting_age": Input(bulk.WAITING_AGE, bad=At(3720), good=At(0), edge=At(3600))},
            expected_description="A bulk request of async.operations.all has had operations without a start "
            "for 1h 2m 0s (limit 1h).",
        ),
    ),
)
