"""From INFO to samples, for servers that are not at hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from exporter.collectors.redis import RedisCollector
from exporter.core.memory import VolatileStore
from tests.harness.core import run, values

OLD: Mapping[str, Any] = {
    "redis_version": "5.0.7",
    "run_id": "a",
    "database": 0,
    "used_memory": 1000,
    "connected_clients": 3,
    "evicted_keys": 2,
    "maxmemory": 2000,
    "maxmemory_policy": "allkeys-lru",
}


class Servers:
    def __init__(self, **answers: Mapping[str, Any] | None) -> None:
        self.answers = answers

    def info(self) -> Mapping[str, Mapping[str, Any] | None]:
        return self.answers


def collected(
    store: VolatileStore | None = None,
    product: tuple[str, str] = ("", ""),
    **answers: Mapping[str, Any] | None,
) -> dict[tuple[str, ...], float]:
    return values(run(RedisCollector(), store, redis=Servers(**answers), product=product))


def test_a_server_that_does_not_count_errors_gives_no_refused_writes() -> None:
    found = collected(cache=OLD)
    assert ("magento_redis_refused_writes_total", "cache") not in found
    newer = collected(cache={**OLD, "total_error_replies": 7})
    assert newer["magento_redis_refused_writes_total", "cache"] == 0


@pytest.mark.parametrize(
    ("field", "metric"),
    [
        ("used_memory", "memory_used_bytes"),
        ("connected_clients", "connected_clients"),
        ("evicted_keys", "evicted_keys_total"),
        ("maxmemory", "memory_max_bytes"),
        ("maxmemory_policy", "evicts"),
    ],
)
def test_a_field_that_a_hosted_server_leaves_out_is_absent_and_the_rest_counts(
    field: str, metric: str
) -> None:
    whole = collected(cache=OLD)
    found = collected(cache={name: value for name, value in OLD.items() if name != field})
    assert whole.keys() - found.keys() == {(f"magento_redis_{metric}", "cache")}


def test_an_empty_database_has_no_line() -> None:
    found = collected(cache=OLD, session={**OLD, "database": 2, "db0": {"keys": 9, "expires": 1}})
    assert found["magento_redis_keys", "session"] == 0


def test_no_sessions_are_0_only_where_there_were_some() -> None:
    """Where `session/save` is `valkey`, Magento 2.4.9 keeps them in files, and that database stays empty."""
    store, empty = VolatileStore(), {**OLD, "database": 2}
    assert ("magento_sessions",) not in collected(store, session=empty)
    assert collected(store, session={**empty, "db2": {"keys": 9, "expires": 9}})["magento_sessions",] == 9
    assert collected(store, session=empty)["magento_sessions",] == 0


def test_one_database_number_on_two_servers_is_not_shared() -> None:
    session = {**OLD, "run_id": "b", "db0": {"keys": 9, "expires": 9}}
    assert collected(cache=OLD, session=session)["magento_sessions",] == 9
    assert ("magento_sessions",) not in collected(cache=OLD, session={**session, "run_id": "a"})


def test_without_redis_sessions_there_is_no_number_of_sessions() -> None:
    assert ("magento_sessions",) not in collected(cache=OLD)


def test_which_roles_share_a_server() -> None:
    """A role whose server does not answer has no pair."""
    other = {**OLD, "run_id": "b"}
    found = collected(cache=OLD, page_cache=other, session=OLD)
    assert {place[1:]: value for place, value in found.items() if "shares_server" in place[0]} == {
        ("session", "page_cache"): 0,
        ("session", "cache"): 1,
        ("page_cache", "cache"): 0,
    }
    assert not any("shares_server" in place[0] for place in collected(cache=OLD, session=None))


def test_each_version_that_runs_is_said_once() -> None:
    """Valkey says which Redis it is compatible with as well."""
    found = collected(
        product=("community", "2.4.8-p5"),
        cache=OLD,
        page_cache=OLD,
        session={**OLD, "valkey_version": "8.1.3"},
    )
    assert {place[1:] for place in found if place[0] == "magento_service_version"} == {
        ("redis", "5.0", "no"),
        ("valkey", "8.1", "yes"),
    }
