"""The full-page cache: does it keep traffic from PHP, and if not, who empties or bypasses it."""

from __future__ import annotations

from typing import Final

from alerts import thresholds
from dashboards.lib.annotations import CALLED, DEPLOYED, FIRING, FLUSHED, MAINTENANCE, REINDEXED
from dashboards.lib.business import hit_ratio
from dashboards.lib.here import here
from dashboards.lib.links import Link
from dashboards.lib.page import Dashboard
from dashboards.lib.panels import Ask, Graph, Panel, Row, Stat, Timeline
from dashboards.lib.style import Colour, line, override, told_apart, words
from dashboards.lib.uids import EXPORTER, INDEXERS, OVERVIEW, PAGE_CACHE
from dashboards.lib.variables import values_of
from exporter.collectors import page_cache, redis
from promql.expr import Expr, increase, max_by, min_by, rate, sum_by
from promql.metrics import Selectable

UID: Final = PAGE_CACHE
_CHOSEN: Final = "=~$varnish"
_INTERVAL: Final = "$__rate_interval"
_HEALTH: Final = {0.0: ("sick", Colour.CRITICAL), 1.0: ("healthy", Colour.GOOD)}
_RESULTS: Final = ("hit", "miss", "uncacheable", "pass")


def _requests(*by: str, **matchers: str) -> Expr:
    return sum_by(rate(here(page_cache.REQUESTS, varnish=_CHOSEN, **matchers)[_INTERVAL]), *by)


def _a_minute(metric: Selectable, *by: str) -> Expr:
    return sum_by(rate(here(metric, varnish=_CHOSEN)[_INTERVAL]), *by) * 60


_HEADER: Final[tuple[Panel, ...]] = (
    Stat(
        key="hit_ratio_now",
        title="Cached (5 min)",
        meaning=(
            "Share of the page requests looked up in the cache that it answered, last five minutes, over all "
            "Varnishes, as its alert sees it. An uncacheable page counts as lost; carts and checkout are not "
            "looked up."
        ),
        good="Above 80 %, usually above 90 %.",
        then="Sudden fall: a flush. Lasting fall: pages that expire too soon, or parameters that split them.",
        asks=(Ask(expr=hit_ratio()),),
        unit="percentunit",
        decimals=1,
        empty="too few pages requested, or cache not read",
        threshold=thresholds.CACHE_HIT_RATIO,
        link=Link("Since when?", UID, "hit_ratio"),
        filled=True,
    ),
    Stat(
        key="offload",
        title="Kept from PHP",
        meaning=(
            "Share of all requests, carts and checkout included, that Varnish answered. Magento's VCL passes "
            "static files: they count as not answered, although PHP does not answer them either."
        ),
        good="Depends on how many visitors are logged in; a level that is usual for your shop.",
        then="It falls while the hit ratio stands: more logged-in or uncacheable traffic.",
        asks=(Ask(expr=_requests(result="hit") / (_requests() > 0)),),
        unit="percentunit",
        decimals=1,
        empty="no page requested, or cache not read",
        base=Colour.NEUTRAL,
        spark=True,
        link=Link("What is requested?", UID, "requests"),
    ),
    Stat(
        key="requests_now",
        title="Page requests",
        meaning="Requests per second that reached the cache: pages, and files that Magento's VCL passes.",
        good="Follows the day.",
        then="A sudden rise without orders: crawlers or an attack. None at all: DNS, CDN or the balancer.",
        asks=(Ask(expr=_requests()),),
        unit="reqps",
        decimals=1,
        empty="cache not read",
        base=Colour.NEUTRAL,
        spark=True,
        link=Link("What is requested?", UID, "requests"),
    ),
    Stat(
        key="purges_hour",
        title="Purges (5 min)",
        meaning="Bans added in the last five minutes: each drops the pages that show a product or category.",
        good="Follows edits and stock changes.",
        then="Thousands: an import that saves unchanged products, or a flush in a loop.",
        asks=(Ask(expr=sum_by(increase(here(page_cache.BANS_ADDED, varnish=_CHOSEN)["5m"]))),),
        unit="locale",
        decimals=0,
        empty="cache not read",
        base=Colour.NEUTRAL,
        spark=True,
        link=Link("When?", UID, "purges"),
    ),
    Stat(
        key="backends_now",
        title="The origin is",
        meaning="Whether Varnish's probe finds every backend healthy.",
        good="Healthy.",
        then="Sick: visitors get stale pages, and carts and checkout fail. Look at nginx and PHP-FPM.",
        asks=(Ask(expr=min_by(here(page_cache.BACKEND_HEALTHY, varnish=_CHOSEN))),),
        unit="none",
        empty="no backend seen, or cache not read",
        mappings=words(_HEALTH),
        link=Link("Since when?", UID, "backends"),
    ),
    Stat(
        key="stale_now",
        title="Stale pages",
        meaning="Pages per minute served past their time, because the origin was slow or sick.",
        good="Near zero.",
        then="With a sick origin the shop seems alive and cannot sell.",
        asks=(Ask(expr=_a_minute(page_cache.GRACE_HITS)),),
        unit="opm",
        empty="cache not read",
        base=Colour.NEUTRAL,
        spark=True,
        link=Link("Is the origin healthy?", UID, "backends"),
    ),
)

_RATIO: Final[tuple[Panel, ...]] = (
    Graph(
        key="hit_ratio",
        title="Does the cache keep its pages? (5 min)",
        meaning="Share of the looked-up page requests that the cache answered, by layer, over all Varnishes.",
        good="A level line above 80 %.",
        then="A short fall is a flush; a lasting fall is a change of code, VCL or parameters.",
        asks=(Ask(expr=hit_ratio("layer"), legend="{{layer}}"),),
        unit="percentunit",
        most=1.0,
        empty="too few pages requested, or rules not loaded",
        threshold=thresholds.CACHE_HIT_RATIO,
        width=12,
        link=Link("Who empties it?", UID, "purges"),
    ),
    Graph(
        key="requests",
        title="What is requested, and who answers?",
        meaning="Page requests per second by result: hit, miss, uncacheable, pass (never looked up).",
        good="Mostly hits; `pass` is carts, checkout, customers and files; `uncacheable` is next to nothing.",
        then='`uncacheable` grows: a block with `cacheable="false"` on a common page.',
        asks=(Ask(expr=_requests("result"), legend="{{result}}"),),
        unit="reqps",
        empty="cache not read",
        stacked=True,
        width=12,
        link=Link("Are we selling?", OVERVIEW, "selling"),
        overrides=told_apart(*_RESULTS),
    ),
)

_EMPTIED: Final[tuple[Panel, ...]] = (
    Graph(
        key="purges",
        title="Who empties the cache? (10 min)",
        meaning="Bans added, over the last ten minutes at each moment.",
        good="Follows edits, stock changes and the indexers.",
        then="Very many bans at once: a mass update or a flush in a loop. Compare with what is indexed.",
        asks=(
            Ask(
                expr=sum_by(increase(here(page_cache.BANS_ADDED, varnish=_CHOSEN)["10m"]), "varnish"),
                legend="{{varnish}}",
            ),
        ),
        unit="locale",
        empty="cache not read",
        threshold=thresholds.PURGES,
        width=8,
        link=Link("What is being changed?", INDEXERS, "changes"),
        decimals=0,
    ),
    Graph(
        key="bans",
        title="Is the ban list too long?",
        meaning="Bans on the list; each may be tested against every object.",
        good="Hundreds.",
        then="Tens of thousands cost CPU on every lookup: slow down the mass update, or restart off-peak.",
        asks=(Ask(expr=max_by(here(page_cache.BANS, varnish=_CHOSEN), "varnish"), legend="{{varnish}}"),),
        unit="locale",
        empty="cache not read",
        threshold=thresholds.BANS,
        width=8,
        link=Link("Who adds them?", UID, "purges"),
        decimals=0,
    ),
    Graph(
        key="objects",
        title="Does the cache stay filled?",
        meaning="Objects in the cache, and objects thrown out per minute to make room.",
        good="A level that the shop's pages fill; nothing thrown out.",
        then="Thrown out all the time: give Varnish more memory.",
        asks=(
            Ask(expr=sum_by(here(page_cache.OBJECTS, varnish=_CHOSEN)), legend="objects"),
            Ask(expr=_a_minute(page_cache.NUKED), legend="thrown out a minute"),
        ),
        unit="locale",
        empty="cache not read",
        width=8,
        link=Link("Does it keep its pages?", UID, "hit_ratio"),
        overrides=(
            override("objects", **line(Colour.NEUTRAL)),
            override("thrown out a minute", **line(Colour.CRITICAL)),
        ),
        decimals=0,
    ),
)

_ORIGIN: Final[tuple[Panel, ...]] = (
    Timeline(
        key="backends",
        title="Is the origin healthy?",
        meaning="Varnish's own judgement of each backend: at least five of its last ten probes were good.",
        good="Healthy throughout.",
        then="Sick: PHP-FPM is full or down, or the probe's page fails. Visitors still see cached pages.",
        asks=(
            Ask(
                expr=min_by(here(page_cache.BACKEND_HEALTHY, varnish=_CHOSEN), "varnish", "backend"),
                legend="{{backend}}",
            ),
        ),
        unit="none",
        empty="no backend seen, or cache not read",
        mappings=words(_HEALTH),
        width=8,
        link=Link("Are we selling?", OVERVIEW, "selling"),
        height=6,
    ),
    Graph(
        key="fetches",
        title="Does the origin fail to answer?",
        meaning="Failed fetches and lost headers per minute.",
        good="None.",
        then="Lost headers: too many tags on a page; raise `http_resp_hdr_len` and `http_resp_size`.",
        asks=(
            Ask(expr=_a_minute(page_cache.FETCH_FAILURES), legend="failed fetches"),
            Ask(expr=_a_minute(page_cache.LOST_HEADERS), legend="lost headers"),
            Ask(expr=_a_minute(page_cache.GRACE_HITS), legend="stale pages served"),
        ),
        unit="opm",
        empty="cache not read",
        width=8,
        link=Link("Is the origin healthy?", UID, "backends"),
        overrides=(
            override("failed fetches", **line(Colour.CRITICAL)),
            override("lost headers", **line(Colour.WARNING)),
            override("stale pages served", **line(Colour.NEUTRAL)),
        ),
        height=6,
    ),
    Timeline(
        key="varnish_up",
        title="Can Varnish be read?",
        meaning="Whether each Varnish gave its counters.",
        good="Read throughout.",
        then="Not read: Varnish is down, or the exporter has no right to its working directory.",
        asks=(Ask(expr=min_by(here(page_cache.UP, varnish=_CHOSEN), "varnish"), legend="{{varnish}}"),),
        unit="none",
        empty="page cache collector off",
        mappings=words({0.0: ("not read", Colour.CRITICAL), 1.0: ("read", Colour.GOOD)}),
        width=8,
        link=Link("Which collector?", EXPORTER, "collectors"),
        height=6,
    ),
)

_REDIS: Final[tuple[Panel, ...]] = (
    Timeline(
        key="redis_up",
        title="Does Redis answer?",
        meaning="Whether the server of each role (cache, page cache, session) answered.",
        good="Up throughout.",
        then="Sessions down: customers are logged out, carts are gone. Cache down: slow pages, old content.",
        asks=(Ask(expr=min_by(here(redis.UP), "role"), legend="{{role}}"),),
        unit="none",
        empty="no Redis, or not read",
        mappings=words({0.0: ("down", Colour.CRITICAL), 1.0: ("up", Colour.GOOD)}),
        width=8,
        link=Link("Which source is down?", EXPORTER, "sources"),
    ),
    Graph(
        key="redis_memory",
        title="Is Redis full?",
        meaning="Memory used by each role's server, of its limit.",
        good="Caches may be full and evict; sessions must have room.",
        then="Sessions near 100 %: customers are logged out or cannot log in. Raise `maxmemory`.",
        asks=(
            Ask(
                expr=max_by(here(redis.MEMORY_USED) / (here(redis.MEMORY_MAX) > 0), "role"),
                legend="{{role}}",
            ),
        ),
        unit="percentunit",
        empty="no memory limit, or Redis not read",
        width=8,
        link=Link("Are keys thrown out?", UID, "redis_evictions"),
        soft_most=1.0,
    ),
    Graph(
        key="redis_clients",
        title="Do connections pile up?",
        meaning="Connections to each role's server.",
        good="Follows PHP's processes.",
        then="Rising without traffic: PHP processes hang, or connections are not closed.",
        asks=(Ask(expr=max_by(here(redis.CLIENTS), "role"), legend="{{role}}"),),
        unit="locale",
        empty="no Redis, or not read",
        width=8,
        link=Link("Does Redis answer?", UID, "redis_up"),
        decimals=0,
    ),
    Graph(
        key="redis_keys",
        title="What do the caches hold?",
        meaning="Keys by role, and those of them that never expire (the caches' tags among them).",
        good="Level.",
        then="A fall to nothing is a flush, an eviction or a restart. Lasting keys that only grow fill it.",
        asks=(
            Ask(expr=max_by(here(redis.KEYS), "role"), legend="{{role}}"),
            Ask(expr=max_by(here(redis.KEYS_WITHOUT_EXPIRY), "role"), legend="{{role}}, lasting"),
        ),
        unit="locale",
        empty="no Redis, or not read",
        width=8,
        link=Link("Are keys thrown out?", UID, "redis_evictions"),
        decimals=0,
    ),
    Graph(
        key="redis_evictions",
        title="Does Redis throw out keys?",
        meaning="Keys per minute that a full server threw out, by role.",
        good="None. Never for sessions.",
        then="Sessions: customers lose their carts. Caches: more memory, or fewer entries.",
        asks=(Ask(expr=sum_by(rate(here(redis.EVICTED)[_INTERVAL]), "role") * 60, legend="{{role}}"),),
        unit="opm",
        empty="no Redis, or not read",
        width=8,
        link=Link("Is it full?", UID, "redis_memory"),
    ),
    Graph(
        key="redis_refused",
        title="Does Redis refuse writes?",
        meaning="Commands per minute that a full server refused, by role.",
        good="None.",
        then="A full server that may not evict: sessions and caches cannot be written, pages fail.",
        asks=(Ask(expr=sum_by(rate(here(redis.REFUSED_WRITES)[_INTERVAL]), "role") * 60, legend="{{role}}"),),
        unit="opm",
        empty="no Redis, or not read",
        width=8,
        link=Link("Is it full?", UID, "redis_memory"),
    ),
)

DASHBOARD: Final = Dashboard(
    uid=UID,
    title="Magento / Page cache",
    description="Does the full-page cache keep traffic from PHP, and if not, who empties or bypasses it.",
    by_store=False,
    variables=(values_of("varnish", "Varnish", page_cache.UP, "varnish"),),
    annotations=(CALLED, FIRING, MAINTENANCE, DEPLOYED, FLUSHED, REINDEXED),
    rows=(
        Row(panels=_HEADER),
        Row(title="Does it work?", panels=_RATIO),
        Row(title="Who empties it?", panels=_EMPTIED),
        Row(title="Is the origin there?", panels=_ORIGIN),
        Row(title="Redis behind it", panels=_REDIS),
    ),
)
