"""The living shop: every cycle of Magento's runs, and every fault shows, and goes when it is switched off."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import redis

from exporter.magento.locks import LOCKS
from sandbox import events
from sandbox.faults import FAULTS, Actor
from sandbox.servers.mariadb import MariaDB
from sandbox.servers.rabbitmq import RabbitMQ
from sandbox.servers.redis import DATABASES, Redis
from sandbox.servers.storefront import Storefront
from sandbox.shop import Shop, install, magento
from sandbox.shop.builders.people import CARDING_ADDRESS
from sandbox.shop.simulation import Endpoints, Faults, Pace, World, everything, run_all
from sandbox.shop.simulation.cron import BLOATING_JOB, FAILING_JOB, STUCK_JOB
from sandbox.shop.simulation.indexing import INVALID_INDEXER, RESET_VIEW, STUCK_INDEXER
from tests.harness.limits import LONG

WWW = Path("sandbox/shop/www")
SPEED = 60.0


@dataclass
class Living:
    """A shop that lives, and the truth about it."""

    shop: Shop
    faults: Path
    varnish: Storefront | None = None
    rabbitmq: RabbitMQ | None = None
    vhost: str = ""
    directory: Path = Path()

    def value(self, statement: str, *parameters: object) -> Any:
        return self.shop.database.value(statement, parameters or None)

    def now(self) -> Any:
        return self.value("SELECT UTC_TIMESTAMP()")

    def eventually(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + LONG
        while not condition():
            assert time.monotonic() < deadline, f"waited without success: {what}"
            time.sleep(0.1)

    def switch(self, name: str, *, on: bool) -> None:
        if on:
            (self.faults / name).touch()
        else:
            (self.faults / name).unlink(missing_ok=True)


@pytest.fixture(scope="module")
def living(mariadb: MariaDB, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    """A shop at sixty times the pace on nothing but its database."""
    yield from live(mariadb, tmp_path_factory.mktemp("shop"), {})


def live(mariadb: MariaDB, state: Path, endpoints: dict[str, Any]) -> Iterator[Living]:
    name = f"shop_{uuid4().hex[:12]}"
    mariadb.execute(f"CREATE DATABASE {name}")
    database = {"socket": str(mariadb.socket), "user": "root", "name": name, "prefix": "m_"}
    (state / "faults").mkdir(exist_ok=True)
    world = World(
        Endpoints(database, **endpoints), Faults(state / "faults"), Pace(SPEED), orders_per_minute=120
    )
    try:
        with mariadb.connect(name) as connection:
            shop = install(connection, prefix="m_")
            runner = threading.Thread(target=run_all, args=(world, everything(world)))
            runner.start()
            try:
                yield Living(shop, state / "faults")
            finally:
                world.stopping.set()
                runner.join()
    finally:
        mariadb.execute(f"DROP DATABASE {name}")


# --- health -----------------------------------------------------------------------------------------


def test_the_cron_plans_runs_and_cleans(living: Living) -> None:
    def states() -> set[str]:
        return {row[0] for row in living.shop.database.rows("SELECT DISTINCT status FROM {cron_schedule}")}

    living.eventually(lambda: {"pending", "success"} <= states(), "jobs are planned and run")
    living.eventually(
        lambda: (
            living.value(
                "SELECT COUNT(*) FROM {cron_schedule}"
                " WHERE job_code = 'newsletter_send_all' AND status = 'success'"
            )
            >= 2
        ),
        "a job of every five minutes has run twice",
    )
    ahead = living.value(
        "SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), MAX(scheduled_at)) FROM {cron_schedule}"
    )
    nonsense = living.value(
        "SELECT COUNT(*) FROM {cron_schedule} WHERE (status = 'success' AND finished_at < executed_at)"
        " OR (status = 'pending' AND executed_at IS NOT NULL)"
    )
    assert 0 < ahead <= 20
    assert nonsense == 0
    living.eventually(
        lambda: living.value(
            "SELECT MIN(scheduled_at) > UTC_TIMESTAMP() - INTERVAL 75 SECOND FROM {cron_schedule}"
            " WHERE status = 'success'"
        ),
        "successes older than an hour of Magento's are gone",
    )


def test_shoppers_reach_every_stage_and_buy(living: Living) -> None:
    def funnel() -> tuple[int, ...]:
        return tuple(
            living.value(statement)
            for statement in (
                "SELECT COUNT(*) FROM {quote} WHERE items_count = 0",
                "SELECT COUNT(*) FROM {quote_address} WHERE shipping_method IS NOT NULL",
                "SELECT COUNT(*) FROM {quote_payment} WHERE method IS NOT NULL",
                "SELECT COUNT(*) FROM {quote} WHERE is_active = 1 AND items_count > 0",
                "SELECT COUNT(*) FROM {sales_order}",
                "SELECT COUNT(*) FROM {quote} WHERE customer_id IS NOT NULL",
                "SELECT COUNT(*) FROM {quote} WHERE is_virtual = 1",
            )
        )

    living.eventually(lambda: all(funnel()), "all stages")
    living.eventually(
        lambda: living.value("SELECT COUNT(DISTINCT state) FROM {sales_order}") >= 4, "orders in many states"
    )


def test_a_saved_product_is_indexed(living: Living) -> None:
    view = magento.INDEXERS["catalog_product_price"].view

    def versions() -> tuple[Any, ...]:
        return living.shop.database.row(
            f"SELECT COALESCE((SELECT MAX(version_id) FROM {{{view}_cl}}), 0), version_id"
            " FROM {mview_state} WHERE view_id = %s",
            (view,),
        )

    living.shop.customers.save_product(5)
    newest = versions()[0]
    assert newest > 0
    living.eventually(lambda: versions()[1] >= newest, "the view's version reaches the change")


def test_messages_and_operations_are_completed(living: Living) -> None:
    published = living.shop.messages.publish("export", 2)
    uuid = living.shop.messages.start_bulk(2)

    living.eventually(
        lambda: (
            living.value("SELECT status FROM {queue_message_status} WHERE id = %s", published[-1])
            == magento.MESSAGE_COMPLETE
        ),
        "the message is complete",
    )
    living.eventually(
        lambda: living.value(
            "SELECT MIN(status) = MAX(status) AND MAX(status) = %s FROM {magento_operation}"
            " WHERE bulk_uuid = %s",
            magento.OPERATION_COMPLETE,
            uuid,
        ),
        "the bulk is complete",
    )


def test_cron_and_consumers_hold_magentos_named_locks(living: Living) -> None:
    seen: set[str] = set()

    def holders() -> frozenset[str]:
        named = [(kind, name, f"CONCAT(DATABASE(), '|{lock}')") for kind, name, lock in LOCKS]
        found = living.shop.database.row("SELECT " + ", ".join(f"IS_USED_LOCK({lock})" for *_, lock in named))
        held = {(kind, name) for (kind, name, _), holder in zip(named, found, strict=True) if holder}
        seen.update(kind for kind, _ in held)
        return frozenset(name for kind, name in held if kind == "consumer")

    alive = {"exportProcessor", "product_alert", "codegeneratorProcessor", "async.operations.all"}
    living.eventually(lambda: holders() == alive, "each consumer holds its lock")
    living.eventually(lambda: holders() and {"cron_group", "cron_job"} <= seen, "cron holds its locks")
    living.switch("consumer-dead", on=True)
    living.eventually(lambda: holders() == {"async.operations.all"}, "dead consumers hold nothing")
    living.switch("consumer-dead", on=False)
    living.eventually(lambda: holders() == alive, "each consumer holds its lock again")


# --- faults that show in the database ----------------------------------------------------------------


@dataclass(frozen=True)
class Symptom:
    """What shows while the fault is on, and what shows again after; both get the moment of switching."""

    fault: str
    shows: Callable[[Living, Any], object]
    gone: Callable[[Living, Any], object]


def asks(statement: str, *parameters: object) -> Callable[[Living, Any], object]:
    """Return a check by SQL; `%(since)s` is the moment of switching."""

    def check(living: Living, since: Any) -> object:
        text = statement.replace("%(since)s", f"'{since}'")
        return living.shop.database.value(text, parameters or None)

    return check


LAST_RUN = "(SELECT MAX(executed_at) FROM {cron_schedule})"
REINDEX_JOB = "indexer_reindex_all_invalid"
VIEWS_JOB = "indexer_update_all_views"
VIEW_OF_STUCK = magento.INDEXERS[STUCK_INDEXER].view
BACKLOG = (
    "(SELECT COALESCE(MAX(version_id), 0) FROM {catalog_product_price_cl}) - CAST((SELECT version_id"
    " FROM {mview_state} WHERE view_id = 'catalog_product_price') AS SIGNED)"
)
NEW_ORDERS = "(SELECT COUNT(*) FROM {sales_order} WHERE created_at > %(since)s + INTERVAL 2 SECOND)"
NEW_PAYMENTS = (
    "(SELECT COUNT(*) FROM {quote_payment} p JOIN {quote} q ON q.entity_id = p.quote_id"
    " WHERE q.created_at > %(since)s + INTERVAL 1 SECOND)"
)
PAYPAL = (
    "(SELECT COUNT(*) FROM {sales_order_payment} p JOIN {sales_order} o ON o.entity_id = p.parent_id WHERE "
)
WAITING_EMAILS = (
    "(SELECT COUNT(*) FROM {sales_order} WHERE send_email = 1 AND email_sent IS NULL"
    " AND created_at < UTC_TIMESTAMP() - INTERVAL 4 SECOND)"
)
MISSING_ROWS = (
    "(SELECT COUNT(*) FROM {sales_order} o LEFT JOIN {sales_order_grid} g ON g.entity_id = o.entity_id"
    " WHERE g.entity_id IS NULL AND o.created_at < UTC_TIMESTAMP() - INTERVAL 4 SECOND)"
)
OLD_MESSAGES = (
    "(SELECT COUNT(*) FROM {queue_message_status} WHERE status = 2"
    " AND updated_at < UTC_TIMESTAMP() - INTERVAL 4 SECOND)"
)
OLD_OPERATIONS = (
    "(SELECT COUNT(*) FROM {magento_operation} o JOIN {magento_bulk} b ON b.uuid = o.bulk_uuid"
    " WHERE o.status = 4 AND b.start_time < UTC_TIMESTAMP() - INTERVAL 4 SECOND)"
)
SEARCHES = "(SELECT COUNT(*) FROM {search_query} WHERE updated_at > %(since)s + INTERVAL 1 SECOND AND "
UNPAID = (
    "(SELECT COUNT(*) FROM {sales_order} WHERE state = 'pending_payment'"
    " AND created_at BETWEEN %(since)s AND UTC_TIMESTAMP() - INTERVAL 4 SECOND)"
)


def last_run(code: str, since: str = "%(since)s") -> str:
    return (
        f"(SELECT status FROM {{cron_schedule}} WHERE job_code = '{code}' AND executed_at > {since}"
        " AND status <> 'running' ORDER BY schedule_id DESC LIMIT 1)"
    )


def overdue(code: str) -> str:
    return (
        f"(SELECT COUNT(*) FROM {{cron_schedule}} WHERE job_code = '{code}' AND status = 'pending'"
        " AND scheduled_at < UTC_TIMESTAMP() - INTERVAL 4 SECOND)"
    )


def symptom_of(fault: str, shows: str, gone: str) -> Symptom:
    return Symptom(fault, asks(f"SELECT {shows}"), asks(f"SELECT {gone}"))


QUICK = (
    symptom_of(
        "cron-stopped",
        f"{LAST_RUN} < UTC_TIMESTAMP() - INTERVAL 4 SECOND",
        f"{LAST_RUN} > %(since)s",
    ),
    symptom_of(
        "cron-job-failing", f"{last_run(FAILING_JOB)} = 'error'", f"{last_run(FAILING_JOB)} = 'success'"
    ),
    symptom_of(
        "changelog-reset",
        f"(SELECT version_id FROM {{mview_state}} WHERE view_id = '{RESET_VIEW}')"
        f" > (SELECT MAX(version_id) FROM {{{RESET_VIEW}_cl}})",
        f"(SELECT version_id FROM {{mview_state}} WHERE view_id = '{RESET_VIEW}')"
        f" <= (SELECT MAX(version_id) FROM {{{RESET_VIEW}_cl}})",
    ),
    symptom_of("consumer-dead", f"{OLD_MESSAGES} > 1", f"{OLD_MESSAGES} = 0"),
    symptom_of(
        "payment-declined",
        f"{NEW_ORDERS} = 0 AND {NEW_PAYMENTS} > 5",
        f"{NEW_ORDERS} > 0",
    ),
)

THOROUGH = (
    symptom_of(
        "admin-added",
        "(SELECT COUNT(*) FROM {admin_user} WHERE is_active = 1) = 2",
        "(SELECT COUNT(*) FROM {admin_user} WHERE is_active = 1) = 1",
    ),
    symptom_of(
        "admin-guessed",
        "(SELECT SUM(failures_num) FROM {admin_user}) > 3",
        "(SELECT SUM(failures_num) FROM {admin_user}) = 0",
    ),
    symptom_of(
        "prices-missing",
        "(SELECT MAX(min_price) FROM {catalog_product_index_price}) = 0",
        "(SELECT MIN(min_price) FROM {catalog_product_index_price}) > 0",
    ),
    symptom_of(
        "script-added",
        "(SELECT COUNT(*) FROM {cms_block} WHERE content LIKE '%%<script%%') = 1",
        "(SELECT COUNT(*) FROM {cms_block} WHERE content LIKE '%%<script%%') = 0",
    ),
    symptom_of(
        "indexer-stuck",
        f"(SELECT status = 'working' AND updated < UTC_TIMESTAMP() - INTERVAL 3 SECOND FROM {{mview_state}}"
        f" WHERE view_id = '{VIEW_OF_STUCK}') AND (SELECT status = 'working' FROM {{indexer_state}}"
        f" WHERE indexer_id = '{STUCK_INDEXER}') AND {BACKLOG} > 0",
        f"(SELECT status = 'idle' FROM {{mview_state}} WHERE view_id = '{VIEW_OF_STUCK}')"
        f" AND (SELECT status = 'valid' FROM {{indexer_state}} WHERE indexer_id = '{STUCK_INDEXER}')",
    ),
    symptom_of(
        "carding",
        "(SELECT COUNT(*) FROM {quote} WHERE is_active = 1 AND created_at > %(since)s"
        f" AND remote_ip = '{CARDING_ADDRESS}') > 3",
        f"(SELECT MAX(created_at) < UTC_TIMESTAMP() - INTERVAL 3 SECOND FROM {{quote}}"
        f" WHERE remote_ip = '{CARDING_ADDRESS}')",
    ),
    symptom_of(
        "cron-job-stuck",
        f"(SELECT COUNT(*) FROM {{cron_schedule}} WHERE job_code = '{STUCK_JOB}' AND status = 'running'"
        " AND executed_at < UTC_TIMESTAMP() - INTERVAL 5 SECOND) = 1"
        " AND (SELECT COUNT(*) FROM {cron_schedule}"
        f" WHERE job_code = '{STUCK_JOB}' AND status = 'missed' AND scheduled_at > %(since)s) > 0",
        f"{last_run(STUCK_JOB)} = 'success' AND (SELECT COUNT(*) FROM {{cron_schedule}}"
        f" WHERE job_code = '{STUCK_JOB}' AND status = 'running'"
        " AND executed_at < UTC_TIMESTAMP() - INTERVAL 5 SECOND) = 0",
    ),
    symptom_of(
        "cron-bloat",
        "(SELECT COUNT(*) FROM {cron_schedule}) > 50000",
        f"(SELECT COUNT(*) FROM {{cron_schedule}} WHERE job_code = '{BLOATING_JOB}') = 0",
    ),
    symptom_of(
        "indexer-invalid",
        f"(SELECT status = 'invalid' AND updated > %(since)s + INTERVAL 3 SECOND FROM {{indexer_state}}"
        f" WHERE indexer_id = '{INVALID_INDEXER}') AND {last_run(REINDEX_JOB)} = 'error'",
        f"(SELECT status = 'valid' FROM {{indexer_state}} WHERE indexer_id = '{INVALID_INDEXER}')"
        f" AND {last_run(REINDEX_JOB)} = 'success'",
    ),
    symptom_of(
        "backlog-growing",
        f"{BACKLOG} > 5000 AND {overdue(VIEWS_JOB)} > 0"
        f" AND {last_run(VIEWS_JOB, '%(since)s + INTERVAL 2 SECOND')} IS NULL"
        f" AND {last_run(FAILING_JOB, '%(since)s + INTERVAL 2 SECOND')} = 'success'",
        f"{BACKLOG} < 50 AND {overdue(VIEWS_JOB)} = 0 AND {last_run(VIEWS_JOB)} = 'success'",
    ),
    symptom_of(
        "queue-errors",
        "(SELECT COUNT(*) FROM {queue_message_status} WHERE status = 6 AND updated_at > %(since)s) > 1",
        "(SELECT status FROM {queue_message_status} WHERE updated_at > %(since)s + INTERVAL 1 SECOND"
        " AND status IN (4, 6) ORDER BY updated_at DESC, id DESC LIMIT 1) = 4",
    ),
    symptom_of("bulk-stuck", f"{OLD_OPERATIONS} > 2", f"{OLD_OPERATIONS} = 0"),
    symptom_of(
        "payment-method-quiet",
        f"{PAYPAL} o.created_at > %(since)s + INTERVAL 3 SECOND) > 10"
        f" AND {PAYPAL} o.created_at > %(since)s + INTERVAL 3 SECOND AND p.method = 'paypal_express') = 0",
        f"{PAYPAL} o.created_at > %(since)s AND p.method = 'paypal_express') > 0",
    ),
    symptom_of(
        "checkout-stalled",
        f"{NEW_PAYMENTS} = 0"
        " AND (SELECT COUNT(*) FROM {quote_address} a JOIN {quote} q ON q.entity_id = a.quote_id"
        " WHERE a.shipping_method IS NOT NULL AND q.created_at > %(since)s + INTERVAL 1 SECOND) > 5",
        f"{NEW_PAYMENTS} > 0",
    ),
    symptom_of(
        "no-traffic",
        "(SELECT MAX(created_at) < UTC_TIMESTAMP() - INTERVAL 4 SECOND FROM {quote})",
        "(SELECT MAX(created_at) > %(since)s FROM {quote})",
    ),
    symptom_of("orders-stuck-pending-payment", f"{UNPAID} > 6", f"{UNPAID} = 0"),
    symptom_of("emails-unsent", f"{WAITING_EMAILS} > 3", f"{WAITING_EMAILS} = 0"),
    symptom_of("grid-missing", f"{MISSING_ROWS} > 3", f"{MISSING_ROWS} = 0"),
    symptom_of(
        "registrations-flood",
        "(SELECT COUNT(*) FROM {customer_entity} WHERE created_at > %(since)s) > 50",
        "(SELECT COUNT(*) FROM {customer_entity}"
        " WHERE created_at > UTC_TIMESTAMP() - INTERVAL 4 SECOND) < 10",
    ),
    symptom_of(
        "search-zero-results",
        f"{SEARCHES} num_results = 0) > 3 AND {SEARCHES} num_results > 0) = 0",
        f"{SEARCHES} num_results > 0) > 0",
    ),
    symptom_of(
        "maintenance",
        "(SELECT MAX(created_at) < UTC_TIMESTAMP() - INTERVAL 4 SECOND FROM {quote})",
        "(SELECT MAX(created_at) > %(since)s FROM {quote})",
    ),
)


@pytest.mark.parametrize(
    "symptom",
    [
        *(pytest.param(symptom, id=symptom.fault) for symptom in QUICK),
        *(pytest.param(symptom, id=symptom.fault, marks=pytest.mark.slow) for symptom in THOROUGH),
    ],
)
def test_a_fault_shows_and_goes(living: Living, symptom: Symptom) -> None:
    living.eventually(lambda: living.value("SELECT COUNT(*) FROM {sales_order}"), "the shop sells")
    on = living.now()
    living.switch(symptom.fault, on=True)
    try:
        living.eventually(lambda: symptom.shows(living, on), f"{symptom.fault} shows")
    finally:
        living.switch(symptom.fault, on=False)
    off = living.now()
    living.eventually(lambda: symptom.gone(living, off), f"{symptom.fault} is gone")


@pytest.mark.slow
def test_stuck_payments_look_a_day_old_and_are_cancelled_after(living: Living) -> None:
    order = living.shop.orders.place(at=living.now() - timedelta(hours=30) / SPEED)
    living.shop.documents.invoice(order)
    living.shop.documents.ship(order)
    living.shop.orders.set_state(order, "complete", "complete", at=living.now() - timedelta(hours=29) / SPEED)

    def state() -> Any:
        return living.value("SELECT state FROM {sales_order} WHERE entity_id = %s", order)

    living.switch("orders-stuck-pending-payment", on=True)
    try:
        living.eventually(lambda: state() == "pending_payment", "an old order waits for its payment")
        assert living.value("SELECT base_total_paid FROM {sales_order} WHERE entity_id = %s", order) is None
    finally:
        living.switch("orders-stuck-pending-payment", on=False)
    living.eventually(lambda: state() == "canceled", "it is cancelled")


# --- what happens and is no fault -----------------------------------------------------------------


@pytest.mark.slow
def test_a_store_view_is_opened_while_all_runs(living: Living) -> None:
    """Its numbers have a table of their own, and orders come there."""
    store_id = living.shop.database.value("SELECT MAX(store_id) + 1 FROM {store}")
    assert events.store_view(living.shop).startswith(f"store view fr is open, with id {store_id}: ")
    orders = "SELECT COUNT(*) FROM {sales_order} WHERE store_id = %s AND increment_id LIKE %s"
    living.eventually(lambda: living.value(orders, store_id, f"{store_id}0%"), "an order of the new view")


def test_an_import_of_prices_fills_the_changelogs(living: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "IMPORTED_PRODUCTS", 30)
    newest = "SELECT COALESCE(MAX(version_id), 0) FROM {catalog_product_price_cl}"
    before = living.value(newest)
    events.price_import(living.shop)
    still = "SELECT COUNT(*) FROM {magento_operation} WHERE topic_name = %s AND status = 4"
    living.eventually(lambda: not living.value(still, magento.PRICE_TOPIC), "all prices are set")
    assert living.value(newest) >= before + 30


# --- the edge and RabbitMQ --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(
    mariadb: MariaDB,
    redis_server: Redis,
    rabbitmq: RabbitMQ,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Living]:
    """A shop with all its servers."""
    state = tmp_path_factory.mktemp("whole")
    vhost = f"shop-{uuid4().hex[:8]}"
    rabbitmq.declare_vhost(vhost)
    (state / "magento/var/log").mkdir(parents=True)
    with Storefront(state / "storefront", www=WWW, variables={"SANDBOX_STATE": str(state)}) as storefront:
        endpoints = {
            "redis": {"host": redis_server.host, "port": redis_server.port, "databases": dict(DATABASES)},
            "rabbitmq": {
                "host": rabbitmq.host,
                "amqp_port": rabbitmq.port,
                "user": rabbitmq.user,
                "password": rabbitmq.password,
                "vhost": vhost,
            },
            "directory": state / "magento",
            "storefront": storefront.varnish.url,
            "varnish_purge": storefront.varnish.url,
        }
        for living in live(mariadb, state, endpoints):
            living.varnish, living.rabbitmq = storefront, rabbitmq
            living.vhost = vhost
            living.directory = state / "magento"
            yield living


def hit_ratio(living: Living) -> Callable[[], float]:
    """Return a gauge of the hit ratio since now, 0.5 until a hundred cacheable requests have come."""
    assert living.varnish is not None
    varnish = living.varnish.varnish
    before = varnish.counters()

    def ratio() -> float:
        after = varnish.counters()
        hit, miss = (after[name] - before[name] for name in ("MAIN.cache_hit", "MAIN.cache_miss"))
        return hit / (hit + miss) if hit + miss > 100 else 0.5

    return ratio


@pytest.mark.slow
def test_browsers_hit_the_page_cache(whole: Living) -> None:
    whole.eventually(lambda: hit_ratio_now(whole) > 0.8, "a warm cache")
    assert whole.varnish is not None
    assert whole.varnish.varnish.counters()["MAIN.s_pass"] > 0


def hit_ratio_now(living: Living) -> float:
    ratio = hit_ratio(living)
    deadline = time.monotonic() + LONG
    while ratio() == 0.5 and time.monotonic() < deadline:
        time.sleep(0.1)
    return ratio()


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["page-uncacheable", "cache-flushed"])
def test_the_hit_ratio_collapses_and_recovers(whole: Living, fault: str) -> None:
    whole.eventually(lambda: hit_ratio_now(whole) > 0.8, "a warm cache")
    assert whole.varnish is not None
    varnish = whole.varnish.varnish
    whole.switch(fault, on=True)
    varnish.purge()  # pages cached before the fault would live on for a day
    try:
        whole.eventually(lambda: hit_ratio_now(whole) < 0.7, "a cold cache")
    finally:
        whole.switch(fault, on=False)
    varnish.purge()  # forgets what is known as uncacheable
    whole.eventually(lambda: hit_ratio_now(whole) > 0.8, "a warm cache again")


@pytest.mark.slow
def test_bans_pile_up_and_are_worked_off(whole: Living) -> None:
    assert whole.varnish is not None
    varnish = whole.varnish.varnish
    before = varnish.counters()["MAIN.bans_added"]
    whole.switch("ban-storm", on=True)
    try:
        whole.eventually(lambda: varnish.counters()["MAIN.bans_added"] > before + 300, "many bans")
    finally:
        whole.switch("ban-storm", on=False)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["backend-sick", "maintenance"])
def test_the_origin_answers_503(whole: Living, fault: str) -> None:
    assert whole.varnish is not None
    page = "/health_check.php" if fault == "backend-sick" else "/checkout/cart/"
    url = whole.varnish.nginx.url + page
    assert httpx.get(url, trust_env=False).status_code == 200
    whole.switch(fault, on=True)
    try:
        assert httpx.get(url, trust_env=False).status_code == 503
    finally:
        whole.switch(fault, on=False)
    assert httpx.get(url, trust_env=False).status_code == 200


@pytest.mark.slow
def test_rabbitmq_messages_wait_for_dead_consumers(whole: Living) -> None:
    assert whole.rabbitmq is not None
    rabbitmq, vhost = whole.rabbitmq, whole.vhost

    def queues() -> list[dict[str, Any]]:
        return list(rabbitmq.api("GET", f"queues/{vhost}"))

    def waiting() -> int:
        return sum(queue.get("messages_ready", 0) for queue in queues())

    def counted(field: str) -> int:
        return sum(queue.get("message_stats", {}).get(field, 0) for queue in queues())

    whole.eventually(lambda: counted("ack") > 0, "consumers at work")
    whole.eventually(lambda: counted("redeliver") > 0, "cron looks into the queues")
    assert sum(queue.get("consumers", 0) for queue in queues()) == 0, "a consumer that polls is never one"
    whole.switch("consumer-dead-amqp", on=True)
    try:
        whole.eventually(lambda: waiting() > 10, "messages without consumers")
    finally:
        whole.switch("consumer-dead-amqp", on=False)
    done = counted("ack")
    whole.eventually(lambda: waiting() < 5 and counted("ack") > done, "consumers again, and nothing waits")


@pytest.mark.slow
def test_failed_placements_are_logged_as_refusal_or_as_exception(whole: Living) -> None:
    def logged(name: str, text: str) -> bool:
        log = whole.directory / "var/log" / name
        return log.exists() and text in log.read_text()

    whole.switch("payment-declined", on=True)
    try:
        whole.eventually(lambda: logged("system.log", "Placing an order failed (reason: "), "refusals")
        whole.eventually(lambda: logged("exception.log", "Saving order 0"), "exceptions")
    finally:
        whole.switch("payment-declined", on=False)


@pytest.mark.slow
def test_sessions_and_cache_entries_are_in_redis(whole: Living, redis_server: Redis) -> None:
    def keys(name: str, pattern: str) -> list[Any]:
        with redis.Redis(host=redis_server.host, port=redis_server.port, db=DATABASES[name]) as client:
            return list(client.scan_iter(pattern))

    whole.eventually(lambda: keys("session", "sess_*"), "sessions")
    whole.eventually(lambda: keys("cache", "69d_:*"), "cache entries")


def test_every_fault_of_the_shop_is_tested() -> None:
    cache = {"page-uncacheable", "cache-flushed", "ban-storm", "backend-sick"}
    played_on_game_days = {"file-exposed", "opcache-full", "page-failing", "php-full"}
    elsewhere = cache | played_on_game_days | {"consumer-dead-amqp"}
    tested = {symptom.fault for symptom in (*QUICK, *THOROUGH)} | elsewhere

    assert tested == {fault.name for fault in FAULTS if fault.actor is Actor.SHOP}
