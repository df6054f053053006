"""The doctor finds each planted misconfiguration of a real shop, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.servers.mariadb import MariaDB
from sandbox.servers.rabbitmq import RabbitMQ
from sandbox.servers.redis import Redis
from sandbox.shop import Shop, install

PASSWORD = "planted-secret-of-the-doctor"
Report = list[tuple[str, str]]
Examine = Callable[..., Report]


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "exporter", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


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

    def run(more: Mapping[str, Any] | None = None, *arguments: str) -> Report:
        file.write_text(yaml.safe_dump({**settings, **(more or {})}))
        result = command("doctor", "--json", "--config", str(file), *arguments)
        assert PASSWORD not in result.stdout + result.stderr
        assert "Traceback" not in result.stderr
        findings = json.loads(result.stdout)["findings"]
        assert result.returncode == int(any(found["status"] == "error" for found in findings))
        return [
            (found["status"], found["check"]) for found in findings if found["status"] in ("error", "warning")
        ]

    return run


def test_a_healthy_shop_has_no_finding(examine: Examine) -> None:
    assert examine() == []


def test_a_missing_grant(examine: Examine, server: MariaDB) -> None:
    server.execute("REVOKE SELECT (status) ON doctor.cron_schedule FROM magento_exporter@'127.0.0.1'")
    try:
        found = examine()
    finally:
        server.execute("GRANT SELECT (status) ON doctor.cron_schedule TO magento_exporter@'127.0.0.1'")
    assert {check for _, check in found} == {"database rights", "collector cron"}


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
    assert examine({"env_php": str(env_php)}) == [("error", "cron in env.php")]


def test_consumers_that_stopped(examine: Examine, shop: Shop) -> None:
    shop.publish("export")
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
        assert examine({"redis": {"session": role}}) == [("error", "collector redis")]


def test_a_rabbitmq_queue_without_consumer(examine: Examine, rabbitmq: RabbitMQ) -> None:
    rabbitmq.declare_vhost("doctor")
    rabbitmq.declare_user("doctor", "doctor", tags="management", vhost="doctor")
    rabbitmq.declare_queues(["export", "media"], vhost="doctor")
    target = {"url": rabbitmq.management_url, "user": "doctor", "password": "doctor", "vhost": "doctor"}
    assert examine({"rabbitmq": target}) == []
    body = {"properties": {}, "routing_key": "export", "payload": "x", "payload_encoding": "string"}
    rabbitmq.api("POST", "exchanges/doctor/amq.default/publish", body)
    assert _until(lambda: examine({"rabbitmq": target}), [("warning", "queue export")])
    assert examine({"rabbitmq": {**target, "password": "no"}}) == [("error", "collector queues_rabbitmq")]


def _until(look: Callable[[], Report], wanted: Report) -> bool:
    """RabbitMQ gathers its numbers every few seconds."""
    return any(look() == wanted for _ in range(20))
