"""Where each fault of the sandbox is seen: the panel that shows it, and what it must show.

A sign must not be there before its fault and must come with it. The shop's minutes are shortened
(``tests/dashboards/hasty.py``), the limits of the alerts are not: where one cannot be passed in a few
minutes, the sign is a value that the healthy shop never has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from dashboards.lib.uids import (
    AFTER_ORDER,
    CHECKOUT,
    CRON,
    DATABASE,
    DEPLOYS,
    EXPORTER,
    HOST,
    INDEXERS,
    OVERVIEW,
    PAGE_CACHE,
    PHP_WEB,
    PROBES,
    QUEUES,
    REDIS,
    SEARCH,
)


@dataclass(frozen=True, kw_only=True)
class Sign:
    """What query number ``query`` of a panel shows, in the panel's unit, in a series with these labels.

    A label may be a pattern, as of file names.

    The value passes the panel's own limit unless it is to be ``above`` or ``below`` one given here, or to
    have risen by ``rise`` since just before the fault. With ``still`` it must not rise while the rest of the
    panel does.
    """

    dashboard: str
    panel: str
    query: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    above: float | None = None
    below: float | None = None
    rise: float | None = None
    still: bool = False


def _down(source: str) -> Sign:
    return Sign(dashboard=EXPORTER, panel="sources", labels={"source": source}, below=1)


_SCRATCH: Final = {"mountpoint": "*/servers/disk"}
"""The small disk of the faults; the machine's own may be as full."""

SIGNS: Final[Mapping[str, Sign]] = {
    "admin-added": Sign(dashboard=DEPLOYS, panel="admins", above=1),
    "admin-guessed": Sign(dashboard=DEPLOYS, panel="logins", above=15),
    "backend-sick": Sign(dashboard=PAGE_CACHE, panel="backends", below=1),
    "backlog-growing": Sign(dashboard=INDEXERS, panel="backlog"),
    "ban-storm": Sign(dashboard=PAGE_CACHE, panel="purges"),
    "broker-alarm": Sign(dashboard=QUEUES, panel="alarms", labels={"resource": "memory"}, above=0),
    "bulk-stuck": Sign(dashboard=QUEUES, panel="bulk_waiting", above=1),
    "cache-flushed": Sign(dashboard=PAGE_CACHE, panel="hit_ratio"),
    "carding": Sign(dashboard=CHECKOUT, panel="failed_placements", query=1, rise=20),
    "certificate-expiring": Sign(dashboard=PROBES, panel="certificate"),
    "changelog-reset": Sign(dashboard=INDEXERS, panel="version_ahead"),
    "checkout-stalled": Sign(dashboard=CHECKOUT, panel="last_order", above=30),
    "connections-full": Sign(dashboard=DATABASE, panel="refused"),
    "consumer-dead": Sign(dashboard=QUEUES, panel="oldest_age", labels={"broker": "mysql"}, above=1),
    "consumer-dead-amqp": Sign(dashboard=QUEUES, panel="consumers", labels={"broker": "rabbitmq"}, above=10),
    "cron-bloat": Sign(dashboard=CRON, panel="table_rows"),
    "cron-job-failing": Sign(
        dashboard=CRON,
        panel="failures",
        labels={"job_code": "catalog_product_outdated_price_values_cleanup"},
        above=0,
    ),
    "cron-job-stuck": Sign(
        dashboard=CRON,
        panel="running",
        labels={"job_code": "catalog_product_frontend_actions_flush"},
        above=1,
    ),
    "cron-stopped": Sign(dashboard=CRON, panel="last_execution", above=0.5),
    "database-down": _down("database"),
    "database-killed": _down("database"),
    "disk-filling": Sign(dashboard=HOST, panel="disk_free", labels=_SCRATCH, below=0.3),
    "disk-full": Sign(dashboard=HOST, panel="disk_free", labels=_SCRATCH, below=0.01),
    "emails-unsent": Sign(dashboard=AFTER_ORDER, panel="emails", labels={"document": "order"}, above=0.75),
    "exporter-down": Sign(dashboard=EXPORTER, panel="up", below=1),
    "file-exposed": Sign(dashboard=PROBES, panel="exposed", labels={"page": "exposed_env"}, above=0),
    "grid-missing": Sign(dashboard=AFTER_ORDER, panel="grid_age", above=0.75),
    "indexer-invalid": Sign(
        dashboard=INDEXERS, panel="state", labels={"indexer": "catalogrule_product"}, above=2.5
    ),
    "indexer-stuck": Sign(
        dashboard=INDEXERS, panel="table", query=4, labels={"indexer": "catalog_product_price"}, above=45
    ),
    "locks-held": Sign(dashboard=DATABASE, panel="waiters"),
    "maintenance": Sign(dashboard=OVERVIEW, panel="maintenance", above=0),
    "no-traffic": Sign(dashboard=PAGE_CACHE, panel="requests_now", below=1),
    "opcache-full": Sign(dashboard=PHP_WEB, panel="opcache_takes", above=0),
    "orders-stuck-pending-payment": Sign(
        dashboard=AFTER_ORDER, panel="late", labels={"state": "pending_payment"}, above=0
    ),
    "page-failing": Sign(dashboard=EXPORTER, panel="outside", labels={"page": "graphql"}, below=1),
    "page-uncacheable": Sign(
        dashboard=PAGE_CACHE, panel="requests", labels={"result": "uncacheable"}, above=0.05
    ),
    "payment-declined": Sign(dashboard=OVERVIEW, panel="selling", above=1),
    "payment-method-quiet": Sign(
        dashboard=CHECKOUT, panel="methods", labels={"method": "paypal_express"}, still=True
    ),
    "php-full": Sign(dashboard=PHP_WEB, panel="full", above=0),
    "prices-missing": Sign(dashboard=INDEXERS, panel="prices", below=1),
    "queue-errors": Sign(dashboard=QUEUES, panel="failed"),
    "rabbitmq-down": _down("rabbitmq"),
    "redis-down": _down("redis"),
    "redis-full": Sign(dashboard=PAGE_CACHE, panel="redis_refused", labels={"role": "session"}, above=0),
    "registrations-flood": Sign(dashboard=CHECKOUT, panel="accounts", rise=50),
    "replica-lagging": Sign(dashboard=DATABASE, panel="lag", above=5),
    "replica-stopped": Sign(
        dashboard=DATABASE, panel="replica", labels={"magento_role": "database_replica"}, below=1
    ),
    "script-added": Sign(dashboard=DEPLOYS, panel="scripts", labels={"place": "cms_block"}, above=0),
    "search-alias-missing": Sign(dashboard=SEARCH, panel="alias", labels={"store": "default"}, above=0),
    "search-down": Sign(dashboard=SEARCH, panel="down", above=0),
    "search-drift": Sign(dashboard=SEARCH, panel="lost", labels={"store": "default"}, above=0.2),
    "search-readonly": Sign(dashboard=SEARCH, panel="read_only", above=0),
    "search-zero-results": Sign(dashboard=CHECKOUT, panel="search", query=1, rise=20),
    "sentinel-no-quorum": Sign(dashboard=REDIS, panel="quorum", below=1),
    "slow-database": Sign(dashboard=DATABASE, panel="running", above=30),
    "storefront-down": Sign(dashboard=EXPORTER, panel="outside", labels={"page": "home"}, below=1),
    "varnish-down": _down("varnish"),
}


PLAY: Final[tuple[tuple[str, ...], ...]] = (
    (
        "admin-added",
        "admin-guessed",
        "cache-flushed",
        "carding",
        "changelog-reset",
        "consumer-dead-amqp",
        "cron-job-failing",
        "emails-unsent",
        "grid-missing",
        "indexer-invalid",
        "indexer-stuck",
        "orders-stuck-pending-payment",
        "page-failing",
        "payment-method-quiet",
        "prices-missing",
        "queue-errors",
        "registrations-flood",
        "script-added",
        "search-zero-results",
    ),
    (
        "backlog-growing",
        "bulk-stuck",
        "consumer-dead",
        "cron-bloat",
        "cron-job-stuck",
        "page-uncacheable",
        "redis-full",
    ),
    ("backend-sick", "ban-storm", "cron-stopped", "payment-declined", "rabbitmq-down", "redis-down"),
    ("checkout-stalled", "varnish-down"),
    ("broker-alarm", "storefront-down"),
    ("database-killed", "maintenance"),
    ("database-down", "no-traffic"),
    (
        "certificate-expiring",
        "disk-filling",
        "file-exposed",
        "locks-held",
        "replica-stopped",
        "search-readonly",
        "sentinel-no-quorum",
    ),
    ("connections-full", "disk-full", "opcache-full", "replica-lagging", "search-alias-missing"),
    ("search-drift", "slow-database"),
    ("php-full",),
    ("search-down",),
    ("exporter-down",),
)
"""Acts: faults that are switched on together, because none hides another."""
