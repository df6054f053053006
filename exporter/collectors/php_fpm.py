"""PHP-FPM's pools and OPcache: whether a worker is free, and whether the compiled code has room."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from exporter.core.collector import Collector, Context
from exporter.core.metrics import Sample, counter, gauge

UP = gauge("magento_php_fpm_up", "Whether the pool gave its status (1) or not (0).", "pool")
PROCESSES = gauge(
    "magento_php_fpm_processes",
    "Workers of the pool by state: active (they run a request) and idle.",
    "pool",
    "state",
)
QUEUE = gauge("magento_php_fpm_listen_queue", "Requests that wait for a worker of the pool.", "pool")
EXHAUSTED = gauge(
    "magento_php_fpm_exhausted",
    "1 while the pool has no idle worker and starts none: each further request waits.",
    "pool",
)
FULL = counter(
    "magento_php_fpm_max_children_reached_total",
    "How often the pool could not start one more worker (pm.max_children).",
    "pool",
)
SLOW = counter(
    "magento_php_fpm_slow_requests_total",
    "Requests that were slower than request_slowlog_timeout. Always 0 where that is not set.",
    "pool",
)
REQUESTS = counter("magento_php_fpm_requests_total", "Requests that the pool accepted.", "pool")
OPCACHE_MEMORY = gauge(
    "magento_opcache_memory_bytes",
    "OPcache's shared memory by state: used, free, wasted (code that was replaced).",
    "pool",
    "state",
)
OPCACHE_KEYS = gauge(
    "magento_opcache_keys_ratio",
    "Used share of OPcache's table of files (opcache.max_accelerated_files, rounded up to a prime number).",
    "pool",
)
OPCACHE_FULL = gauge(
    "magento_opcache_full",
    "1 if OPcache takes no more files: it has no memory or key left, so other files are compiled anew.",
    "pool",
)
OPCACHE_RESTARTS = counter(
    "magento_opcache_restarts_total",
    "How often OPcache was emptied: oom (no memory), hash (no key), manual (by a deploy or a script).",
    "pool",
    "reason",
)

ON_DEMAND: Final = "ondemand"
ACTIVE: Final = "active"
IDLE: Final = "idle"
_STATES: Final = {ACTIVE: "active processes", IDLE: "idle processes"}
_COUNTERS: Final = ((FULL, "max children reached"), (SLOW, "slow requests"), (REQUESTS, "accepted conn"))
_REASONS: Final = ("oom", "hash", "manual")
_MEMORY: Final = ("used", "free", "wasted")


class PhpFpmCollector(Collector):
    """Workers, queue and OPcache of each pool."""

    name = "php_fpm"
    help = "PHP-FPM by pool: workers, requests that wait, and OPcache, over FastCGI."
    notes = """
    Off unless `php.pools` is in the settings: the socket or the address of each pool by a name. The exporter
    asks it by FastCGI for `pm.status_path`, so no web server has to let the page through.

    A worker has to answer, so a full pool answers late or not at all. From PHP 8.0 on, give the pool a
    `pm.status_listen` and name that address here: it answers while all workers are busy.

    The kernel tells PHP-FPM how many requests wait on TCP only: on a Unix socket `listen queue` is always 0.
    So `magento_php_fpm_exhausted` asks for an idle worker. Under `pm = static` and `dynamic` PHP-FPM keeps
    spare ones as long as it can, so none means that it cannot. Under `ondemand` it keeps none, so there it
    also takes requests that wait.

    OPcache is known where `php.opcache_script` names the file `deploy/php/opcache.php` on PHP's machine,
    below no document root. Pools of one master share one OPcache.
    """
    source = "php"
    metrics = (
        UP,
        PROCESSES,
        QUEUE,
        EXHAUSTED,
        FULL,
        SLOW,
        REQUESTS,
        OPCACHE_MEMORY,
        OPCACHE_KEYS,
        OPCACHE_FULL,
        OPCACHE_RESTARTS,
    )

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield the samples of every pool that answers."""
        for pool, status in context.php.pools().items():
            yield UP.sample(float(status is not None), pool=pool)
            if status is not None:
                yield from _workers(pool, status)
        for pool, opcache in context.php.opcache().items():
            if opcache is not None:
                yield from _opcache(pool, opcache)


def _workers(pool: str, status: Mapping[str, Any]) -> Iterator[Sample]:
    for state, field in _STATES.items():
        yield PROCESSES.sample(status[field], pool=pool, state=state)
    waiting = status["listen queue"]
    yield QUEUE.sample(waiting, pool=pool)
    keeps_spares = status["process manager"] != ON_DEMAND
    none_idle = status[_STATES[IDLE]] == 0
    yield EXHAUSTED.sample(float(none_idle and (keeps_spares or waiting > 0)), pool=pool)
    for metric, field in _COUNTERS:
        yield metric.sample(status[field], pool=pool)


def _opcache(pool: str, opcache: Mapping[str, Any]) -> Iterator[Sample]:
    memory, statistics = opcache["memory_usage"], opcache["opcache_statistics"]
    for state in _MEMORY:
        yield OPCACHE_MEMORY.sample(memory[f"{state}_memory"], pool=pool, state=state)
    keys = statistics["num_cached_keys"] / max(1, statistics["max_cached_keys"])
    yield OPCACHE_KEYS.sample(keys, pool=pool)
    yield OPCACHE_FULL.sample(float(bool(opcache["cache_full"])), pool=pool)
    for reason in _REASONS:
        yield OPCACHE_RESTARTS.sample(statistics[f"{reason}_restarts"], pool=pool, reason=reason)
