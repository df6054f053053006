"""Marks on the graphs: when an alert began to fire, and what somebody did to the shop.

An alert is marked where it begins only: a graph under a red sheet for the whole incident shows nothing.
"""

from __future__ import annotations

from dashboards.lib.alerting import firing
from dashboards.lib.here import here
from dashboards.lib.page import Annotation
from dashboards.lib.style import Colour
from exporter.collectors import deployment, indexers, page_cache
from promql.expr import changes

_PAGES_AND_TICKETS = firing("=~critical|warning")

FIRING = Annotation(
    name="Alerts",
    expr=_PAGES_AND_TICKETS.now.unless(_PAGES_AND_TICKETS.before("2m").now),
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
    expr=here(page_cache.OBJECTS).now < here(page_cache.OBJECTS).before("5m").now * 0.5,
    title="The page cache was emptied",
    text="It holds less than half of what it held five minutes before",
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
