"""The doctor finds each planted misconfiguration of a real shop, and nothing else."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.collectors import all_collectors
from sandbox.servers.mariadb import MariaDB
from sandbox.servers.rabbitmq import RabbitMQ
from sandbox.servers.redis import Redis
from sandbox.shop import Shop, install
from tests.harness.command import command
from tests.harness.limits import LONG

PASSWORD = "planted-secret-of-the-doctor"
Report = list[tuple[str, str]]
Examine = Callable[..., Report]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    """A server of its own: one test changes its time zone."""
    with MariaDB(
        tmp_path_factory.mktemp("doctor") / "db", arguments=["--default-time-zone=+00:00"]
    ) as running:
        yield running


@pytest.fixture(scope="module")
def shop(server: MariaDB) -> Iterator[Shop]:
    server.execute("CREATE DATABASE doctor")
    with server.connect("doctor") as connection:
        yield install(connection)


@pytest.fixture(autouse=True)
def cron_has_run(shop: Shop) -> None:
    have_cron_run(shop)


def have_cron_run(shop: Shop) -> None:
    shop.database.execute("DELETE FROM {cron_schedule}")
    shop.database.execute(
        "INSERT INTO {cron_schedule} (job_code, status, scheduled_at, executed_at, finished_at)"
        " VALUES ('indexer_update_all_views', 'success', UTC_TIMESTAMP(), UTC_TIMESTAMP(), UTC_TIMESTAMP())"
    )


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("doctor-files")


@pytest.fixture(scope="module")
def settings(server: MariaDB, directory: Path) -> dict[str, Any]:
    secret = directory / "password"
    secret.write_text(PASSWORD)
    return {
        "database": {
            "host": server.host,
            "port": server.port,
            "name": "doctor",
            "password_file": str(secret),
        },
        "state_file": str(directory / "state"),
    }


@pytest.fixture(scope="module")
def examine(shop: Shop, server: MariaDB, settings: dict[str, Any], directory: Path) -> Examine:
    """Give the user exactly the rights that `grants` prints, and return what runs the doctor."""
    assert shop.stores
    file = directory / "exporter.yml"
    as_root = {"host": server.host, "port": server.port, "name": "doctor", "socket": str(server.socket),
               "user": "root"}  # fmt: skip
    file.write_text(yaml.safe_dump({"database": as_root}))
    printed = command("grants", "--config", str(file), "--from-host", "127.0.0.1", "--dialect", "mariadb",
                      "--password-file", settings["database"]["password_file"])  # fmt: skip
    assert printed.returncode == 0, printed.stderr
    for line in printed.stdout.splitlines():
        if not line.startswith("--"):
            server.execute(line.removesuffix(";"))

    def run(more: Mapping[str, Any] | None = None, patience: int = 0) -> Report:
        file.write_text(yaml.safe_dump({**settings, **(more or {})}))
        findings = report("--config", str(file), "--patience", str(patience))
        return [
            (found["status"], found["check"]) for found in findings if found["status"] in ("error", "warning")
        ]

    return run


def report(*arguments: str) -> list[dict[str, str]]:
    """Return the findings of one run, whose exit code must agree with them."""
    result = command("doctor", "--json", *arguments)
    assert PASSWORD not in result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    findings: list[dict[str, str]] = json.loads(result.stdout)["findings"]
    assert result.returncode == int(any(found["status"] == "error" for found in findings))
    return findings


def test_a_healthy_shop_has_no_finding_and_what_it_lacks_is_off(examine: Examine, directory: Path) -> None:
    """It has a database only: no Redis, Varnish, search engine, broker, PHP-FPM or directory that is read."""
    assert examine() == []
    said = {found["check"]: found["status"] for found in report("--config", str(directory / "exporter.yml"))}
    expected = {
        collector.name: "ok" if collector.source == "database" else "off" for collector in all_collectors()
    }
    assert {name: said.get(name) for name in expected} == expected


def test_a_missing_grant_and_the_statement_that_mends_it(
    examine: Examine, server: MariaDB, directory: Path
) -> None:
    server.execute("REVOKE SELECT (status) ON doctor.cron_schedule FROM magento_exporter@'127.0.0.1'")
    assert set(examine()) == {("error", "database rights"), ("error", "cron")}
    (finding,) = [
        found
        for found in report("--config", str(directory / "exporter.yml"))
        if found["check"] == "database rights"
    ]
    assert finding["seen"] == "cron_schedule: status cannot be read"
    server.execute(finding["fix"].removesuffix(";"))
    assert examine() == []


@pytest.mark.parametrize("right", ["sequence_order_2.sequence_value", "catalog_product_price_cl.version_id"])
def test_a_table_that_the_shop_named_itself_may_not_be_read(
    examine: Examine, server: MariaDB, shop: Shop, directory: Path, right: str
) -> None:
    """Such as the order numbers of a store view that was opened after the rights were given."""
    table, _, column = right.partition(".")
    shop.database.execute("UPDATE {mview_state} SET mode = 'enabled' WHERE view_id = 'catalog_product_price'")
    server.execute(f"REVOKE SELECT ({column}) ON doctor.{table} FROM magento_exporter@'127.0.0.1'")
    assert ("error", "database rights") in examine()
    (finding,) = [
        found
        for found in report("--config", str(directory / "exporter.yml"))
        if found["check"] == "database rights"
    ]
    assert finding["seen"] == f"{table}: {column} cannot be read"
    server.execute(finding["fix"].removesuffix(";"))
    assert examine() == []


def test_warnings_count_when_they_are_asked_to(server: MariaDB, examine: Examine, directory: Path) -> None:
    doctor = ("doctor", "--config", str(directory / "exporter.yml"))
    server.execute("GRANT UPDATE ON doctor.* TO magento_exporter@'127.0.0.1'")
    try:
        assert examine() == [("warning", "database rights")]
        assert command(*doctor).returncode == 0
        assert command(*doctor, "--strict").returncode == 1
    finally:
        server.execute("REVOKE UPDATE ON doctor.* FROM magento_exporter@'127.0.0.1'")
    assert command(*doctor, "--strict").returncode == 0


def test_the_table_is_for_people(examine: Examine, directory: Path) -> None:
    assert examine() == []
    text = command("doctor", "--config", str(directory / "exporter.yml")).stdout
    sections = [line for line in text.splitlines() if line and not line.startswith(" ")]
    assert sections[:-1] == [
        "Shop",
        "Connections",
        "Release",
        "Rights and indexes",
        "Collectors (first run; later ones read less)",
        "Operation",
        "This report",
    ]
    assert sections[-1].startswith("All is well (")
    assert "opensearch at search.invalid:9200" in text
    assert re.search(r"^  ok +orders +\d+ series +\d+ rows read +\d+ ms$", text, re.MULTILINE)
    assert "\x1b" not in text


def test_a_user_who_may_write(examine: Examine, server: MariaDB) -> None:
    server.execute("GRANT UPDATE ON doctor.* TO magento_exporter@'127.0.0.1'")
    try:
        assert examine() == [("warning", "database rights")]
    finally:
        server.execute("REVOKE UPDATE ON doctor.* FROM magento_exporter@'127.0.0.1'")


def test_a_wrong_prefix(examine: Examine, settings: dict[str, Any]) -> None:
    assert examine({"database": {**settings["database"], "prefix": "m2_"}}) == [("error", "table prefix")]


def test_a_wrong_password(examine: Examine, settings: dict[str, Any]) -> None:
    database = {name: value for name, value in settings["database"].items() if name != "password_file"}
    assert examine({"database": {**database, "password": "wrong"}}) == [("error", "database")]


def test_a_server_that_is_not_on_utc(examine: Examine, server: MariaDB) -> None:
    server.execute("SET GLOBAL time_zone = '+02:00'")
    try:
        assert examine() == [("warning", "server time zone")]
    finally:
        server.execute("SET GLOBAL time_zone = '+00:00'")


def test_an_index_of_a_newer_version(examine: Examine, shop: Shop) -> None:
    shop.database.execute("ALTER TABLE {sales_order} DROP INDEX SALES_ORDER_STORE_STATE_CREATED")
    try:
        assert examine() == [("warning", "index")]
    finally:
        shop.database.execute(
            "ALTER TABLE {sales_order}"
            " ADD INDEX SALES_ORDER_STORE_STATE_CREATED (store_id, state, created_at)"
        )


def test_a_cron_that_does_not_run(examine: Examine, shop: Shop) -> None:
    shop.database.execute("UPDATE {cron_schedule} SET executed_at = UTC_TIMESTAMP() - INTERVAL 1 HOUR")
    assert examine() == [("error", "cron")]


def test_a_cron_that_is_disabled_in_env_php(examine: Examine, tmp_path: Path) -> None:
    env_php = tmp_path / "env.php"
    env_php.write_text("<?php return ['cron' => ['enabled' => 0]];")
    assert examine({"env_php": str(env_php)}) == [("error", "cron")]


def test_a_2_4_9_by_its_tables(examine: Examine, tmp_path: Path) -> None:
    env_php = tmp_path / "env.php"
    env_php.write_text(
        "<?php return ['cache' => ['frontend' => ['default' => ['backend' => 'Cm_Cache_Backend_Redis']]]];"
    )
    assert examine({"env_php": str(env_php)}) == [("error", "cache backend")]


def test_consumers_that_stopped(examine: Examine, shop: Shop) -> None:
    shop.messages.publish("export")
    shop.database.execute("UPDATE {queue_message_status} SET updated_at = UTC_TIMESTAMP() - INTERVAL 1 HOUR")
    try:
        assert examine() == [("warning", "queue export")]
    finally:
        shop.database.execute("DELETE FROM {queue_message}")


def test_sessions_where_redis_may_evict(examine: Examine, tmp_path: Path) -> None:
    arguments = ["--maxmemory", "16mb", "--maxmemory-policy", "allkeys-lru"]
    with Redis(tmp_path / "redis", arguments=arguments) as redis:
        role = {"host": redis.host, "port": redis.port, "database": 2}
        assert examine({"redis": {"session": role}}) == [("warning", "redis session")]
        role = {**role, "port": 1}
        assert examine({"redis": {"session": role}}) == [("error", "redis")]


def test_a_rabbitmq_queue_without_consumer(examine: Examine, rabbitmq: RabbitMQ) -> None:
    rabbitmq.declare_vhost("doctor")
    rabbitmq.declare_user("doctor", "doctor", tags="management", vhost="doctor")
    rabbitmq.declare_queues(["export", "media"], vhost="doctor")
    target = {"url": rabbitmq.management_url, "user": "doctor", "password": "doctor", "vhost": "doctor"}
    assert _until(lambda: examine({"rabbitmq": target}), []), "it has counted them after some seconds"
    body = {"properties": {}, "routing_key": "export", "payload": "x", "payload_encoding": "string"}
    rabbitmq.api("POST", "exchanges/doctor/amq.default/publish", body)
    assert _until(lambda: examine({"rabbitmq": target}), [("warning", "queue export")])
    assert examine({"rabbitmq": target}, patience=1) == [("warning", "queue export")]
    assert examine({"rabbitmq": {**target, "password": "no"}}) == [("error", "rabbitmq")]


def test_a_consumer_that_cron_starts_in_a_moment(examine: Examine, rabbitmq: RabbitMQ) -> None:
    rabbitmq.declare_vhost("patient")
    rabbitmq.declare_user("patient", "patient", tags="management", vhost="patient")
    rabbitmq.declare_queues(["export"], vhost="patient")
    target = {"url": rabbitmq.management_url, "user": "patient", "password": "patient", "vhost": "patient"}
    body = {"properties": {}, "routing_key": "export", "payload": "x", "payload_encoding": "string"}
    rabbitmq.api("POST", "exchanges/patient/amq.default/publish", body)
    assert _until(lambda: examine({"rabbitmq": target}), [("warning", "queue export")])
    consumer = threading.Timer(3, rabbitmq.api, ("DELETE", "queues/patient/export/contents"))
    consumer.start()
    try:
        assert examine({"rabbitmq": target}, patience=20) == []
    finally:
        consumer.join()


def _until(look: Callable[[], Report], wanted: Report) -> bool:
    """RabbitMQ gathers its numbers every few seconds."""
    deadline = time.monotonic() + LONG
    while (found := look()) != wanted and time.monotonic() < deadline:
        time.sleep(0.5)
    return found == wanted


def test_an_old_shop_lacks_indexes_and_no_rights(server: MariaDB, tmp_path: Path) -> None:
    server.execute("CREATE DATABASE old")
    with server.connect("old") as connection:
        shop = install(connection, version="2.3.7")
        have_cron_run(shop)
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    settings: dict[str, Any] = {"host": server.host, "port": server.port, "name": "old"}
    file = tmp_path / "exporter.yml"
    file.write_text(yaml.safe_dump({"database": {**settings, "socket": str(server.socket), "user": "root"}}))
    printed = command("grants", "--config", str(file), "--user", "old", "--dialect", "mariadb",
                      "--password-file", str(password))  # fmt: skip
    for line in printed.stdout.splitlines():
        if not line.startswith("--"):
            server.execute(line.removesuffix(";").replace("%", "%%"))
    file.write_text(yaml.safe_dump({"database": {**settings, "user": "old", "password_file": str(password)}}))
    loud = [found for found in report("--config", str(file)) if found["status"] in ("warning", "error")]
    assert {found["check"] for found in loud} == {"index"}, loud
    assert {found["seen"].split()[0] for found in loud} >= {"sales_order", "quote"}
