"""Page cache and sessions: what keeps the load away from PHP, and customers logged in."""

from __future__ import annotations

from functools import partial
from typing import Final

from alerts import thresholds as limits
from alerts.lib.cases import DAY, HOUR, MINUTE, At, Cases, Hourly, Input, Line, Until
from alerts.lib.condition import only_where
from alerts.lib.model import Alert, Category, NoData, Panel, Severity, Team, Unit
from alerts.recording import HIT_RATIO, LOOKED_UP, PAGES_LOOKED_UP
from alerts.thresholds import critical, warning
from exporter.collectors import fastly, page_cache, redis
from promql.expr import Expr, aggregate, increase, max_by, over_time, series, sum_by
from promql.metrics import SHOP

_cache: Final = partial(
    Alert,
    severity=Severity.WARNING,
    team=Team.PLATFORM,
    service="page-cache",
    category=Category.CACHE,
    no_data=NoData.OPTIONAL,
)
_down: Final = partial(_cache, op="==", threshold=0)
"""One server of several does not answer. If none does, its series end and MagentoBackendDown fires."""

_VARNISH: Final = {"varnish": "varnish-1"}
_VARNISHSTAT: Final = {
    "collector": page_cache.PageCacheCollector.name,
    "source": page_cache.PageCacheCollector.source,
}
"""Whose trouble inhibits an alert about a metric that two collectors yield."""
_SERVED_HERE: Final = sum_by(
    increase(series(page_cache.REQUESTS, result="hit")["10m"]), *SHOP, "varnish"
) / sum_by(increase(series(page_cache.REQUESTS, result=LOOKED_UP)["10m"]), *SHOP, "varnish")
"""The share of the looked-up pages that one Varnish has served from its cache."""
_ROLE: Final = (*SHOP, "role")


def _lasting(before: str) -> Expr:
    """Return the fewest keys without expiry in six hours: what a flush of the cache leaves is not counted."""
    keys = series(redis.KEYS_WITHOUT_EXPIRY, role=f"!={redis.SESSION}")
    return over_time("min", (keys.before(before) if before else keys)["6h"])


_LASTING: Final = _lasting("")
_LASTING_YESTERDAY: Final = _lasting("1d")
_LASTING_BEFORE: Final = _lasting("2d")
_SESSION: Final = {"role": redis.SESSION}

_BACKENDS: Final = max_by(series(page_cache.BACKEND_HEALTHY), *SHOP, "varnish", "backend")
_CACHES: Final = f"!={redis.SESSION}"


def _backend(name: str) -> Input:
    return Input(page_cache.BACKEND_HEALTHY, labels={"backend": name}, bad=At(0), good=At(1), needed=False)


ALERTS: Final = (
    _cache(
        name="MagentoPageCacheHitRatioCollapsed",
        # Fastly counts static files, and what its shield is asked for a second time.
        value=series(HIT_RATIO, layer=f"!={fastly.LAYER}"),
        labels=_VARNISHSTAT,
        op="<",
        threshold=critical(limits.CACHE_HIT_RATIO),
        unit=Unit.RATIO,
        guard=(only_where(series(PAGES_LOOKED_UP) > limits.PAGE_REQUESTS),),
        scope="layer",
        for_=15 * MINUTE,
        keep_firing_for=10 * MINUTE,
        summary="The page cache hardly helps any more.",
        description="Only {{ $value | humanizePercentage }} of the pages looked up come from the "
        "{{ $labels.layer }} cache (limit %limit%).",
        impact="PHP and the database carry the storefront: slow pages, and an outage at the next peak.",
        first_action="Look for a purge loop first, then for a new block or cookie that stops caching.",
        why="A healthy shop is above 80 %. After a flush the ratio recovers within minutes. This "
        "has lasted for 15. Pages that a change made uncacheable count as misses, because "
        "they are the usual cause.",
        panel=Panel("magento-page-cache", "hit_ratio"),
        cases=Cases(
            entity={"layer": page_cache.LAYER},
            inputs={
                "hits": Input(
                    page_cache.REQUESTS,
                    labels={"result": "hit", "varnish": "varnish-1"},
                    bad=Hourly(4_800),
                    good=Hourly(54_000),
                    edge=Hourly(6_000),
                ),
                "misses": Input(
                    page_cache.REQUESTS,
                    labels={"result": "miss", "varnish": "varnish-1"},
                    bad=Hourly(3_000),
                    good=Hourly(300),
                ),
                "uncacheable": Input(
                    page_cache.REQUESTS,
                    labels={"result": "uncacheable", "varnish": "varnish-1"},
                    bad=Hourly(3_000),
                    good=Hourly(300),
                ),
            },
            silent={
                "too few requests to tell": {
                    "hits": Hourly(480),
                    "misses": Hourly(300),
                    "uncacheable": Hourly(300),
                }
            },
            reaches_limit_after=4 * MINUTE,
            needs_all_inputs=False,
            expected_description="Only 44.44% of the pages looked up come from the varnish cache (limit 50 "
            "%).",
        ),
    ),
    _cache(
        name="MagentoPageCacheFlushStorm",
        value=increase(series(page_cache.BANS_ADDED)["10m"]),
        threshold=warning(limits.PURGES),
        guard=(only_where(_SERVED_HERE < warning(limits.CACHE_HIT_RATIO), on=(*SHOP, "varnish")),),
        scope="varnish",
        for_=10 * MINUTE,
        keep_firing_for=10 * MINUTE,
        summary="The page cache is purged all the time.",
        description='{{ $value | printf "%.0f" }} purges reached {{ $labels.varnish }} in ten minutes '
        "(limit %limit%).",
        impact="Pages are thrown out as fast as they are made; PHP carries the storefront.",
        first_action="See which import, feed or cron job saves products now, and pause it.",
        why="Every save purges its pages. A thousand purges in ten minutes, twice in a row, are a mass "
        "update. An import of prices is one, too. It is normal while the cache serves more than 80 % of the "
        "pages.",
        panel=Panel("magento-page-cache", "purges"),
        cases=Cases(
            entity=_VARNISH,
            inputs={
                "bans_added": Input(
                    page_cache.BANS_ADDED, bad=Hourly(7_200), good=Hourly(60), edge=Hourly(5_900)
                ),
                "hits": Input(
                    page_cache.REQUESTS,
                    labels={"result": "hit", "varnish": "varnish-1"},
                    bad=Hourly(3_000),
                    good=Hourly(54_000),
                ),
                "misses": Input(
                    page_cache.REQUESTS,
                    labels={"result": "miss", "varnish": "varnish-1"},
                    bad=Hourly(3_000),
                    good=Hourly(300),
                ),
            },
            silent={
                "an import that the cache outlives": {"hits": Hourly(30_000), "misses": Hourly(6_000)},
            },
            warm_up=30 * MINUTE,
            reaches_limit_after=8 * MINUTE,
            clears_after=MINUTE,
            expected_description="1200 purges reached varnish-1 in ten minutes (limit 1000).",
        ),
    ),
    _cache(
        name="MagentoPageCacheBansPiledUp",
        value=series(page_cache.BANS),
        threshold=warning(limits.BANS),
        scope="varnish",
        for_=15 * MINUTE,
        keep_firing_for=10 * MINUTE,
        summary="Varnish has a very long list of bans.",
        description='{{ $labels.varnish }} keeps {{ $value | printf "%.0f" }} bans (limit %limit%).',
        impact="Each lookup tests many bans: Varnish's processor time and the latency of every page grow.",
        first_action="See whether purges still pour in; if not, whether the ban lurker works them off.",
        why="The ban lurker works off bans in the background. With ten thousand it cannot keep up.",
        panel=Panel("magento-page-cache", "bans"),
        cases=Cases(
            entity=_VARNISH,
            inputs={"bans": Input(page_cache.BANS, bad=At(12_000), good=At(40), edge=At(10_000))},
            expected_description="varnish-1 keeps 12000 bans (limit 10000).",
        ),
    ),
    _cache(
        name="MagentoBackendsSick",
        severity=Severity.CRITICAL,
        value=aggregate("avg", _BACKENDS, by=(*SHOP, "varnish")),
        op="<=",
        threshold=critical(limits.BACKENDS_HEALTHY),
        unit=Unit.RATIO,
        for_=5 * MINUTE,
        keep_firing_for=15 * MINUTE,
        summary="Half of Varnish's backends or more are sick.",
        description="Only {{ $value | humanizePercentage }} of the backends of {{ $labels.varnish }} "
        "pass their "
        "health probe.",
        impact="If none is left, cart and checkout answer 503. If some are left, they carry all visitors "
        "alone.",
        first_action="Ask a web node directly for /health_check.php; look at PHP-FPM, then at database and "
        "Redis.",
        why="Magento's probe asks every five seconds. Five minutes outlast the restart of a web node. If "
        "fewer "
        "backends are sick, MagentoBackendSick fires.",
        panel=Panel("magento-page-cache", "backends"),
        cases=Cases(
            entity=_VARNISH,
            inputs={f"web{number}": _backend(f"web{number}") for number in (1, 2, 3, 4)},
            silent={"one of four is sick": {f"web{number}": At(1) for number in (2, 3, 4)}},
            fires={"two of four are sick": {"web3": At(1), "web4": At(1)}},
            needs_all_inputs=False,
            expected_description="Only 0% of the backends of varnish-1 pass their health probe.",
        ),
    ),
    _cache(
        name="MagentoBackendSick",
        severity=Severity.URGENT,
        value=_BACKENDS,
        op="==",
        threshold=0,
        for_=10 * MINUTE,
        keep_firing_for=5 * MINUTE,
        summary="Varnish finds one of its backends sick.",
        description="The backend {{ $labels.backend }} of {{ $labels.varnish }} fails its health probe.",
        impact="The other web nodes carry its load. A balancer that does not know it sends customers "
        "into errors.",
        first_action="Ask that web node directly for /health_check.php; look at its PHP-FPM and its disk.",
        why="Varnish leaves a sick backend out, so the shop goes on with less room. Ten minutes are longer "
        "than a deployment. If half of them are sick, MagentoBackendsSick fires instead.",
        panel=Panel("magento-page-cache", "backends"),
        cases=Cases(
            entity={**_VARNISH, "backend": "web1"},
            inputs={"healthy": Input(page_cache.BACKEND_HEALTHY, bad=At(0), good=At(1))},
            expected_description="The backend web1 of varnish-1 fails its health probe.",
        ),
    ),
    _down(
        name="MagentoPageCacheInstanceDown",
        value=series(page_cache.UP),
        for_=5 * MINUTE,
        keep_firing_for=5 * MINUTE,
        summary="One Varnish of several is down.",
        description="{{ $labels.varnish }} gives no counters, while another Varnish does.",
        impact="Its visitors get errors until the load balancer leaves it out. The others and PHP carry its "
        "load, and purges do not reach it.",
        first_action="See that the load balancer leaves it out. Then find why it died, and start it.",
        why="The other instances serve the shop, so this can wait for the morning. One failed round may be "
        "chance. After five minutes a Varnish is dead or frozen, or the exporter may not read it.",
        panel=Panel("magento-page-cache", "varnish_up"),
        cases=Cases(
            entity=_VARNISH,
            inputs={"up": Input(page_cache.UP, bad=At(0), good=At(1))},
            expected_description="varnish-1 gives no counters, while another Varnish does.",
        ),
    ),
    _down(
        name="MagentoSessionStoreDown",
        severity=Severity.CRITICAL,
        service="sessions",
        value=series(redis.UP, role=redis.SESSION),
        for_=2 * MINUTE,
        keep_firing_for=15 * MINUTE,
        summary="The Redis that holds the sessions is down.",
        description="The session server does not answer, while the Redis of another role does.",
        impact="Every customer is logged out and every guest's cart is gone; with several web nodes no "
        "login holds.",
        first_action="Start it if it is dead; see whether the web nodes write session files meanwhile.",
        why="Two minutes outlast a restart. Magento then keeps sessions in files on each web node "
        "and logs nothing. A cart exists on one node only, so a customer loses it when the "
        "next page comes from another node.",
        panel=Panel("magento-page-cache", "redis_up"),
        cases=Cases(
            labels=_SESSION,
            inputs={"up": Input(redis.UP, labels=_SESSION, bad=At(0), good=At(1))},
            expected_description="The session server does not answer, while the Redis of another role does.",
        ),
    ),
    _down(
        name="MagentoCacheStoreDown",
        service="cache",
        value=series(redis.UP, role=f"!={redis.SESSION}"),
        for_=5 * MINUTE,
        keep_firing_for=5 * MINUTE,
        summary="A Redis that holds a cache is down.",
        description="The Redis of the role {{ $labels.role }} does not answer, while that of another does.",
        impact="Pages are slow, and a flush reaches one web node only; Magento 2.4.0 and older answer no "
        "page.",
        first_action="See whether the shop answers at all; then start the server.",
        why="Magento 2.4.4 and newer continue with cache files on each web node: slow, but open. If the "
        "health check fails, MagentoBackendsSick calls somebody.",
        panel=Panel("magento-page-cache", "redis_up"),
        cases=Cases(
            entity={"role": "cache"},
            inputs={"up": Input(redis.UP, bad=At(0), good=At(1))},
            expected_description="The Redis of the role cache does not answer, while that of another does.",
        ),
    ),
    _cache(
        name="MagentoCacheTagsLeak",
        service="cache",
        value=_LASTING - _LASTING_YESTERDAY,
        threshold=warning(limits.LASTING_KEYS_ADDED),
        guard=(
            only_where(_LASTING_YESTERDAY - _LASTING_BEFORE > warning(limits.LASTING_KEYS_ADDED), on=_ROLE),
        ),
        for_=HOUR,
        maintenance=False,
        no_data=NoData.OPTIONAL,
        summary="Keys that never expire pile up in a cache.",
        description='The cache of the role {{ $labels.role }} got {{ $value | printf "%.0f" }} keys without '
        "expiry in a day (limit %limit%), and as many the day before.",
        impact="The server gets full: it throws out entries that are needed, or sessions that share it.",
        first_action="See how full it is; empty the cache's own database at a quiet hour.",
        why="Magento 2.4.9 and Mage-OS before 3.3.0 never remove the tags of entries that are gone, not even "
        "by a flush. A cache that fills up after a flush grows for one day and then stays level.",
        panel=Panel("magento-page-cache", "redis_keys"),
        cases=Cases(
            entity={"role": "cache"},
            inputs={
                "lasting": Input(
                    redis.KEYS_WITHOUT_EXPIRY,
                    bad=Line(500_000, 75_000),
                    good=Line(500_000, 10),
                    edge=Line(500_000, 4_166),
                )
            },
            warm_up=3 * DAY,
            reaches_limit_after=30 * HOUR,
            step=10 * MINUTE,
            silent={"the cache fills after a flush": {"lasting": Until(60 * HOUR, At(1_000), At(900_000))}},
            expected_description="The cache of the role cache got 1800000 keys without expiry in a day"
            " (limit 100000), and as many the day before.",
        ),
    ),
    _cache(
        name="MagentoSessionsEvicted",
        severity=Severity.URGENT,
        service="sessions",
        value=increase(series(redis.EVICTED, role=redis.SESSION)["15m"]),
        threshold=limits.ONE_EVENT,
        for_=5 * MINUTE,
        keep_firing_for=15 * MINUTE,
        maintenance=False,
        summary="Sessions are lost because Redis is full.",
        description='Redis evicted {{ $value | printf "%.0f" }} keys of its session server in 15 minutes.',
        impact="Customers are logged out and lose their carts in the middle of buying.",
        first_action="Compare used memory with the limit; see whether caches share the server with the "
        "sessions.",
        why="A session store must never drop live sessions, not even one.",
        panel=Panel("magento-page-cache", "redis_evictions"),
        cases=Cases(
            labels=_SESSION,
            inputs={
                "evicted": Input(
                    redis.EVICTED, labels=_SESSION, bad=Hourly(60), good=Hourly(0), edge=Hourly(1.6)
                )
            },
            warm_up=30 * MINUTE,
            clears_after=14 * MINUTE,
            windows_full_after=15 * MINUTE,
            expected_description="Redis evicted 6 keys of its session server in 15 minutes.",
        ),
    ),
    _cache(
        name="MagentoSessionsBesideCache",
        service="sessions",
        value=max_by(series(redis.SHARES_SERVER, role=redis.SESSION), *_ROLE),
        op="==",
        threshold=1,
        guard=(only_where(series(redis.EVICTS).equals(1), on=_ROLE),),
        for_=HOUR,
        maintenance=False,
        summary="Sessions share a Redis with a cache, and it may evict.",
        description="The session server is that of a cache as well, and evicts keys when it is full.",
        impact="Nothing yet. When the cache fills the server, customers lose logins and carts.",
        first_action="Plan a server of their own for the sessions, with maxmemory-policy noeviction.",
        why="A cache is meant to fill its memory, and sessions must never go. One server has one policy for "
        "both. With noeviction the full cache stops the writes of sessions: see MagentoRedisAlmostFull.",
        panel=Panel("magento-redis", "shares"),
        cases=Cases(
            labels=_SESSION,
            entity={},
            inputs={
                "with the cache": Input(
                    redis.SHARES_SERVER, labels={**_SESSION, "other": "cache"}, bad=At(1), good=At(0)
                ),
                "with the page cache": Input(
                    redis.SHARES_SERVER,
                    labels={**_SESSION, "other": "page_cache"},
                    bad=At(0),
                    good=At(0),
                    needed=False,
                ),
                "evicts": Input(redis.EVICTS, labels=_SESSION, bad=At(1), good=At(0)),
            },
            expected_description="The session server is that of a cache as well, and evicts keys when it is "
            "full.",
        ),
    ),
    _cache(
        name="MagentoSessionWritesRefused",
        severity=Severity.CRITICAL,
        service="sessions",
        value=increase(series(redis.REFUSED_WRITES, role=redis.SESSION)["5m"]),
        threshold=limits.ONE_EVENT,
        for_=2 * MINUTE,
        keep_firing_for=10 * MINUTE,
        maintenance=False,
        summary="Redis refuses to store sessions because it is full.",
        description='Redis refused {{ $value | printf "%.0f" }} writes of its session server in five '
        "minutes.",
        impact="Nobody can log in, fill a cart or pay.",
        first_action="Raise maxmemory at once if the machine has room; then find what filled it.",
        why="With the policy noeviction a full server answers OOM to every write, so no new session can be "
        "stored.",
        panel=Panel("magento-page-cache", "redis_refused"),
        cases=Cases(
            labels=_SESSION,
            inputs={
                "refused_writes": Input(
                    redis.REFUSED_WRITES, labels=_SESSION, bad=Hourly(60), good=Hourly(0), edge=Hourly(5)
                )
            },
            warm_up=30 * MINUTE,
            clears_after=4 * MINUTE,
            expected_description="Redis refused 3 writes of its session server in five minutes.",
        ),
    ),
    _cache(
        name="MagentoCacheWritesRefused",
        severity=Severity.URGENT,
        service="cache",
        value=increase(series(redis.REFUSED_WRITES, role=_CACHES)["5m"]),
        threshold=limits.ONE_EVENT,
        for_=10 * MINUTE,
        keep_firing_for=10 * MINUTE,
        maintenance=False,
        summary="A Redis that holds a cache is full and refuses writes.",
        description='The Redis of the role {{ $labels.role }} refused {{ $value | printf "%.0f" }} writes in '
        "five minutes.",
        impact="Nothing new is cached and nothing is cleaned: pages are slow, and old prices stay.",
        first_action="Raise maxmemory if the machine has room; then set the policy allkeys-lru.",
        why="A cache that is full has to evict. With noeviction it answers OOM to every write, also to those "
        "that clean by tag. If the server holds the sessions too, MagentoSessionWritesRefused fires.",
        panel=Panel("magento-page-cache", "redis_refused"),
        cases=Cases(
            entity={"role": "cache"},
            inputs={
                "refused_writes": Input(redis.REFUSED_WRITES, bad=Hourly(60), good=Hourly(0), edge=Hourly(5))
            },
            warm_up=30 * MINUTE,
            clears_after=4 * MINUTE,
            expected_description="The Redis of the role cache refused 5 writes in five minutes.",
        ),
    ),
    _cache(
        name="MagentoCacheEvicting",
        severity=Severity.URGENT,
        service="cache",
        value=increase(series(redis.EVICTED, role=_CACHES)["15m"])
        / (series(redis.KEYS, role=_CACHES) > limits.CACHE_KEYS),
        threshold=warning(limits.CACHE_EVICTED_RATIO),
        unit=Unit.RATIO,
        scope="",
        for_=15 * MINUTE,
        keep_firing_for=15 * MINUTE,
        summary="A cache is too small: it evicts what is still needed.",
        description="The Redis of the role {{ $labels.role }} evicted {{ $value | humanizePercentage }} "
        "as many "
        "keys in 15 minutes as it holds (limit %limit%).",
        impact="Pages are made again and again. An evicted list of tags leaves old prices and stock on "
        "pages.",
        first_action="Compare used memory with the limit; raise maxmemory if the machine has room.",
        why="Some evictions are what a cache is for. If a quarter of it is replaced in a quarter of an hour, "
        "twice in a row, it holds nothing for long.",
        panel=Panel("magento-page-cache", "redis_evictions"),
        cases=Cases(
            entity={"role": "cache"},
            inputs={
                "evicted": Input(redis.EVICTED, bad=Hourly(120_000), good=Hourly(4_000), edge=Hourly(99_000)),
                "keys": Input(redis.KEYS, bad=At(100_000), good=At(100_000)),
            },
            silent={"hardly any keys": {"keys": At(900)}},
            needs_all_inputs=False,
            warm_up=30 * MINUTE,
            reaches_limit_after=12 * MINUTE,
            windows_full_after=15 * MINUTE,
            clears_after=2 * MINUTE,
            expected_description="The Redis of the role cache evicted 30% as many keys in 15 minutes as it "
            "holds (limit 25 %).",
        ),
    ),
)
