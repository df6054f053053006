"""From the edge to PHP: slow pages, errors at the cache, Varnish's threads and PHP-FPM's workers."""

from __future__ import annotations

from typing import Final

from alerts import thresholds as limits
from alerts.lib.cases import MINUTE, At, Cases, Gone, Hourly, Input
from alerts.lib.condition import only_where
from alerts.lib.model import Alert, Category, NoData, Panel, Severity, Team, Unit
from alerts.platform.common import SERVER, first_ours, platform, recorded
from alerts.thresholds import warning
from exporter.collectors import php_fpm
from exporter.magento.roles import ROLE, Role
from promql import platform as of
from promql.expr import Expr, increase, max_by, min_by, over_time, series, sum_by
from promql.metrics import PROBE_DURATION, SHOP
from promql.platform import of_shop

_PAGE: Final = "magento-golden-path"
_SITE: Final = ("job", "shop")
_VARNISH: Final = {ROLE: "varnish"}
_PHP: Final = {ROLE: "php"}

SECONDS: Final = min_by(
    over_time("avg", series(PROBE_DURATION, shop="!=", page="=~cart|graphql")["5m"]), *_SITE, "page"
)
"""What the fastest prober waits for a page that no cache answers. Its own network does not count."""

REQUESTS: Final = recorded(
    "magento:edge_requests:increase5m",
    sum_by(increase(of_shop(of.VARNISH_REQUESTS)["5m"]), *SERVER),
    "Requests that Varnish received in the last five minutes.",
)
ERRORS: Final = recorded(
    "magento:edge_errors:ratio5m",
    (
        sum_by(increase(of_shop(of.VARNISH_FETCHES, type="failed")["5m"]), *SERVER)
        + sum_by(increase(of_shop(of.VARNISH_BACKEND_FAILED)["5m"]), *SERVER)
        + sum_by(increase(of_shop(of.VARNISH_BACKEND_UNHEALTHY)["5m"]), *SERVER)
        + sum_by(increase(of_shop(of.VARNISH_BACKEND_BUSY)["5m"]), *SERVER)
    )
    / (series(REQUESTS) > 0),
    "Share of the requests for which Varnish got no answer of the origin: it answers 503 or a stale page.",
)
PHP_ACTIVE: Final = recorded(
    "magento:php_active:count",
    first_ours(
        series(php_fpm.PROCESSES, shop="!=", state=php_fpm.ACTIVE),
        Role.PHP,
        max_by(of_shop(of.PHP_ACTIVE), *SERVER),
    ),
    "Workers of PHP-FPM that run a request, in the pool with the most.",
)
PHP_QUEUE: Final = recorded(
    "magento:php_queue:count",
    first_ours(series(php_fpm.QUEUE, shop="!="), Role.PHP, max_by(of_shop(of.PHP_QUEUE), *SERVER)),
    "Requests that wait for a worker of PHP-FPM. On a Unix socket it is always 0.",
)
PHP_LIMIT: Final = recorded(
    "magento:php_limit_reached:increase1h",
    first_ours(
        increase(series(php_fpm.FULL, shop="!=")["1h"]),
        Role.PHP,
        max_by(increase(of_shop(of.PHP_FULL)["1h"]), *SERVER),
    ),
    "How often a pool of PHP-FPM reached pm.max_children in the last hour.",
)
PHP_FULL: Final = recorded(
    "magento:php_full:bool",
    first_ours(
        series(php_fpm.EXHAUSTED, shop="!="),
        Role.PHP,
        max_by(
            of_shop(of.PHP_IDLE).truth("==", 0)
            * (of_shop(of.PHP_QUEUE) + increase(of_shop(of.PHP_FULL)["1h"])).truth(">", 0),
            *SERVER,
        ),
    ),
    "1 while a pool of PHP-FPM has no idle worker and can start none, else 0.",
)


def _emptied(reason: str) -> Expr:
    return sum_by(increase(series(php_fpm.OPCACHE_RESTARTS, reason=reason)["1h"]), *SHOP)


OPCACHE: Final = recorded(
    "magento:opcache_short:bool",
    max_by(series(php_fpm.OPCACHE_FULL), *SHOP)
    + _emptied("=~oom|hash").truth(">", 0.5)
    + _emptied("manual").truth(">", limits.OPCACHE_RESETS),
    "Above 0 while OPcache takes no more files, or in the last hour was emptied because it was full, or by "
    "somebody again and again.",
)

RECORDINGS: Final = (REQUESTS, ERRORS, PHP_ACTIVE, PHP_QUEUE, PHP_LIMIT, PHP_FULL, OPCACHE)

ALERTS: Final = (
    platform(
        name="MagentoPagesSlow",
        service="storefront",
        severity=Severity.URGENT,
        value=SECONDS,
        threshold=warning(limits.PAGE_SECONDS),  # no unit of time: a page is no quicker on a game day
        maintenance=True,
        for_=5 * MINUTE,
        keep_firing_for=5 * MINUTE,
        summary="Pages that no cache answers are slow.",
        description="The page {{ $labels.page }} takes {{ $value | humanizeDuration }} (limit %limit% s).",
        impact="Customers leave in the cart and the checkout, before anything fails.",
        first_action="Go down the golden path: the lowest layer that is full or slow is the cause.",
        why="Cart and GraphQL are never cached, so they are as slow as the checkout. The mean of five "
        "minutes of the fastest prober counts.",
        panel=Panel(_PAGE, "page_seconds"),
        cases=Cases(
            target_labels=_SITE,
            covers_all_places=True,
            entity={"page": "cart"},
            inputs={
                "seconds": Input(
                    PROBE_DURATION, labels={"prober": "far:9115"}, bad=At(4.5), good=At(0.6), edge=At(3)
                )
            },
            reaches_limit_after=3 * MINUTE,
            clears_after=2 * MINUTE,
            windows_full_after=5 * MINUTE,
            expected_description="The page cart takes 4.5s (limit 3 s).",
        ),
    ),
    platform(
        name="MagentoEdgeErrors",
        service="storefront",
        severity=Severity.URGENT,
        value=series(ERRORS),
        threshold=warning(limits.EDGE_ERRORS_RATIO),
        unit=Unit.RATIO,
        guard=(only_where(series(REQUESTS) > limits.EDGE_REQUESTS, on=SERVER),),
        maintenance=True,
        for_=3 * MINUTE,
        keep_firing_for=5 * MINUTE,
        summary="Varnish gets no answer of the origin for many requests.",
        description="For {{ $value | humanizePercentage }} of the requests Varnish got no answer (limit "
        "%limit%).",
        impact="Customers see 503, most of all in cart and checkout.",
        first_action="See whether PHP-FPM is full, and what the web server's error log says.",
        why="Errors that the origin itself sends as a page (500) are not counted here: Varnish does not "
        "count status codes.",
        panel=Panel(_PAGE, "edge_errors"),
        cases=Cases(
            entity=_VARNISH,
            inputs={
                "failed": Input(
                    of.VARNISH_FETCHES,
                    labels={"type": "failed"},
                    bad=Hourly(6_000),
                    good=Hourly(0),
                    edge=Hourly(3_000),
                ),
                "fail": Input(of.VARNISH_BACKEND_FAILED, bad=Hourly(0), good=Hourly(0)),
                "unhealthy": Input(of.VARNISH_BACKEND_UNHEALTHY, bad=Hourly(0), good=Hourly(0)),
                "busy": Input(of.VARNISH_BACKEND_BUSY, bad=Hourly(0), good=Hourly(0)),
                "requests": Input(of.VARNISH_REQUESTS, bad=Hourly(60_000), good=Hourly(60_000)),
            },
            silent={"hardly any request": {"requests": Hourly(600), "failed": Hourly(300)}},
            reaches_limit_after=2 * MINUTE,
            clears_after=2 * MINUTE,
            windows_full_after=5 * MINUTE,
            needs_all_inputs=False,
            expected_description="For 10% of the requests Varnish got no answer (limit 5 %).",
        ),
    ),
    platform(
        name="MagentoVarnishThreadsOut",
        service="page-cache",
        value=sum_by(increase(of_shop(of.VARNISH_THREADS_LIMITED)["5m"]), *SERVER),
        threshold=0,
        for_=5 * MINUTE,
        keep_firing_for=5 * MINUTE,
        summary="Varnish has no more threads: requests wait or are dropped.",
        description="Varnish on {{ $labels.instance }} reached its limit of threads.",
        impact="Every page becomes slow, cached ones as well.",
        first_action="See whether the origin is slow: each request that waits for it holds a thread.",
        why="The counter only rises at thread_pool_max, which a healthy edge never reaches.",
        panel=Panel(_PAGE, "varnish_threads"),
        cases=Cases(
            entity=_VARNISH,
            inputs={
                "limited": Input(of.VARNISH_THREADS_LIMITED, bad=Hourly(120), good=Hourly(0), edge=Hourly(0))
            },
            windows_full_after=5 * MINUTE,
            clears_after=4 * MINUTE,
            expected_description="Varnish on shop:9816 reached its limit of threads.",
        ),
    ),
    platform(
        name="MagentoPhpFull",
        service="php",
        severity=Severity.CRITICAL,
        value=over_time("min", series(PHP_FULL)["2m"]),
        op="==",
        threshold=1,
        for_=3 * MINUTE,
        keep_firing_for=10 * MINUTE,
        summary="All PHP workers are busy, and requests wait.",
        description="PHP-FPM on {{ $labels.instance }} has no idle worker, and can start none.",
        impact="Cart and checkout hang and then fail; cached pages still come.",
        first_action="See what the workers wait for: database, search, Redis or a payment provider.",
        why="PHP-FPM keeps spare workers as long as it can. None for five minutes, at the limit or with "
        "requests that wait, means that customers wait for longer than they do.",
        panel=Panel(_PAGE, "php_exhausted"),
        cases=Cases(
            entity=_PHP,
            inputs={
                "idle": Input(of.PHP_IDLE, labels={"socket_path": "www"}, bad=At(0), good=At(3)),
                "queue": Input(of.PHP_QUEUE, labels={"socket_path": "www"}, bad=At(7), good=At(0)),
                "limit": Input(
                    of.PHP_FULL, labels={"socket_path": "www"}, bad=At(0), good=At(0), needed=False
                ),
                "ours": Input(
                    php_fpm.EXHAUSTED, labels={"pool": "www"}, bad=Gone(), good=Gone(), needed=False
                ),
            },
            silent={
                "busy, but nobody waits": {"queue": At(0)},
                "our exporter sees spare workers": {"ours": At(0)},
            },
            fires={"on a Unix socket the queue is always 0": {"queue": At(0), "limit": Hourly(6)}},
            needs_all_inputs=False,
            reaches_limit_after=2 * MINUTE,
            expected_description="PHP-FPM on shop:9816 has no idle worker, and can start none.",
        ),
    ),
    Alert(
        name="MagentoOpcacheFull",
        severity=Severity.URGENT,
        team=Team.PLATFORM,
        service="php",
        category=Category.PLATFORM,
        no_data=NoData.OPTIONAL,
        value=series(OPCACHE),
        op=">=",
        threshold=1,
        for_=10 * MINUTE,
        keep_firing_for=10 * MINUTE,
        summary="OPcache is full or emptied again and again: PHP compiles its files anew.",
        description="OPcache on {{ $labels.instance }} takes no more files, or is emptied again and again.",
        impact="Every page that no cache answers takes a multiple of its time, and the processors are busy.",
        first_action="Compare memory and keys with their limits, then raise the one that is short.",
        why="A cache that is large enough never fills. A deploy empties it by hand, on each web node: up to "
        "ten times in an hour do not count.",
        panel=Panel("magento-php-web", "opcache_full"),
        cases=Cases(
            inputs={
                "full": Input(php_fpm.OPCACHE_FULL, labels={"pool": "www"}, bad=At(1), good=At(0)),
                "restarts": Input(
                    php_fpm.OPCACHE_RESTARTS,
                    labels={"pool": "www", "reason": "oom"},
                    bad=At(0),
                    good=At(0),
                ),
                "resets": Input(
                    php_fpm.OPCACHE_RESTARTS,
                    labels={"pool": "www", "reason": "manual"},
                    bad=At(0),
                    good=At(0),
                ),
            },
            fires={
                "it is emptied because it is full": {"full": At(0), "restarts": Hourly(12)},
                "a script empties it again and again": {"full": At(0), "resets": Hourly(60)},
            },
            silent={"deploys empty it": {"full": At(0), "resets": Hourly(8)}},
            needs_all_inputs=False,
            expected_description="OPcache on shop:9816 takes no more files, or is emptied again and again.",
        ),
    ),
)
