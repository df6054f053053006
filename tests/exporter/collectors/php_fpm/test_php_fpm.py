"""When a pool counts as full."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from exporter.collectors.php_fpm import EXHAUSTED, PhpFpmCollector
from tests.exporter.collectors.php_fpm.life import status
from tests.harness.core import run


class Pool:
    def __init__(self, answer: Mapping[str, Any]) -> None:
        self._answer = answer

    def pools(self) -> Mapping[str, Mapping[str, Any]]:
        return {"www": self._answer}

    def opcache(self) -> Mapping[str, Mapping[str, Any]]:
        return {}


@pytest.mark.parametrize(
    ("manager", "idle", "queue", "full"),
    [
        ("dynamic", 1, 0, 0),
        ("dynamic", 0, 0, 1),
        ("dynamic", 0, 5, 1),
        ("static", 0, 0, 1),
        ("static", 3, 0, 0),
        ("ondemand", 0, 0, 0),
        ("ondemand", 0, 2, 1),
        ("ondemand", 1, 2, 0),
    ],
)
def test_a_pool_without_an_idle_worker_is_full_where_it_keeps_spare_ones(
    manager: str, idle: int, queue: int, full: int
) -> None:
    pool = Pool(status(active=8, idle=idle, queue=queue, manager=manager))
    assert [s.value for s in run(PhpFpmCollector(), php=pool) if s.metric is EXHAUSTED] == [full]
