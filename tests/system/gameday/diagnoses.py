"""Which hypothesis of an alert's runbook is right for a fault, and the one that a page ranks first."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from typing import Final, NamedTuple
from urllib.parse import urlencode

import httpx

_GROUP: Final = "the job is not run"
_DEAD: Final = "the server is dead"
_LEFT: Final = "both left behind by one killed process"
_BREAK_IN: Final = "a stranger has an admin account"
"""It is true beside the faults of the same wave: passwords are guessed, an account and a script are new."""

RIGHT: Final[Mapping[str, Mapping[str, str]]] = {
    "admin-added": {"MagentoAdminAdded": _BREAK_IN},
    "admin-guessed": {"MagentoAdminLoginsFailing": "a program guesses passwords"},
    "backend-sick": {"MagentoBackendsSick": "PHP-FPM is full or dead"},
    "backlog-growing": {
        "MagentoIndexerBacklogGrowing": _GROUP,
        "MagentoCronLagging": "a group is not started any more",
    },
    "ban-storm": {
        "MagentoPageCacheFlushStorm": "an import or API client saves product by product",
        "MagentoPageCacheBansPiledUp": "purges still pour in",
    },
    "broker-alarm": {"MagentoBrokerBlocksPublishers": "the limit of memory is too low"},
    "bulk-stuck": {
        "MagentoBulkNotStarted": "the consumer is not started, or dies",
        "MagentoConsumerDead": "it dies at its start or at its first message",
    },
    "cache-flushed": {"MagentoPageCacheHitRatioCollapsed": "purges or a flush loop"},
    "carding": {"MagentoCarding": "one address or network, guest carts"},
    "changelog-reset": {
        "MagentoIndexerVersionAhead": 'the changelog was emptied by hand to "clear the backlog"'
    },
    "certificate-expiring": {"MagentoCertificateExpiring": "the renewal fails"},
    "checkout-stalled": {"MagentoOrdersStopped": "a step is broken: JavaScript, CSP, carrier, setting"},
    "connections-full": {"MagentoDatabaseRefusesConnections": "more PHP workers than connections"},
    "consumer-dead": {"MagentoQueueStalled": "nobody starts the consumer"},
    "consumer-dead-amqp": {"MagentoConsumerDead": "it dies at its start or at its first message"},
    "cron-bloat": {"MagentoCronTableBloated": "rows of a module that was removed"},
    "cron-job-failing": {"MagentoCronJobFailing": "the job throws"},
    "cron-job-stuck": {
        "MagentoCronLagging": "one job's earlier run is still at it",
        "MagentoCronJobMissed": "its own long run is in the way",
        "MagentoCronJobOverrunning": "it died: memory, deploy, restart",
    },
    "cron-stopped": {"MagentoCronStopped": "the crontab is gone (new server, deploy, restored backup)"},
    "database-down": {"MagentoBackendDown": "the server hangs or is overloaded"},
    "database-killed": {"MagentoBackendDown": _DEAD},
    "disk-filling": {"MagentoDiskFilling": "an import, dump or reindex"},
    "disk-full": {"MagentoDiskFull": "a dump or a backup"},
    "emails-unsent": {"MagentoOrderEmailsUnsent": "the mail server refuses or is out of reach"},
    "exporter-down": {
        "MagentoExporterUnreachable": "the process is not there: not started after a reboot, or stopped"
    },
    "file-exposed": {"MagentoFileExposed": "the rules that deny it were lost in a deploy"},
    "grid-missing": {
        "MagentoOrdersMissingFromGrid": "an order was committed behind the copy's mark (releases of 2026)"
    },
    "indexer-invalid": {
        "MagentoIndexerInvalid": "the rebuild throws",
        "MagentoCronJobFailing": "the job throws",
    },
    "indexer-stuck": {
        "MagentoIndexerStuck": "the process was killed: deploy, memory, closed terminal",
        "MagentoIndexerViewStuck": _LEFT,
    },
    "locks-held": {"MagentoDatabaseBlocked": "a forgotten session or a report"},
    "maintenance": {"MagentoMaintenanceForgotten": "it was forgotten"},
    "no-traffic": {"MagentoNobodyComes": "DNS, certificate or CDN"},
    "opcache-full": {"MagentoOpcacheFull": "`opcache.max_accelerated_files` is too small"},
    "orders-stuck-pending-payment": {"MagentoOrdersPendingPaymentStuck": "one order stops the job"},
    "page-failing": {"MagentoProbePageFailing": "PHP fails for this page"},
    "page-uncacheable": {
        "MagentoPageCacheHitRatioCollapsed": "a block or an extension makes pages uncacheable"
    },
    "payment-declined": {"MagentoPaymentsFail": "the payment provider is down or declines"},
    "php-full": {"MagentoPhpFull": "too few workers"},
    "prices-missing": {"MagentoPricesMissing": "an import or a price rule made them 0"},
    "queue-errors": {"MagentoQueueMessagesFailing": "something that the consumer needs is away or forbidden"},
    "rabbitmq-down": {"MagentoBackendDown": _DEAD},
    "redis-down": {"MagentoBackendDown": _DEAD},
    "redis-full": {"MagentoSessionWritesRefused": "the limit fell (restart, new server)"},
    "registrations-flood": {"MagentoRegistrationsUnusual": "a program uses the form"},
    "replica-lagging": {"MagentoReplicaLagging": "the replica's disk is too slow"},
    "replica-stopped": {"MagentoReplicaStopped": "somebody stopped it"},
    "script-added": {"MagentoScriptAdded": _BREAK_IN},
    "search-alias-missing": {"MagentoSearchAliasMissing": "a reindex broke off"},
    "search-down": {"MagentoSearchDown": "it was killed"},
    "search-drift": {"MagentoSearchDrift": "a reindex left products out"},
    "search-readonly": {"MagentoSearchReadOnly": "somebody set it"},
    "sentinel-no-quorum": {"MagentoSentinelNoQuorum": "Sentinels are down"},
    "slow-database": {"MagentoDatabaseSlow": "reports, an export or a search by a module"},
    "storefront-down": {"MagentoProbeFailing": "the edge is dead or frozen"},
    "varnish-down": {"MagentoBackendDown": _DEAD},
}
"""Fault to alert to the hypothesis of its diagnosis table that is true.

Where the sandbox leaves open what a person would find, it is the one whose check succeeds there: a consumer
that cron starts and that is gone again, a job without a process, a job that passes orders by.
"""

_FIRST: Final = re.compile(r'<li class="supported[^"]*" data-hypothesis="([^"]+)"')
_LATE: Final = re.compile(r'<p class="times" data-late="([0-9.]+)">Fired')


class Ranking(NamedTuple):
    """What the served runbook of an alert says.

    ``first`` is the hypothesis that it supports first, empty if none. ``late`` is the delay of the bundle
    behind it in seconds, ``None`` if the exporter has none.
    """

    first: str
    late: float | None
    page: str


def ranking(exporter: str, alert: str, labels: Mapping[str, str]) -> Ranking:
    """Return what the runbook says that this exporter serves."""
    carried = {name: value for name, value in labels.items() if name != "alertname"}
    page = httpx.get(f"{exporter}/runbooks/{alert}?{urlencode(carried)}", timeout=30, trust_env=False)
    page.raise_for_status()
    found, late = _FIRST.search(page.text), _LATE.search(page.text)
    return Ranking(unescape(found[1]) if found else "", float(late[1]) if late else None, page.text)
