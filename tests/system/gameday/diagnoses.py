"""Which hypothesis of an alert's runbook is right for a fault, and the one that a page ranks first."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from typing import Final
from urllib.parse import urlencode

import httpx

RIGHT: Final[Mapping[str, Mapping[str, str]]] = {
    "backlog-growing": {"MagentoIndexerBacklogGrowing": "the job is not run"},
    "cache-flushed": {"MagentoPageCacheHitRatioCollapsed": "purges or a flush loop"},
    "consumer-dead": {"MagentoQueueStalled": "nobody starts the consumer"},
    "consumer-dead-amqp": {"MagentoConsumerDead": "cron's group `consumers` does not run"},
    "cron-stopped": {"MagentoCronStopped": "the crontab is gone (new server, deploy, restored backup)"},
    "database-down": {"MagentoBackendDown": "the server hangs or is overloaded"},
    "database-killed": {"MagentoBackendDown": "the server is dead"},
    "page-uncacheable": {
        "MagentoPageCacheHitRatioCollapsed": "a block or an extension makes pages uncacheable"
    },
    "payment-declined": {"MagentoPaymentsFail": "the payment provider is down or declines"},
    "rabbitmq-down": {"MagentoSourceDown": "RabbitMQ is dead", "MagentoBackendDown": "the server is dead"},
    "redis-down": {"MagentoBackendDown": "the server is dead"},
    "varnish-down": {"MagentoBackendDown": "the server is dead"},
}
"""Fault to alert to the first cell of the right row of its diagnosis table. Other faults have no evidence."""

_FIRST: Final = re.compile(r'<i class="supported">supported</i> ([^<]+)<')


def ranked_first(exporter: str, alert: str, labels: Mapping[str, str]) -> str:
    """Return the hypothesis that the served runbook supports first, empty if none."""
    carried = {name: value for name, value in labels.items() if name != "alertname"}
    page = httpx.get(f"{exporter}/runbooks/{alert}?{urlencode(carried)}", timeout=30, trust_env=False)
    page.raise_for_status()
    found = _FIRST.search(page.text)
    return unescape(found[1]) if found else ""
