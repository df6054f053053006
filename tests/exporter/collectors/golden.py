"""One page a collector: what it says about one shop at one moment, byte for byte.

``python -m tests.exporter.collectors.golden update`` writes the pages anew; look at the difference before
you commit it.

A collector of the database is run on the shop of :class:`tests.harness.shop.Story`; one of another source
on the canned answers below, of which each is given in turn: before, a minute later, ten minutes later.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from exporter.collectors import all_collectors
from exporter.core.collector import Collector
from exporter.core.runner import CollectorState, Outcome
from tests.harness.shop import LAST, LATER, NOW, Story, Watch, described, frozen_server, make_place, text_of

DIRECTORY: Final = Path(__file__).parent
GOOD_PROBES: Final = 2**64 - 1


def path_of(collector: type[Collector]) -> Path:
    """Return the file of a collector's page."""
    return DIRECTORY / collector.name / "golden.prom"


def page_of(collector: type[Collector], story: Story) -> str:
    """Return the page as it should be; a collector that fails has none."""
    slots = story.slots[collector.name] if collector.source == "database" else _canned(collector)
    for slot in slots:
        assert slot.outcome is Outcome.OK, described(slot)
    return text_of(slots[-1])


def without_collector(collectors: Iterable[type[Collector]]) -> list[Path]:
    """Return the pages whose collector is gone."""
    return sorted(set(DIRECTORY.glob("*/*.prom")) - {path_of(collector) for collector in collectors})


def update() -> list[str]:
    """Write every page; return the names of those that changed."""
    changed = []
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="golden-")))
        story = Story(make_place(stack.enter_context(frozen_server(directory)), stack))
        for collector in all_collectors():
            path, page = path_of(collector), page_of(collector, story)
            if not path.exists() or path.read_text(encoding="utf-8") != page:
                path.parent.mkdir(exist_ok=True)
                path.write_text(page, encoding="utf-8")
                changed.append(collector.name)
    for path in without_collector(all_collectors()):
        path.unlink()
        changed.append(path.parent.name)
    return changed


def _canned(collector: type[Collector]) -> list[CollectorState]:
    sources = {name: answer() for name, answer in SOURCES.items()}
    watch = Watch(collector, None, sources=sources)
    slots = []
    for now in (NOW, LATER, LAST):
        slots.append(watch.scrape(now))
        for source in sources.values():
            source.step += 1
    return slots


class Canned:
    """A source that gives its next answer at every step."""

    step = 0


class Broker(Canned):
    """RabbitMQ: a busy queue, one without consumers, one that is about to be deleted."""

    def queues(self) -> Sequence[Mapping[str, Any]]:
        done = (100, 130, 400)[self.step]
        stats = {"publish": done + 12, "ack": done, "deliver_get": done + 5, "redeliver": self.step}
        return [
            _queue("product_action_attribute.update", ready=7, unacked=5, consumers=2, message_stats=stats),
            _queue("async.operations.all", ready=3 * self.step, message_stats={"publish": 3 * self.step}),
            _queue("amq.gen-private", ready=1, exclusive=True, auto_delete=True, durable=False),
        ]


def _queue(
    name: str, *, ready: int, unacked: int = 0, consumers: int = 0, **others: object
) -> dict[str, object]:
    known = {"vhost": "/", "durable": True, "exclusive": False, "auto_delete": False, "state": "running"}
    counts = {"messages_ready": ready, "messages_unacknowledged": unacked, "messages": ready + unacked}
    return {"name": name, "consumers": consumers, **known, **counts, **others}


class Varnish(Canned):
    """Two instances, the second of which stops to answer."""

    def counters(self) -> Mapping[str, Mapping[str, int] | None]:
        busy = (1_000, 1_600, 7_000)[self.step]
        edge = {
            "MAIN.uptime": 86_400 + busy,
            "MAIN.cache_hit": 9 * busy,
            "MAIN.cache_miss": busy,
            "MAIN.cache_hitmiss": busy // 4,
            "MAIN.s_pass": busy // 2,
            "MAIN.s_synth": 3,
            "MAIN.bans": 5 + self.step,
            "MAIN.bans_added": 40 + self.step,
            "MAIN.bans_obj_killed": 11,
            "MAIN.n_object": 5_000,
            "MAIN.n_lru_nuked": 2,
            "MAIN.threads_limited": 0,
            "MAIN.sess_dropped": 0,
            "MAIN.backend_fail": 1,
            "MAIN.backend_busy": 0,
            "MAIN.backend_unhealthy": 0,
            "MAIN.fetch_failed": 1,
            "MAIN.cache_hit_grace": 6,
            "MAIN.losthdr": 0,
            "VBE.boot.web1.happy": GOOD_PROBES,
            "VBE.boot.web2.happy": GOOD_PROBES if self.step == 0 else 0b1,
        }
        return {"edge": edge, "second": edge if self.step == 0 else None}


class Redis(Canned):
    """Three roles on two servers; sessions have one of their own."""

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


class Files(Canned):
    """The files of a shop in production that was deployed an hour ago and is now in maintenance."""

    def product(self) -> tuple[str, str]:
        return "community", "2.4.8-p1"

    def mode(self) -> str:
        return "production"

    def maintenance(self) -> bool:
        return self.step > 0

    def static_deployed_at(self) -> float | None:
        return NOW.timestamp() - 3600


SOURCES: Final[Mapping[str, type[Canned]]] = {
    "broker": Broker,
    "varnish": Varnish,
    "redis": Redis,
    "files": Files,
}
"""By the names of the fields of :class:`exporter.core.collector.Context`."""


if __name__ == "__main__":
    if sys.argv[1:] != ["update"]:
        sys.exit("usage: python -m tests.exporter.collectors.golden update")
    print("changed:", ", ".join(update()) or "nothing")  # noqa: T201 - a small program that writes to a terminal
