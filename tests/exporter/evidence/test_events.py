"""Deploys, maintenance, flushes and long reindexes, from results as they change."""

from __future__ import annotations

import pytest

from exporter.collectors import deployment, indexers, page_cache, redis
from exporter.core.memory import VolatileStore
from exporter.core.runner import Runner
from exporter.evidence import events as module
from exporter.evidence.events import MOST, Event, Events, Values

NOW = 1_800_000_000.0
STARTED, ENDED = deployment.DEPLOY_STARTED.name, deployment.DEPLOY_ENDED.name


def value(name: str, number: float, **labels: str) -> Values:
    return {(name, tuple(sorted(labels.items()))): number}


WORKING = {"indexer": "catalog_product_price", "state": "working"}


@pytest.mark.parametrize(
    ("looks", "found"),
    [
        (
            [(0, value(deployment.DEPLOYED.name, 1.0)), (5, value(deployment.DEPLOYED.name, NOW))],
            [Event("deploy", "static files", NOW)],
        ),
        ([(0, value(deployment.DEPLOYED.name, 1.0)), (5, value(deployment.DEPLOYED.name, 1.0))], []),
        (
            [(0, value(STARTED, NOW, release="v2")), (90, value(ENDED, NOW + 80, release="v2"))],
            [Event("deploy", "v2", NOW, NOW + 80)],
        ),
        ([(0, value(ENDED, NOW - 80, release="v1"))], []),
        (
            [
                (0, value(deployment.MAINTENANCE.name, 0)),
                (5, value(deployment.MAINTENANCE.name, 1)),
                (10, value(deployment.MAINTENANCE.name, 1)),
                (65, value(deployment.MAINTENANCE.name, 0)),
            ],
            [Event("maintenance", "on", NOW + 5, NOW + 65)],
        ),
        (
            [(0, value(redis.KEYS.name, 900, role="cache")), (5, value(redis.KEYS.name, 30, role="cache"))],
            [Event("flush", "cache", NOW + 5)],
        ),
        (
            [
                (0, value(page_cache.OBJECTS.name, 900, varnish="edge")),
                (5, value(page_cache.OBJECTS.name, 700)),
            ],
            [],
        ),
        (
            [
                (0, value(indexers.STATE.name, 1, **WORKING)),
                (70, value(indexers.STATE.name, 1, **WORKING)),
                (90, value(indexers.STATE.name, 0, **WORKING)),
            ],
            [Event("reindex", "catalog_product_price", NOW, NOW + 90)],
        ),
        ([(0, value(indexers.STATE.name, 1, **WORKING)), (5, value(indexers.STATE.name, 0, **WORKING))], []),
    ],
)
def test_what_happened_is_noted_once_and_kept(
    monkeypatch: pytest.MonkeyPatch, looks: list[tuple[float, Values]], found: list[Event]
) -> None:
    store = VolatileStore()
    runner = Runner([], context=None, store=store, executors={})  # type: ignore[arg-type]
    clock = [NOW]
    kept = Events(store, runner, clock=lambda: clock[0])
    for after, values in looks:
        monkeypatch.setattr(module, "_values", lambda *_, values=values: values)
        clock[0] = NOW + after
        kept.look()
    assert kept.all() == found
    again = Events(store, runner)
    assert again.all() == found
    monkeypatch.setattr(module, "_values", lambda *_: looks[-1][1])
    again.look()
    assert [event.kind for event in again.all()] == [event.kind for event in found]


def test_the_newest_are_kept() -> None:
    store = VolatileStore()
    kept = Events(store, Runner([], context=None, store=store, executors={}))  # type: ignore[arg-type]
    kept._keep([Event("flush", "cache", NOW + n) for n in range(MOST + 9)], NOW)
    assert (len(kept.all()), kept.all()[-1].at) == (MOST, NOW + 9)
    kept._keep([Event("flush", "old", NOW - 40 * 86_400)], NOW)
    assert len(kept.all()) == MOST
