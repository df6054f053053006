"""One bundle for each alert that fires, whatever is sent how often, and none while nothing is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from exporter.core.memory import VolatileStore
from exporter.core.runner import Runner
from exporter.evidence.bundles import Bundles
from exporter.evidence.capture import Sources
from exporter.evidence.model import Evidence, Finding, PromQL, Setting
from exporter.evidence.service import SHARED_SECONDS, WAITING, EvidenceService, Notice
from exporter.sources.monitoring import Series
from tests.harness.core import NOON, Clock
from tests.harness.limits import LONG

CRON = Evidence("MagentoCronStopped", (Setting("enabled", "cron is enabled", path="cron/enabled"),), ())


def notice(number: int = 1, ended_at: float = 0.0, alert: str = "MagentoCronStopped") -> Notice:
    return Notice(alert, {"job": "magento"}, f"{number:016x}", NOON, ended_at)


class Shop:
    """A service on a setting whose readings are counted."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.readings = 0
        self.clock = Clock()
        runner = Runner([], context=None, store=VolatileStore(), executors={})  # type: ignore[arg-type]
        sources = Sources(runner, pool, setting=self._read)
        self.service = EvidenceService(
            {CRON.alert: CRON}, sources, Bundles(VolatileStore()), clock=self.clock
        )

    def _read(self, _path: str) -> str:
        self.readings += 1
        return "0"

    async def until(self, condition: Callable[[], bool]) -> None:
        async def wait() -> None:
            while not condition():  # noqa: ASYNC110 - the service has no event for tests
                await asyncio.sleep(0.001)

        await asyncio.wait_for(wait(), LONG)


class Remembers:
    """A Prometheus that notes about when it is asked."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    def value(self, _query: str, at: float) -> float | None:
        self.asked.append(at)
        return 1.0

    def series(self, _query: str, _at: float) -> Sequence[Series]:
        return []


def play(script: Callable[[Shop], Awaitable[None]]) -> Shop:
    """Run the script while the service works."""

    async def run(shop: Shop) -> None:
        work = asyncio.create_task(shop.service.work())
        await script(shop)
        assert not work.done()
        work.cancel()

    with ThreadPoolExecutor(1) as pool:
        shop = Shop(pool)
        asyncio.run(run(shop))
    return shop


def test_a_storm_costs_one_bundle_an_alert() -> None:
    async def storm(shop: Shop) -> None:
        for _ in range(1_000):
            assert shop.service.take([notice(1), notice(2)])
            await asyncio.sleep(0)
        await shop.until(lambda: len(shop.service.bundles.all()) == 2)
        assert shop.service.take([notice(1), notice(2)])
        await asyncio.sleep(0.01)

    shop = play(storm)
    assert shop.readings == 2
    found = shop.service.bundles.find(notice(1).id)
    assert found is not None
    assert (found.alert, found.started_at, found.captured_at) == ("MagentoCronStopped", NOON, NOON)
    assert found.findings == {"enabled": Finding("enabled", 0.0)}


@pytest.mark.parametrize("together", [True, False])
def test_resolved_is_noted_once_and_looks_at_nothing(together: bool) -> None:
    async def script(shop: Shop) -> None:
        shop.service.take([notice()])
        if not together:
            await shop.until(lambda: len(shop.service.bundles.all()) == 1)
        for _ in range(3):
            shop.service.take([notice(ended_at=NOON + 600)])
        await shop.until(lambda: any(one.ended_at for one in shop.service.bundles.all()))

    shop = play(script)
    (bundle,) = shop.service.bundles.all()
    assert bundle.ended_at == NOON + 600
    assert shop.readings == 1


def test_an_alert_without_declared_evidence_is_noted_with_its_times() -> None:
    async def script(shop: Shop) -> None:
        shop.service.take([notice(alert="MagentoOther")])
        await shop.until(lambda: bool(shop.service.bundles.all()))

    shop = play(script)
    assert shop.service.bundles.all()[0].findings == {}


def test_too_many_at_once_are_to_be_sent_again() -> None:
    async def script(shop: Shop) -> None:
        assert not shop.service.take([notice(number) for number in range(WAITING + 1)])
        assert shop.service.take([notice(number) for number in range(WAITING)])

    play(script)


def test_readers_share_what_is_seen_now() -> None:
    async def script(shop: Shop) -> None:
        labels = {"job": "magento"}
        seen = await asyncio.gather(*(shop.service.now(CRON.alert, labels) for _ in range(50)))
        assert shop.readings == 1
        assert {one.at for one in seen if one} == {NOON}
        shop.clock.forward(SHARED_SECONDS + 1)
        await shop.service.now(CRON.alert, labels)
        assert shop.readings == 2

    play(script)


def test_prometheus_is_asked_about_then_where_the_alert_comes_late() -> None:
    server = Remembers()
    fact = PromQL("f", "t", query="x")

    async def script(shop: Shop) -> None:
        shop.service.declared = {CRON.alert: Evidence(CRON.alert, (fact,), ())}
        shop.service._sources = replace(shop.service._sources, prometheus=server)
        shop.clock.forward(600)
        shop.service.take([notice()])
        await shop.until(lambda: bool(shop.service.bundles.all()))

    play(script)
    assert server.asked[0] == NOON
