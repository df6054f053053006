"""Facts that several alerts look at. Those of other exporters are asked of the whole shop."""

from __future__ import annotations

from functools import partial
from typing import Final

from exporter.collectors import deployment, indexers, page_cache, placements, redis
from exporter.collectors.checkout import collector as checkout
from exporter.evidence.model import OwnSeries, Pick, PromQL, SourceFails, Unit

MINUTE: Final = 60.0
HOUR: Final = 3600.0
DAY: Final = 86_400.0

shop_wide: Final = partial(PromQL, anywhere=True)

DATABASE: Final = SourceFails("database", "the database fails", Unit.YES_NO, source="database")
CACHE_SERVER: Final = SourceFails("cache_server", "Redis or Valkey fails", Unit.YES_NO, source="redis")
VARNISH: Final = SourceFails("varnish", "Varnish does not answer the exporter", Unit.YES_NO, source="varnish")
DEPLOYED: Final = OwnSeries(
    "deployed", "since the last deploy of static files", Unit.SECONDS, metric=deployment.DEPLOYED, age=True
)
MAINTENANCE: Final = OwnSeries(
    "maintenance", "the shop is in maintenance mode", Unit.YES_NO, metric=deployment.MAINTENANCE
)
INDEXERS_WORKING: Final = OwnSeries(
    "indexers_working",
    "indexers that are rebuilt now",
    metric=indexers.STATE,
    pick=Pick.SUM,
    labels={"state": "working"},
    ignore=("indexer",),
)
CARTS: Final = OwnSeries("carts", "carts filled since the last order", metric=checkout.SHOP_CARTS_SINCE_ORDER)

FAILED: Final = PromQL(
    "failed_share",
    "share of tries to order that failed in ten minutes",
    Unit.SHARE,
    query=(
        f"sum(increase({placements.FAILED.name}{{%s}}[10m]))"
        f" / sum(increase({placements.ATTEMPTS.name}{{%s}}[10m]))"
    ),
    labels=("store",),
)


def _multiple(metric: str, selectors: str = "") -> str:
    """Return how the last ten minutes compare with the hour before; less than one event counts as one."""
    return (
        f"6 * sum(increase({metric}{{{selectors}%s}}[10m]))"
        f" / clamp_min(sum(increase({metric}{{{selectors}%s}}[1h] offset 20m)), 1)"
    )


TRIES: Final = PromQL(
    "tries",
    "tries to order, as a multiple of the hour before",
    query=_multiple(placements.ATTEMPTS.name),
    labels=("store",),
)
BUYERS: Final = PromQL(
    "buyers",
    "carts that try to order, as a multiple of the hour before",
    query=_multiple(checkout.STAGE_REACHED.name, 'stage="placement_attempt",'),
    labels=("store",),
)
NEW_CARTS: Final = PromQL(
    "new_carts",
    "new carts, as a multiple of the hour before",
    query=_multiple(checkout.STAGE_REACHED.name, 'stage="cart",'),
    labels=("store",),
)
WAITING: Final = PromQL(
    "waiting",
    "customers on a payment page, as a multiple of an hour ago",
    query=(
        f"sum({placements.WAITING.name}{{%s}}) / clamp_min(sum({placements.WAITING.name}{{%s}} offset 1h), 1)"
    ),
    labels=("store",),
)
REFUSED_WRITES: Final = PromQL(
    "sessions_refused",
    "session writes refused in ten minutes",
    query=f'sum(increase({redis.REFUSED_WRITES.name}{{role="session",%s}}[10m]))',
)
REQUESTS: Final = PromQL(
    "requests",
    "requests at the page cache, as a multiple of the hour before",
    query=_multiple(page_cache.REQUESTS.name),
)
HIT_RATIO: Final = shop_wide(
    "hit_ratio",
    "hit ratio of the page cache, as a share of an hour ago",
    Unit.SHARE,
    query=(
        "min(magento:page_cache_hit:ratio5m{%s})"
        " / clamp_min(min(magento:page_cache_hit:ratio5m{%s} offset 1h), 0.01)"
    ),
)
BANS: Final = shop_wide(
    "bans", "purges a second", query=f"sum(rate({page_cache.BANS_ADDED.name}{{%s}}[10m]))"
)

LOCK_WAITERS: Final = shop_wide(
    "lock_waiters",
    "statements that wait for a row lock",
    query="max(magento:database_lock_waiters:count{%s})",
)
DEADLOCKS: Final = shop_wide(
    "deadlocks",
    "deadlocks in ten minutes",
    query="max(magento:database_deadlocks:increase10m{%s})",
)
CONNECTIONS: Final = shop_wide(
    "connections",
    "share of the database's connections in use",
    Unit.SHARE,
    query="max(magento:database_connections:ratio{%s})",
)
RUNNING_STATEMENTS: Final = shop_wide(
    "running_statements",
    "statements that run in the database",
    query="max(mysql_global_status_threads_running{%s})",
)
PHP_FULL: Final = shop_wide(
    "php_full", "all PHP workers are busy", Unit.YES_NO, query="max(magento:php_full:bool{%s})"
)
SEARCH_DOWN: Final = shop_wide(
    "search_down", "the search engine is down", Unit.YES_NO, query="max(magento:search_down:bool{%s})"
)
DISK_FREE: Final = shop_wide(
    "disk_free", "free space of the fullest disk", Unit.SHARE, query="min(magento:host_disk_free:ratio{%s})"
)
EDGE_ERRORS: Final = shop_wide(
    "edge_errors",
    "share of answers at the edge that are errors",
    Unit.SHARE,
    query="max(magento:edge_errors:ratio5m{%s})",
)
KILLED: Final = shop_wide(
    "killed",
    "processes killed for their memory in an hour",
    query="max(increase(node_vmstat_oom_kill{%s}[1h]))",
)
STATUS: Final = shop_wide(
    "status",
    "largest status that a probe from outside gets (0: no answer)",
    query='max(probe_http_status_code{page!~"robots|indexable|sitemap|feed.*|exposed.*|",%s})',
    labels=("page",),
)
PROBE_SECONDS: Final = shop_wide(
    "probe_seconds",
    "the slowest probe from outside takes",
    Unit.SECONDS,
    query='max(probe_duration_seconds{page!~"robots|indexable|sitemap|feed.*|exposed.*|",%s})',
    labels=("page",),
)
SERVED: Final = shop_wide(
    "served",
    "share of probed pages that are served",
    Unit.SHARE,
    query='avg(max by (page) (probe_success{page!~"robots|indexable|sitemap|feed.*|exposed.*|",%s}))',
)
CERTIFICATE: Final = shop_wide(
    "certificate",
    "until the certificate ends",
    Unit.SECONDS,
    query="min(probe_ssl_earliest_cert_expiry{%s}) - time()",
)
