"""Every incident, judged. The number of alerts and minutes is not written here: it follows from the rules.

The first 55 are a list of classic incidents; those after them are our own.
"""

from __future__ import annotations

from typing import Final

from alerts.incidents.model import By, Fault, Harm, Incident, OwnTest, Simulated, Verdict

_PROBE: Final = "tests/sandbox/test_blackbox.py"
_ROUTES: Final = "tests/alerts/test_alertmanager.py"
_RULES: Final = "tests/alerts/test_promtool.py"
_FROZEN_EDGE: Final = By("MagentoProbeFailing", OwnTest(_PROBE, "test_a_frozen_edge_fails_every_probe"))
_MYSQLD: Final = "needs mysqld_exporter"
_NODE: Final = "needs node_exporter on that machine"
_FAILS: Final = (
    By("MagentoPaymentsFail", Simulated("all placements fail, 5,000 a day")),
    By("MagentoPaymentsFail", Simulated("all placements fail, 720 a day")),
)
_STOPPED: Final = (
    By("MagentoOrdersStopped", Simulated("orders stop, carts go on, 5,000 a day")),
    By("MagentoOrdersStopped", Simulated("orders stop, carts go on, 720 a day in three stores")),
    By("MagentoOrdersStopped", Simulated("orders stop, carts go on, 144 a day")),
)
_STAGE: Final = By("MagentoOrdersStopped", Fault("checkout-stalled"))


def _caught(number: int, what: str, harm: Harm, *by: By, note: str = "") -> Incident:
    return Incident(number, what, harm, Verdict.CAUGHT, by, note)


def _partly(number: int, what: str, harm: Harm, *by: By, because: str) -> Incident:
    return Incident(number, what, harm, Verdict.PARTLY, by, because)


def _not_seen(number: int, what: str, harm: Harm, because: str) -> Incident:
    return Incident(number, what, harm, Verdict.NOT_SEEN, (), because)


_SERVERS: Final = (
    _caught(
        1,
        "MariaDB is dead or frozen",
        Harm.STOPS,
        By("MagentoBackendDown", Fault("database-killed")),
        By("MagentoBackendDown", Fault("database-down")),
    ),
    _caught(
        2,
        "MariaDB has too many connections",
        Harm.STOPS,
        By("MagentoDatabaseRefusesConnections", Fault("connections-full")),
        By("MagentoBackendsSick"),
        note=f"The first {_MYSQLD}; MagentoDatabaseConnectionsHigh fires before. Without it, health checks "
        "must fail on every node in a row.",
    ),
    _caught(3, "Redis is dead", Harm.STOPS, By("MagentoBackendDown", Fault("redis-down"))),
    _caught(
        4,
        "The session Redis is full (`noeviction`)",
        Harm.STOPS,
        By("MagentoSessionWritesRefused", Fault("redis-full")),
    ),
    _caught(
        5,
        "Varnish is dead",
        Harm.STOPS,
        By("MagentoBackendDown", Fault("varnish-down")),
        _FROZEN_EDGE,
    ),
    _caught(
        6,
        "All web nodes fail the health check",
        Harm.STOPS,
        By("MagentoBackendsSick", Fault("backend-sick")),
    ),
    _partly(
        7,
        "The shop is stuck in maintenance mode",
        Harm.STOPS,
        By("MagentoMaintenanceForgotten", Fault("maintenance")),
        because="It calls after half an hour: before, it may be an upgrade. Where the exporter does not see "
        "the flag, MagentoProbeFailing calls after three minutes.",
    ),
)

_SELLING: Final = (
    _caught(
        8,
        "The payment gateway is down completely",
        Harm.STOPS,
        *_FAILS,
        By("MagentoPaymentsFail", Fault("payment-declined")),
    ),
    _caught(
        9,
        "The main payment method is down, others work",
        Harm.STOPS,
        By("MagentoPaymentsFail", Simulated("main method dead, failures visible, 5,000 a day")),
        By("MagentoPaymentMethodDead", Simulated("main method dead, nothing visible, 5,000 a day")),
        By("MagentoPaymentMethodDead", Simulated("main method dead, nothing visible, 720 a day")),
        note="A method with less than 30 % of the orders is no main method: MagentoPaymentMethodQuiet.",
    ),
    _caught(
        10,
        "RabbitMQ is dead, with AMQP configured",
        Harm.STOPS,
        By("MagentoBackendDown", Fault("rabbitmq-down")),
        note="From Magento 2.4.5 on. Older versions sell without it: MagentoSourceDown, a warning.",
    ),
    _caught(
        11,
        "The search engine is down or read-only",
        Harm.STOPS,
        By("MagentoSearchDown", Fault("search-down")),
        By("MagentoSearchReadOnly", Fault("search-readonly")),
        By("MagentoIndexerInvalid", Fault("indexer-invalid")),
        By("MagentoNobodyComes", Fault("no-traffic")),
        note="The first two need elasticsearch_exporter; read-only stops no search, so it is urgent. Empty "
        "categories stay in the page cache afterwards, and a probe of a cached category stays green.",
    ),
    _caught(
        12,
        "The certificate has expired",
        Harm.STOPS,
        _FROZEN_EDGE,
        By("MagentoCertificateExpiring", OwnTest(_PROBE, "test_it_knows_when_the_certificate_ends")),
        note="The second fires three weeks before the end, so the first should never be needed.",
    ),
    _caught(13, "DNS or the CDN fails", Harm.STOPS, _FROZEN_EDGE, note="With a prober outside the network."),
    _caught(
        14,
        "The only server is dead, and the exporter with it",
        Harm.STOPS,
        _FROZEN_EDGE,
        By("MagentoExporterDown"),
        By("MagentoExporterUnreachable", Fault("exporter-down")),
        note="Without a probe the second one calls.",
    ),
    _caught(
        15,
        "One of three web nodes is broken",
        Harm.COSTS,
        By("MagentoBackendSick"),
        By("MagentoBackendsSick"),
        note="With Varnish only. The second fires if it is half of the nodes or more.",
    ),
)

_LOAD: Final = (
    _caught(
        16,
        "PHP-FPM is at `max_children`: the checkout is slow, without errors",
        Harm.STOPS,
        By("MagentoPhpFull", Fault("php-full")),
        By("MagentoPagesSlow"),
        By("MagentoProbeFailing", OwnTest(_PROBE, "test_what_the_cache_hides_the_uncached_pages_show")),
        By("MagentoBackendsSick", Fault("backend-sick")),
        note="The first needs php-fpm_exporter, the second the probe.",
    ),
    _caught(
        17,
        "The disk is full (`var/log`, `var/report`)",
        Harm.STOPS,
        By("MagentoDiskFull", Fault("disk-full")),
        note=f"It {_NODE}. MagentoDiskFilling and MagentoInodesLow fire before.",
    ),
    _caught(
        18,
        "MariaDB's `tmpdir` or `/dev/shm` is full",
        Harm.STOPS,
        By("MagentoDiskFull", Fault("disk-full")),
        *_FAILS,
        note=f"The first {_NODE}, for `/dev/shm` with the flag of [the tutorial](tutorial.md). Played on a "
        "file system in memory. Without it, only once orders fail, and as a matter of payment.",
    ),
    _caught(
        19,
        "A long transaction, a metadata lock or a backup locks tables",
        Harm.STOPS,
        By("MagentoDatabaseBlocked", Fault("locks-held")),
        *_FAILS,
        By("MagentoDatabaseSlow", Fault("slow-database")),
        note=f"The first {_MYSQLD}, and counts the waits for rows. The last one is urgent. It also counts "
        "statements that wait for a metadata lock.",
    ),
    _caught(
        20,
        "Deadlocks at the peak",
        Harm.COSTS,
        By("MagentoPaymentsFail", Simulated("35 % fail, 5,000 a day")),
        By("MagentoFailedPlacementsUnusual"),
        note="Both runbooks lead to the locks. Less than twice the usual share is not seen.",
    ),
    _caught(
        21,
        "Static files are missing, or JavaScript is broken, after a deploy",
        Harm.STOPS,
        *_STOPPED,
        _STAGE,
        note="MagentoCheckoutStageFailing names the step. If only some browsers fail, MagentoOrdersLow fires "
        "after hours.",
    ),
    _caught(
        22,
        "A carrier's or a tax service is down",
        Harm.STOPS,
        *_STOPPED,
        _STAGE,
        note="MagentoCheckoutStageFailing names the step. If another carrier is left, MagentoOrdersLow fires "
        "after hours.",
    ),
    _caught(
        23,
        "Session locks, or a broken login",
        Harm.COSTS,
        By("MagentoCustomersQuiet"),
        By("MagentoPhpFull", Fault("php-full")),
        note="The first needs about 13 expected orders an hour by customers with an account. "
        "Who is logged in orders until the session ends. The second needs php-fpm_exporter or `php.pools`. "
        "It sees requests that wait for their session.",
    ),
    _caught(
        24,
        "Bots crawl the layered navigation",
        Harm.COSTS,
        By("MagentoPagesSlow"),
        By("MagentoPhpFull", Fault("php-full")),
        By("MagentoPageCacheHitRatioCollapsed", Fault("page-uncacheable")),
        note="It costs sales from when pages are slow, and then the first two fire. The last is a warning "
        "before that, with Varnish only.",
    ),
    _not_seen(
        25,
        "The page cache of Fastly, or Magento's own, has collapsed",
        Harm.COSTS,
        "Fastly's hits and misses are shown, not judged: they have static files in them. Magento's own cache "
        "counts nothing.",
    ),
    _caught(
        26,
        "The page cache is flushed in a loop, or bans pile up",
        Harm.WAITS,
        By("MagentoPageCacheFlushStorm", Fault("ban-storm")),
        By("MagentoPageCacheBansPiledUp", Fault("ban-storm")),
        By("MagentoPageCacheHitRatioCollapsed", Fault("cache-flushed")),
        note="Varnish only. A shop that no longer serves because of it fails the probe.",
    ),
    _caught(
        27,
        "OPcache is full, or is reset all the time",
        Harm.COSTS,
        By("MagentoOpcacheFull", Fault("opcache-full")),
        note="With `php.pools` in the exporter's settings. Resets by hand count beyond ten in an hour.",
    ),
)

_BACKGROUND: Final = (
    _caught(28, "Cron has stopped", Harm.COSTS, By("MagentoCronStopped", Fault("cron-stopped"))),
    _caught(
        29,
        "A cron job hangs",
        Harm.WAITS,
        By("MagentoCronLagging", Fault("cron-job-stuck")),
        By("MagentoCronJobMissed", Fault("cron-job-stuck")),
        By("MagentoCronJobOverrunning", Fault("cron-job-stuck")),
    ),
    _caught(
        30,
        "The table `cron_schedule` has grown far too large",
        Harm.WAITS,
        By("MagentoCronTableBloated", Fault("cron-bloat")),
    ),
    _caught(
        31,
        "`catalogrule_apply_all` has failed before the sale",
        Harm.COSTS,
        By("MagentoCronDailyJobFailed", OwnTest(_RULES, "test_a_job_that_makes_prices_is_urgent")),
        By("MagentoCronJobNeverRan", OwnTest(_RULES, "test_a_job_that_makes_prices_is_urgent")),
        note="A job is judged from when it was due. The second fires if nothing started it.",
    ),
    _caught(
        32,
        "An index is invalid or stuck, or its changelog is lost",
        Harm.COSTS,
        By("MagentoIndexerInvalid", Fault("indexer-invalid")),
        By("MagentoIndexerViewStuck", Fault("indexer-stuck")),
        By("MagentoIndexerStuck", Fault("indexer-stuck")),
        By("MagentoIndexerVersionAhead", Fault("changelog-reset")),
        By("MagentoIndexerChangelogMissing"),
    ),
    _caught(
        33,
        "The price index is valid, but wrong or empty",
        Harm.STOPS,
        By("MagentoPricesMissing", Fault("prices-missing")),
        note="If nine of ten products of a website have no price left, or 0. Incident 42 has the others.",
    ),
    _caught(
        34,
        "Consumers are dead",
        Harm.WAITS,
        By("MagentoConsumerDead", Fault("consumer-dead-amqp")),
        By("MagentoQueueStalled", Fault("consumer-dead")),
        note="With queues in the database only the age of the messages shows it.",
    ),
    _caught(
        35,
        "A consumer eats memory and is killed",
        Harm.WAITS,
        By("MagentoQueueRedelivering"),
        By("MagentoQueueMessageAbandoned"),
        note="The second is for queues in the database.",
    ),
    _not_seen(
        36,
        "Stock reservations drift, and goods are oversold",
        Harm.COSTS,
        "A reservation names its order in a text without an index: a comparison reads the whole table.",
    ),
    _caught(
        37,
        "E-mails about orders are not sent",
        Harm.WAITS,
        By("MagentoOrderEmailsUnsent", Fault("emails-unsent")),
    ),
    _not_seen(
        38,
        "The local mail server accepts e-mails and loses them",
        Harm.WAITS,
        "Magento counts them as sent, and nothing follows them further.",
    ),
    _caught(
        39,
        "Orders are missing from the admin's list",
        Harm.WAITS,
        By("MagentoOrdersMissingFromGrid", Fault("grid-missing")),
    ),
    _caught(
        40,
        "The provider's webhook is down, and paid orders are cancelled after eight hours",
        Harm.COSTS,
        By("MagentoPaymentsUnconfirmed"),
        note="Where orders wait in the state `pending_payment`, at 25 orders an hour of which 60 % wait. "
        "MagentoOrdersUndone fires when Magento cancels them.",
    ),
    _caught(
        41,
        "The export to the ERP is dead, and orders are not shipped",
        Harm.WAITS,
        By("MagentoShipmentsStopped"),
        By("MagentoCronJobFailing", Fault("cron-job-failing")),
        By("MagentoQueueStalled", Fault("consumer-dead")),
        note="The first compares with last week, from 20 shipments in half a day on. The others fire if "
        "it is "
        "a cron job or a consumer.",
    ),
    _partly(
        42,
        "Prices are wrong by half, or a coupon has leaked",
        Harm.COSTS,
        By("MagentoOrderValueUnusual"),
        because="Only beyond a factor of three. Discounts have no alert.",
    ),
    _caught(43, "A wave of cancellations or refunds", Harm.WAITS, By("MagentoOrdersUndone")),
    _caught(
        44,
        "The sitemap or a feed is not written",
        Harm.WAITS,
        By("MagentoFileStale", OwnTest(_PROBE, "test_it_knows_when_a_file_was_written")),
        By("MagentoCronDailyJobFailed"),
        note="The first needs the probe's page `sitemap` or `feed`. The second fires if the cron job fails.",
    ),
    _caught(
        45,
        "`noindex`, or `Disallow: /`, is live",
        Harm.WAITS,
        By(
            "MagentoSearchEnginesShutOut",
            OwnTest(_PROBE, "test_a_shop_that_shuts_search_engines_out_is_found"),
        ),
        note="With the probe's pages `robots` and `indexable`: the home page stands for all.",
    ),
    _not_seen(46, "The backup is missing or old", Harm.WAITS, "Nothing reads backups."),
    _caught(
        47,
        "A replica of the database lags",
        Harm.COSTS,
        By("MagentoReplicaLagging", Fault("replica-lagging")),
        By("MagentoReplicaStopped", Fault("replica-stopped")),
        note="Both need mysqld_exporter beside the replica.",
    ),
    _caught(
        48,
        "The cache Redis is full: tags are evicted, or writes refused",
        Harm.COSTS,
        By("MagentoCacheWritesRefused"),
        By("MagentoCacheEvicting"),
        note="Refused writes need Redis 6.2 or later. A few evictions are not seen as a fault.",
    ),
)

_SECURITY: Final = (
    _caught(
        49,
        "Stolen cards are tried out",
        Harm.WAITS,
        By("MagentoCarding", Fault("carding")),
        note="Its receiver is notified at any hour.",
    ),
    _caught(
        50,
        "A skimmer in a CMS block or in `core_config_data`, or a new admin user",
        Harm.COSTS,
        By("MagentoScriptAdded", Fault("script-added")),
        By("MagentoAdminAdded", Fault("admin-added")),
        note="A script in a CMS page, a CMS block, or the settings of head and footer. One in an attribute "
        "of a product, in a file, or behind an `onload`, is not seen.",
    ),
    _caught(
        51,
        "An admin's password is guessed",
        Harm.COSTS,
        By("MagentoAdminLoginsFailing", Fault("admin-guessed")),
        note="Only for names that an account has, and while Magento counts failed logins (its default).",
    ),
    _partly(
        52,
        "Stolen passwords are tried out, or accounts are registered by the thousand",
        Harm.COSTS,
        By("MagentoRegistrationsUnusual", Fault("registrations-flood")),
        because="Registrations only. Magento keeps a customer's failed logins in a column without an index.",
    ),
    _caught(
        53,
        "A security patch is missing",
        Harm.WAITS,
        By("MagentoSecurityPatchMissing"),
        note="As far as the installed exporter knows patches. Mage-OS and older lines are not known.",
    ),
    _caught(
        54,
        "The exporter is gone, or its target has vanished",
        Harm.COSTS,
        By("MagentoExporterUnreachable", Fault("exporter-down")),
        By("MagentoExporterVanished"),
        By("MagentoExporterMissing"),
    ),
    _caught(
        55,
        "Prometheus or Alertmanager is dead",
        Harm.COSTS,
        By("MagentoWatchdog", OwnTest(_ROUTES, "test_the_dead_man_hears_the_watchdog_every_minute")),
        note="Only with a dead-man receiver. The minutes are that receiver's.",
    ),
)

_MORE: Final = (
    _caught(
        56,
        "One page of the shop, such as GraphQL, fails",
        Harm.COSTS,
        By("MagentoProbePageFailing", Fault("page-failing")),
        By("MagentoProbePageFailing", OwnTest(_PROBE, "test_what_the_cache_hides_the_uncached_pages_show")),
    ),
    _caught(
        57,
        "The shop answers 200, but with another page",
        Harm.STOPS,
        By("MagentoProbeFailing", OwnTest(_PROBE, "test_an_answer_of_200_that_is_another_page_is_a_failure")),
    ),
    _caught(
        58,
        "A bulk request is not started",
        Harm.WAITS,
        By("MagentoConsumerDead", Fault("bulk-stuck")),
        By("MagentoBulkNotStarted", Fault("bulk-stuck")),
    ),
    _caught(
        59,
        "Messages of a queue fail and are not tried again",
        Harm.WAITS,
        By("MagentoQueueMessagesFailing", Fault("queue-errors")),
    ),
    _caught(
        60,
        "RabbitMQ blocks publishers: its memory or disk alarm is raised",
        Harm.STOPS,
        By("MagentoBrokerBlocksPublishers", Fault("broker-alarm")),
        note="From Magento 2.4.5 on.",
    ),
)

INCIDENTS: Final = (*_SERVERS, *_SELLING, *_LOAD, *_BACKGROUND, *_SECURITY, *_MORE)
