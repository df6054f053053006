"""What a search engine answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.harness.core import STORES


class Engine:
    """One store's index, which a reindex replaces; the other store's alias gets lost."""

    step = 0
    """Which answer is next: before, a minute later, ten minutes later."""

    def version(self) -> tuple[str, str]:
        return "opensearch", "2.19.6"

    def product_indexes(self) -> Sequence[Mapping[str, Any]]:
        first, second = STORES.active_ids()
        lost = self.step == 2
        return [
            index(first, 3, in_use=self.step == 0),
            index(first, 4, in_use=self.step > 0, health="yellow", documents=2_040, read_only=lost),
            index(second, 7, in_use=not lost),
        ]


def index(store: int, version: int | None, **others: object) -> dict[str, object]:
    healthy = {"in_use": True, "health": "green", "documents": 2_000, "bytes": 3_100_000, "read_only": False}
    return {"store": store, "version": version, **healthy, **others}


SOURCE = Engine
BESIDE = {"stores": STORES}
