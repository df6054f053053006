"""Redis behind Sentinels, and servers that do not give INFO: all real."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest
import redis
from redis.exceptions import RedisError, ResponseError

from exporter.collectors.redis import RedisCollector
from exporter.errors import AccessDenied, SourceError, SourceUnavailable, UnexpectedAnswer
from exporter.sources.redis import RedisServers, RedisTarget, SentinelTarget
from sandbox.process import LOOPBACK, free_port, wait_until
from sandbox.servers.redis import Redis
from tests.harness.core import run, values

MASTER = "mymaster"


class HasPort(Protocol):
    """A server, or what stands before it."""

    port: int


class Sentinel(Redis):
    """A Sentinel that watches one server, alone."""

    name = "sentinel"

    def __init__(self, directory: Path, primary: HasPort, *, password: str = "") -> None:
        super().__init__(directory)
        self._primary = primary
        self._password = password

    def prepare(self) -> None:
        """Sentinel writes its own configuration, so each start begins anew."""
        lines = [
            f"port {self.port}",
            f"bind {LOOPBACK}",
            f"dir {self.directory}",
            f"sentinel monitor {MASTER} {LOOPBACK} {self._primary.port} 1",
            *([f"requirepass {self._password}"] if self._password else []),
        ]
        (self.directory / "sentinel.conf").write_text("\n".join(lines) + "\n")

    def command(self) -> Sequence[str | Path]:
        return [super().command()[0], self.directory / "sentinel.conf", "--sentinel"]

    def ready(self) -> bool:
        password = self._password or None
        try:
            with redis.Redis(host=self.host, port=self.port, password=password, socket_timeout=5) as client:
                return bool(client.ping())
        except RedisError:
            return False


@dataclass(frozen=True)
class Group:
    primary: Redis
    replica: Redis
    sentinel: Sentinel

    def target(self, *before: int, master: str = MASTER, password: str = "") -> RedisTarget:
        """Return a role behind the Sentinel; ``before`` are ports of Sentinels that are asked first."""
        servers = tuple((LOOPBACK, port) for port in (*before, self.sentinel.port))
        return RedisTarget(sentinel=SentinelTarget(servers, master, password=lambda: password))

    def port_known(self) -> int:
        with self.sentinel.client() as client:
            return int(client.execute_command("SENTINEL GET-MASTER-ADDR-BY-NAME", MASTER)[1])

    def fail_over(self) -> bool:
        """Ask for a fail-over; the Sentinel refuses until it knows the replica well."""
        try:
            with self.sentinel.client() as client:
                client.execute_command("SENTINEL FAILOVER", MASTER)
        except ResponseError:
            return False
        return True


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    for name in ("primary", "replica", "sentinel"):
        (tmp_path / name).mkdir()
    with Redis(tmp_path / "primary") as primary:
        follow = ("--replicaof", LOOPBACK, str(primary.port))
        with (
            Redis(tmp_path / "replica", arguments=follow) as replica,
            Sentinel(tmp_path / "sentinel", primary) as sentinel,
        ):
            yield Group(primary, replica, sentinel)


def infos(**roles: RedisTarget) -> dict[str, int | None]:
    """Return by role the port of the server that answered."""
    servers = RedisServers(roles)
    try:
        return {role: info and int(info["tcp_port"]) for role, info in servers.info().items()}
    finally:
        servers.close()


def test_every_role_is_asked_at_the_server_that_the_sentinels_name(group: Group) -> None:
    """One Sentinel, and a list of which the first is dead."""
    one, several = group.target(), group.target(free_port())
    assert infos(cache=one, page_cache=several, session=one) == {
        "cache": group.primary.port,
        "page_cache": group.primary.port,
        "session": group.primary.port,
    }
    servers = RedisServers({"cache": one})
    assert values(run(RedisCollector(), redis=servers))["magento_redis_up", "cache"] == 1
    servers.close()


def test_after_a_failover_the_new_primary_is_asked(group: Group) -> None:
    servers = RedisServers({"cache": group.target()})
    before = servers.info()["cache"]
    assert before is not None
    assert before["tcp_port"] == group.primary.port
    wait_until(group.fail_over, seconds=60, what="a replica to promote")
    wait_until(lambda: group.port_known() == group.replica.port, seconds=60, what="the fail-over")
    after = servers.info()["cache"]
    servers.close()
    assert after is not None
    assert after["tcp_port"] == group.replica.port


@pytest.mark.parametrize(
    ("target", "expected", "text"),
    [
        (lambda group: group.target(master="other"), UnexpectedAnswer, "knows no 'other'"),
        (lambda group: group.target(password="x"), AccessDenied, "the Sentinel at"),
        (
            lambda group: RedisTarget(LOOPBACK, group.sentinel.port),
            UnexpectedAnswer,
            "is a Sentinel: set redis.<role>.sentinel",
        ),
        (
            lambda _: RedisTarget(sentinel=SentinelTarget([(LOOPBACK, free_port())], MASTER)),
            SourceUnavailable,
            "cannot reach the Sentinel at",
        ),
    ],
)
def test_what_is_wrong_with_a_sentinel_is_one_line(
    target: Callable[[Group], RedisTarget], expected: type[SourceError], text: str, group: Group
) -> None:
    with pytest.raises(expected, match=text):
        infos(cache=target(group))


def test_a_sentinel_with_a_login(group: Group, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir()
    with Sentinel(tmp_path / "locked", group.primary, password="secret") as sentinel:
        place = SentinelTarget([(LOOPBACK, sentinel.port)], MASTER, password=lambda: "secret")
        assert infos(cache=RedisTarget(sentinel=place)) == {"cache": group.primary.port}
        refused = SentinelTarget([(LOOPBACK, sentinel.port)], MASTER)
        with pytest.raises(AccessDenied, match="refused the login"):
            infos(cache=RedisTarget(sentinel=refused))


def test_a_server_without_info_says_so(tmp_path: Path) -> None:
    without = ("--rename-command", "INFO", "")
    said = "does not know INFO: it is renamed or forbidden there"
    with Redis(tmp_path, arguments=without) as server, pytest.raises(UnexpectedAnswer, match=said):
        infos(cache=RedisTarget(server.host, server.port))


def test_a_driver_that_fails_in_any_way_is_an_error_of_that_server(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("planted")

    monkeypatch.setattr("redis.Redis.info", fail)
    with pytest.raises(UnexpectedAnswer, match="KeyError"):
        infos(cache=RedisTarget(LOOPBACK, 1))


@pytest.mark.parametrize("answer", [(80, 79), [], ()])
def test_a_sentinel_that_names_no_address_sends_the_login_nowhere(
    monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    """redis-py makes ``(80, 79)`` of a server that answers ``+PONG`` to everything."""
    monkeypatch.setattr("redis.Redis.execute_command", lambda *_: answer)
    with pytest.raises(UnexpectedAnswer, match="the Sentinel at"):
        infos(cache=RedisTarget(sentinel=SentinelTarget([(LOOPBACK, 1)], MASTER)))
