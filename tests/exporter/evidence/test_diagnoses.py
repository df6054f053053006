"""The facts of each fault of the game day, as they are there, put its true hypothesis first.

The game day asks the served pages. Here a change of a condition shows at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pytest

from exporter.evidence.declared import declared
from exporter.evidence.model import Finding, Verdict, ranked
from tests.system.gameday.diagnoses import RIGHT

WEEKS: Final = 2e6
DEAD: Final = {"refused": 1, "no_answer": 0, "forbidden": 0}
CRON_WELL: Final = {"silent": 40, "own_run": 0, "longest": 0, "missed": 0, "enabled": 1, "database": 0}
SELLING: Final = {"deployed": WEEKS, "database": 0, "lock_waiters": 0, "sessions_refused": 0, "waiting": 1}

FACTS: Final[Mapping[str, Mapping[str, Mapping[str, float]]]] = {
    "backend-sick": {
        "MagentoBackendsSick": {
            "healthy": 0,
            "database": 0,
            "cache_server": 0,
            "php_full": 0,
            "served": 0.5,
            "deployed": WEEKS,
        }
    },
    "backlog-growing": {
        "MagentoIndexerBacklogGrowing": {"idle": 1, "job": 900, "job_errors": 0, "changes": 120_000},
        "MagentoCronLagging": {**CRON_WELL, "waiting_jobs": 2},
    },
    "ban-storm": {
        "MagentoPageCacheFlushStorm": {"bans": 115, "objects": 1, "on_save": 2},
        "MagentoPageCacheBansPiledUp": {"bans": 115, "list": 9_000},
    },
    "broker-alarm": {"MagentoBrokerBlocksPublishers": {"memory": 1, "disk": 0, "messages": 0}},
    "bulk-stuck": {
        "MagentoBulkNotStarted": {
            "consumers": 0,
            "messages": 40,
            "waiting": 40,
            "falling": -9,
            "starter": 40,
        },
        "MagentoConsumerDead": {"consumers": 0, "starter": 40, "cron_run": 1, "done": 0},
    },
    "cache-flushed": {
        "MagentoPageCacheHitRatioCollapsed": {"bans": 5, "restarts": 0, "nuked": 0, "uncacheable": 0.1}
    },
    "carding": {
        "MagentoCarding": {"failed_share": 0.9, "tries": 40, "tries_a_cart": 1, "new_carts": 15, "orders": 1}
    },
    "search-down": {"MagentoSearchDown": {"up": 1, "answers": 0, "search_disk": 0.5}},
    "changelog-reset": {"MagentoIndexerVersionAhead": {"ahead": 1, "changes": 3}},
    "checkout-stalled": {
        "MagentoOrdersStopped": {**SELLING, "failed_share": 0, "tries": 0, "carts": 60, "last_order": 1_800}
    },
    "consumer-dead": {
        "MagentoQueueStalled": {"in_progress": 0, "done": 0, "new": 9, "starter": 40, "cron_run": 1}
    },
    "consumer-dead-amqp": {"MagentoConsumerDead": {"consumers": 0, "starter": 40, "cron_run": 1, "done": 0}},
    "cron-bloat": {"MagentoCronTableBloated": {"rows": 60_000, "grew": 700, "pending": 81, "missed": 0}},
    "cron-job-failing": {
        "MagentoCronJobFailing": {
            "errors": 6,
            "own_run": 0,
            "failing_jobs": 1,
            "killed": 0,
            "deployed": WEEKS,
        }
    },
    "cron-job-stuck": {
        "MagentoCronLagging": {**CRON_WELL, "waiting_jobs": 1, "longest": 4_000, "own_run": 4_000},
        "MagentoCronJobMissed": {**CRON_WELL, "own_run": 4_000, "longest": 4_000, "missed": 1},
        "MagentoCronJobOverrunning": {"own_run": 4_000, "indexers_working": 0, "lock_waiters": 0},
    },
    "cron-stopped": {"MagentoCronStopped": {**CRON_WELL, "silent": 1_000, "pending": 40}},
    "database-down": {"MagentoBackendDown": {"refused": 0, "no_answer": 1, "forbidden": 0}},
    "database-killed": {"MagentoBackendDown": DEAD},
    "emails-unsent": {"MagentoOrderEmailsUnsent": {"unsent": 80, "falling": -74, "job": 77, "async": 1}},
    "exporter-down": {"MagentoExporterUnreachable": {"up": 0, "took": 0.001, "killed": 0}},
    "grid-missing": {"MagentoOrdersMissingFromGrid": {"missing": 40, "async": 1, "job": 77}},
    "indexer-invalid": {
        "MagentoIndexerInvalid": {"full_errors": 20, "full_done": 4_000, "others_working": 0},
        "MagentoCronJobFailing": {"errors": 40, "own_run": 0, "failing_jobs": 1, "deployed": WEEKS},
    },
    "indexer-stuck": {
        "MagentoIndexerStuck": {"missing": 0, "working": 1, "since": 7_500, "job": 50, "lock_waiters": 0},
        "MagentoIndexerViewStuck": {"view_working": 1, "view_suspended": 0, "working": 1, "job": 50},
    },
    "maintenance": {"MagentoMaintenanceForgotten": {"maintenance": 1, "deployed": WEEKS, "database": 0}},
    "no-traffic": {
        "MagentoNobodyComes": {
            "requests": 0.1,
            "served": 1,
            "varnish": 0,
            "php_full": 0,
            "hit_ratio": 1,
            "no_results": 0,
            "sessions_refused": 0,
        }
    },
    "orders-stuck-pending-payment": {
        "MagentoOrdersPendingPaymentStuck": {"job_errors": 1, "job_done": 9_000, "unpaid": 9}
    },
    "page-uncacheable": {
        "MagentoPageCacheHitRatioCollapsed": {"bans": 0, "restarts": 0, "nuked": 0, "uncacheable": 0.9}
    },
    "payment-declined": {"MagentoPaymentsFail": {**SELLING, "failed_share": 1, "tries": 3.6, "buyers": 1.1}},
    "queue-errors": {"MagentoQueueMessagesFailing": {"failed": 22, "done": 0, "deployed": WEEKS}},
    "rabbitmq-down": {"MagentoBackendDown": DEAD},
    "redis-down": {"MagentoBackendDown": DEAD},
    "redis-full": {
        "MagentoSessionWritesRefused": {"limit_changed": 1, "sessions": 1, "shared": 2, "lasting": 1}
    },
    "storefront-down": {
        "MagentoProbeFailing": {"status": 0, "probe_seconds": 9.5, "varnish": 1, "certificate": WEEKS}
    },
    "varnish-down": {"MagentoBackendDown": DEAD},
}


@pytest.mark.parametrize(
    ("fault", "alert"), [(fault, alert) for fault, alerts in FACTS.items() for alert in alerts]
)
def test_the_facts_of_a_fault_put_its_hypothesis_first(fault: str, alert: str) -> None:
    evidence = declared()[alert]
    known = {fact.name for fact in evidence.facts}
    found = {name: Finding(name, value) for name, value in FACTS[fault][alert].items() if name in known}
    first = ranked(evidence, found)[0]
    assert (first.hypothesis.title, first.verdict) == (RIGHT[fault][alert], Verdict.SUPPORTED)
