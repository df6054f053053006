"""Redis or Valkey: each role's keys as our exporter sees them, and the servers as redis_exporter does."""

from __future__ import annotations

from typing import Final

from alerts import thresholds
from alerts.platform import redis as rules
from dashboards.lib.annotations import CALLED, DEPLOYED, FIRING, MAINTENANCE
from dashboards.lib.graphs import graph
from dashboards.lib.here import here
from dashboards.lib.links import Link
from dashboards.lib.page import Dashboard
from dashboards.lib.panels import Ask, Panel, Row, Timeline
from dashboards.lib.style import Colour, words
from dashboards.lib.there import SERVER, there, without
from dashboards.lib.uids import EXPORTER, GOLDEN_PATH, HOST, PAGE_CACHE, REDIS
from exporter.collectors import redis
from promql import platform as of
from promql.expr import increase, max_by, min_by, rate, sum_by

UID: Final = REDIS
_ABSENT: Final = without("redis_exporter")
_OURS: Final = "no Redis, or not read"
_SENTINEL: Final = "no redis_exporter beside a Sentinel"
_RATE: Final = "$__rate_interval"
_ROLE: Final = "{{role}}"

_ROLES: Final[tuple[Panel, ...]] = (
    Timeline(
        key="up",
        title="Does each role answer?",
        meaning="Whether the server of each role (cache, page cache, session) answered our exporter.",
        good="Up throughout.",
        then="Sessions down: customers are logged out. Cache down: slow pages.",
        asks=(Ask(expr=min_by(here(redis.UP), "role"), legend=_ROLE),),
        unit="none",
        empty=_OURS,
        mappings=words({0.0: ("down", Colour.CRITICAL), 1.0: ("up", Colour.GOOD)}),
        width=6,
        height=6,
        link=Link("Which source is down?", EXPORTER, "sources"),
    ),
    graph(
        "keys",
        "What does each role hold?",
        max_by(here(redis.KEYS), "role"),
        "locale",
        texts=("Keys by role.", "Level.", "A fall to nothing: a flush, an eviction or a restart.", _OURS),
        link=Link("Keys thrown out? (5 min)", UID, "evicted"),
        legend=_ROLE,
    ),
    graph(
        "evicted",
        "Keys thrown out? (5 min)",
        sum_by(increase(here(redis.EVICTED)["5m"]), "role"),
        "locale",
        texts=(
            "Keys thrown out over five minutes, at each moment.",
            "None; never for sessions.",
            "Sessions: customers lose their carts. Caches: more memory.",
            _OURS,
        ),
        link=Link("How full is it?", UID, "memory"),
        legend=_ROLE,
    ),
    graph(
        "refused",
        "Writes refused? (5 min)",
        sum_by(increase(here(redis.REFUSED_WRITES)["5m"]), "role"),
        "locale",
        texts=(
            "Commands refused over five minutes, at each moment, because the server is full.",
            "None.",
            "Sessions: nobody can log in. Caches: every page is built anew.",
            _OURS,
        ),
        link=Link("How full is it?", UID, "memory"),
        legend=_ROLE,
    ),
)

_ROOM: Final[tuple[Panel, ...]] = (
    graph(
        "memory",
        "How full is it?",
        max_by(there(rules.MEMORY), *SERVER),
        "percentunit",
        texts=(
            "Used share of maxmemory.",
            "Caches may be full; a server that may not evict stays below 90 %.",
            "See what fills it before it refuses writes.",
            "no redis_exporter, its target has no shop, or Redis has no maxmemory",
        ),
        link=Link("Writes refused? (5 min)", UID, "refused"),
        threshold=thresholds.REDIS_MEMORY_RATIO,
    ),
    graph(
        "clients",
        "Do connections pile up?",
        max_by(there(of.REDIS_CLIENTS), *SERVER) / max_by(there(of.REDIS_MOST_CLIENTS), *SERVER),
        "percentunit",
        texts=("Share of maxclients in use.", "A few per cent.", "PHP processes hang.", _ABSENT),
        link=Link("Are workers free?", GOLDEN_PATH, "php_queue"),
    ),
    graph(
        "evictions",
        "Server evicts? (5 min)",
        sum_by(increase(there(of.REDIS_EVICTED)["5m"]), *SERVER),
        "locale",
        texts=("Keys over five minutes, at each moment.", "None.", "It is full: see its memory.", _ABSENT),
        link=Link("Of which role?", UID, "evicted"),
    ),
    graph(
        "output",
        "How much does it send?",
        sum_by(rate(there(of.REDIS_OUTPUT)[_RATE]), *SERVER),
        "Bps",
        texts=(
            "Bytes per second to all clients.",
            "Follows the traffic.",
            "Near the network's limit: large cache entries, or configuration read anew by each request.",
            _ABSENT,
        ),
        link=Link("Is the machine busy?", HOST, "cpu"),
    ),
)

_WORK: Final[tuple[Panel, ...]] = (
    graph(
        "commands",
        "How much is asked?",
        sum_by(rate(there(of.REDIS_COMMANDS)[_RATE]), *SERVER),
        "reqps",
        texts=("Commands per second.", "Follows PHP.", "A rise alone: a cache was flushed.", _ABSENT),
        link=Link("Was it flushed?", PAGE_CACHE, "purges"),
    ),
    graph(
        "hits",
        "Are keys found?",
        sum_by(rate(there(of.REDIS_HITS)[_RATE]), *SERVER)
        / (
            sum_by(rate(there(of.REDIS_HITS)[_RATE]), *SERVER)
            + sum_by(rate(there(of.REDIS_MISSES)[_RATE]), *SERVER)
            > 0
        ),
        "percentunit",
        texts=("Share of the keys that were there.", "A level of its own.", "A fall: a flush.", _ABSENT),
        link=Link("What does it hold?", UID, "keys"),
    ),
    graph(
        "slow",
        "Are commands slow?",
        max_by(there(of.REDIS_SLOW), *SERVER),
        "locale",
        texts=(
            "Entries of the slow log; it keeps 128.",
            "Level.",
            "A rise: KEYS or large sets block everybody. Read SLOWLOG GET.",
            _ABSENT,
        ),
        link=Link("Is the machine busy?", HOST, "cpu"),
    ),
    graph(
        "replicas",
        "Do replicas follow?",
        min_by(there(of.REDIS_REPLICAS), *SERVER),
        "locale",
        texts=("Replicas that are connected.", "All of them.", "One less: no failover to it.", _ABSENT),
        link=Link("Could Sentinels replace it?", UID, "quorum"),
    ),
)

_FAILOVER: Final[tuple[Panel, ...]] = (
    Timeline(
        key="shares",
        title="Do sessions share a server?",
        meaning="Whether a cache is on the server of the sessions, and may fill it.",
        good="No.",
        then="Shared: a full cache logs customers out, or stops writes. Give sessions a server of their own.",
        asks=(
            Ask(expr=max_by(here(redis.SHARES_SERVER, role=redis.SESSION), "other"), legend="with {{other}}"),
        ),
        unit="none",
        empty="sessions or caches are not in Redis, or not read",
        mappings=words({0.0: ("no", Colour.GOOD), 1.0: ("shared", Colour.WARNING)}),
        width=8,
        height=5,
        link=Link("Keys thrown out? (5 min)", UID, "evicted"),
    ),
    Timeline(
        key="quorum",
        title="Could Sentinels replace it?",
        meaning="Whether enough Sentinels can be reached for a failover.",
        good="Yes throughout.",
        then="Start the Sentinels that are down. Until then a failure of that Redis stays.",
        asks=(
            Ask(
                expr=min_by(there(of.SENTINEL_QUORUM), "master_name"),
                legend="{{master_name}}",
                may_be_empty=True,
            ),
        ),
        unit="none",
        empty=_SENTINEL,
        mappings=words({0.0: ("no", Colour.CRITICAL), 1.0: ("yes", Colour.GOOD)}),
        width=8,
        height=5,
        link=Link("How many are there?", UID, "sentinels"),
    ),
    graph(
        "sentinels",
        "How many Sentinels are there?",
        min_by(there(of.SENTINELS), "master_name"),
        "locale",
        texts=("Sentinels in reach of the one that is asked.", "All.", "Start the missing one.", _SENTINEL),
        link=Link("Is that enough?", UID, "quorum"),
        legend="{{master_name}}",
        width=8,
        may_be_empty=True,
    ),
)

DASHBOARD: Final = Dashboard(
    uid=UID,
    title="Magento / Redis",
    description="Redis or Valkey by role: sessions, cache and page cache, and the servers behind them.",
    by_store=False,
    annotations=(CALLED, FIRING, MAINTENANCE, DEPLOYED),
    rows=(
        Row(title="Does each role work?", panels=_ROLES),
        Row(title="Is there room?", panels=_ROOM),
        Row(title="What is it busy with?", panels=_WORK),
        Row(title="Would a failover work?", panels=_FAILOVER),
    ),
)
