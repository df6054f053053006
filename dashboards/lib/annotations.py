"""Marks on the graphs: what fired, and what somebody did to the shop."""

from __future__ import annotations

from dashboards.lib.here import here
from dashboards.lib.page import Annotation
from dashboards.lib.query import ALERTS, changes, delta, increase, series
from dashboards.lib.style import Colour
from exporter.collectors import deployment, indexers, page_cache

FIRING = Annotation(
    name="Firing alerts",
    expr=series(
        ALERTS, alertname="=~Magento.+", alertstate="firing", severity="=~critical|warning", job="=~$job"
    ).now,
    title="{{alertname}}",
    text="{{severity}} {{store}}",
    tags="alertname,severity,store",
    colour=Colour.CRITICAL,
)

MAINTENANCE = Annotation(
    name="Maintenance",
    expr=here(deployment.MAINTENANCE).now.equals(1),
    title="Maintenance",
    text="Visitors got 503 (var/.maintenance.flag)",
    colour=Colour.MUTED,
)

DEPLOYED = Annotation(
    name="Deployments",
    expr=changes(here(deployment.DEPLOYED)["2m"]) > 0,
    title="Deployment",
    text="Static content was deployed",
    colour=Colour.ACCENT,
)

FLUSHED = Annotation(
    name="Cache flushes",
    expr=(increase(here(page_cache.BANS_ADDED)["2m"]) > 0).only_if(
        delta(here(page_cache.OBJECTS)["5m"]) < 0, on=("job", "instance", "varnish")
    ),
    title="Pages dropped from the cache",
    text="Bans were added and the cache shrank",
    colour=Colour.WARNING,
)

REINDEXED = Annotation(
    name="Full reindexes",
    expr=here(indexers.STATE, state="working").now.equals(1),
    title="Full reindex",
    text="{{indexer}}",
    tags="indexer",
    colour=Colour.NEUTRAL,
)
