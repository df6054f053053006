"""What Redis answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Redis:
    """Three roles on two servers; sessions have one of their own."""

    step = 0
    """Which answer is next: before, a minute later, ten minutes later."""

    def info(self) -> Mapping[str, Mapping[str, Any] | None]:
        first = {
            "redis_version": "7.0.15",
            "run_id": "first",
            "uptime_in_seconds": 86_400,
            "used_memory": 50_000_000 + self.step,
            "connected_clients": 12,
            "evicted_keys": 2 * self.step,
            "maxmemory": 100_000_000,
            "maxmemory_policy": "allkeys-lru",
            "total_error_replies": 4,
            "errorstat_OOM": {"count": self.step},
            "db0": {"keys": 900, "expires": 850},
            "db1": {"keys": 400, "expires": 390},
        }
        session = {
            "run_id": "second",
            "database": 2,
            "maxmemory": 0,
            "maxmemory_policy": "noeviction",
            "db2": {"keys": 77, "expires": 77},
        }
        return {
            "cache": {**first, "database": 0},
            "page_cache": {**first, "database": 1},
            "session": {**first, **session},
        }


SOURCE = Redis
