"""From Varnish's counters to samples, where a real Varnish cannot be brought to it at will."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count

import pytest

from exporter.collectors.page_cache import PageCacheCollector
from exporter.core.memory import VolatileStore
from exporter.magento.page_cache import is_healthy
from tests.harness.core import run, values

ALL_GOOD = 2**64 - 1


class Counters:
    """A source that answers what it is given."""

    def __init__(self) -> None:
        self.now: Mapping[str, Mapping[str, int] | None] = {}

    def counters(self) -> Mapping[str, Mapping[str, int] | None]:
        return self.now


class Watch:
    def __init__(self) -> None:
        self.source, self.store = Counters(), VolatileStore()

    def __call__(self, **counters: int) -> dict[tuple[str, ...], float]:
        named = {name.replace("__", "."): value for name, value in counters.items()}
        return self.of({"edge": named})

    def of(self, counters: Mapping[str, Mapping[str, int] | None]) -> dict[tuple[str, ...], float]:
        self.source.now = counters
        return values(run(PageCacheCollector(), self.store, varnish=self.source))

    def misses(self, miss: int, hitmiss: int) -> float:
        return self(MAIN__cache_miss=miss, MAIN__cache_hitmiss=hitmiss)[
            "magento_page_cache_requests_total", "varnish", "edge", "miss"
        ]

    def hits(self, hit: int, fragments: int) -> float:
        return self(MAIN__cache_hit=hit, MAIN__esi_req=fragments)[
            "magento_page_cache_requests_total", "varnish", "edge", "hit"
        ]

    def backends(self, **histories: int) -> dict[str, float]:
        named = {name.replace("__", ".") + ".happy": history for name, history in histories.items()}
        return self.backends_of(named)

    def backends_of(self, histories: Mapping[str, int]) -> dict[str, float]:
        found = self.of({"edge": dict(histories)})
        return {
            key[2]: value for key, value in found.items() if key[0] == "magento_page_cache_backend_healthy"
        }


def test_fragments_are_no_pages() -> None:
    watch = Watch()
    assert watch.hits(36, 24) == 12
    assert watch.hits(36, 25) == 12, "one of the two was read a moment later"
    assert watch.hits(38, 25) == 13
    assert watch.hits(2, 1) == 1, "a restart"


def test_misses_never_fall_while_varnish_lives() -> None:
    watch = Watch()
    assert watch.misses(100, 40) == 60
    assert watch.misses(100, 41) == 60, "one of the two was read a moment later"
    assert watch.misses(101, 41) == 60
    assert watch.misses(110, 45) == 65
    assert watch.misses(3, 1) == 2, "a restart"


@pytest.mark.parametrize(
    ("probes", "healthy"),
    [(0, False), (0b1111, False), (0b11111, True), (0b1111100000, True), (2**64 - 2**10, False)],
)
def test_healthy_as_the_generated_vcl_has_it(probes: int, healthy: bool) -> None:
    assert is_healthy(probes) is healthy


def test_the_newest_vcl_that_defines_a_backend_decides() -> None:
    watch = Watch()
    assert watch.backends(VBE__boot__web1=ALL_GOOD, VBE__reload_2__web1=0) == {"web1": 0}
    assert watch.backends(VBE__boot__web1=0, VBE__reload_2__web1=ALL_GOOD, VBE__reload_2__web2=0b1) == {
        "web1": 1,
        "web2": 0,
    }


def test_the_vcl_in_use_decides_and_not_the_newest() -> None:
    """A sick VCL was loaded and used, and the old one is used again: both stay warm for minutes."""
    watch, probed = Watch(), count(0, 100)

    def look(boot: int, reload: int | None = None) -> dict[str, float]:
        counted = {"VBE.boot.web1.happy": ALL_GOOD, "VBE.boot.web1.req": boot}
        if reload is not None:
            probes = next(probed)  # a probe that is refused counts in these
            counted |= {"VBE.reload.web1.fail": probes, "VBE.reload.web1.helddown": probes}
            counted |= {"VBE.reload.web1.happy": 0, "VBE.reload.web1.unhealthy": reload}
        return watch.backends_of(counted)

    assert look(100) == {"web1": 1}
    assert look(100, 0) == {"web1": 0}, "new, and nothing was asked since"
    assert look(101, 7) == {"web1": 0}, "a request of before was still on its way"
    assert look(101, 7) == {"web1": 0}
    assert look(120, 7) == {"web1": 1}, "the old one is used again"
    assert look(120, 7) == {"web1": 1}
    assert look(120, 9) == {"web1": 0}
    assert look(121) == {"web1": 1}, "the sick one has cooled down"


def test_a_first_look_takes_the_vcl_that_works() -> None:
    """Of counters that are hours old the larger one says which."""
    counted = {
        "VBE.boot.web1.happy": ALL_GOOD,
        "VBE.boot.web1.req": 900,
        "VBE.reload.web1.happy": 0,
        "VBE.reload.web1.req": 0,
    }
    assert Watch().backends_of(counted) == {"web1": 1}


def test_a_backend_that_never_had_a_good_probe_is_left_out_until_it_has() -> None:
    watch = Watch()
    assert watch.backends(VBE__boot__web1=0) == {}
    assert watch.backends(VBE__boot__web1=0b1111) == {"web1": 0}
    assert watch.backends(VBE__reload_2__web1=0) == {"web1": 0}, "it is known to have a probe"


def test_addresses_of_a_dynamic_director_are_one_backend() -> None:
    watch = Watch()
    histories = {
        "VBE.boot.goto.00000000.(10.0.0.1).(http://shop:80).(ttl:10.000000).happy": 0,
        "VBE.boot.goto.00000001.(10.0.0.2).(http://shop:80).(ttl:10.000000).happy": ALL_GOOD,
        "VBE.boot.shop(10.0.0.1:http).happy": ALL_GOOD,
        "VBE.boot.web1.happy": ALL_GOOD,
    }
    assert watch.backends_of(histories) == {"goto": 1, "shop": 1, "web1": 1}


def test_an_instance_that_does_not_answer() -> None:
    found = Watch().of({"edge": None, "other": {"MAIN.cache_hit": 4}})
    assert found["magento_page_cache_up", "edge"] == 0
    assert found["magento_page_cache_requests_total", "varnish", "other", "hit"] == 4
    assert not [key for key in found if "edge" in key[1:] and key[0] != "magento_page_cache_up"]
