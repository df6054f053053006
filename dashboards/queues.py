"""Queues and bulk operations: does anybody take the messages, and do they succeed."""

from __future__ import annotations

from typing import Final

from alerts import thresholds
from alerts.thresholds import MINUTE
from dashboards.lib.annotations import CALLED, DEPLOYED, FIRING, MAINTENANCE
from dashboards.lib.here import here
from dashboards.lib.links import Link
from dashboards.lib.page import Dashboard
from dashboards.lib.panels import Ask, Column, Graph, Panel, Row, Stat, Table, Worst
from dashboards.lib.style import MINUTES, Colour, line, override
from dashboards.lib.uids import CRON, EXPORTER, QUEUES
from dashboards.lib.variables import values_of
from exporter.collectors import bulk, queues_database, queues_rabbitmq
from exporter.magento import queues
from promql.expr import Expr, increase, max_by, rate, sum_by
from promql.metrics import SHOP, Selectable

UID: Final = QUEUES
_CHOSEN: Final = "=~$queue"
_WAITING: Final = f"=~{queues.NEW}|{queues.RETRY}"


def _waiting(*by: str) -> Expr:
    return sum_by(here(queues.MESSAGES, queue=_CHOSEN, state=_WAITING), *by)


def _oldest(*by: str) -> Expr:
    return max_by(here(queues.OLDEST_AGE, queue=_CHOSEN), *by)


def _a_minute(metric: Selectable, *by: str) -> Expr:
    return sum_by(rate(here(metric, queue=_CHOSEN)["$__rate_interval"]), *by) * 60


def _of(window: str, metric: Selectable, *by: str) -> Expr:
    return sum_by(increase(here(metric, queue=_CHOSEN)[window]), *by)


def _waiting_for_nobody() -> Expr:
    """Return the messages that wait in each RabbitMQ queue on which nobody works, by shop; 0 in the others.

    A consumer that cron starts polls the queue: it is seen by the messages that are done.
    """
    each = (*SHOP, "queue", "broker")
    nobody = here(queues.CONSUMERS, queue=_CHOSEN).truth("==", 0)
    idle = increase(here(queues.COMPLETED, queue=_CHOSEN)["5m"]).truth("==", 0)
    return _waiting(*each).join("*", nobody, on=each).join("*", idle, on=each)


def _deserted() -> Expr:
    """Return how many queues of RabbitMQ have messages and no consumer; nothing without RabbitMQ."""
    return sum_by(_waiting_for_nobody().truth(">", 0))


_HEADER: Final[tuple[Panel, ...]] = (
    Stat(
        key="oldest_now",
        title="Oldest waits",
        meaning="How long the oldest message of any queue has waited for a consumer.",
        good="Under a minute or two: cron starts consumers every minute.",
        then="See which queue it is in, and whether cron's job `consumers_runner` works.",
        asks=(Ask(expr=max_by(_oldest("queue"))),),
        unit="s",
        decimals=0,
        empty="no queue, or not read",
        threshold=thresholds.QUEUE_OLDEST_SECONDS,
        link=Link("Which queue?", UID, "oldest_age"),
        filled=True,
    ),
    Stat(
        key="waiting_now",
        title="Messages waiting",
        meaning="Messages in all queues that nobody has taken yet, those to be retried included.",
        good="Rises with imports and bulk edits, and falls again.",
        then="Depth alone is no fault. See whether it falls.",
        asks=(Ask(expr=_waiting()),),
        unit="locale",
        decimals=0,
        empty="no queue, or not read",
        threshold=thresholds.QUEUE_MESSAGES,
        link=Link("Does it fall?", UID, "depth"),
    ),
    Stat(
        key="deserted",
        title="Without consumer",
        meaning="RabbitMQ queues with messages, no consumer, and none done in 5 minutes.",
        good="None. A consumer that ended because its queue was empty is normal; with messages it is not.",
        then="Start the consumer by hand once and read what it says.",
        asks=(Ask(expr=_deserted()),),
        unit="short",
        decimals=0,
        empty="no RabbitMQ, or not read",
        threshold=thresholds.QUEUES_DESERTED,
        link=Link("Which?", UID, "consumers"),
    ),
    Stat(
        key="failed_hour",
        title="Failures (1 h)",
        meaning="Messages of the database transport that reached status `error` and will not be tried again.",
        good="None.",
        then="The reason is in `var/log/exception.log` at the time of the failure.",
        asks=(Ask(expr=_of("1h", queues.FAILED)),),
        unit="locale",
        decimals=0,
        empty="no database queue, or not read",
        threshold=thresholds.QUEUE_FAILED,
        link=Link("In which queue?", UID, "failed"),
    ),
    Stat(
        key="bulk_now",
        title="Bulk open",
        meaning="Operations of bulk and asynchronous requests that are not done.",
        good="Rises with a bulk edit or an API import, and falls again.",
        then="Open for long: its consumer does not run, or died in the middle.",
        asks=(Ask(expr=sum_by(here(bulk.OPERATIONS, status="open"))),),
        unit="locale",
        decimals=0,
        empty="bulk collector off",
        base=Colour.NEUTRAL,
        spark=True,
        link=Link("How long do they wait?", UID, "bulk_waiting"),
    ),
    Stat(
        key="bulk_failed_now",
        title="Bulk failed",
        meaning="Operations in a failed status that are still in the table, old ones included.",
        good="Few: wrong input fails, too.",
        then="Many at once: retry the failed ones from the admin's bulk actions log.",
        asks=(Ask(expr=sum_by(here(bulk.OPERATIONS, status="=~.*failed.*|rejected"))),),
        unit="locale",
        decimals=0,
        empty="bulk collector off",
        base=Colour.NEUTRAL,
        link=Link("Since when?", UID, "bulk"),
    ),
)

_TAKEN: Final[tuple[Panel, ...]] = (
    Worst(
        key="oldest_age",
        title="Which queue is not being consumed?",
        meaning="How long the oldest message of each queue has waited (RabbitMQ: at least so long).",
        good="Short peaks.",
        then="A straight rise is a queue without a working consumer.",
        asks=(
            Ask(
                expr=_oldest("queue", "broker"),
                legend="{{queue}} {{broker}}",
            ),
        ),
        unit="s",
        clock=MINUTES,
        empty="no queue, or not read",
        threshold=thresholds.QUEUE_OLDEST_SECONDS,
        table=True,
        width=12,
        height=9,
        link=Link("Is consumers_runner alive?", CRON, "jobs"),
        by="queue",
        above=MINUTE,
        rest="all under a minute",
    ),
    Worst(
        key="depth",
        title="Is the backlog worked off?",
        meaning="Messages that wait, by queue.",
        good="Comes and goes.",
        then="Only rising: more is published than consumed, or nothing is consumed at all.",
        asks=(
            Ask(
                expr=_waiting("queue", "broker"),
                legend="{{queue}} {{broker}}",
            ),
        ),
        unit="locale",
        decimals=0,
        empty="no queue, or not read",
        threshold=thresholds.QUEUE_MESSAGES,
        table=True,
        width=12,
        height=9,
        link=Link("Which queue is not consumed?", UID, "oldest_age"),
        by="queue",
        above=10,
        rest="at most ten in any",
    ),
    Graph(
        key="throughput",
        title="Is as much done as is published?",
        meaning="Messages published and done per minute, over all chosen queues.",
        good="The two lines are equal.",
        then="Done stays below published: add a consumer, or find the slow message.",
        asks=(
            Ask(expr=_a_minute(queues.PUBLISHED), legend="published"),
            Ask(expr=_a_minute(queues.COMPLETED), legend="done"),
        ),
        unit="opm",
        empty="nothing published yet, or queues not read",
        width=8,
        link=Link("By queue", UID, "table"),
        overrides=(
            override("published", **line(Colour.NEUTRAL)),
            override("done", **line(Colour.ACCENT)),
        ),
    ),
    Worst(
        key="consumers",
        title="Does anybody consume them?",
        meaning="Messages in RabbitMQ queues without a consumer of which none was done in 5 minutes.",
        good="Zero, or short peaks: cron starts consumers every minute.",
        then="It stays: consumers crash, or `cron_consumers_runner` leaves the queue out.",
        asks=(
            Ask(
                expr=sum_by(_waiting_for_nobody(), "queue", "broker"),
                legend="{{queue}}",
            ),
        ),
        unit="locale",
        decimals=0,
        empty="no RabbitMQ, or not read",
        stepped=True,
        width=8,
        link=Link("Is consumers_runner alive?", CRON, "jobs"),
        by="queue",
        above=0,
        rest="none waits for nobody",
    ),
    Worst(
        key="in_progress",
        title="Does a consumer hang?",
        meaning="How long the oldest message in progress has been with its consumer (database transport).",
        good="Seconds to minutes.",
        then="Hours: the consumer died with it. It comes back after a day, or by hand.",
        asks=(
            Ask(
                expr=max_by(here(queues_database.IN_PROGRESS_AGE, queue=_CHOSEN), "queue"),
                legend="{{queue}}",
            ),
        ),
        unit="s",
        empty="no database queue, or not read",
        width=8,
        link=Link("By queue", UID, "table"),
        clock=MINUTES,
        by="queue",
        above=MINUTE,
        rest="none for a minute",
    ),
)

_FAILURES: Final[tuple[Panel, ...]] = (
    Worst(
        key="failed",
        title="Which messages fail? (1 h)",
        meaning="Messages of the database transport that reached status `error`, over the last hour.",
        good="None.",
        then="They are not tried again: read `var/log/exception.log`, repair, publish again.",
        asks=(
            Ask(
                expr=_of("1h", queues.FAILED, "queue"),
                legend="{{queue}}",
            ),
        ),
        unit="locale",
        decimals=0,
        empty="no database queue, or not read",
        threshold=thresholds.QUEUE_FAILED,
        width=8,
        link=Link("By queue", UID, "table"),
        by="queue",
        above=0,
        rest="none fails",
    ),
    Worst(
        key="alarms",
        title="Does RabbitMQ block publishers?",
        meaning="1 while RabbitMQ's alarm of memory or disk is raised: it then takes no new message.",
        good="0.",
        then="Free memory or disk on its server. From Magento 2.4.5 on, no order is placed meanwhile.",
        asks=(Ask(expr=max_by(here(queues_rabbitmq.ALARM), "resource"), legend="{{resource}}"),),
        unit="none",
        decimals=0,
        empty="no RabbitMQ, or its alarms are not known",
        threshold=thresholds.BROKER_ALARM,
        stepped=True,
        width=8,
        link=Link("Is it reached?", EXPORTER, "sources"),
        by="resource",
        above=0,
        rest="no alarm",
    ),
    Graph(
        key="table_rows",
        title="Do the message tables bloat?",
        meaning="The server's estimate of the rows of `queue_message_status`, within some 40 %.",
        good="Steady: Magento deletes done messages after a week.",
        then="Growing without end: the cron job `mysqlmq_clean_messages` does not run.",
        asks=(Ask(expr=max_by(here(queues_database.TABLE_ROWS)), legend="rows"),),
        unit="locale",
        empty="no database queue, or not read",
        width=8,
        legend=False,
        link=Link("Does cron run?", CRON, "jobs"),
        decimals=0,
    ),
    Table(
        key="table",
        title="How is each queue doing?",
        meaning="Every queue with messages waiting, their age, and the last 24 hours.",
        good="Nothing waits for long; as much is done as is published.",
        then="Click a queue to see it alone.",
        asks=(
            Ask(expr=_oldest("queue", "broker")),
            Ask(expr=_waiting("queue", "broker")),
            Ask(
                expr=sum_by(here(queues.MESSAGES, queue=_CHOSEN, state=queues.IN_PROGRESS), "queue", "broker")
            ),
            Ask(expr=sum_by(here(queues.CONSUMERS, queue=_CHOSEN), "queue", "broker")),
            Ask(expr=_of("1d", queues.PUBLISHED, "queue", "broker")),
            Ask(expr=_of("1d", queues.COMPLETED, "queue", "broker")),
            Ask(expr=_of("1d", queues.FAILED, "queue", "broker")),
        ),
        empty="no queue, or not read",
        columns=(
            Column(
                field="queue",
                title="Queue",
                link=Link("Only this queue", UID, sets=(("queue", "${__value.raw}"),)),
            ),
            Column(field="broker", title="Broker", width=110),
            Column(
                field="Value #A",
                title="Oldest waits",
                unit="s",
                width=130,
                decimals=0,
                threshold=thresholds.QUEUE_OLDEST_SECONDS,
            ),
            Column(
                field="Value #B",
                title="Waiting",
                unit="locale",
                width=110,
                decimals=0,
                threshold=thresholds.QUEUE_MESSAGES,
            ),
            Column(field="Value #C", title="In progress", unit="locale", width=120, decimals=0),
            Column(field="Value #D", title="Consumers", width=120, decimals=0),
            Column(field="Value #E", title="Published (24 h)", unit="locale", width=150, decimals=0),
            Column(field="Value #F", title="Done (24 h)", unit="locale", width=120, decimals=0),
            Column(field="Value #G", title="Failed (24 h)", unit="locale", width=130, decimals=0),
        ),
        sort="Value #A",
        width=24,
        height=10,
        link=Link("Which queue is not consumed?", UID, "oldest_age"),
    ),
)

_CRASHES: Final[tuple[Panel, ...]] = (
    Worst(
        key="redelivered",
        title="Does a consumer crash? (30 min)",
        meaning="Messages that RabbitMQ delivered again, over the last half hour.",
        good="None, or a few after a deployment.",
        then="One message can crash every consumer that takes it: look at the head of the queue.",
        asks=(
            Ask(
                expr=_of("30m", queues_rabbitmq.REDELIVERED, "queue"),
                legend="{{queue}}",
            ),
        ),
        unit="locale",
        decimals=0,
        empty="nothing delivered yet, or RabbitMQ not read",
        threshold=thresholds.QUEUE_REDELIVERED,
        width=24,
        height=6,
        link=Link("By queue", UID, "table"),
        by="queue",
        above=1,
        rest="one at most",
    ),
)

_BULK: Final[tuple[Panel, ...]] = (
    Graph(
        key="bulk",
        title="Do bulk operations fail?",
        meaning="Operations of bulk and asynchronous requests, by status.",
        good="`open` comes and goes; the failed ones stay level.",
        then="A step up of a failed status: retry from the admin, or read the operation's message.",
        asks=(Ask(expr=sum_by(here(bulk.OPERATIONS), "status"), legend="{{status}}"),),
        unit="locale",
        empty="bulk collector off",
        width=8,
        link=Link("How long do they wait?", UID, "bulk_waiting"),
        overrides=(
            override("open", **line(Colour.NEUTRAL)),
            override("failed", **line(Colour.CRITICAL)),
            override("failed_retriable", **line(Colour.WARNING)),
            override("rejected", **line(Colour.ACCENT)),
        ),
        decimals=0,
    ),
    Graph(
        key="bulk_waiting",
        title="How long do bulk operations wait?",
        meaning="Age of the oldest bulk with an operation without a start; of others, without an end.",
        good="Minutes.",
        then="Rising: nobody consumes `async.operations.all`.",
        asks=(
            Ask(expr=max_by(here(bulk.WAITING_AGE), "consumer"), legend="oldest waits: {{consumer}}"),
            Ask(expr=max_by(here(bulk.RUNNING_AGE)), legend="oldest runs"),
        ),
        unit="s",
        empty="bulk collector off",
        threshold=thresholds.BULK_WAITING_SECONDS,
        width=8,
        link=Link("Which queue is not consumed?", UID, "oldest_age"),
        clock=MINUTES,
    ),
    Graph(
        key="bulk_depth",
        title="How much bulk work is left?",
        meaning="Open operations without a start. Those of others than `async.operations.all` may run.",
        good="Falls after each bulk edit or import.",
        then="Does not fall: see the consumers.",
        asks=(Ask(expr=sum_by(here(bulk.WAITING), "consumer"), legend="{{consumer}}"),),
        unit="locale",
        empty="bulk collector off",
        width=8,
        legend=False,
        link=Link("Are counts exact?", EXPORTER, "collectors"),
        decimals=0,
    ),
)

DASHBOARD: Final = Dashboard(
    uid=UID,
    title="Magento / Queues & bulk",
    description="Does anybody take the messages, and do they succeed. Database queues and RabbitMQ alike.",
    by_store=False,
    variables=(values_of("queue", "Queue", queues.MESSAGES, "queue"),),
    annotations=(CALLED, FIRING, MAINTENANCE, DEPLOYED),
    rows=(
        Row(panels=_HEADER),
        Row(title="Are messages taken?", panels=_TAKEN),
        Row(title="Do they succeed?", panels=_FAILURES),
        Row(panels=_CRASHES),
        Row(title="Bulk and asynchronous requests", panels=_BULK),
    ),
)
