"""What PHP-FPM answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Php:
    """A pool that gets full, and one that stops to answer."""

    step = 0
    """Which answer is next: before, a minute later, ten minutes later."""

    def pools(self) -> Mapping[str, Mapping[str, Any] | None]:
        busy = (2, 6, 8)[self.step]
        full = self.step == 2
        www = status(active=busy, idle=8 - busy, queue=3 * full, accepted=1_000 * busy, reached=self.step)
        return {"www": www, "admin": status(active=1, idle=1) if self.step == 0 else None}

    def opcache(self) -> Mapping[str, Mapping[str, Any] | None]:
        return {"www": opcache(full=self.step == 2, oom=self.step), "admin": None}


def status(
    *, active: int, idle: int, queue: int = 0, accepted: int = 7, reached: int = 0, manager: str = "dynamic"
) -> dict[str, object]:
    return {
        "pool": "www",
        "process manager": manager,
        "accepted conn": accepted,
        "listen queue": queue,
        "idle processes": idle,
        "active processes": active,
        "total processes": active + idle,
        "max children reached": reached,
        "slow requests": reached * 2,
    }


def opcache(*, full: bool, oom: int) -> dict[str, object]:
    return {
        "opcache_enabled": True,
        "cache_full": full,
        "memory_usage": {"used_memory": 120_000_000, "free_memory": 10_000_000, "wasted_memory": 4_217_728},
        "opcache_statistics": {
            "num_cached_keys": 14_000,
            "max_cached_keys": 16_229,
            "oom_restarts": oom,
            "hash_restarts": 0,
            "manual_restarts": 1,
        },
    }


SOURCE = Php
