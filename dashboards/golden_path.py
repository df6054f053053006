"""The golden path: what a request passes, hop by hop. The lowest hop that is bad is the cause."""

from __future__ import annotations

from typing import Final

from alerts import thresholds
from alerts.platform import database, redis, search, web
from dashboards.lib.annotations import CALLED, DEPLOYED, FIRING, MAINTENANCE
from dashboards.lib.graphs import graph
from dashboards.lib.links import Link
from dashboards.lib.page import Dashboard
from dashboards.lib.panels import Ask, Panel, Row, Timeline
from dashboards.lib.style import Colour, words
from dashboards.lib.there import LEGEND, SERVER, there, without
from dashboards.lib.uids import DATABASE, GOLDEN_PATH, HOST, OVERVIEW, PAGE_CACHE, PHP_WEB
from promql import platform as of
from promql.expr import increase, max_by, min_by, over_time, rate, series, sum_by
from promql.metrics import PROBE_DURATION, PROBE_SUCCESS

UID: Final = GOLDEN_PATH
_RATE: Final = "$__rate_interval"
_PROBE: Final = "no blackbox_exporter, or its target has no shop and page"
_MYSQLD: Final = without("mysqld_exporter")
_REDIS: Final = without("redis_exporter")
_SEARCH: Final = without("elasticsearch_exporter", "--es.all")
_PHP: Final = "neither `php.pools` in the exporter's settings nor a php-fpm_exporter"
_NGINX: Final = without("nginx-prometheus-exporter")
_VARNISH: Final = without("prometheus_varnish_exporter")


_OUTSIDE: Final[tuple[Panel, ...]] = (
    graph(
        "served",
        "Are pages served?",
        min_by(series(PROBE_SUCCESS, shop="=~$shop", page="!~|exposed.*"), "page"),
        "none",
        texts=("1 for a page that the prober outside gets.", "All at 1.", "Go down, hop by hop.", _PROBE),
        link=Link("Are we selling?", OVERVIEW, "selling"),
        legend="{{page}}",
    ),
    graph(
        "page_seconds",
        "Time of a page (5 min)",
        min_by(over_time("avg", series(PROBE_DURATION, shop="=~$shop", page="!~|exposed.*")["5m"]), "page"),
        "s",
        texts=(
            "Time that the fastest prober waits for each page, as a mean of five minutes.",
            "Below a second for cart and GraphQL, which no cache answers.",
            "Slow cart, fast home page: PHP or what it asks. Both slow: the edge.",
            _PROBE,
        ),
        link=Link("Are workers free?", UID, "php_queue"),
        legend="{{page}}",
        threshold=thresholds.PAGE_SECONDS,
        soft_most=1.0,
    ),
)

_EDGE: Final[tuple[Panel, ...]] = (
    graph(
        "edge_requests",
        "Varnish: requests",
        sum_by(rate(there(of.VARNISH_REQUESTS)[_RATE]), *SERVER),
        "reqps",
        texts=("Requests per second.", "Follows the day.", "A rise without orders: crawlers.", _VARNISH),
        link=Link("Who answers?", PAGE_CACHE, "requests"),
    ),
    graph(
        "edge_errors",
        "Varnish: silence (5 min)",
        max_by(there(web.ERRORS), *SERVER),
        "percentunit",
        texts=(
            "Share of the requests for which the origin gave no answer, over five minutes.",
            "None.",
            "PHP-FPM is full or down: look one hop further.",
            _VARNISH,
        ),
        link=Link("Is the origin healthy?", PAGE_CACHE, "backends"),
        threshold=thresholds.EDGE_ERRORS_RATIO,
    ),
    graph(
        "varnish_queue",
        "Varnish: requests that wait",
        max_by(there(of.VARNISH_QUEUE), *SERVER),
        "locale",
        texts=(
            "Requests that wait for a thread.",
            "None.",
            "The origin is slow, or threads run out.",
            _VARNISH,
        ),
        link=Link("Do threads run out?", UID, "varnish_threads"),
    ),
    graph(
        "varnish_threads",
        "Varnish: full (5 min)",
        sum_by(increase(there(of.VARNISH_THREADS_LIMITED)["5m"]), *SERVER),
        "locale",
        texts=(
            "How often the limit of threads was reached, over five minutes at each moment.",
            "Never.",
            "Every request that waits for the origin holds a thread: see PHP.",
            _VARNISH,
        ),
        link=Link("How many are there?", UID, "varnish_threads_now"),
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
    ),
    graph(
        "web_active",
        "nginx: open connections",
        max_by(there(of.NGINX_ACTIVE), *SERVER),
        "locale",
        texts=("Open connections.", "Follows the requests.", "Rising alone: PHP is slow.", _NGINX),
        link=Link("Are workers free?", UID, "php_queue"),
    ),
    graph(
        "varnish_threads_now",
        "Varnish: threads",
        max_by(there(of.VARNISH_THREADS), *SERVER),
        "locale",
        texts=("Threads of Varnish.", "Level.", "A rise: requests wait for the origin.", _VARNISH),
        link=Link("Do requests wait?", UID, "varnish_queue"),
    ),
)

_WORKERS: Final[tuple[Panel, ...]] = (
    graph(
        "php_active",
        "PHP: busy workers",
        max_by(there(web.PHP_ACTIVE), *SERVER),
        "locale",
        texts=("Workers that run a request.", "Below pm.max_children.", "A plateau is the limit.", _PHP),
        link=Link("Does anybody wait?", UID, "php_queue"),
    ),
    graph(
        "php_exhausted",
        "PHP: no worker is free",
        max_by(there(web.PHP_FULL), *SERVER),
        "none",
        texts=("1: none is idle, and none can be started.", "0.", "See what they wait for, below.", _PHP),
        link=Link("Does each pool answer?", PHP_WEB, "up"),
    ),
    graph(
        "php_queue",
        "PHP: requests that wait",
        max_by(there(web.PHP_QUEUE), *SERVER),
        "locale",
        texts=(
            "Requests that wait; always 0 on a Unix socket.",
            "None.",
            "See what the workers wait for, below.",
            _PHP,
        ),
        link=Link("Does the database wait?", DATABASE, "waiters"),
    ),
    graph(
        "php_full",
        "PHP: limit reached (1 h)",
        max_by(there(web.PHP_LIMIT), *SERVER),
        "locale",
        texts=(
            "How often pm.max_children was reached, over an hour at each moment.",
            "Seldom.",
            "Workers are slow or too few: look below before you add some.",
            _PHP,
        ),
        link=Link("Is there memory?", HOST, "memory"),
    ),
)

_DATA: Final[tuple[Panel, ...]] = (
    graph(
        "database_queries",
        "Database: statements",
        sum_by(rate(there(of.QUERIES)[_RATE]), *SERVER),
        "reqps",
        texts=("Statements per second.", "Follows the day.", "A rise alone: an import or a flush.", _MYSQLD),
        link=Link("What is it busy with?", DATABASE, "queries"),
    ),
    graph(
        "database_refused",
        "Database: refused (5 min)",
        max_by(there(database.REFUSED), *SERVER),
        "percentunit",
        texts=("Share of the attempts, over five minutes.", "None.", "End what blocks the others.", _MYSQLD),
        link=Link("Will connections run out?", DATABASE, "connections"),
        threshold=thresholds.CONNECTIONS_REFUSED_RATIO,
    ),
    graph(
        "database_waiters",
        "Database: lock waits",
        max_by(there(database.LOCK_WAITERS), *SERVER),
        "locale",
        texts=("Statements that wait for a row lock.", "None.", "Find the oldest transaction.", _MYSQLD),
        link=Link("Does anything wait?", DATABASE, "waiters"),
        threshold=thresholds.LOCK_WAITERS,
    ),
    graph(
        "database_connections",
        "Database: connections",
        max_by(there(database.CONNECTIONS), *SERVER),
        "percentunit",
        texts=("Share that is in use.", "Below 80 %.", "See whether they wait for a lock.", _MYSQLD),
        link=Link("Will connections run out?", DATABASE, "connections"),
        threshold=thresholds.CONNECTIONS_RATIO,
    ),
)

_MEMORY: Final[tuple[Panel, ...]] = (
    graph(
        "redis_commands",
        "Redis: commands",
        sum_by(rate(there(of.REDIS_COMMANDS)[_RATE]), *SERVER),
        "reqps",
        texts=("Commands per second.", "Follows PHP.", "A rise alone: configuration read anew.", _REDIS),
        link=Link("Are workers free?", UID, "php_queue"),
    ),
    graph(
        "redis_errors",
        "Redis: refused (5 min)",
        sum_by(increase(there(of.REDIS_ERRORS, err="OOM")["5m"]), *SERVER),
        "locale",
        texts=(
            "Writes refused because Redis is full, over five minutes at each moment.",
            "None.",
            "Sessions: nobody can log in. Caches: every page is built anew.",
            "no refused write since Redis started, or no redis_exporter",
        ),
        link=Link("How full is it?", UID, "redis_memory"),
        may_be_empty=True,
    ),
    graph(
        "redis_clients",
        "Redis: connections",
        max_by(there(of.REDIS_CLIENTS), *SERVER) / max_by(there(of.REDIS_MOST_CLIENTS), *SERVER),
        "percentunit",
        texts=("Share of maxclients in use.", "A few per cent.", "PHP processes hang.", _REDIS),
        link=Link("Are workers free?", UID, "php_queue"),
    ),
    graph(
        "redis_memory",
        "Redis: memory",
        max_by(there(redis.MEMORY), *SERVER),
        "percentunit",
        texts=(
            "Used share of maxmemory.",
            "Caches may be full; a server that may not evict stays below 90 %.",
            "See what fills it before it refuses writes.",
            "no redis_exporter, its target has no shop, or Redis has no maxmemory",
        ),
        link=Link("Are keys thrown out?", PAGE_CACHE, "redis_evictions"),
        threshold=thresholds.REDIS_MEMORY_RATIO,
    ),
)

_FIND: Final[tuple[Panel, ...]] = (
    graph(
        "search_queries",
        "Search: queries",
        sum_by(rate(there(of.SEARCH_QUERIES)[_RATE]), *SERVER),
        "reqps",
        texts=("Queries per second.", "Follows uncached categories.", "A rise: crawlers.", _SEARCH),
        link=Link("Who answers?", PAGE_CACHE, "requests"),
    ),
    graph(
        "search_rejected",
        "Search: rejected (5 min)",
        sum_by(increase(there(of.SEARCH_REJECTED, type="=~search|write")["5m"]), *SERVER),
        "locale",
        texts=("Rejected over five minutes, at each moment.", "None.", "It is overloaded.", _SEARCH),
        link=Link("Is the machine busy?", HOST, "cpu"),
    ),
    graph(
        "search_seconds",
        "Search: time of a query",
        sum_by(rate(there(of.SEARCH_TIME)[_RATE]), *SERVER)
        / (sum_by(rate(there(of.SEARCH_QUERIES)[_RATE]), *SERVER) > 0),
        "s",
        texts=(
            "Mean time of a query.",
            "Some milliseconds.",
            "Too little memory, or a full disk.",
            f"nobody searches, or {_SEARCH}",
        ),
        link=Link("Is the disk full?", HOST, "disk_free"),
        soft_most=0.1,
        may_be_empty=True,
    ),
    graph(
        "search_read_only",
        "Search: read-only indexes",
        max_by(there(search.READ_ONLY), *SERVER),
        "locale",
        texts=(
            "Indexes that accept no change.",
            "None.",
            "Its disk is too full: make room.",
            "neither `search` in the exporter's settings nor --es.indices_settings",
        ),
        link=Link("Is the disk full?", HOST, "disk_free"),
    ),
    Timeline(
        key="search_down",
        title="Does the search engine answer?",
        meaning="Whether it is red, or gives its exporter no state.",
        good="Up throughout.",
        then="Searches fail and categories are empty: see whether it was killed or its disk is full.",
        asks=(Ask(expr=max_by(there(search.DOWN), *SERVER), legend=LEGEND),),
        unit="none",
        empty=_SEARCH,
        mappings=words({0.0: ("up", Colour.GOOD), 1.0: ("down", Colour.CRITICAL)}),
        width=12,
        height=5,
        link=Link("Was it killed?", HOST, "oom"),
    ),
    Timeline(
        key="sentinel",
        title="Could Sentinels replace a Redis?",
        meaning="Whether enough Sentinels can be reached for a failover.",
        good="Yes throughout.",
        then="Start the Sentinels that are down.",
        asks=(Ask(expr=min_by(there(of.SENTINEL_QUORUM), *SERVER, "master_name"), legend="{{master_name}}"),),
        unit="none",
        empty="no Sentinels, or no redis_exporter for them",
        mappings=words({0.0: ("no", Colour.CRITICAL), 1.0: ("yes", Colour.GOOD)}),
        width=12,
        height=5,
        link=Link("Is Redis full?", UID, "redis_memory"),
    ),
)

DASHBOARD: Final = Dashboard(
    uid=UID,
    title="Magento / Golden path",
    description="What a request passes, hop by hop. The lowest hop that is bad is the cause of those above.",
    by_store=False,
    annotations=(CALLED, FIRING, MAINTENANCE, DEPLOYED),
    rows=(
        Row(title="From outside", panels=_OUTSIDE),
        Row(title="Varnish", panels=_EDGE),
        Row(title="Web server", panels=_WEB),
        Row(title="PHP", panels=_WORKERS),
        Row(title="Database", panels=_DATA),
        Row(title="Redis", panels=_MEMORY),
        Row(title="Search, and Redis' Sentinels", panels=_FIND),
    ),
)
