"""Redis by role: every value against redis-cli's way of asking, with a login that may run INFO only."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from exporter.collectors.redis import RedisCollector
from exporter.errors import AccessDenied, LoginRefused, SourceError, SourceTimeout, SourceUnavailable
from exporter.sources.redis import RedisLimits, RedisServers, RedisTarget
from sandbox.process import free_port, wait_until
from sandbox.servers.redis import DATABASES, Redis
from tests.harness.core import run, values
from tests.harness.limits import LONG

READER, PASSWORD = "reader", "limited"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A server of our own: it is filled up, emptied and frozen."""
    with Redis(tmp_path_factory.mktemp("redis")) as server:
        with server.client() as client:
            client.acl_setuser(READER, enabled=True, passwords=[f"+{PASSWORD}"], commands=["+info"])
        yield server


@pytest.fixture(autouse=True)
def _empty(server: Redis) -> None:
    with server.client() as client:
        client.flushall()
        client.config_resetstat()
        client.config_set("maxmemory", "64mb")
        client.config_set("maxmemory-policy", "volatile-lru")


def target(server: Redis, role: str = "cache", password: str = PASSWORD) -> RedisTarget:
    return RedisTarget(server.host, server.port, DATABASES[role], READER, lambda: password)


def source(server: Redis) -> RedisServers:
    return RedisServers({role: target(server, role) for role in DATABASES})


def collected(servers: RedisServers) -> dict[tuple[str, ...], float]:
    try:
        return values(run(RedisCollector(), redis=servers))
    finally:
        servers.close()


def test_keys_by_role(server: Redis) -> None:
    with server.client("cache") as cache, server.client("session") as session:
        cache.set("zc:k:a", "1", ex=3600)
        cache.sadd("zc:tags", "a", "b")
        for number in range(5):
            session.set(f"sess_{number}", "x", ex=600)
    found = collected(source(server))
    for role in DATABASES:
        with server.client(role) as client:
            assert found["magento_redis_keys", role] == client.dbsize()
        assert found["magento_redis_up", role] == 1
    assert found["magento_redis_keys_without_expiry", "cache"] == 1
    assert found["magento_redis_keys_without_expiry", "session"] == 0
    assert found["magento_sessions",] == 5
    assert found["magento_redis_memory_max_bytes", "cache"] == 64 * 1024 * 1024
    assert found["magento_redis_memory_used_bytes", "cache"] > 500_000
    assert found["magento_redis_connected_clients", "cache"] >= 1
    assert found["magento_redis_evicts", "session"] == 1


def test_sessions_that_share_a_database_are_not_counted(server: Redis) -> None:
    roles = {"cache": target(server, "cache"), "session": target(server, "cache")}
    found = collected(RedisServers(roles))
    assert ("magento_sessions",) not in found
    assert found["magento_redis_keys", "session"] == 0


def test_a_server_that_keeps_all_or_has_no_limit_evicts_nothing(server: Redis) -> None:
    with server.client() as client:
        client.config_set("maxmemory-policy", "noeviction")
        assert collected(source(server))["magento_redis_evicts", "cache"] == 0
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.config_set("maxmemory", "0")
    found = collected(source(server))
    assert found["magento_redis_evicts", "cache"] == 0
    assert ("magento_redis_memory_max_bytes", "cache") not in found


def test_evictions_and_refused_writes_are_counted(server: Redis) -> None:
    with server.client() as client:
        used = int(client.info("memory")["used_memory"])
        client.config_set("maxmemory", used + 300_000)
        for number in range(600):
            client.set(f"k{number}", "x" * 1000, ex=600)
        evicted = int(client.info("stats")["evicted_keys"])
        assert evicted > 0
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 1024 * 1024)
        for _ in range(3):
            with pytest.raises(redis.exceptions.OutOfMemoryError):
                client.set("more", "x")
        counts_refusals = "total_error_replies" in client.info("stats")  # since 6.2
    found = collected(source(server))
    assert found["magento_redis_evicted_keys_total", "session"] >= evicted
    refused = found.get(("magento_redis_refused_writes_total", "session"))
    assert refused == (3 if counts_refusals else None)


def test_a_role_that_is_down_leaves_the_others(server: Redis) -> None:
    roles = {"cache": target(server), "session": RedisTarget("127.0.0.1", 1, 2)}
    found = collected(RedisServers(roles))
    assert found["magento_redis_up", "cache"] == 1
    assert found["magento_redis_up", "session"] == 0
    assert ("magento_redis_keys", "cache") in found
    assert ("magento_redis_keys", "session") not in found
    assert ("magento_sessions",) not in found


@pytest.mark.parametrize(
    ("change", "expected"),
    [({"port": 1}, SourceUnavailable), ({"user": "nobody"}, AccessDenied), ({"user": ""}, AccessDenied)],
)
def test_errors_are_told_apart(server: Redis, change: dict[str, object], expected: type[SourceError]) -> None:
    settings = {
        "host": server.host,
        "port": server.port,
        "user": READER,
        "password": lambda: PASSWORD,
        **change,
    }
    with pytest.raises(expected):
        collected(RedisServers({"cache": RedisTarget(**settings)}))  # type: ignore[arg-type]


def test_a_login_without_the_right_to_info_is_denied(server: Redis) -> None:
    with server.client() as client:
        client.acl_setuser("nothing", enabled=True, passwords=[f"+{PASSWORD}"], commands=["+ping"])
    place = RedisTarget(server.host, server.port, 0, "nothing", lambda: PASSWORD)
    with pytest.raises(AccessDenied):
        collected(RedisServers({"cache": place}))


def test_a_rotated_password_is_followed(server: Redis) -> None:
    password = [PASSWORD]
    servers = RedisServers(
        {"cache": RedisTarget(server.host, server.port, 0, "rotated", lambda: password[0])}
    )
    with server.client() as client:
        client.acl_setuser("rotated", enabled=True, passwords=[f"+{PASSWORD}"], commands=["+info"])
        servers.info()
        client.acl_deluser("rotated")  # the server also ends the connection
        client.acl_setuser("rotated", enabled=True, passwords=["+other"], commands=["+info"])
    with pytest.raises(SourceError):
        servers.info()
    password[0] = "other"
    assert servers.info()["cache"] is not None
    servers.close()


def test_a_frozen_server_costs_one_time_limit_for_all_its_roles_and_heals(server: Redis) -> None:
    servers = RedisServers({role: target(server, role) for role in DATABASES}, limits=RedisLimits(0.2, 0.2))
    servers.info()
    server.pause()
    try:
        for _ in range(2):
            with pytest.raises(SourceTimeout):
                servers.info()
    finally:
        server.resume()
    assert servers.info()["session"] is not None
    servers.close()


def test_a_restarted_server_is_found_again(tmp_path: Path) -> None:
    with Redis(tmp_path) as server:
        servers = RedisServers({"cache": RedisTarget(server.host, server.port)})
        servers.info()
        server.restart()
        answers = [_try(servers) for _ in range(2)]
        assert answers[-1], "at the second try at the latest"
        servers.close()


def test_close_ends_every_connection(server: Redis) -> None:
    servers = source(server)
    servers.info()
    with server.client() as client:

        def open_ones() -> list[object]:
            return [one for one in client.client_list() if one["user"] == READER]

        assert open_ones()
        servers.close()
        wait_until(lambda: not open_ones(), seconds=LONG, what="a connection is left open")


def _try(servers: RedisServers) -> bool:
    try:
        return servers.info()["cache"] is not None
    except SourceUnavailable:
        return False


def test_over_tls(tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    make_certificate(certificate, key)
    files = [
        "--tls-cert-file",
        str(certificate),
        "--tls-key-file",
        str(key),
        "--tls-ca-cert-file",
        str(certificate),
    ]
    with Redis(tmp_path / "server", arguments=[*files, "--tls-auth-clients", "no"]) as server:
        port = free_port()
        with server.client() as client:
            client.config_set("tls-port", port)
        trusting = ssl.create_default_context(cafile=str(certificate))
        place = RedisTarget("localhost", port, tls=trusting)
        assert collected(RedisServers({"cache": place}))["magento_redis_up", "cache"] == 1
        for wrong in (
            RedisTarget("localhost", port, tls=ssl.create_default_context()),
            RedisTarget("127.0.0.1", port, tls=trusting),  # not the name in the certificate
        ):
            with pytest.raises(LoginRefused):
                collected(RedisServers({"cache": wrong}))


def make_certificate(certificate: Path, key: Path) -> None:
    options = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", "req", "-x509", *options, *names, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True, timeout=LONG)
