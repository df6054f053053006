"""What each fault must raise, what it may bring along and why, how it is ended, and what cannot be shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self


@dataclass(frozen=True, slots=True)
class Seen:
    """An alert at a place: its name, and the labels that it must have (none: any place)."""

    alert: str
    places: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def at(cls, alert: str, **labels: str) -> Self:
        """Return an alert at a place."""
        return cls(alert, frozenset(labels.items()))

    @property
    def labels(self) -> dict[str, str]:
        """Return the labels by name."""
        return dict(sorted(self.places))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether an active alert's labels are those of this one."""
        return labels.get("alertname") == self.alert and self.places <= labels.items()

    def overlaps(self, other: Seen) -> bool:
        """Tell whether some alert could match both."""
        common = self.labels.keys() & other.labels.keys()
        return self.alert == other.alert and all(self.labels[n] == other.labels[n] for n in common)

    def __str__(self) -> str:
        """Return it as a selector."""
        places = ", ".join(f"{name}={value}" for name, value in self.labels.items())
        return f"{self.alert}{{{places}}}" if places else self.alert


@dataclass(frozen=True, slots=True)
class Fix:
    """The commands below a heading of a page that end the fault."""

    page: str
    section: str


@dataclass(frozen=True, slots=True)
class SwitchOff:
    """The fault stands for something that no command in the sandbox could end; it is switched off."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What one fault is to do.

    ``fires`` must fire, each within ``minutes`` of the shop's time, and notify. ``kept_back`` may fire, and
    Alertmanager must inhibit it. ``may`` fire and notify, each for the reason given. Nothing else may fire.
    ``unanswered`` are programs in the runbook that fail because of the fault itself: their failure is what
    the page is about.
    ``history`` are the hours of the shop's life that its alerts compare with: it is not played before.
    """

    fires: tuple[Seen, ...] = ()
    minutes: float = 0
    kept_back: tuple[Seen, ...] = ()
    may: Mapping[Seen, str] = field(default_factory=dict)
    end: Fix | SwitchOff
    unanswered: tuple[str, ...] = ()
    history: float = 0

    def claims(self) -> tuple[Seen, ...]:
        """Return everything that this fault accounts for."""
        return (*self.fires, *self.kept_back, *self.may)


seen: Final = Seen.at


def _one(*alerts: str, **labels: str) -> tuple[Seen, ...]:
    return tuple(seen(alert, **labels) for alert in alerts)


_BLIND: Final = ("MagentoCollectorFailing", "MagentoDataStale")
"""What says that a source is gone, beside the alert about the source, which keeps it back."""


def _source(
    source: str,
    *collectors: Mapping[str, str],
    end: Fix | SwitchOff,
    unanswered: tuple[str, ...],
    alert: str = "MagentoBackendDown",
    minutes: float = 8,
    may: Mapping[Seen, str] | None = None,
) -> Expectation:
    """Return what the loss of a backend does: one message, and silence about what is read from it."""
    return Expectation(
        fires=(seen(alert, source=source),),
        minutes=minutes,
        kept_back=(
            *(found for labels in collectors for found in _one(*_BLIND, **labels)),
            *(_one("MagentoReplicaStopped") if source == "database" else ()),
        ),
        may=may or {},
        end=end,
        unanswered=unanswered,
    )


_PROVIDER: Final = SwitchOff("it stands for something that people outside the shop repair")
_SERVER: Final = SwitchOff(
    "its page shows the command for the database, and here only the service has another name"
)
_CODE: Final = SwitchOff("it stands for an error in code or data that a developer repairs")
_SENDER: Final = SwitchOff("it stands for a sender that somebody stops")
_CHOICE: Final = SwitchOff("which connection is ended is a person's choice")
_PERSON: Final = SwitchOff("what a stranger has added is removed by hand, after it was copied")
_OTHER_SERVER: Final = SwitchOff("its page is about a server to which the sandbox's commands do not lead")
_ORDERS_LOW_AFTER: Final = (
    "its windows look back over hours, so it still holds when the cause that inhibited it is gone"
)

_ANY: Final[Mapping[str, str]] = {}
_AFTERMATH: Final = {
    seen("MagentoCronJobMissed"): "runs that cron missed meanwhile: one ticket, when it is back",
    seen("MagentoCronJobNeverRan"): "a daily job that was due meanwhile, likewise",
    seen("MagentoFailedPlacementsUnusual"): "orders that were cut off had their numbers: tries that failed",
}
_NO_PAGE: Final = {
    seen(
        "MagentoProbeFailing"
    ): "from outside no page answers, which is known before the source counts as down",
    seen("MagentoProbePageFailing"): "a page is known to fail before all of them are",
}
_EXPORTER: Final[Mapping[str, Expectation]] = {
    "database-down": _source(
        "database",
        _ANY,
        may=_AFTERMATH,
        minutes=12,
        unanswered=("mysql",),
        end=SwitchOff("a frozen server is killed and started anew"),
    ),
    "database-killed": _source(
        "database",
        _ANY,
        may=_AFTERMATH,
        unanswered=("mysql",),
        end=Fix("MagentoBackendDown", "The server is dead"),
    ),
    "exporter-down": Expectation(
        fires=(seen("MagentoExporterUnreachable"),),
        minutes=5,
        unanswered=("$EXPORTER",),
        end=Fix("MagentoExporterUnreachable", "Start it"),
    ),
    "rabbitmq-down": _source(
        "rabbitmq",
        {"collector": "queues_rabbitmq"},
        unanswered=("rabbitmqctl", "curl"),
        end=_SERVER,
    ),
    "redis-down": _source("redis", {"collector": "redis"}, unanswered=("redis-cli",), end=_SERVER),
    "varnish-down": _source(
        "varnish",
        {"collector": "page_cache"},
        minutes=12,  # the exporter waits three seconds for varnishstat, which do not shrink with the clock
        may=_NO_PAGE,
        unanswered=("varnish", "$STOREFRONT"),
        end=_SERVER,
    ),
    "storefront-down": Expectation(
        fires=(seen("MagentoProbeFailing"),),
        minutes=12,
        may={
            seen(
                "MagentoBackendDown", source="varnish"
            ): "the exporter sees that a frozen Varnish stands still",
            seen("MagentoCollectorFailing", collector="page_cache"): "until the source counts as down",
            seen("MagentoDataStale", collector="page_cache"): "until the source counts as down",
            seen("MagentoProbePageFailing"): "a page is known to fail before all of them are",
            seen("MagentoOrdersStopped"): "nobody can order",
            seen("MagentoNobodyComes"): "nobody can come",
            seen("MagentoOrdersLow"): _ORDERS_LOW_AFTER,
        },
        unanswered=("varnish", "$STOREFRONT"),
        end=_SERVER,
    ),
}

_CRON: Final[Mapping[str, Expectation]] = {
    "cron-bloat": Expectation(fires=(seen("MagentoCronTableBloated"),), minutes=75, end=_CODE),
    "cron-job-failing": Expectation(
        fires=(seen("MagentoCronJobFailing", job_code="catalog_product_outdated_price_values_cleanup"),),
        minutes=75,
        end=_CODE,
    ),
    "cron-job-stuck": Expectation(
        fires=(
            seen("MagentoCronLagging"),
            seen("MagentoCronJobMissed", job_code="catalog_product_frontend_actions_flush"),
            seen("MagentoCronJobOverrunning", job_code="catalog_product_frontend_actions_flush"),
        ),
        minutes=75,
        end=_CODE,
    ),
    "cron-stopped": Expectation(
        fires=(seen("MagentoCronStopped"),),
        minutes=20,
        kept_back=_one("MagentoOrdersMissingFromGrid", "MagentoOrderEmailsUnsent", "MagentoCronLagging",
                       "MagentoCronJobMissed", "MagentoIndexerBacklogGrowing", "MagentoFreshnessBudgetBurn"),
        end=Fix("MagentoCronStopped", "The crontab is gone"),
    ),
}  # fmt: skip

_INDEXERS: Final[Mapping[str, Expectation]] = {
    "backlog-growing": Expectation(
        fires=(seen("MagentoIndexerBacklogGrowing"), seen("MagentoCronLagging")),
        minutes=30,
        may={
            seen("MagentoFreshnessBudgetBurn"): "the objective that the backlog spends",
            seen("MagentoCronJobMissed"): "the group's other jobs, in a wave that takes hours",
        },
        end=Fix("MagentoIndexerBacklogGrowing", "The job is not run"),
    ),
    "changelog-reset": Expectation(
        fires=(seen("MagentoIndexerVersionAhead", indexer="catalogsearch_fulltext"),),
        minutes=15,
        end=Fix("MagentoIndexerVersionAhead", "Rebuild and go on"),
    ),
    "indexer-invalid": Expectation(
        fires=(
            seen("MagentoIndexerInvalid", indexer="catalogrule_product"),
            seen("MagentoCronJobFailing", job_code="indexer_reindex_all_invalid"),
        ),
        minutes=80,
        end=_CODE,
    ),
    "indexer-stuck": Expectation(
        fires=_one("MagentoIndexerStuck", "MagentoIndexerViewStuck", indexer="catalog_product_price"),
        minutes=135,
        may={seen("MagentoFreshnessBudgetBurn"): "the objective that the view spends which stands still"},
        end=Fix("MagentoIndexerStuck", "It is dead"),
    ),
}

_ASYNC: Final = "async.operations.all"
_QUEUES: Final[Mapping[str, Expectation]] = {
    "bulk-stuck": Expectation(
        fires=(seen("MagentoBulkNotStarted"), seen("MagentoConsumerDead", queue=_ASYNC)),
        minutes=75,
        may={seen("MagentoQueueStalled", queue=_ASYNC): "the same messages, once they are an hour old"},
        end=Fix("MagentoBulkNotStarted", "First five minutes"),
    ),
    "consumer-dead": Expectation(
        fires=(seen("MagentoQueueStalled", broker="mysql"),),
        minutes=70,
        end=Fix("MagentoQueueStalled", "First five minutes"),
    ),
    "broker-alarm": Expectation(
        fires=(seen("MagentoBrokerBlocksPublishers", resource="memory"),),
        minutes=5,
        kept_back=_one("MagentoConsumerDead"),
        end=Fix("MagentoBrokerBlocksPublishers", "Memory is short"),
    ),
    "consumer-dead-amqp": Expectation(
        fires=(seen("MagentoConsumerDead", broker="rabbitmq"),),
        minutes=20,
        may={
            seen("MagentoQueueStalled", broker="rabbitmq"): "the same messages, once they are an hour old",
            seen("MagentoBulkNotStarted"): "bulk operations are messages of one of these queues",
        },
        end=Fix("MagentoConsumerDead", "The starter does not run"),
    ),
    "queue-errors": Expectation(
        fires=(seen("MagentoQueueMessagesFailing", broker="mysql"),), minutes=60, end=_CODE
    ),
}

_CACHE: Final[Mapping[str, Expectation]] = {
    "backend-sick": Expectation(
        fires=(seen("MagentoBackendsSick"),),
        minutes=30,
        kept_back=_one("MagentoBackendSick"),
        may={
            seen("MagentoPageCacheHitRatioCollapsed"): "Varnish does not cache for two minutes what has "
            "failed, and these minutes do not shrink with the clock",
            seen("MagentoEdgeErrors"): "the failing pages, as Varnish's exporter counts them",
            **_NO_PAGE,
        },
        end=Fix("MagentoBackendsSick", "PHP-FPM is full"),
    ),
    "ban-storm": Expectation(
        fires=(seen("MagentoPageCacheFlushStorm"), seen("MagentoPageCacheBansPiledUp")),
        minutes=60,
        may={
            seen(
                "MagentoPageCacheHitRatioCollapsed"
            ): "the products that are saved are on most pages, so the "
            "storm may keep more than half of them out of the cache"
        },
        end=_SENDER,
    ),
    "cache-flushed": Expectation(fires=(seen("MagentoPageCacheHitRatioCollapsed"),), minutes=25, end=_SENDER),
    "page-uncacheable": Expectation(
        fires=(seen("MagentoPageCacheHitRatioCollapsed"),), minutes=25, end=_CODE
    ),
    "redis-full": Expectation(
        fires=(seen("MagentoSessionWritesRefused"),),
        minutes=10,
        kept_back=_one("MagentoCacheWritesRefused", "MagentoRedisAlmostFull"),
        may={
            seen("MagentoSessionsEvicted"): "it throws sessions out before it refuses new ones",
            seen("MagentoCacheEvicting"): "the same server holds the caches, and evicts their keys as well",
        },
        end=Fix("MagentoSessionWritesRefused", "First five minutes"),
    ),
}

_AFTER_THE_ORDER: Final[Mapping[str, Expectation]] = {
    "emails-unsent": Expectation(
        fires=tuple(seen("MagentoOrderEmailsUnsent", document=d) for d in ("order", "invoice", "shipment")),
        minutes=60,
        may={seen("MagentoOrderEmailsUnsent", document="creditmemo"): "refunds are rare"},
        end=_CODE,
    ),
    "grid-missing": Expectation(fires=(seen("MagentoOrdersMissingFromGrid"),), minutes=30, end=_CODE),
    "orders-stuck-pending-payment": Expectation(
        fires=(seen("MagentoOrdersPendingPaymentStuck"),),
        minutes=50,
        may={seen("MagentoPaymentsUnconfirmed"): "the usual share is that of a few hours"},
        end=_CODE,
    ),
}

_COMPARED: Final = 6
"""Hours over which the checkout's alerts compare tries and stages with the shop's own."""

_SELLING: Final[Mapping[str, Expectation]] = {
    "carding": Expectation(
        history=_COMPARED,
        fires=(seen("MagentoCarding", store="default"),),
        minutes=20,
        end=_SENDER,
    ),
    "checkout-stalled": Expectation(
        history=_COMPARED,
        fires=(seen("MagentoOrdersStopped", store="default"),),
        minutes=40,  # until fifteen orders of this store are due: all stores together need half as long
        may={
            seen("MagentoOrdersStopped"): "the other stores, alone or together",
            seen("MagentoOrdersLow"): _ORDERS_LOW_AFTER,
            seen("MagentoCheckoutStageFailing"): "it names the step, and notifies nobody",
        },
        end=_CODE,
    ),
    "maintenance": Expectation(
        fires=(seen("MagentoMaintenanceForgotten"),),
        minutes=32,
        end=Fix("MagentoMaintenanceForgotten", "Forgotten"),
    ),
    "no-traffic": Expectation(
        fires=(seen("MagentoNobodyComes"),),
        minutes=40,
        end=_PROVIDER,
    ),
    "payment-declined": Expectation(
        history=_COMPARED,
        fires=(seen("MagentoPaymentsFail", store="default"),),
        minutes=30,
        may={seen("MagentoOrdersStopped"): "in a busy store it is certain before failures are",
             seen("MagentoPaymentsFail"): "other stores",
             seen("MagentoPaymentMethodDead"): "other stores, whose failures are too few to be certain",
             seen("MagentoOrdersLow"): _ORDERS_LOW_AFTER,
             seen("MagentoFailedPlacementsUnusual"):
             "a message about the change, where an outage is not certain",
             seen("MagentoCheckoutBudgetBurnSlow"): "an hour of failures spends more than three days may"},
        end=_PROVIDER,
    ),
    "registrations-flood": Expectation(
        history=2,
        fires=(seen("MagentoRegistrationsUnusual", website="base"),),
        minutes=30,
        may={seen("MagentoRegistrationsUnusual", website="us"): "the same flood, on the smaller website"},
        end=_SENDER,
    ),
    "search-zero-results": Expectation(minutes=30, end=_CODE),
}  # fmt: skip

_TAMPERING: Final[Mapping[str, Expectation]] = {
    "admin-added": Expectation(history=2, fires=(seen("MagentoAdminAdded"),), minutes=12, end=_PERSON),
    "admin-guessed": Expectation(fires=(seen("MagentoAdminLoginsFailing"),), minutes=15, end=_SENDER),
    "page-failing": Expectation(
        fires=(seen("MagentoProbePageFailing", page="graphql"),), minutes=15, end=_CODE
    ),
    "prices-missing": Expectation(
        fires=(seen("MagentoPricesMissing", website="base"), seen("MagentoPricesMissing", website="us")),
        minutes=10,
        end=_CODE,
    ),
    "script-added": Expectation(
        history=2, fires=(seen("MagentoScriptAdded", place="cms_block"),), minutes=12, end=_PERSON
    ),
}

_PLATFORM: Final[Mapping[str, Expectation]] = {
    "certificate-expiring": Expectation(
        fires=(seen("MagentoCertificateExpiring"),), minutes=70, end=_PROVIDER
    ),
    "connections-full": Expectation(
        fires=(seen("MagentoDatabaseRefusesConnections", magento_role="database"),),
        minutes=10,
        may={seen("MagentoDatabaseConnectionsHigh"): "what comes before, if it lasts for ten minutes"},
        unanswered=("mysql",),
        end=_SENDER,
    ),
    "disk-filling": Expectation(fires=(seen("MagentoDiskFilling"),), minutes=75, end=_SENDER),
    "disk-full": Expectation(
        fires=(seen("MagentoDiskFull"),),
        minutes=5,
        kept_back=_one(*_BLIND),  # a database without room for temporary tables fails some statements
        may={seen("MagentoDiskFilling"): "the same disk, once the trend of three hours shows it"},
        end=_SENDER,
    ),
    "file-exposed": Expectation(
        fires=(seen("MagentoFileExposed", page="exposed_env"),), minutes=5, end=_CODE
    ),
    "locks-held": Expectation(
        fires=(seen("MagentoDatabaseBlocked", magento_role="database"),),
        minutes=8,
        kept_back=_one("MagentoDatabaseLocksHeld"),
        end=_CHOICE,
    ),
    "opcache-full": Expectation(
        fires=(seen("MagentoOpcacheFull"),), minutes=15, end=Fix("MagentoOpcacheFull", "Give it room")
    ),
    "php-full": Expectation(
        fires=(seen("MagentoPhpFull", magento_role="php"),),
        minutes=15,
        kept_back=_one("MagentoPagesSlow", "MagentoEdgeErrors", "MagentoVarnishThreadsOut"),
        may={
            seen("MagentoBackendsSick"): "the health check waits for a worker as well",
            seen("MagentoBackendSick"): "the health check waits for a worker as well",
            seen("MagentoProbeFailing"): "the probe gives up before a worker is free",
            seen("MagentoProbePageFailing"): "the probe gives up before a worker is free",
            seen("MagentoNobodyComes"): "no visit ends",
            seen("MagentoPageCacheHitRatioCollapsed"): "what fails is not cached for two minutes, and these "
            "do not shrink with the clock",
        },
        end=_PROVIDER,
    ),
    "replica-lagging": Expectation(
        fires=(seen("MagentoReplicaLagging", magento_role="database_replica"),), minutes=10, end=_SENDER
    ),
    "replica-stopped": Expectation(
        fires=(seen("MagentoReplicaStopped", magento_role="database_replica"),), minutes=5, end=_OTHER_SERVER
    ),
    "search-alias-missing": Expectation(
        fires=(seen("MagentoSearchAliasMissing", store="default"),),
        minutes=10,
        end=Fix("MagentoSearchAliasMissing", "Reindex"),
    ),
    "search-down": Expectation(
        fires=(seen("MagentoSearchDown", magento_role="search"),),
        minutes=8,
        kept_back=_one(*_BLIND, collector="search"),
        may={seen("MagentoBackendDown", source="search"): "what our own exporter says, if it is the first"},
        unanswered=("curl",),
        end=_SERVER,
    ),
    "search-drift": Expectation(
        fires=(seen("MagentoSearchDrift", store="default"),),
        minutes=35,
        end=Fix("MagentoSearchDrift", "Reindex"),
    ),
    "search-readonly": Expectation(fires=(seen("MagentoSearchReadOnly"),), minutes=5, end=_OTHER_SERVER),
    "slow-database": Expectation(
        fires=(seen("MagentoDatabaseSlow", magento_role="database"),), minutes=12, end=_SENDER
    ),
    "sentinel-no-quorum": Expectation(
        fires=(seen("MagentoSentinelNoQuorum", master_name="shop"),), minutes=10, end=_OTHER_SERVER
    ),
}

EXPECTED: Final[Mapping[str, Expectation]] = {
    **_EXPORTER, **_CRON, **_INDEXERS, **_QUEUES, **_CACHE, **_AFTER_THE_ORDER, **_SELLING, **_PLATFORM,
    **_TAMPERING,
}  # fmt: skip

WAVES: Final = (
    ("queue-errors", "cron-job-failing", "ban-storm", "changelog-reset", "emails-unsent", "cron-bloat"),
    ("grid-missing", "cache-flushed", "indexer-invalid", "indexer-stuck", "cron-job-stuck", "consumer-dead",
     "consumer-dead-amqp", "orders-stuck-pending-payment"),
    ("backlog-growing", "bulk-stuck", "page-uncacheable", "redis-full"),
    ("rabbitmq-down", "redis-down", "varnish-down"),
    ("storefront-down",),
    ("broker-alarm",),
    ("exporter-down",),
    ("database-down",),
    ("database-killed",),
    ("cron-stopped",),
    ("registrations-flood", "search-zero-results", "backend-sick"),
    ("certificate-expiring", "disk-filling", "file-exposed", "locks-held", "replica-stopped",
     "search-readonly", "sentinel-no-quorum"),
    ("admin-added", "admin-guessed", "page-failing", "prices-missing", "script-added"),
    ("disk-full", "opcache-full", "replica-lagging", "search-alias-missing"),
    ("php-full",),
    ("slow-database",),
    ("connections-full", "search-drift"),
    ("search-down",),
    ("maintenance",),
    ("checkout-stalled",),
    ("no-traffic",),
    ("carding",),
    ("payment-declined",),
)  # fmt: skip
"""Faults that are played at the same time, because their alerts are disjoint and none hides another."""

LEFT_OUT: Final[dict[str, str]] = {
    "payment-method-quiet": "the longest gap of a method is that of the days before yesterday in Prometheus, "
    "which is younger than that on a game day",
}
"""Faults without a game day, and why. Their alerts are shown by promtool tests only."""
