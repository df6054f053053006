"""RabbitMQ as a server: its alarms, and the memory, disk and connections behind them."""

from __future__ import annotations

from typing import Final

from dashboards.lib.annotations import CALLED, DEPLOYED, FIRING, MAINTENANCE
from dashboards.lib.graphs import graph
from dashboards.lib.links import Link
from dashboards.lib.page import Dashboard
from dashboards.lib.panels import Ask, Panel, Row, Timeline
from dashboards.lib.style import Colour, words
from dashboards.lib.there import LEGEND, SERVER, there
from dashboards.lib.uids import HOST, QUEUES, RABBITMQ
from promql import platform as of
from promql.expr import Expr, increase, max_by, min_by, rate, sum_by

UID: Final = RABBITMQ
_ABSENT: Final = "no rabbitmq_prometheus plugin, or its target has no shop"
_RATE: Final = "$__rate_interval"


def _alarm(key: str, title: str, asks: Expr, then: str, link: Link) -> Panel:
    return Timeline(
        key=key,
        title=title,
        meaning="Whether RabbitMQ has raised this alarm and blocks everybody who publishes.",
        good="Quiet throughout.",
        then=then,
        asks=(Ask(expr=asks, legend=LEGEND),),
        unit="none",
        empty=_ABSENT,
        mappings=words({0.0: ("quiet", Colour.GOOD), 1.0: ("raised", Colour.CRITICAL)}),
        width=12,
        height=5,
        link=link,
    )


_ALARMS: Final[tuple[Panel, ...]] = (
    _alarm(
        "memory_alarm",
        "Is memory short?",
        max_by(there(of.BROKER_MEMORY_ALARM), *SERVER),
        "Raised: orders hang. Let consumers work off the queues, or give it memory.",
        Link("How much does it use?", UID, "memory"),
    ),
    _alarm(
        "disk_alarm",
        "Is the disk short?",
        max_by(there(of.BROKER_DISK_ALARM), *SERVER),
        "Raised: orders hang. Make room on its disk.",
        Link("How much is free?", UID, "disk"),
    ),
)

_ROOM: Final[tuple[Panel, ...]] = (
    graph(
        "memory",
        "Does it use memory?",
        max_by(there(of.BROKER_MEMORY), *SERVER) / (max_by(there(of.BROKER_MOST_MEMORY), *SERVER) > 0),
        "percentunit",
        texts=("Share of the limit at which the alarm is raised.", "Below half.", "Queues grow.", _ABSENT),
        link=Link("Do messages pile up?", UID, "messages"),
    ),
    graph(
        "disk",
        "How much disk is free?",
        min_by(there(of.BROKER_DISK), *SERVER),
        "bytes",
        texts=("Free bytes, as RabbitMQ sees them.", "Far above its limit.", "See what grows.", _ABSENT),
        link=Link("When is it full?", HOST, "disk_full_in"),
    ),
    graph(
        "disk_limit",
        "How far is the limit?",
        min_by(there(of.BROKER_DISK), *SERVER) / (max_by(there(of.BROKER_LEAST_DISK), *SERVER) > 0),
        "short",
        texts=("Free disk, in multiples of disk_free_limit.", "Above two.", "At one it blocks.", _ABSENT),
        link=Link("Is the alarm raised?", UID, "disk_alarm"),
    ),
    graph(
        "files",
        "Are file descriptors short?",
        max_by(there(of.BROKER_FILES), *SERVER) / (max_by(there(of.BROKER_MOST_FILES), *SERVER) > 0),
        "percentunit",
        texts=("Share of the open files in use.", "Below half.", "Too many connections.", _ABSENT),
        link=Link("How many are connected?", UID, "connections"),
    ),
)

_WORK: Final[tuple[Panel, ...]] = (
    graph(
        "messages",
        "Do messages pile up?",
        sum_by(there(of.BROKER_MESSAGES), *SERVER),
        "locale",
        texts=("Messages that are ready, in all queues.", "Near zero.", "See which queue.", _ABSENT),
        link=Link("Which queue?", QUEUES, "depth"),
    ),
    graph(
        "published",
        "How much is published?",
        sum_by(rate(there(of.BROKER_PUBLISHED)[_RATE]), *SERVER),
        "reqps",
        texts=("Messages per second.", "Follows orders and saves.", "None by day: blocked.", _ABSENT),
        link=Link("Is an alarm raised?", UID, "memory_alarm"),
    ),
    graph(
        "unroutable",
        "Dropped? (10 min)",
        sum_by(increase(there(of.BROKER_UNROUTABLE)["10m"]), *SERVER),
        "locale",
        texts=(
            "Messages for which no queue was bound, over ten minutes at each moment.",
            "None.",
            "A queue or binding is missing: run setup:upgrade.",
            _ABSENT,
        ),
        link=Link("Which queues are there?", QUEUES, "table"),
    ),
    graph(
        "connections",
        "How many are connected?",
        max_by(there(of.BROKER_CONNECTIONS), *SERVER),
        "locale",
        texts=("Open connections.", "Consumers and PHP workers.", "Rising alone: they leak.", _ABSENT),
        link=Link("Who consumes?", QUEUES, "consumers"),
    ),
)

DASHBOARD: Final = Dashboard(
    uid=UID,
    title="Magento / RabbitMQ",
    description="RabbitMQ's alarms, memory, disk and connections, by its own Prometheus plugin.",
    by_store=False,
    annotations=(CALLED, FIRING, MAINTENANCE, DEPLOYED),
    rows=(
        Row(title="Does it block publishers?", panels=_ALARMS),
        Row(title="Is there room?", panels=_ROOM),
        Row(title="Do messages flow?", panels=_WORK),
    ),
)
