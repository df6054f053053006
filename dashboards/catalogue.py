"""Every dashboard of the pack, in the order of the ladder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dashboards import (
    after_order,
    checkout,
    cron,
    database,
    deploys,
    exporter,
    golden_path,
    host,
    indexers,
    money,
    overview,
    page_cache,
    php_web,
    probes,
    queues,
    rabbitmq,
    redis,
    search,
    slo,
)
from dashboards.lib.page import Dashboard

DASHBOARDS: Final[tuple[Dashboard, ...]] = (
    overview.DASHBOARD,
    checkout.DASHBOARD,
    after_order.DASHBOARD,
    money.DASHBOARD,
    cron.DASHBOARD,
    indexers.DASHBOARD,
    queues.DASHBOARD,
    page_cache.DASHBOARD,
    slo.DASHBOARD,
    deploys.DASHBOARD,
    golden_path.DASHBOARD,
    probes.DASHBOARD,
    php_web.DASHBOARD,
    database.DASHBOARD,
    redis.DASHBOARD,
    search.DASHBOARD,
    rabbitmq.DASHBOARD,
    host.DASHBOARD,
    exporter.DASHBOARD,
)

WITHOUT_PANEL: Final[Mapping[str, str]] = {
    "magento_bulk_operations_exact": "says whether another value is a lower bound",
    "magento_collector_runs_total": "the base of an error ratio; the errors themselves are shown",
    "magento_indexer_backlog_exact": "says whether another value is an upper bound",
    "magento_order_emails_async": "a setting; a guard of alerts",
    "magento_order_grid_async": "a setting; a guard of alerts",
    "magento_orders_baseline_seconds": "says why an expectation is absent",
    "magento_orders_open_truncated": "says whether another value is a lower bound",
    "magento_queue_default_connection": "a setting; a guard of alerts",
    "magento_queue_messages_exact": "says whether another value is a lower bound",
    "magento_database_transactions_visible": "the panel of the oldest transaction says it when it is empty",
    "magento_page_cache_fastly_missed_seconds_total": "says how much is missing in another value",
    "magento_redis_evicts": "a setting; a guard of alerts",
}
"""The metrics that no panel shows, each with the reason. Every other metric has a panel."""
