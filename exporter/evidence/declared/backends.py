"""Evidence of the alerts on servers that cannot be reached."""

from __future__ import annotations

from typing import Final

from exporter.collectors import page_cache, queues_rabbitmq
from exporter.errors import LoginRefused, SourceTimeout, SourceUnavailable
from exporter.evidence.conditions import above, at_most, both, either, given
from exporter.evidence.declared.shared import (
    CACHE_SERVER,
    CONNECTIONS,
    DATABASE,
    DEPLOYED,
    HIT_RATIO,
    HOUR,
    LOCK_WAITERS,
    PHP_FULL,
    RUNNING_STATEMENTS,
    SEARCH_DOWN,
    SERVED,
    shop_wide,
)
from exporter.evidence.model import CollectorFails, Evidence, Hypothesis, OwnSeries, Pick, SourceFails, Unit
from exporter.magento import queues


def _ways(source: str = "") -> tuple[SourceFails, SourceFails, SourceFails]:
    """Return how the source may fail, as facts."""
    return (
        SourceFails(
            "refused",
            "it refuses connections",
            Unit.YES_NO,
            source=source,
            reason=SourceUnavailable.reason,
        ),
        SourceFails(
            "no_answer",
            "it does not answer in time",
            Unit.YES_NO,
            source=source,
            reason=SourceTimeout.reason,
        ),
        SourceFails(
            "forbidden",
            "it refuses the login",
            Unit.YES_NO,
            source=source,
            reason=LoginRefused.reason,
        ),
    )


_DEAD: Final = both(above("refused"), at_most("no_answer"))
_SILENT: Final = above("no_answer")
_ALL_FAIL: Final = SourceFails("all_fail", "all servers of Redis fail", Unit.YES_NO, source="redis")

_HEALTHY: Final = OwnSeries(
    "healthy",
    "backends of this Varnish that are healthy",
    metric=page_cache.BACKEND_HEALTHY,
    pick=Pick.SUM,
    ignore=("backend",),
)
_ORIGIN: Final = (DATABASE, CACHE_SERVER, PHP_FULL, SERVED, DEPLOYED)
_BEHIND: Final = either(above("database"), above("cache_server"))
_NOTHING_BEHIND: Final = both(at_most("database"), at_most("cache_server"))

_MEMORY: Final = OwnSeries(
    "memory",
    "RabbitMQ's alarm about memory",
    Unit.YES_NO,
    metric=queues_rabbitmq.ALARM,
    labels={"resource": "memory"},
    ignore=("resource",),
    absent=0.0,
)
_DISK: Final = OwnSeries(
    "disk",
    "RabbitMQ's alarm about the disk",
    Unit.YES_NO,
    metric=queues_rabbitmq.ALARM,
    labels={"resource": "disk"},
    ignore=("resource",),
    absent=0.0,
)
_MESSAGES: Final = OwnSeries(
    "messages",
    "messages in all queues of RabbitMQ",
    metric=queues.MESSAGES,
    pick=Pick.SUM,
    labels={"broker": "rabbitmq"},
    absent=0.0,
)
_MANY: Final = 10_000.0
_EXPORTER_UP: Final = shop_wide(
    "up", "its exporter reaches it", Unit.YES_NO, query="max(up{%s})", labels=("magento_role",)
)
_ANSWERS: Final = shop_wide(
    "answers",
    "it gives its exporter a state",
    Unit.YES_NO,
    query="max(elasticsearch_cluster_health_number_of_nodes{%s} > bool 0) or vector(0)",
)
_NODES: Final = shop_wide(
    "nodes_gone",
    "nodes of the search engine that left within an hour",
    query=(
        "max(max_over_time(elasticsearch_cluster_health_number_of_nodes{%s}[1h])"
        " - elasticsearch_cluster_health_number_of_nodes{%s})"
    ),
)
_RED: Final = shop_wide(
    "red",
    "the search engine's state is red",
    Unit.YES_NO,
    query='max(elasticsearch_cluster_health_status{color="red",%s})',
)
_SEARCH_DISK: Final = shop_wide(
    "search_disk",
    "free space of the search engine's disk",
    Unit.SHARE,
    query=(
        "min(elasticsearch_filesystem_data_available_bytes{%s}"
        " / elasticsearch_filesystem_data_size_bytes{%s})"
    ),
)
_COLLECTOR: Final = CollectorFails("failing", "the collector fails now", Unit.YES_NO)
_OFF_BY: Final = shop_wide(
    "off_by",
    "the clocks of Prometheus and of the exporter's machine differ by",
    Unit.SECONDS,
    query="max(abs(time() - timestamp(magento_info{%s})))",
)

EVIDENCE: Final = (
    Evidence(
        "MagentoBackendDown",
        facts=(*_ways(), CONNECTIONS),
        hypotheses=(
            Hypothesis("it has no connection left", given(above("connections", 0.9), _DEAD)),
            Hypothesis("the server is dead", _DEAD),
            Hypothesis("the server hangs or is overloaded", _SILENT),
        ),
    ),
    Evidence(
        "MagentoSourceDown",
        facts=_ways(),
        hypotheses=(
            Hypothesis("RabbitMQ is dead", _DEAD),
            Hypothesis("RabbitMQ is frozen or blocked", _SILENT),
        ),
    ),
    Evidence(
        "MagentoSessionStoreDown",
        facts=(*_ways("redis"), _ALL_FAIL),
        hypotheses=(
            # Where other servers of Redis answer, how this one fails is not known.
            Hypothesis("the server is dead", given(above("all_fail"), _DEAD)),
            Hypothesis("it is frozen, or the way is blocked", given(above("all_fail"), _SILENT)),
            Hypothesis("password or rights changed", given(above("all_fail"), above("forbidden"))),
        ),
    ),
    Evidence(
        "MagentoBackendsSick",
        facts=(_HEALTHY, *_ORIGIN),
        hypotheses=(
            Hypothesis("database or cache storage is down", _BEHIND),
            Hypothesis(
                "the probe asks for the wrong thing (upgrade, new VCL, virtual host)",
                both(_NOTHING_BEHIND, above("served", 0.99)),
            ),
            Hypothesis(
                "PHP-FPM is full or dead",
                either(above("php_full"), both(_NOTHING_BEHIND, at_most("served", 0.99))),
            ),
        ),
    ),
    Evidence(
        "MagentoBackendSick",
        facts=(_HEALTHY, *_ORIGIN),
        hypotheses=(
            Hypothesis("it cannot reach the database or Redis", _BEHIND),
            Hypothesis(
                "a deployment stopped half way on it", both(_NOTHING_BEHIND, at_most("deployed", HOUR))
            ),
            Hypothesis(
                "PHP-FPM is full or dead",
                either(above("php_full"), both(_NOTHING_BEHIND, above("deployed", HOUR))),
            ),
        ),
    ),
    Evidence(
        "MagentoBrokerBlocksPublishers",
        facts=(_MEMORY, _DISK, _MESSAGES),
        hypotheses=(
            Hypothesis("the disk is full", above("disk")),
            Hypothesis(
                "a queue grows and nobody consumes it", both(above("memory"), above("messages", _MANY))
            ),
            Hypothesis("the limit of memory is too low", both(above("memory"), at_most("messages", _MANY))),
        ),
    ),
    Evidence(
        "MagentoSearchDown",
        facts=(_EXPORTER_UP, _ANSWERS, _RED, _NODES, _SEARCH_DISK),
        hypotheses=(
            Hypothesis("its disk is full", at_most("search_disk", 0.1)),
            Hypothesis("a node of several is gone", above("nodes_gone")),
            Hypothesis("an index is lost", both(above("red"), at_most("nodes_gone"))),
            # The process that asks it is alive, and gets no answer.
            Hypothesis("it was killed", both(above("up"), at_most("answers"))),
        ),
    ),
    Evidence(
        "MagentoSearchReadOnly",
        facts=(_SEARCH_DISK, _RED),
        hypotheses=(
            Hypothesis("the disk is full of other things", at_most("search_disk", 0.1)),
            Hypothesis("somebody set it", above("search_disk", 0.1)),
        ),
    ),
    Evidence(
        "MagentoPhpFull",
        facts=(PHP_FULL, LOCK_WAITERS, RUNNING_STATEMENTS, SEARCH_DOWN, CACHE_SERVER, HIT_RATIO),
        hypotheses=(
            Hypothesis(
                "the database waits or is slow",
                either(above("lock_waiters"), above("running_statements", 40)),
            ),
            Hypothesis(
                "search or Redis is slow or down", either(above("search_down"), above("cache_server"))
            ),
            Hypothesis("crawlers, or an empty cache", at_most("hit_ratio", 0.7)),
            Hypothesis(
                "too few workers",
                both(
                    at_most("lock_waiters"),
                    at_most("running_statements", 40),
                    at_most("cache_server"),
                    above("hit_ratio", 0.7),
                ),
            ),
        ),
    ),
    Evidence(
        "MagentoDataStale",
        facts=(_COLLECTOR, _OFF_BY),
        hypotheses=(
            Hypothesis("the collector fails", above("failing")),
            Hypothesis("the clocks differ", above("off_by", 90)),
        ),
    ),
)
