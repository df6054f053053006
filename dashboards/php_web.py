"""PHP and the web server: workers, the requests that wait, OPcache, and connections."""

from __future__ import annotations

from typing import Final

from alerts import thresholds
from alerts.platform import web
from dashboards.lib.annotations import CALLED, DEPLOYED, FIRING, MAINTENANCE
from dashboards.lib.graphs import graph
from dashboards.lib.here import here
from dashboards.lib.links import Link
from dashboards.lib.page import Dashboard
from dashboards.lib.panels import Ask, Panel, Row, Stat, Timeline
from dashboards.lib.style import Colour, words
from dashboards.lib.there import LEGEND, SERVER, there, without
from dashboards.lib.uids import DATABASE, GOLDEN_PATH, HOST, PAGE_CACHE, PHP_WEB
from exporter.collectors import php_fpm
from promql import platform as of
from promql.expr import increase, max_by, min_by, rate, sum_by

UID: Final = PHP_WEB
_OURS: Final = "no `php.pools` in the exporter's settings"
_EITHER: Final = "neither `php.pools` in the exporter's settings nor a php-fpm_exporter"
_OPCACHE: Final = "no `php.opcache_script` in the exporter's settings"
_NGINX: Final = without("nginx-prometheus-exporter")
_RATE: Final = "$__rate_interval"
_POOL: Final = "{{pool}}"

_WORKERS: Final[tuple[Panel, ...]] = (
    Timeline(
        key="full",
        title="Is a worker free?",
        meaning="Whether a pool has no idle worker and can start none.",
        good="Free throughout.",
        then="Requests wait. See what the workers wait for: database, search, Redis, a provider.",
        asks=(Ask(expr=max_by(there(web.PHP_FULL), *SERVER), legend=LEGEND),),
        unit="none",
        empty=_EITHER,
        mappings=words({0.0: ("free", Colour.GOOD), 1.0: ("full", Colour.CRITICAL)}),
        width=6,
        height=6,
        link=Link("Does the database wait?", DATABASE, "waiters"),
    ),
    graph(
        "active",
        "How many run a request?",
        max_by(there(web.PHP_ACTIVE), *SERVER),
        "locale",
        texts=("Workers that run a request.", "Below pm.max_children.", "A plateau is the limit.", _EITHER),
        link=Link("Does anybody wait?", UID, "queue"),
    ),
    graph(
        "queue",
        "Does anybody wait?",
        max_by(there(web.PHP_QUEUE), *SERVER),
        "locale",
        texts=("Requests that wait; always 0 on a Unix socket.", "None.", "See what workers do.", _EITHER),
        link=Link("Is a worker free?", UID, "full"),
    ),
    graph(
        "limit",
        "Is the limit reached? (1 h)",
        max_by(there(web.PHP_LIMIT), *SERVER),
        "locale",
        texts=(
            "How often pm.max_children was reached, over an hour at each moment.",
            "Seldom.",
            "Workers are slow or too few. Look at what they wait for before you add some.",
            _EITHER,
        ),
        link=Link("Is there memory?", HOST, "memory"),
    ),
)

_POOLS: Final[tuple[Panel, ...]] = (
    Timeline(
        key="up",
        title="Does each pool answer?",
        meaning="Whether each pool gave its status to our exporter.",
        good="Yes throughout.",
        then="No: it is full and has no pm.status_listen, or it is dead.",
        asks=(Ask(expr=min_by(here(php_fpm.UP), "pool"), legend=_POOL),),
        unit="none",
        empty=_OURS,
        mappings=words({0.0: ("no", Colour.CRITICAL), 1.0: ("yes", Colour.GOOD)}),
        width=6,
        height=6,
        link=Link("Is a worker free?", UID, "full"),
    ),
    graph(
        "processes",
        "Workers of each pool",
        sum_by(here(php_fpm.PROCESSES), "pool", "state"),
        "locale",
        texts=("Workers by pool and state.", "Idle ones at all times.", "No idle one: full.", _OURS),
        link=Link("Does anybody wait?", UID, "queue"),
        legend="{{pool}} {{state}}",
    ),
    graph(
        "requests",
        "How many requests come?",
        sum_by(rate(here(php_fpm.REQUESTS)[_RATE]), "pool"),
        "reqps",
        texts=("Requests per second by pool.", "Misses and uncached pages.", "The cache is empty.", _OURS),
        link=Link("Does the cache keep its pages?", PAGE_CACHE, "hit_ratio"),
        legend=_POOL,
    ),
    graph(
        "slow",
        "Are requests slow? (10 min)",
        sum_by(increase(here(php_fpm.SLOW)["10m"]), "pool"),
        "locale",
        texts=(
            "Requests slower than request_slowlog_timeout, over ten minutes at each moment.",
            "A few.",
            "Read the slow log: it names the function.",
            _OURS,
        ),
        link=Link("Go down the path", GOLDEN_PATH, "page_seconds"),
        legend=_POOL,
    ),
)

_EACH: Final[tuple[Panel, ...]] = (
    graph(
        "pool_full",
        "Which pool is full?",
        max_by(here(php_fpm.EXHAUSTED), "pool"),
        "none",
        texts=("1: no worker is idle, and none can be started.", "0.", "See its limit and its queue.", _OURS),
        link=Link("Since when?", UID, "full"),
        legend=_POOL,
        width=8,
    ),
    graph(
        "pool_queue",
        "How many requests wait, by pool?",
        max_by(here(php_fpm.QUEUE), "pool"),
        "locale",
        texts=("Requests that wait; always 0 on a Unix socket.", "None.", "The pool is full.", _OURS),
        link=Link("Which pool is full?", UID, "pool_full"),
        legend=_POOL,
        width=8,
    ),
    graph(
        "pool_limit",
        "Which pool reaches its limit? (10 min)",
        sum_by(increase(here(php_fpm.FULL)["10m"]), "pool"),
        "locale",
        texts=("pm.max_children reached, over ten minutes at each moment.", "Seldom.", "It is slow.", _OURS),
        link=Link("Is there memory?", HOST, "memory"),
        legend=_POOL,
        width=8,
    ),
)

_CODE: Final[tuple[Panel, ...]] = (
    Stat(
        key="opcache_takes",
        title="Full OPcaches",
        meaning="Pools whose OPcache takes no more files at this moment.",
        good="None.",
        then="See whether keys or memory are short.",
        asks=(Ask(expr=sum_by(here(php_fpm.OPCACHE_FULL))),),
        unit="locale",
        decimals=0,
        empty=_OPCACHE,
        threshold=thresholds.ANY_DOWN,
        width=4,
        height=6,
        link=Link("What is short?", UID, "opcache_keys"),
    ),
    Timeline(
        key="opcache_full",
        title="Has OPcache room?",
        meaning="Whether OPcache takes more files, and was not emptied in the last hour for lack of room.",
        good="Room throughout.",
        then="Raise opcache.memory_consumption or max_accelerated_files, whichever is short.",
        asks=(Ask(expr=max_by(there(web.OPCACHE), "instance"), legend="{{instance}}"),),
        unit="none",
        empty=_OPCACHE,
        mappings=words(
            {0.0: ("room", Colour.GOOD), 1.0: ("full", Colour.CRITICAL), 2.0: ("full", Colour.CRITICAL)}
        ),
        width=5,
        height=6,
        link=Link("What is short?", UID, "opcache_keys"),
    ),
    graph(
        "opcache_keys",
        "Are keys short?",
        max_by(here(php_fpm.OPCACHE_KEYS), "pool"),
        "percentunit",
        texts=(
            "Used share of the table of files.",
            "Below 90 %.",
            "Magento has more than 16,000 files: raise max_accelerated_files.",
            _OPCACHE,
        ),
        link=Link("Is memory short?", UID, "opcache_memory"),
        legend=_POOL,
        width=5,
    ),
    graph(
        "opcache_memory",
        "Is memory short?",
        max_by(here(php_fpm.OPCACHE_MEMORY), "pool", "state"),
        "bytes",
        texts=("Shared memory by state.", "Some free.", "None free: raise memory_consumption.", _OPCACHE),
        link=Link("Emptied (1 h)", UID, "opcache_restarts"),
        legend="{{pool}} {{state}}",
        width=5,
    ),
    graph(
        "opcache_restarts",
        "Emptied (1 h)",
        sum_by(increase(here(php_fpm.OPCACHE_RESTARTS)["1h"]), "pool", "reason"),
        "locale",
        texts=(
            "How often it was emptied, over an hour at each moment: oom, hash, manual.",
            "Only manual, at a deploy.",
            "oom: memory is short. hash: keys are. manual again and again: a script does it.",
            _OPCACHE,
        ),
        link=Link("Is the machine busy?", HOST, "cpu"),
        legend="{{pool}} {{reason}}",
        width=5,
    ),
)

_WEB: Final[tuple[Panel, ...]] = (
    graph(
        "web_requests",
        "nginx: requests",
        sum_by(rate(there(of.NGINX_REQUESTS)[_RATE]), *SERVER),
        "reqps",
        texts=("Requests per second.", "Misses and uncached pages.", "A rise: the cache is empty.", _NGINX),
        link=Link("Does the cache keep its pages?", PAGE_CACHE, "hit_ratio"),
        width=8,
    ),
    graph(
        "web_active",
        "nginx: open connections",
        max_by(there(of.NGINX_ACTIVE), *SERVER),
        "locale",
        texts=("Open connections.", "Follows the requests.", "Rising alone: PHP is slow.", _NGINX),
        link=Link("Is a worker free?", UID, "full"),
        width=8,
    ),
    graph(
        "web_dropped",
        "nginx: dropped (5 min)",
        sum_by(increase(there(of.NGINX_ACCEPTED)["5m"]), *SERVER)
        - sum_by(increase(there(of.NGINX_HANDLED)["5m"]), *SERVER),
        "locale",
        texts=(
            "Connections that were accepted and not served, over five minutes at each moment.",
            "None.",
            "worker_connections or open files are at their limit.",
            _NGINX,
        ),
        link=Link("Is the machine busy?", HOST, "cpu"),
        width=8,
    ),
)

DASHBOARD: Final = Dashboard(
    uid=UID,
    title="Magento / PHP & web",
    description="PHP-FPM's workers, OPcache and nginx: whether the origin has room for one more request.",
    by_store=False,
    annotations=(CALLED, FIRING, MAINTENANCE, DEPLOYED),
    rows=(
        Row(title="Has PHP room for one more request?", panels=_WORKERS),
        Row(title="How is each pool?", panels=(*_POOLS, *_EACH)),
        Row(title="Is the compiled code kept?", panels=_CODE),
        Row(title="Does the web server keep up?", panels=_WEB),
    ),
)
