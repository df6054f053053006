"""What `grants` prints for Redis and RabbitMQ is carried out as printed, and is enough, and no more."""

from __future__ import annotations

import shlex
import subprocess
import time
from pathlib import Path

import httpx
import pytest
import redis as driver

from sandbox.servers.rabbitmq import RabbitMQ
from sandbox.servers.redis import Redis
from tests.harness.command import command
from tests.harness.limits import LONG

USER, PASSWORD = "observer", "observer-secret"
REFUSED = (400, 401, 403)


def exporter(name: str, *settings: str) -> str:
    """Run a command with these settings, and return what it prints."""
    chosen = [word for setting in settings for word in ("--set", setting)]
    outcome = command(*name.split(), *chosen)
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


def printed(kind: str, *settings: str) -> list[list[str]]:
    """Return the commands that are printed for one kind of server, as a shell would split them."""
    lines = exporter(f"grants --user {USER}", *settings).splitlines()
    mark = f"-- {kind}: "
    wanted = [line.removeprefix(mark) for line in lines if line.startswith(mark)]
    return [shlex.split(line.replace("<password>", PASSWORD)) for line in wanted]


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text(PASSWORD)
    return file


def test_redis(redis_server: Redis, password_file: Path) -> None:
    places = [
        f"redis.{role}.{said}"
        for role in ("cache", "session")
        for said in ("host=127.0.0.1", f"port={redis_server.port}")
    ]
    (command,) = printed("Redis or Valkey", *places)  # two roles, one server, one command
    assert command[:5] == ["redis-cli", "-h", "127.0.0.1", "-p", str(redis_server.port)]
    with redis_server.client() as administrator:
        administrator.execute_command(*command[5:])
        try:
            login = (f"redis.session.user={USER}", f"redis.session.password_file={password_file}")
            assert 'magento_source_up{source="redis"} 1.0' in exporter("collect", *places[2:], *login)
            with driver.Redis(port=redis_server.port, username=USER, password=PASSWORD) as observer:
                for more in ("GET x", "KEYS *", "SCAN 0", "CONFIG GET *", "ACL LIST", "FLUSHALL"):
                    with pytest.raises(driver.exceptions.NoPermissionError):
                        observer.execute_command(*more.split())
        finally:
            administrator.acl_deluser(USER)


def test_rabbitmq(rabbitmq: RabbitMQ, password_file: Path) -> None:
    rabbitmq.declare_vhost("observed")
    rabbitmq.declare_queues(["export"], vhost="observed")
    place = (f"rabbitmq.url={rabbitmq.management_url}", "rabbitmq.vhost=observed")
    for program, *arguments in printed("RabbitMQ", *place):
        subprocess.run(
            [rabbitmq.directory / program, *arguments], check=True, capture_output=True, timeout=LONG
        )
    login = (f"rabbitmq.user={USER}", f"rabbitmq.password_file={password_file}")
    deadline = time.monotonic() + LONG
    while 'queue="export",broker="rabbitmq"' not in (seen := exporter("collect", *place, *login)):
        assert time.monotonic() < deadline, seen  # the broker's statistics know a new queue seconds later
    message = {"properties": {}, "routing_key": "export", "payload": "x", "payload_encoding": "string"}
    fetch = {"count": 1, "ackmode": "ack_requeue_false", "encoding": "auto"}
    api = f"{rabbitmq.management_url}/api"
    with httpx.Client(base_url=api, auth=(USER, PASSWORD), timeout=LONG) as observer:
        publish = observer.post("/exchanges/observed/amq.default/publish", json=message)
        get = observer.post("/queues/observed/export/get", json=fetch)
        delete = observer.delete("/queues/observed/export")
        elsewhere, users = observer.get("/queues/%2F"), observer.get("/users")
    for answer in (publish, get, delete, elsewhere, users):
        assert answer.status_code in REFUSED, (answer.url, answer.text)


def test_what_is_printed_follows_what_is_configured() -> None:
    assert [command[0] for command in printed("RabbitMQ")] == ["rabbitmqctl"] * 3
    assert len(printed("Redis or Valkey")) == 1
    assert printed("RabbitMQ", "redis.cache.host=a") == []
    apart = ("redis.cache.host=a", "redis.session.socket=/run/redis/s.sock")
    assert [command[1:3] for command in printed("Redis or Valkey", *apart)] == [
        ["-h", "a"],
        ["-s", "/run/redis/s.sock"],
    ]
