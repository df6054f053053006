"""Marks on the graphs: from when to when an alert fired, and what somebody did to the shop.

Grafana asks for marks at steps, as it asks for a graph; some versions ask at a hundred for the whole range,
which is every two hours of a week. So no mark may depend on whether a step falls on it: each step looks back
to the last one, and what has a moment is marked at the moment that is its value (``at_value``).

An alert is a region: Grafana joins the steps that follow one another, from firing to resolved.
"""

from __future__ import annotations

from typing import Final

from dashboards.lib.alerting import firing
from dashboards.lib.here import here
from dashboards.lib.page import Annotation
from dashboards.lib.style import Colour
from exporter.collectors import deployment, indexers, page_cache
from exporter.pack.addresses import NO_RUNBOOK_PAGES
from promql.expr import Expr, Selector, function, over_time
from promql.metrics import SHOP

_MILLISECONDS: Final = 1000
_EACH_MINUTE: Final = slice("$__interval", "1m")


def _began(now: Expr, a_minute_before: Expr) -> Expr:
    """Return the millisecond of the minute in which something began: it is so now, and was not before."""
    moments = function("timestamp", now.unless(a_minute_before))
    return over_time("max", moments[_EACH_MINUTE]) * _MILLISECONDS


def _while_one(states: Selector) -> Expr:
    """Keep the states that are 1, or were since the last step."""
    return states.equals(1).or_else(over_time("max", states["$__interval"]).equals(1))


def _emptied(objects: Selector, five_minutes_before: Selector) -> Expr:
    return objects < five_minutes_before * 0.5


_OBJECTS: Final = here(page_cache.OBJECTS)

_PAGES: Final = (
    f'<a href="{NO_RUNBOOK_PAGES}{{{{alertname}}}}?store={{{{store}}}}">Runbook and evidence</a> · '
    f'<a href="{NO_RUNBOOK_PAGES}../incidents">Incidents</a>'
)
"""Grafana shows a mark's text as HTML. `magento-exporter pack` writes the address of the exporter's pages."""


def _alerts(name: str, severity: str, colour: Colour) -> Annotation:
    return Annotation(
        name=name,
        expr=_while_one(firing(severity)),
        title="{{alertname}}",
        text=f"{{{{severity}}}} {{{{store}}}}<br>{_PAGES}",
        tags="alertname,severity,store",
        colour=colour,
    )


CALLED = _alerts("Critical alerts", "critical", Colour.CRITICAL)
FIRING = _alerts("Other alerts", "=~urgent|warning", Colour.WARNING)

MAINTENANCE = Annotation(
    name="Maintenance",
    expr=_while_one(here(deployment.MAINTENANCE)),
    title="Maintenance",
    text="Visitors got 503 (var/.maintenance.flag)",
    colour=Colour.MUTED,
)

# Without a mark of `magento-exporter deploy`, the last deployment of static content stands for it.
DEPLOYED = Annotation(
    name="Deployments",
    expr=here(deployment.DEPLOY_STARTED).or_else(here(deployment.DEPLOYED), on=SHOP) * _MILLISECONDS,
    at_value=True,
    title="Deployment",
    text="{{release}}",
    tags="release",
    colour=Colour.ACCENT,
)

FLUSHED = Annotation(
    name="Cache flushes",
    expr=_began(
        _emptied(_OBJECTS, _OBJECTS.before("5m")),
        _emptied(_OBJECTS.before("1m"), _OBJECTS.before("6m")),
    ),
    at_value=True,
    title="The page cache was emptied",
    text="It holds less than half of what it held five minutes before",
    colour=Colour.WARNING,
)

REINDEXED = Annotation(
    name="Full reindexes",
    expr=_while_one(here(indexers.STATE, state="working")),
    title="Full reindex",
    text="{{indexer}}",
    tags="indexer",
    colour=Colour.NEUTRAL,
)
