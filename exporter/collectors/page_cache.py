"""The full-page cache in Varnish: requests by outcome, bans, backends, from varnishstat's counters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from exporter.core.collector import Collector, Context
from exporter.core.memory import Table
from exporter.core.metrics import Sample, counter, gauge
from exporter.magento.page_cache import is_healthy

LAYER: Final = "varnish"

UP = gauge(
    "magento_page_cache_up",
    "Whether this Varnish gave its counters (1) or not (0).",
    "varnish",
)
REQUESTS = counter(
    "magento_page_cache_requests_total",
    "Page requests by cache layer and result: hit, miss, pass, uncacheable. varnish: name of the instance.",
    "layer",
    "varnish",
    "result",
)
BANS = gauge(
    "magento_page_cache_bans",
    "Bans on the list, each of which may be tested against every object (MAIN.bans).",
    "varnish",
)
OBJECTS = gauge("magento_page_cache_objects", "Objects in the cache (MAIN.n_object).", "varnish")
BACKEND_HEALTHY = gauge(
    "magento_page_cache_backend_healthy",
    "Whether at least 5 of the last 10 probes of the backend were good, as in Magento's VCL (VBE.*.happy).",
    "varnish",
    "backend",
)
BANS_ADDED = counter(
    "magento_page_cache_bans_added_total", "Bans added, one or more a purge (MAIN.bans_added).", "varnish"
)
GRACE_HITS = counter(
    "magento_page_cache_grace_hits_total", "Stale pages served (MAIN.cache_hit_grace).", "varnish"
)
FETCH_FAILURES = counter(
    "magento_page_cache_fetch_failures_total",
    "Fetches from a backend that failed, headers over the limit included (MAIN.fetch_failed).",
    "varnish",
)
LOST_HEADERS = counter(
    "magento_page_cache_lost_headers_total",
    "Headers of Varnish's own for which a page's headers left no room (MAIN.losthdr).",
    "varnish",
)
NUKED = counter(
    "magento_page_cache_objects_nuked_total",
    "Objects evicted to make room for others (MAIN.n_lru_nuked).",
    "varnish",
)

_STRAIGHT: Final = (
    (BANS, "MAIN.bans"),
    (OBJECTS, "MAIN.n_object"),
    (BANS_ADDED, "MAIN.bans_added"),
    (GRACE_HITS, "MAIN.cache_hit_grace"),
    (FETCH_FAILURES, "MAIN.fetch_failed"),
    (LOST_HEADERS, "MAIN.losthdr"),
    (NUKED, "MAIN.n_lru_nuked"),
)
_BACKEND: Final = re.compile(r"VBE\.(?P<vcl>[^.]+)\.(?P<backend>.+)\.happy")
_ASKED: Final = re.compile(r"VBE\.(?P<vcl>[^.]+)\..+\.(req|unhealthy)")
"""Requests to a backend, sent or not because it was sick. The other counters grow by probes too."""
_ADDRESS: Final = re.compile(r"[.]?[0-9]*[.]?\(.*")
"""What a dynamic director puts behind a backend's name: a number and the address in parentheses."""


class PageCacheCollector(Collector):
    """Varnish as Magento's full-page cache."""

    name = "page_cache"
    help = "Full-page cache: requests by result, bans, backends, from varnishstat."
    notes = """
    Every request for a page is one of four results:

    - `hit`: from the cache, stale pages in their grace time included;
    - `miss`: cacheable, but fetched;
    - `uncacheable`: looked up, and known not to be cacheable (hit-for-miss, which Magento's VCL makes of a
      page with a `cacheable="false"` block). Varnish counts it as a miss as well;
    - `pass`: never looked up: carts, checkout, customers, POST.

    `hit / (hit + miss)` says how good the cache is for what can be cached. `hit` over all says how much is
    kept from the web server.

    Magento's own VCL passes each file below `/static` and `/media`. They are among `pass`, although PHP does
    not answer them: judge pages by `hit` and `miss`. Magento's top menu is a fragment of its own (ESI) that
    Varnish looks up for each page. It is no page, so such sub-requests are left out of `hit`. A module whose
    fragments are never cached makes `hit` too low by their number, and `pass` too high.

    The counters are Varnish's own and start at 0 with it. `hit` and `miss` are each a difference of two of
    them that are not read at one instant: they keep their values until they rise again.

    Fastly's layer is the collector `fastly`'s. Magento's built-in page cache has none, because it counts
    nothing: a hit leaves no trace but a key that Redis was asked for, and Redis counts those of all caches
    together.

    A backend without a probe has no health. Newer versions of Varnish (7.7) call it healthy, always.
    """
    source = "varnish"
    metrics = (UP, REQUESTS, BACKEND_HEALTHY, *(metric for metric, _ in _STRAIGHT))

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield the samples of every instance that answers."""
        probed = context.memory.table("probed")
        misses = context.memory.table("misses")
        hits = context.memory.table("hits")
        work = context.memory.table("work")
        for name, counters in context.varnish.counters().items():
            yield UP.sample(float(counters is not None), varnish=name)
            if counters is not None:
                yield from _requests(name, counters, hits, misses)
                yield from _backends(name, counters, probed, work)
                for metric, source in _STRAIGHT:
                    if source in counters:
                        yield metric.sample(counters[source], varnish=name)


def _requests(name: str, counters: Mapping[str, int], hits: Table, misses: Table) -> Iterator[Sample]:
    uncacheable = counters.get("MAIN.cache_hitmiss", 0)
    fragments = counters.get("MAIN.esi_req", 0)
    results = {
        "hit": _less(name, counters.get("MAIN.cache_hit", 0), fragments, hits),
        "miss": _less(name, counters.get("MAIN.cache_miss", 0), uncacheable, misses),
        "uncacheable": uncacheable,
        "pass": counters.get("MAIN.s_pass", 0),
    }
    for result, value in results.items():
        yield REQUESTS.sample(value, layer=LAYER, varnish=name, result=result)


def _less(name: str, counted: int, others: int, known: Table) -> int:
    """Return what is counted without the others, never less than before unless Varnish itself began anew."""
    before: Mapping[str, Any] = known.get(name, {"counted": 0, "shown": 0})
    least = before["shown"] if counted >= before["counted"] else 0
    shown = max(int(least), counted - others)
    after = {"counted": counted, "shown": shown}
    if after != before:
        known.put(name, after)
    return shown


def _backends(name: str, counters: Mapping[str, int], probed: Table, work: Table) -> Iterator[Sample]:
    """Yield each backend's health by the VCL in use, or else the newest that defines it.

    A backend with a probe is left out until it has had a good one. Without a probe the history
    stays empty, or is always full (Varnish 7.7).
    """
    in_use = _vcl_in_use(name, counters, work)
    found: dict[str, dict[str, bool]] = {}
    for counter_name, history in counters.items():
        match = _BACKEND.fullmatch(counter_name)
        if match is None:
            continue
        backend, vcl = _ADDRESS.sub("", match["backend"]), match["vcl"]
        by_vcl = found.setdefault(backend, {})
        by_vcl[vcl] = by_vcl.get(vcl, False) or is_healthy(history)
        if history and not probed.get(f"{name}/{backend}"):
            probed.put(f"{name}/{backend}", value=True)
    for backend, by_vcl in found.items():
        healthy = by_vcl[in_use] if in_use in by_vcl else [*by_vcl.values()][-1]
        if probed.get(f"{name}/{backend}"):
            yield BACKEND_HEALTHY.sample(float(healthy), varnish=name, backend=backend)


def _vcl_in_use(name: str, counters: Mapping[str, int], work: Table) -> str | None:
    """Return the VCL whose backends were last asked for something, or that came after that.

    varnishstat does not name the VCL in use, and varnishadm needs a secret that allows everything. All
    VCLs that are warm probe their backends, but requests go to those of one.
    """
    asked: dict[str, int] = {}
    for counter_name, value in counters.items():
        match = _ASKED.fullmatch(counter_name)
        if match is not None:
            asked[match["vcl"]] = asked.get(match["vcl"], 0) + value
    before: Mapping[str, Any] = work.get(name, {"asked": {}, "in_use": None})
    new = [vcl for vcl in asked if vcl not in before["asked"]]
    moved = {vcl: number - before["asked"].get(vcl, 0) for vcl, number in asked.items()}
    busiest = max(moved, key=lambda vcl: moved[vcl], default=None)
    in_use: str | None = before["in_use"] if before["in_use"] in asked else None
    if busiest is not None and moved[busiest] > 0:
        in_use = busiest
    elif new:
        in_use = new[-1]
    after = {"asked": asked, "in_use": in_use}
    if after != before:
        work.put(name, after)
    return in_use
