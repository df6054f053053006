"""The page cache in Fastly, from its real-time statistics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from exporter.collectors.page_cache import REQUESTS
from exporter.core.collector import EVERY_HALF_MINUTE, Collector, Context
from exporter.core.metrics import Sample, counter

LAYER: Final = "fastly"
KEPT: Final = 110
"""Seconds after which a report is not continued. Fastly keeps 120."""

MISSED = counter(
    "magento_page_cache_fastly_missed_seconds_total",
    "Seconds whose requests are not counted: Fastly had forgotten them when it was asked again.",
)
_RESULTS: Final = {"hit": "hits", "miss": "miss", "pass": "pass"}
"""Results to Fastly's own names."""


class FastlyCollector(Collector):
    """Fastly as Magento's full-page cache."""

    name = "fastly"
    help = "Full-page cache in Fastly: requests by result, from its real-time statistics."
    notes = """
    Needs `fastly.service` and `fastly.token_file`: an API token that may read statistics (scope
    `global:read`) and nothing else. Each answer of `/v1/channel/<service>/ts/<time>` continues the one
    before, so each second is counted once, over restarts too if there is a state file. Fastly keeps two
    minutes. If they have passed since the last answer, the counting begins anew, and
    `magento_page_cache_fastly_missed_seconds_total` says how much was lost.

    The layer is `fastly`, the label `varnish` is empty, and there is no `uncacheable`: such requests are
    among `pass`. Fastly counts static files and images with the pages. With shielding, a request that the
    edge cannot answer is counted a second time at the shield. So the ratio is higher than that of pages in
    the one case, lower in the other. Compare it with its own last week: no alert judges it by a limit.

    Written after Fastly's documentation and tested on answers in its form. No service at Fastly was asked.
    """
    source = "fastly"
    metrics = (REQUESTS, MISSED)
    refresh = EVERY_HALF_MINUTE

    def collect(self, context: Context) -> Iterable[Sample]:
        """Count the seconds that were not counted yet."""
        place = context.memory.table("place")
        requests, missed = context.memory.counters(REQUESTS), context.memory.counters(MISSED)
        known, counted = place.get("last", [0, 0])
        goes_on = abs(context.now - known) <= KEPT
        following, seconds = context.fastly.report(known if goes_on else 0)
        missed.add(max(0, following - known - 1) if known and not goes_on else 0)
        for result in _RESULTS:
            requests.initialise(layer=LAYER, varnish="", result=result)
        for second, numbers in seconds:
            if goes_on and second <= counted:
                continue
            for result, field in _RESULTS.items():
                requests.add(numbers[field], layer=LAYER, varnish="", result=result)
            counted = second
        place.put("last", [following, counted])
        yield from requests.samples()
        yield from missed.samples()
