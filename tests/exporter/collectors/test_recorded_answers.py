"""What the servers of a real Magento 2.4.8-p1 answered after an hour of use, read by the collectors.

Cron starts its consumers with `--max-messages`, so none is connected. 2,210 messages of asynchronous updates
were done. Varnish has Magento's generated VCL. `recorded` holds what the exporter reads of the answers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from redis._parsers.helpers import parse_info

from exporter.collectors.page_cache import PageCacheCollector
from exporter.collectors.queues_rabbitmq import RabbitMQQueuesCollector
from exporter.collectors.redis import RedisCollector
from exporter.magento.indexers import VIEWS
from exporter.sources.rabbitmq import RabbitMQ, RabbitMQTarget
from exporter.sources.varnish import parse
from sandbox.shop.magento import CONSUMERS, INDEXERS
from tests.harness.core import NOON, run, values

RECORDED: Final = json.loads((Path(__file__).parent / "recorded/magento-2.4.8-p1.json").read_text())
ASYNC: Final = ("async.operations.all", "rabbitmq")


@pytest.fixture(scope="module")
def queues() -> Mapping[tuple[str, ...], float]:
    def answer(request: httpx.Request) -> httpx.Response:
        items = RECORDED["queues"] if "/queues/" in request.url.path else []
        return httpx.Response(200, json={"items": items, "page_count": 1, "status": "ok"})

    broker = RabbitMQ(RabbitMQTarget("http://broker", "reader", lambda: "secret"))
    broker._client = httpx.Client(base_url="http://broker", transport=httpx.MockTransport(answer))
    return values(run(RabbitMQQueuesCollector(), now=NOON, broker=broker))


def test_consumers_that_poll_show_in_what_is_done_and_not_in_their_number(
    queues: Mapping[tuple[str, ...], float],
) -> None:
    totals = {
        name: queues[f"magento_queue_messages_{name}_total", *ASYNC]
        for name in ("published", "completed", "redelivered")
    }
    assert totals == {"published": 2210, "completed": 2210, "redelivered": 22}
    assert queues["magento_queue_messages", *ASYNC, "new"] == 0
    assert queues["magento_queue_oldest_message_age_seconds", *ASYNC] == 0
    assert {value for (name, *_), value in queues.items() if name == "magento_queue_consumers"} == {0}


def test_every_queue_and_consumer_of_the_shop_is_one_of_the_sandboxs(
    queues: Mapping[tuple[str, ...], float],
) -> None:
    assert {labels[0] for name, *labels in queues if name == "magento_queue_messages"} == set(
        CONSUMERS.values()
    )
    assert set(RECORDED["consumers"]) == CONSUMERS.keys()


def test_every_indexer_of_the_shop_has_a_known_view() -> None:
    assert set(RECORDED["indexers"]) <= VIEWS.keys()
    assert INDEXERS.keys() <= set(RECORDED["indexers"]) | {"catalog_category_flat", "catalog_product_flat"}


def test_pages_are_told_from_fragments_and_from_what_is_never_cached() -> None:
    """36 lookups were hits, 24 of them the top menu's fragment. One of 13 misses was for no cache."""

    class Varnish:
        def counters(self) -> Mapping[str, Mapping[str, int]]:
            return {"edge": parse(json.dumps(RECORDED["varnishstat"]))}

    found = values(run(PageCacheCollector(), varnish=Varnish()))
    requests = {
        key[3]: value for key, value in found.items() if key[0] == "magento_page_cache_requests_total"
    }
    assert requests == {"hit": 12, "miss": 12, "uncacheable": 1, "pass": 20}
    assert found["magento_page_cache_backend_healthy", "edge", "default"] == 1
    assert found["magento_page_cache_bans_added_total", "edge"] == 2305
    assert found["magento_page_cache_lost_headers_total", "edge"] == 1


def test_redis_by_role() -> None:
    databases = {"cache": 0, "session": 2}

    class Redis:
        def info(self) -> Mapping[str, Mapping[str, Any]]:
            return {
                role: {**parse_info("\n".join(lines)), "database": databases[role]}  # type: ignore[no-untyped-call]
                for role, lines in RECORDED["redis"].items()
            }

    found = values(run(RedisCollector(), redis=Redis()))
    expected = {
        ("keys", "cache"): 658,
        ("keys_without_expiry", "cache"): 658 - 51,
        ("keys", "session"): 18,
        ("keys_without_expiry", "session"): 0,
        ("memory_max_bytes", "cache"): 209_715_200,
        ("memory_used_bytes", "session"): 1_210_048,
        ("evicts", "cache"): 1,
        ("evicts", "session"): 1,
        ("refused_writes_total", "cache"): 0,
    }
    assert {key: found[f"magento_redis_{key[0]}", key[1]] for key in expected} == expected
    assert found["magento_sessions",] == 18
