"""Evidence of the alerts that look from outside, and of those on the edge."""

from __future__ import annotations

from typing import Final

from exporter.collectors import page_cache
from exporter.evidence.conditions import above, at_most, both, either
from exporter.evidence.declared.shared import (
    BANS,
    CERTIFICATE,
    DAY,
    DEPLOYED,
    LOCK_WAITERS,
    PHP_FULL,
    PROBE_SECONDS,
    RUNNING_STATEMENTS,
    STATUS,
    VARNISH,
    shop_wide,
)
from exporter.evidence.model import Evidence, Hypothesis, OwnSeries, Pick, Unit

_NO_STATUS: Final = at_most("status", 0.5)
_FAILED_STATUS: Final = above("status", 499)
_HEALTHY: Final = OwnSeries(
    "healthy",
    "the sickest backend of Varnish is healthy",
    Unit.YES_NO,
    metric=page_cache.BACKEND_HEALTHY,
    pick=Pick.SMALLEST,
)
_LOST_HEADERS: Final = shop_wide(
    "lost_headers",
    "headers that did not fit, in ten minutes",
    query=f"sum(increase({page_cache.LOST_HEADERS.name}{{%s}}[10m]))",
)
_CHAIN: Final = shop_wide(
    "chain",
    "until the last certificate of the chain ends",
    Unit.SECONDS,
    query="min(probe_ssl_last_chain_expiry_timestamp_seconds{%s}) - time()",
)

EVIDENCE: Final = (
    Evidence(
        "MagentoProbeFailing",
        facts=(STATUS, PROBE_SECONDS, VARNISH, CERTIFICATE),
        hypotheses=(
            Hypothesis("the certificate ended", at_most("certificate")),
            Hypothesis("the edge is dead or frozen", both(_NO_STATUS, above("varnish"))),
            Hypothesis("DNS, CDN or firewall", both(_NO_STATUS, at_most("varnish"))),
            Hypothesis("PHP or the database behind the cache", _FAILED_STATUS),
            Hypothesis("the page says something else", both(above("status", 199), at_most("status", 299))),
        ),
    ),
    Evidence(
        "MagentoProbePageFailing",
        facts=(STATUS, PROBE_SECONDS, PHP_FULL),
        hypotheses=(
            Hypothesis("PHP fails for this page", _FAILED_STATUS),
            Hypothesis("the address moved", both(above("status", 299), at_most("status", 499))),
            Hypothesis("it takes longer than nine seconds", both(_NO_STATUS, above("probe_seconds", 8.5))),
            Hypothesis("the answer is another page", both(above("status", 199), at_most("status", 299))),
        ),
    ),
    Evidence(
        "MagentoCertificateExpiring",
        facts=(CERTIFICATE, _CHAIN),
        hypotheses=(
            Hypothesis("an intermediate or CDN certificate", above("certificate", 20 * DAY)),
            Hypothesis("the renewal fails", at_most("certificate", 20 * DAY)),
        ),
    ),
    Evidence(
        "MagentoEdgeErrors",
        facts=(PHP_FULL, _HEALTHY, _LOST_HEADERS),
        hypotheses=(
            Hypothesis("the origin is down", at_most("healthy")),
            Hypothesis("headers are too large", above("lost_headers")),
            Hypothesis("PHP-FPM is full", above("php_full")),
        ),
    ),
    Evidence(
        "MagentoPagesSlow",
        facts=(PROBE_SECONDS, PHP_FULL, LOCK_WAITERS, RUNNING_STATEMENTS, BANS, DEPLOYED),
        hypotheses=(
            Hypothesis("the database waits for a lock", above("lock_waiters")),
            Hypothesis("PHP workers are all busy", above("php_full")),
            Hypothesis("a deploy or a flush", either(at_most("deployed", 1800), above("bans", 2))),
            Hypothesis("the database is busy", above("running_statements", 20)),
        ),
    ),
)
