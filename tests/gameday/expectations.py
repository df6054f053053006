"""Which alerts a fault must raise, which may come along, and what cannot be shown on a game day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

BLIND: Final = frozenset(
    {"MagentoCollectorFailing", "MagentoDataStale", "MagentoSourceDown", "MagentoScrapeSlow"}
)
"""What says that a source is gone; Alertmanager sends one of them."""

CRON_FEEDS: Final = frozenset(
    {
        "MagentoCronLagging",
        "MagentoCronJobMissed",
        "MagentoCronJobNeverRan",
        "MagentoQueueStalled",
        "MagentoConsumerDead",
        "MagentoIndexerInvalid",
        "MagentoIndexerBacklogGrowing",
        "MagentoFreshnessBudgetBurn",
        "MagentoOrderEmailsUnsent",
        "MagentoOrdersMissingFromGrid",
        "MagentoBulkNotStarted",
    }
)
"""What stands still with cron; Alertmanager keeps it back while MagentoCronStopped fires."""

BURN: Final = frozenset(
    {
        "MagentoCheckoutBudgetBurnFast",
        "MagentoCheckoutBudgetBurnSteady",
        "MagentoCheckoutBudgetBurnSlow",
        "MagentoFailedPlacementsUnusual",
        "MagentoCheckoutStageFailing",
        "MagentoPaymentMethodQuiet",
    }
)
SELLING: Final = BURN | {
    "MagentoOrderDroughtWithTraffic",
    "MagentoOrderDroughtNoTraffic",
    "MagentoOrdersLow",
    "MagentoNoOrdersForLong",
    "MagentoOrderValueUnusual",
}
QUEUES: Final = frozenset({"MagentoConsumerDead", "MagentoQueueStalled", "MagentoBulkNotStarted"})
CACHE: Final = frozenset(
    {"MagentoPageCacheHitRatioCollapsed", "MagentoPageCacheFlushStorm", "MagentoPageCacheBansPiledUp"}
)


@dataclass(frozen=True, slots=True)
class Expectation:
    """``fires`` must all fire within ``seconds``; beyond them only ``may`` may fire."""

    fires: frozenset[str]
    may: frozenset[str] = frozenset()
    seconds: float = 120.0


def expect(*fires: str, may: frozenset[str] = frozenset(), seconds: float = 120.0) -> Expectation:
    """Return an expectation."""
    return Expectation(frozenset(fires), may, seconds)


EXPECTED: Final[dict[str, Expectation]] = {
    "backend-sick": expect("MagentoBackendsSick", may=SELLING | CACHE),
    "backlog-growing": expect("MagentoIndexerBacklogGrowing", may=frozenset({"MagentoFreshnessBudgetBurn"})),
    "ban-storm": expect("MagentoPageCacheBansPiledUp", may=CACHE),
    "bulk-stuck": expect("MagentoBulkNotStarted", may=QUEUES),
    "cache-flushed": expect("MagentoPageCacheFlushStorm", may=CACHE),
    "carding": expect("MagentoCarding", may=BURN),
    "changelog-reset": expect("MagentoIndexerVersionAhead"),
    "checkout-stalled": expect("MagentoCheckoutStageFailing", may=SELLING, seconds=180),
    "consumer-dead": expect("MagentoQueueStalled", may=QUEUES),
    "consumer-dead-amqp": expect("MagentoConsumerDead", may=QUEUES),
    "cron-bloat": expect("MagentoCronTableBloated"),
    "cron-job-failing": expect("MagentoCronJobFailing", seconds=180),
    "cron-job-stuck": expect(
        "MagentoCronJobOverrunning", may=frozenset({"MagentoCronJobMissed"}), seconds=180
    ),
    "cron-stopped": expect("MagentoCronStopped", may=CRON_FEEDS),
    "database-down": expect("MagentoSourceDown", may=BLIND | SELLING),
    "database-killed": expect("MagentoSourceDown", may=BLIND | SELLING),
    "emails-unsent": expect("MagentoOrderEmailsUnsent", seconds=240),
    "exporter-down": expect("MagentoExporterDown", may=SELLING),
    "grid-missing": expect("MagentoOrdersMissingFromGrid", seconds=240),
    "indexer-invalid": expect("MagentoIndexerInvalid", may=frozenset({"MagentoCronJobFailing"})),
    "indexer-stuck": expect("MagentoIndexerStuck", "MagentoIndexerViewStuck",
                            may=frozenset({"MagentoIndexerBacklogGrowing", "MagentoFreshnessBudgetBurn"})),
    "orders-stuck-pending-payment": expect("MagentoOrdersPendingPaymentStuck",
                                           may=frozenset({"MagentoCronJobFailing"}), seconds=420),
    "page-uncacheable": expect("MagentoPageCacheHitRatioCollapsed"),
    "payment-declined": expect(
        "MagentoCheckoutBudgetBurnFast", may=SELLING | {"MagentoCarding"}, seconds=240
    ),
    "queue-errors": expect("MagentoQueueMessagesFailing"),
    "rabbitmq-down": expect("MagentoSourceDown", may=BLIND),
    "redis-down": expect("MagentoSourceDown", may=BLIND | CACHE),
    "registrations-flood": expect(),
    "search-zero-results": expect(),
    "varnish-down": expect("MagentoSourceDown", may=BLIND | SELLING | CACHE),
}  # fmt: skip

LEFT_OUT: Final[dict[str, str]] = {
    "maintenance": "the sandbox has no directory of a shop that the exporter could see the flag in",
    "no-traffic": "orders are compared over half an hour and more, which the exporter does not shorten",
    "payment-method-quiet": "the usual level of a method is taken from windows of hours, as above",
}
"""Faults without a game day, and why. Their alerts are shown by promtool tests only."""
