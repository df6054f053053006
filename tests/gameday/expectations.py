"""What each fault must raise, what it may bring along and why, how it is ended, and what cannot be shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Seen:
    """An alert at a place: its name, and the labels that it must have (none: any place)."""

    alert: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether an active alert's labels are those of this one."""
        return labels.get("alertname") == self.alert and self.labels.items() <= labels.items()

    def overlaps(self, other: Seen) -> bool:
        """Tell whether some alert could match both."""
        common = self.labels.keys() & other.labels.keys()
        return self.alert == other.alert and all(self.labels[n] == other.labels[n] for n in common)

    def __str__(self) -> str:
        """Return it as a selector."""
        places = ", ".join(f"{name}={value}" for name, value in self.labels.items())
        return f"{self.alert}{{{places}}}" if places else self.alert


def seen(alert: str, **labels: str) -> Seen:
    """Return an alert at a place."""
    return Seen(alert, labels)


@dataclass(frozen=True, slots=True)
class Fix:
    """The commands of a page's section that end the fault."""

    page: str
    section: str


@dataclass(frozen=True, slots=True)
class SwitchOff:
    """The fault stands for something that no command in the sandbox could end; it is switched off."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What one fault is to do.

    ``fires`` must fire, each within ``minutes`` of the shop's time, and be told unless another of them
    inhibits it (``inhibited``). ``kept_back`` may fire; Alertmanager must not tell anybody. ``may`` fire
    and be told, each for the reason given. Nothing else may fire. ``unanswered`` are programs in the
    runbook that get no answer because of the fault itself: their failure is what the page is about.
    """

    fires: tuple[Seen, ...] = ()
    minutes: float = 0
    kept_back: tuple[Seen, ...] = ()
    may: Mapping[Seen, str] = field(default_factory=dict)
    end: Fix | SwitchOff
    unanswered: tuple[str, ...] = ()
    inhibited: tuple[Seen, ...] = ()

    def claims(self) -> tuple[Seen, ...]:
        """Return everything that this fault accounts for."""
        return (*self.fires, *self.kept_back, *self.may)


OFF: Final = SwitchOff("to be written")


def expect(
    *fires: Seen,
    minutes: float = 60,
    kept_back: tuple[Seen, ...] = (),
    may: Mapping[Seen, str] | None = None,
    end: Fix | SwitchOff = OFF,
    unanswered: tuple[str, ...] = (),
) -> Expectation:
    """Return an expectation."""
    return Expectation(
        fires=fires, minutes=minutes, kept_back=kept_back, may=may or {}, end=end, unanswered=unanswered
    )


EXPECTED: Final[dict[str, Expectation]] = {
    "backend-sick": expect(seen("MagentoBackendsSick")),
    "backlog-growing": expect(seen("MagentoIndexerBacklogGrowing")),
    "ban-storm": expect(seen("MagentoPageCacheBansPiledUp"), seen("MagentoPageCacheFlushStorm")),
    "bulk-stuck": expect(
        seen("MagentoBulkNotStarted"),
        seen("MagentoConsumerDead", queue="async.operations.all"),
        seen("MagentoQueueStalled", queue="async.operations.all"),
    ),
    "cache-flushed": expect(seen("MagentoPageCacheHitRatioCollapsed")),
    "carding": expect(seen("MagentoCarding")),
    "changelog-reset": expect(seen("MagentoIndexerVersionAhead", indexer="catalogsearch_fulltext")),
    "checkout-stalled": expect(seen("MagentoCheckoutStageFailing", stage="payment_method")),
    "consumer-dead": expect(seen("MagentoQueueStalled", broker="mysql")),
    "consumer-dead-amqp": expect(
        seen("MagentoConsumerDead", broker="rabbitmq"), seen("MagentoQueueStalled", broker="rabbitmq")
    ),
    "cron-bloat": expect(seen("MagentoCronTableBloated"), minutes=120),
    "cron-job-failing": expect(
        seen("MagentoCronJobFailing", job_code="catalog_product_outdated_price_values_cleanup")
    ),
    "cron-job-stuck": expect(
        seen("MagentoCronJobOverrunning", job_code="catalog_product_frontend_actions_flush"), minutes=90
    ),
    "cron-stopped": expect(seen("MagentoCronStopped")),
    "database-down": expect(seen("MagentoSourceDown", source="database")),
    "database-killed": expect(seen("MagentoSourceDown", source="database")),
    "emails-unsent": expect(seen("MagentoOrderEmailsUnsent", document="order")),
    "exporter-down": expect(seen("MagentoExporterDown")),
    "grid-missing": expect(seen("MagentoOrdersMissingFromGrid")),
    "indexer-invalid": expect(seen("MagentoIndexerInvalid", indexer="catalogrule_product"), minutes=90),
    "indexer-stuck": expect(
        seen("MagentoIndexerStuck", indexer="catalog_product_price"),
        seen("MagentoIndexerViewStuck", indexer="catalog_product_price"),
        minutes=150,
    ),
    "maintenance": expect(seen("MagentoMaintenanceForgotten")),
    "no-traffic": expect(seen("MagentoOrderDroughtNoTraffic")),
    "orders-stuck-pending-payment": expect(seen("MagentoOrdersPendingPaymentStuck")),
    "page-uncacheable": expect(seen("MagentoPageCacheHitRatioCollapsed")),
    "payment-declined": expect(seen("MagentoCheckoutBudgetBurnFast")),
    "queue-errors": expect(seen("MagentoQueueMessagesFailing")),
    "rabbitmq-down": expect(seen("MagentoSourceDown", source="rabbitmq")),
    "redis-down": expect(seen("MagentoSourceDown", source="redis")),
    "registrations-flood": expect(),
    "search-zero-results": expect(),
    "varnish-down": expect(seen("MagentoSourceDown", source="varnish")),
}

WAVES: Final = tuple((name,) for name in EXPECTED)

LEFT_OUT: Final[dict[str, str]] = {
    "payment-method-quiet": "the usual level of a method is yesterday's and last week's in Prometheus, "
    "which is younger than that on a game day",
}
"""Faults without a game day, and why. Their alerts are shown by promtool tests only."""
