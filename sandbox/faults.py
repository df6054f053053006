"""The faults that can be switched on while the sandbox runs: one registry for those who act on them.

A fault is on while the file `faults/<name>` exists in the sandbox's state directory, so that any
program, a shell included, can switch it. `SERVERS` are acted on by the demo, `SHOP` by the simulation.
"""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from sandbox.errors import SandboxError


class Actor(Enum):
    """Who makes a fault real."""

    SERVERS = "servers"
    SHOP = "shop"


@dataclass(frozen=True)
class Fault:
    """One thing that can go wrong, and what an observer then sees."""

    name: str
    description: str
    actor: Actor
    symptoms: str


# Sorted by name; those of the servers first.
FAULTS: tuple[Fault, ...] = (
    Fault(
        "broker-alarm",
        "RabbitMQ is out of memory and blocks publishers; the simulated shoppers buy on without it",
        Actor.SERVERS,
        'magento_queue_broker_alarm{resource="memory"} is 1; nothing new is published',
    ),
    Fault(
        "certificate-expiring",
        "the shop's certificate ends in half a day, and nobody renews it",
        Actor.SERVERS,
        "probe_ssl_earliest_cert_expiry is near",
    ),
    Fault(
        "connections-full",
        "clients take every free connection of MariaDB and ask for more",
        Actor.SERVERS,
        'mysql_global_status_connection_errors_total{error="max_connections"} rises',
    ),
    Fault(
        "database-down",
        "MariaDB is frozen: connections are accepted and never answered",
        Actor.SERVERS,
        'magento_source_up{source="database"} is 0; series read from it go stale; queries pile up',
    ),
    Fault(
        "database-killed",
        "MariaDB is dead: connections are refused",
        Actor.SERVERS,
        'magento_source_up{source="database"} is 0; mysql_up is 0',
    ),
    Fault(
        "disk-filling",
        "a file grows on a small disk until it is nearly full",
        Actor.SERVERS,
        "node_filesystem_avail_bytes falls in a straight line",
    ),
    Fault(
        "disk-full",
        "a small disk has no byte left",
        Actor.SERVERS,
        "node_filesystem_avail_bytes is 0",
    ),
    Fault(
        "exporter-down",
        "the Magento exporter is dead",
        Actor.SERVERS,
        'up{job="magento"} is 0; every magento_ series ends',
    ),
    Fault(
        "locks-held",
        "a transaction holds the lock of a row for which others wait",
        Actor.SERVERS,
        "mysql_global_status_innodb_row_lock_current_waits stays above 1",
    ),
    Fault(
        "rabbitmq-down",
        "RabbitMQ is dead",
        Actor.SERVERS,
        'magento_source_up{source="rabbitmq"} is 0; queue series with broker "rabbitmq" end',
    ),
    Fault(
        "redis-down",
        "Redis is dead: cache, page cache and sessions are lost and out of reach",
        Actor.SERVERS,
        'magento_source_up{source="redis"} is 0; redis_up is 0',
    ),
    Fault(
        "redis-full",
        "Redis is full and refuses writes; the simulated shoppers buy on without a session",
        Actor.SERVERS,
        "magento_redis_refused_writes_total rises; no new session is kept",
    ),
    Fault(
        "replica-lagging",
        "the replica receives everything and applies nothing",
        Actor.SERVERS,
        "mysql_slave_status_seconds_behind_master grows",
    ),
    Fault(
        "replica-stopped",
        "somebody stopped the replica",
        Actor.SERVERS,
        "both threads are 0, and mysql_slave_status_seconds_behind_master is gone",
    ),
    Fault(
        "search-alias-missing",
        "the alias of the first store's product index is lost",
        Actor.SERVERS,
        "magento_search_alias_missing is 1 for one store",
    ),
    Fault(
        "search-down",
        "the search engine is dead",
        Actor.SERVERS,
        'magento_source_up{source="search"} is 0',
    ),
    Fault(
        "search-drift",
        "a reindex made an index with a third of the products missing",
        Actor.SERVERS,
        "magento_search_index_documents falls with a new version",
    ),
    Fault(
        "search-readonly",
        "the product indexes accept no changes, as after a full disk",
        Actor.SERVERS,
        "magento_search_index_read_only is 1",
    ),
    Fault(
        "sentinel-no-quorum",
        "one of two Sentinels is dead",
        Actor.SERVERS,
        "redis_sentinel_master_ckquorum_status is 0",
    ),
    Fault(
        "slow-database",
        "forty long statements run at once",
        Actor.SERVERS,
        "mysql_global_status_threads_running stays above 40",
    ),
    Fault(
        "storefront-down",
        "Varnish is frozen: the storefront accepts connections and never answers",
        Actor.SERVERS,
        'every probe from outside fails; magento_source_up{source="varnish"} is 0 soon after',
    ),
    Fault(
        "varnish-down",
        "Varnish is dead: the storefront refuses connections",
        Actor.SERVERS,
        'magento_source_up{source="varnish"} is 0; nobody can shop',
    ),
    Fault(
        "admin-added",
        "somebody has made an admin account, and nobody knows of it",
        Actor.SHOP,
        "magento_admin_users rises",
    ),
    Fault(
        "admin-guessed",
        "a program guesses the password of an admin, twice a second",
        Actor.SHOP,
        "magento_admin_failed_logins rises",
    ),
    Fault(
        "backend-sick",
        "the origin answers Varnish's health check with 503",
        Actor.SHOP,
        "Varnish's probe of the backend fails; cached pages hide it, passed pages are 503",
    ),
    Fault(
        "backlog-growing",
        "nobody starts cron group index while an import touches two thousand products a second",
        Actor.SHOP,
        "magento_indexer_backlog grows; views stay idle; the group's pending jobs are overdue",
    ),
    Fault(
        "ban-storm",
        "hundreds of tags are banned every second",
        Actor.SHOP,
        "Varnish's list of bans grows; the hit ratio falls",
    ),
    Fault(
        "bulk-stuck",
        "nobody consumes async.operations.all",
        Actor.SHOP,
        "open bulk operations pile up; the queue has messages and no consumer",
    ),
    Fault(
        "cache-flushed",
        "the whole page cache is banned every two seconds",
        Actor.SHOP,
        "the page cache's hit ratio collapses; PHP-FPM is busy",
    ),
    Fault(
        "carding",
        "stolen cards are tried: sixty and more declined guest checkouts a minute from one address",
        Actor.SHOP,
        "placement attempts by guests and consumed order numbers outrun orders",
    ),
    Fault(
        "changelog-reset",
        "a view's version is ahead of its changelog, as after a truncation by hand",
        Actor.SHOP,
        "the view stays idle with backlog 0 and indexes nothing",
    ),
    Fault(
        "checkout-stalled",
        "nobody gets past the choice of a shipping method",
        Actor.SHOP,
        "stage payment_method and orders stop; stage shipping_method goes on",
    ),
    Fault(
        "consumer-dead",
        "the consumers of the MySQL transport are dead",
        Actor.SHOP,
        'messages with broker "mysql" wait and grow old',
    ),
    Fault(
        "consumer-dead-amqp",
        "the consumers of RabbitMQ are dead",
        Actor.SHOP,
        'messages with broker "rabbitmq" are ready and nobody consumes',
    ),
    Fault(
        "cron-bloat",
        "a removed module's rows fill cron_schedule and nothing is cleaned",
        Actor.SHOP,
        "cron_schedule has tens of thousands of rows, and more every second",
    ),
    Fault(
        "cron-job-failing",
        "one job (catalog_product_outdated_price_values_cleanup) throws at every run",
        Actor.SHOP,
        "its runs end in error",
    ),
    Fault(
        "cron-job-stuck",
        "one job (catalog_product_frontend_actions_flush) hangs",
        Actor.SHOP,
        "it stays running; its later runs are missed",
    ),
    Fault(
        "cron-stopped",
        "nobody starts cron:run",
        Actor.SHOP,
        "the last execution grows old; pending jobs are overdue",
    ),
    Fault(
        "emails-unsent",
        "order e-mails are not sent any more",
        Actor.SHOP,
        "orders wait for their e-mail",
    ),
    Fault(
        "file-exposed",
        "the web server serves app/etc/env.php as text",
        Actor.SHOP,
        'probe_success{page="exposed_env"} is 1',
    ),
    Fault(
        "grid-missing",
        "new orders do not reach the admin's grid",
        Actor.SHOP,
        "orders are missing in the grid",
    ),
    Fault(
        "indexer-invalid",
        "the reindex of catalogrule_product throws every time",
        Actor.SHOP,
        "the indexer is invalid over and over; indexer_reindex_all_invalid ends in error at every run",
    ),
    Fault(
        "indexer-stuck",
        "a killed process left catalog_product_price and its view working",
        Actor.SHOP,
        "state working with an old time of change; its backlog grows",
    ),
    Fault(
        "maintenance",
        "the shop is in maintenance mode",
        Actor.SHOP,
        "uncached pages are 503; no carts, no orders",
    ),
    Fault(
        "no-traffic",
        "nobody visits",
        Actor.SHOP,
        "no requests, no carts, no orders",
    ),
    Fault(
        "opcache-full",
        "PHP uses more files than OPcache has room for",
        Actor.SHOP,
        "magento_opcache_full is 1",
    ),
    Fault(
        "orders-stuck-pending-payment",
        "payment confirmations do not arrive and sales_clean_orders fails",
        Actor.SHOP,
        "orders in pending_payment pile up, the oldest more than a day old",
    ),
    Fault(
        "page-uncacheable",
        "every page is sent as not cacheable",
        Actor.SHOP,
        "the page cache's hit ratio collapses",
    ),
    Fault(
        "page-failing",
        "GraphQL answers with 500, and all other pages are well",
        Actor.SHOP,
        'probe_success{page="graphql"} is 0',
    ),
    Fault(
        "payment-declined",
        "placements are declined: all, or those of the methods named in the switch's file",
        Actor.SHOP,
        "carts reach their payment method and do not become orders; order numbers are lost",
    ),
    Fault(
        "payment-method-quiet",
        "nobody uses one method (paypal_express, or those named in the switch's file)",
        Actor.SHOP,
        "orders of that method stop; the others go on",
    ),
    Fault(
        "php-full",
        "every page that no cache answers takes twenty seconds, as if a service hung",
        Actor.SHOP,
        "magento_php_fpm_exhausted is 1; requests wait for a worker",
    ),
    Fault(
        "prices-missing",
        "an import made all prices 0, in the index too",
        Actor.SHOP,
        "magento_price_index_products falls to 0",
    ),
    Fault(
        "queue-errors",
        "every message of the MySQL transport fails",
        Actor.SHOP,
        "messages with state error",
    ),
    Fault(
        "registrations-flood",
        "accounts are registered by the hundred",
        Actor.SHOP,
        "new customers far above the usual",
    ),
    Fault(
        "script-added",
        "somebody has put a script into the footer of every page",
        Actor.SHOP,
        'magento_script_tags{place="cms_block"} rises',
    ),
    Fault(
        "search-zero-results",
        "no search finds anything",
        Actor.SHOP,
        "searches without results",
    ),
)


def find(name: str) -> Fault:
    """Return the fault called `name`, or raise with the names there are."""
    for fault in FAULTS:
        if fault.name == name:
            return fault
    raise SandboxError(f"no fault is called {name!r}; there are {', '.join(fault.name for fault in FAULTS)}")


def switch_on(state: Path, name: str) -> None:
    """Switch the fault on in the sandbox whose state directory is given."""
    switch = _switch(state, name)
    switch.parent.mkdir(parents=True, exist_ok=True)
    switch.touch()


def switch_off(state: Path, name: str) -> None:
    """Switch the fault off; harmless when it is not on."""
    _switch(state, name).unlink(missing_ok=True)


def switched_on(state: Path, actor: Actor | None = None) -> frozenset[str]:
    """Return the names of the faults that are on, of one actor or of all."""
    return frozenset(
        fault.name for fault in FAULTS if actor in (None, fault.actor) and _switch(state, fault.name).exists()
    )


def _switch(state: Path, name: str) -> Path:
    return state / "faults" / find(name).name
