"""Every threshold that alerts compare with and panels show, once, with its reason.

The units are those of the metric: seconds, ratios (0 to 1) and counts. A panel turns orange at ``warning``
and red at ``critical``. If only one is given, there is only that colour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from exporter.errors import SpecError

MINUTE: Final = 60.0
HOUR: Final = 3600.0
DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """Where a value starts to be bad. With ``low``, small values are the bad ones.

    ``window`` is the time over which events are counted, if the threshold is for such a count.
    """

    reason: str
    warning: float | None = None
    critical: float | None = None
    low: bool = False
    window: str = ""

    def __post_init__(self) -> None:
        if self.warning is None and self.critical is None:
            raise ValueError(f"a threshold needs a limit: {self.reason}")
        if self.warning is not None and self.critical is not None:
            in_order = self.warning > self.critical if self.low else self.warning < self.critical
            if not in_order:
                raise ValueError(f"warning comes before critical: {self.reason}")


def warning(threshold: Threshold) -> float:
    """Return the limit at which somebody should look: panels turn orange."""
    return _given(threshold.warning, threshold)


def critical(threshold: Threshold) -> float:
    """Return the limit at which the value is bad: panels turn red."""
    return _given(threshold.critical, threshold)


def _given(limit: float | None, threshold: Threshold) -> float:
    if limit is None:
        raise SpecError(f"the threshold has no such limit: {threshold.reason}")
    return limit


ORDERS_AGAINST_EXPECTED: Final = Threshold(
    warning=0.5,
    critical=0.2,
    low=True,
    reason="Half of the usual needs a look. A fifth of it, if not by chance, is an outage of selling.",
)
DROUGHT_SURPRISE_NATS: Final = Threshold(
    warning=7.0,
    critical=10.6,
    reason="-ln of the chance that a healthy shop sells so little; 10.6 is 1e-4 spread over four windows.",
)
FAILING_NOW: Final = Threshold(
    critical=0.5,
    reason="The failed share of minutes, chance allowed for. More than half: most who try to pay cannot.",
)
NEARLY_ALL_FAIL: Final = 0.8
"""Failed share of the last five minutes from which a shop whose payments fail does not sell at all."""
ORDERS_OVERDUE: Final = Threshold(
    warning=8.0,
    critical=15.0,
    reason="Orders that should have come since the last one. Chance makes such a gap once in 3e6 orders.",
)
NOBODY_ORDERS: Final = 10.0
"""Orders overdue from which failures are not put down to card testing. While cards are tried out for hours,
chance makes such a gap after one order in twenty thousand."""
OVERDUE_WHILE_FAILING: Final = 3.0
"""Orders overdue from which a shop whose payments fail does not sell. Chance makes such a gap after one order
in twenty, but not while far more than usual fail as well."""
ORDERS_WITHOUT_CARTS: Final = Threshold(
    critical=30.0,
    reason="Orders expected since the shop's last one, while hardly any carts are filled.",
)
FEW_CARTS: Final = 0.25
"""Share of the usual carts below which people do not come, instead of not buying."""
METHOD_DEAD_NATS: Final = Threshold(
    critical=15.0,
    reason="-ln of the chance that so many orders in a row take other methods: once in three million.",
)
METHOD_GAP_FACTOR: Final = 2.0
"""How many times as long as the longest gap of the last week it must be."""
SMALL_METHOD_GAP_FACTOR: Final = 3.0
"""The same for a method that few use: its gaps differ more."""
METHOD_SHARE_AT_MOST: Final = 0.95
"""A larger share of one method counts as this: with a share of 1, any other order would be a proof."""
MAIN_METHOD_SHARE: Final = 0.3
"""Share of a store's orders from which on the loss of a method calls somebody."""
PAYMENTS_FAIL: Final = Threshold(
    critical=0.2,
    reason="A fifth of the attempts fails for certain: beyond what declined cards do in any healthy hour.",
)
FAILED_PLACEMENTS: Final = Threshold(
    warning=0.08,
    reason="Beyond the usual, and more than declined cards explain in most shops: a method or a rule broke.",
)
PAYMENTS_FAIL_UNKNOWN: Final = 0.3
"""The same while the usual share is not known yet."""
PAYMENTS_FAIL_MOST: Final = 0.4
"""The certain share above which payments fail, however many usually do."""
PAYMENTS_FAIL_FACTOR: Final = 2.0
"""How many times the usual share must fail."""
FEW_FAILURES: Final = 6
"""Failed attempts in the shorter windows below which one customer may have made them all."""
MORE_FAILURES: Final = 10
"""The same in two hours."""

BUYS_DESPITE_FAILURES: Final = {"10m": 0.6, "30m": 0.7, "2h": 0.7}
"""Share of today's usual orders that must be left for failures to be those of card testing, by window. Chance
moves a short window more."""
WOULD_HAVE_BOUGHT: Final = 0.2
"""The share of failed attempts that counts as orders in that comparison: some cards are always declined."""
PLACED_AT_LEAST: Final = 0.3
"""Share of today's usual orders that must be placed for certain, however many cards are tried out: a gateway
may block the shop because of them."""
ORDERS_BY_CHANCE: Final = 2
"""So many orders fewer may be placed in two hours: in a small store, none in two hours is chance."""
TRIES_OF_TESTERS: Final = 1.4
"""Card testing adds tries: as many times the usual orders there are at least. An outage does not add them."""
LEVEL_AT_LEAST: Final = 0.5
"""The lowest level of today, as a share of past weeks: a long outage does not become the new usual."""
ORDERS_FOR_A_LEVEL: Final = 30
"""Orders expected in two hours below which they say nothing about today's level."""

BURN_FAST: Final = 14.4
"""Burn rate at which a month's budget is gone in two days; asked over 1h and 5m."""
BURN_STEADY: Final = 6.0
"""Burn rate at which a month's budget is gone in five days; asked over 6h and 30m."""
BURN_SLOW: Final = 1.0
"""Burn rate at which a month's budget is gone in a month; asked over 3d and 6h."""

CHECKOUT_FAILURE_RATIO: Final = Threshold(
    warning=PAYMENTS_FAIL.critical,
    critical=PAYMENTS_FAIL_MOST,
    reason="From a fifth on payments fail where few usually do, from two fifths on in every store.",
)

FRESHNESS_SLO: Final = 0.99
"""Objective: the share of minutes in which the storefront shows what the catalogue says."""
FRESHNESS_BUDGET: Final = round(1 - FRESHNESS_SLO, 6)
"""The share of the minutes in which it may not."""

BURN_RATE: Final = Threshold(
    warning=BURN_SLOW,
    critical=BURN_FAST,
    reason="At 1 the budget lasts exactly its period; at 14.4 a month's budget is gone in two days.",
)
BUDGET_LEFT: Final = Threshold(
    warning=0.25,
    critical=0.0,
    low=True,
    reason="A quarter of the budget allows one more bad day; zero allows none.",
)

CRON_SILENT_SECONDS: Final = Threshold(
    warning=5 * MINUTE,
    critical=15 * MINUTE,
    reason="Some job starts every minute. After schedule_lifetime (15 minutes) planned runs are missed.",
)
CRON_LAG_SECONDS: Final = Threshold(
    warning=5 * MINUTE,
    critical=15 * MINUTE,
    reason="A planned run not started within schedule_lifetime (15 minutes) is marked missed.",
)
CRON_RUNNING_SECONDS: Final = Threshold(
    warning=HOUR,
    critical=4 * HOUR,
    reason="Default jobs end in minutes. While one runs, no other run of the job starts.",
)
CRON_NOT_DONE_SECONDS: Final = Threshold(
    warning=HOUR,
    critical=DAY,
    reason="Within an hour a frequent job has run again. A daily one has lost its day.",
)
CRON_TABLE_ROWS: Final = Threshold(
    warning=50_000,
    critical=500_000,
    reason="Magento cleans the table hourly. A large table slows every cron start.",
)

INDEXER_BACKLOG_ROWS: Final = Threshold(
    warning=10_000, critical=100_000, reason="Cron works off up to 10,000 changes within a few minutes."
)
FRESHNESS_SECONDS: Final = Threshold(
    warning=15 * MINUTE,
    critical=HOUR,
    reason="Merchants expect a price or stock change on the storefront within minutes.",
)

QUEUE_OLDEST_SECONDS: Final = Threshold(
    warning=10 * MINUTE,
    critical=HOUR,
    reason="Consumers are started every minute; an hour means that nobody takes these messages.",
)
QUEUE_MESSAGES: Final = Threshold(
    warning=1_000,
    critical=10_000,
    reason="A deep queue is no fault by its depth. Beyond this a consumer needs hours.",
)

CACHE_HIT_RATIO: Final = Threshold(
    warning=0.8,
    critical=0.5,
    low=True,
    reason="A healthy shop serves more than 80 % of cacheable pages from cache.",
)

OPEN_ORDER_SECONDS: Final = Threshold(
    warning=DAY, reason="Magento cancels pending payments after 8 hours by default. After a day it does not."
)
EMAIL_UNSENT_SECONDS: Final = Threshold(
    warning=30 * MINUTE,
    critical=4 * HOUR,
    reason="Asynchronous sending runs every minute; after hours customers order again, or call.",
)

COLLECTOR_SECONDS: Final = Threshold(
    warning=2.0, critical=8.0, reason="By default a scrape has 10 seconds, which the collectors share."
)
DATA_AGE_SECONDS: Final = Threshold(
    warning=5 * MINUTE,
    critical=15 * MINUTE,
    reason="After five missed scrapes the value that is shown is old.",
)
SCRAPE_SECONDS: Final = Threshold(
    warning=5.0, critical=9.0, reason="Prometheus gives up after its scrape timeout of 10 seconds."
)

CRON_ERRORS_AN_HOUR: Final = Threshold(
    warning=1,
    critical=10,
    window="1h",
    reason="Default jobs do not fail. Ten failures an hour are a job that fails at every run.",
)
CRON_MISSED_AN_HOUR: Final = Threshold(
    warning=1,
    critical=30,
    window="1h",
    reason="A deployment causes a few missed runs. Thirty an hour are a blocked group.",
)
INDEXERS_INVALID: Final = Threshold(
    warning=1, reason="An indexer is often invalid for a minute or two. The alert waits longer than that."
)
VIEWS_BROKEN: Final = Threshold(
    critical=1, reason="A view that skips changes causes wrong prices or stock until somebody repairs it."
)
ANY_ALERT: Final = Threshold(critical=1, reason="Somebody must answer every alert that fires.")

SALES_LOW_NATS: Final = 14.0
"""Surprise at which half of the usual orders is a warning. At 7, a shop with 600 orders a day would get one
every other week, because weeks differ."""
FUNNEL_STAGE_RATIO: Final = Threshold(
    critical=0.2,
    low=True,
    reason="Only a fifth of those who usually pass a checkout step do: the step is broken, not unpopular.",
)
CARDING_FAILURES: Final = Threshold(
    warning=30, window="10m", reason="Failed attempts in ten minutes. People give up, card testers do not."
)
CARDING_FACTOR: Final = 5.0
"""How many times the usual number of failed attempts card testing has at least."""
ORDER_VALUE_FACTOR: Final = Threshold(
    warning=3.0,
    reason="The mean order of a few hours does not triple, or fall to a third, by chance.",
)
UNPAID_MORE: Final = Threshold(
    warning=0.25,
    window="2h",
    reason="A quarter of the orders more than usual waits for its payment: confirmations do not arrive.",
)
UNPAID_ORDERS: Final = 10
"""Orders that wait for their payment, below which a few customers may have gone away."""
SHIPMENTS: Final = Threshold(
    warning=0.2,
    low=True,
    window="12h",
    reason="A fifth of the shipments of a week ago: the warehouse, or the export to it, stands still.",
)
SHIPMENTS_COUNT: Final = 20
"""Shipments in half a day below which their number says nothing."""
UNDONE_FACTOR: Final = Threshold(
    warning=2.0,
    window="2h",
    reason="Twice as many as in the busiest two hours of the last week, in which batches count too.",
)
UNDONE_AT_LEAST: Final = 10
"""A busiest two hours with fewer cancellations or refunds than this count as this."""
REGISTRATIONS_FACTOR: Final = Threshold(
    warning=3.0,
    window="1h",
    reason="Three times as many accounts as in the busiest hour of the last week: no campaign of the usual.",
)
REGISTRATIONS_AT_LEAST: Final = 30
"""A busiest hour with fewer new accounts than this counts as this."""
MAINTENANCE_SECONDS: Final = Threshold(
    critical=30 * MINUTE,
    reason="An upgrade of the database may take twenty minutes. After thirty the flag was forgotten, or one "
    "hangs.",
)
LATE_ORDERS: Final = Threshold(
    warning=0,
    reason="Magento cancels what is not paid after eight hours, and reviews are decided within a day.",
)
PRICES_LEFT: Final = Threshold(
    critical=0.1,
    low=True,
    reason="An indexer that finishes leaves all prices; nobody takes nine of ten away.",
)
NEW_SCRIPTS: Final = Threshold(
    critical=0, reason="A few times a year somebody adds a script, and knows of it."
)
NEW_ADMINS: Final = Threshold(
    critical=0, reason="A few times a year somebody adds an admin, and knows of it."
)
FAILED_LOGINS: Final = Threshold(
    critical=15, reason="Magento locks an account after six. Two people who mistype theirs do not reach it."
)
INDEXER_WORKING_SECONDS: Final = Threshold(
    warning=2 * HOUR, reason="A full reindex of a large catalogue takes an hour. A killed one never ends."
)
VIEW_WORKING_SECONDS: Final = Threshold(
    warning=HOUR, reason="A partial update takes seconds to minutes. A killed one blocks the view for ever."
)
QUEUE_FAILED: Final = Threshold(
    warning=10,
    window="1h",
    reason="Messages in error in an hour. They are not retried, so the work of each is not done.",
)
QUEUE_REDELIVERED: Final = Threshold(
    warning=50,
    window="30m",
    reason="Messages given back in half an hour. Cron's own look gives one back each minute, a consumer that "
    "crashes again and again at least another one.",
)
QUEUE_IN_PROGRESS_SECONDS: Final = Threshold(
    warning=6 * HOUR, reason="The longest export takes an hour. After six nobody works on the message."
)
BULK_FAILED: Final = Threshold(
    warning=20,
    window="1h",
    reason="Operations of bulk requests that failed within an hour. Single ones are wrong input.",
)
BULK_WAITING_SECONDS: Final = Threshold(
    warning=HOUR, reason="Bulk operations start within minutes. After an hour no consumer takes them."
)
BACKENDS_HEALTHY: Final = Threshold(
    critical=0.5, low=True, reason="With half of the web nodes the shop does not stand its evening's peak."
)
CACHE_EVICTED_RATIO: Final = Threshold(
    warning=0.25,
    window="15m",
    reason="Evicted keys for each key held. A quarter in a quarter of an hour: nothing stays for long.",
)
CACHE_KEYS: Final = 1_000
"""Keys of a cache below which evictions say nothing."""
PAGE_REQUESTS: Final = 100
"""Page requests in five minutes below which a hit ratio proves nothing."""
PURGES: Final = Threshold(
    warning=1_000,
    window="10m",
    reason="Bans in ten minutes: a mass update purges page by page, or something flushes in a loop. 2,200 "
    "prices imported on a real shop made 1,430.",
)
BANS: Final = Threshold(
    warning=10_000,
    reason="Each lookup may test every ban that is newer than the object. That costs Varnish's CPU.",
)
QUEUES_DESERTED: Final = Threshold(
    warning=1,
    window="5m",
    reason="Messages wait, and no consumer takes them. The alert waits longer than a restart.",
)
BROKER_ALARM: Final = Threshold(
    critical=1, reason="While it is raised, RabbitMQ takes no message from anybody who publishes."
)
ANY_DOWN: Final = Threshold(critical=1, reason="Its data is missing everywhere until it answers.")
ANY_DROPPED: Final = Threshold(warning=1, reason="Series are missing from the collector's answer.")

ONE_EVENT: Final = 0.5
"""At least one event in a window; ``increase`` may show one event as a little less than 1."""
CRON_JOB_FAILURES: Final = Threshold(
    warning=2.5,
    window="1h",
    reason="Three failed runs in an hour; between two and three, because increase extrapolates.",
)
CRON_JOB_MISSED: Final = Threshold(
    warning=5, window="1h", reason="A deployment misses a few runs of a job; more than five is a pattern."
)
SERIES_GROWTH_FACTOR: Final = Threshold(
    warning=2, reason="Shops grow slowly; twice the series of yesterday is a label that got new values."
)
SERIES_WORTH_A_LOOK: Final = 500
"""Series of a collector below which growth costs nothing."""

BURN_GOES_ON: Final = 0.5
"""The short window of a burn rate must be at least this bad, compared with the long one."""
STALE_GOES_ON: Final = 0.5
"""Share of the last half hour in which the storefront must have been out of date."""
STAGE_STILL_REACHED: Final = 0.5
"""A checkout step works if half as many carts reach it as a week ago, however many reach the one before."""
ORDERS_FOR_A_MEAN: Final = 10
"""Orders up to which their mean value says nothing."""

FILE_SECONDS: Final = Threshold(
    warning=25 * HOUR, reason="A sitemap or a feed is written each night; an hour is more than its job takes."
)
PROBES_SERVED_RATIO: Final = Threshold(
    warning=1.0,
    critical=0.6,
    low=True,
    reason="Every page is served in a healthy shop; half of them or fewer is no single page's fault.",
)
SUPPORT_SECONDS: Final = Threshold(
    warning=90 * DAY,
    critical=30 * DAY,
    low=True,
    reason="An upgrade of Magento takes a quarter. After the end no security fix comes.",
)
LASTING_KEYS_ADDED: Final = Threshold(
    warning=100_000,
    window="1d",
    reason="A cache that fills holds as many tags as the shop has pages; then it stays level. A leak of 2.4.9"
    " was measured at 1.8 million a day.",
)
CERTIFICATE_SECONDS: Final = Threshold(
    warning=21 * DAY,
    critical=7 * DAY,
    low=True,
    reason="Renewal is due 30 days before the end; at seven days a person has one working week.",
)

CONNECTIONS_RATIO: Final = Threshold(
    warning=0.8,
    critical=0.95,
    reason="A deploy or a flush doubles PHP's connections for a minute: a fifth must be free for it.",
)
CONNECTIONS_REFUSED_RATIO: Final = Threshold(
    critical=0.1,
    reason="One page in ten ends with 'Too many connections': most checkouts need several requests.",
)
LOCK_WAITERS: Final = Threshold(
    warning=1.0,
    critical=9.0,
    reason="A healthy wait lasts milliseconds, so a sample seldom sees one. Here every sample sees more.",
)
RUNNING_STATEMENTS: Final = Threshold(
    warning=30.0,
    reason="A healthy shop runs a few at once. Thirty at every sample are more than processors can serve.",
)
DEADLOCKS: Final = Threshold(
    warning=30.0,
    reason="Magento repeats a deadlocked order a few times. Three a minute are more than it hides.",
)
HISTORY_LENGTH: Final = Threshold(
    warning=1_000_000.0,
    reason="A reindex makes some 100,000. A million old versions slow every read of a busy table.",
)
REPLICA_LAG_SECONDS: Final = Threshold(
    warning=30.0,
    critical=300.0,
    reason="A customer who is sent to the replica does not see the cart of half a minute ago.",
)
SEARCH_DOCUMENTS_RATIO: Final = Threshold(
    warning=0.9,
    low=True,
    reason="A tenth fewer documents than at any time of the last day: more than sells out or is disabled.",
)
SEARCH_DOCUMENTS: Final = 50
"""A store with fewer products changes by a tenth with every few that are disabled."""
DISK_FREE_RATIO: Final = Threshold(
    warning=0.1,
    critical=0.01,
    low=True,
    reason="A tenth is a working day of logs. With a hundredth, temporary tables and uploads fail.",
)
DISK_FULL_IN_SECONDS: Final = Threshold(
    warning=DAY,
    critical=4 * HOUR,
    low=True,
    reason="A day leaves working hours to make room; four hours leave this shift.",
)
DISK_FORECAST_BELOW: Final = 0.4
"""The free share below which a forecast counts: a copy onto an empty disk is no trend."""
INODES_FREE_RATIO: Final = Threshold(
    warning=0.1,
    critical=0.01,
    low=True,
    reason="Sessions and caches in files use inodes long before bytes; at zero nothing can be created.",
)
REDIS_MEMORY_RATIO: Final = Threshold(
    warning=0.9,
    critical=1.0,
    reason="A server that may not evict refuses writes when it is full. A tenth lasts for some hours.",
)
OPCACHE_RESETS: Final = 10
"""Resets by hand in an hour, of all pools together: more than deploys make."""
PAGE_SECONDS: Final = Threshold(
    warning=3.0,
    critical=6.0,
    reason="Customers leave after three seconds. A healthy shop answers an uncached page within one.",
)
EDGE_ERRORS_RATIO: Final = Threshold(
    warning=0.05,
    reason="One request in twenty without an answer of the origin is more than any deploy makes.",
)
EDGE_REQUESTS: Final = 100
"""Requests in five minutes below which a share says little."""
