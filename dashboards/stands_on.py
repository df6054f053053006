"""The Overview's row about servers: one state for each role that another exporter observes."""

from __future__ import annotations

from typing import Final

from dashboards.lib.links import Link
from dashboards.lib.panels import Ask, Panel, Timeline
from dashboards.lib.style import Colour, words
from dashboards.lib.uids import DATABASE, DEPLOYS, GOLDEN_PATH, HOST, PHP_WEB, PROBES, RABBITMQ, REDIS, SEARCH
from exporter.magento.roles import ROLE
from promql.expr import Expr, count_by, max_by, series
from promql.platform import EXPORTER_UP, PLATFORM_ALERTS


def _role_states() -> Expr:
    """Return 2 for a role with an alert, 1 for a quiet one, 0 if its exporter does not answer."""
    firing = series(PLATFORM_ALERTS, shop="=~$shop", category="platform", alertstate="firing")
    observed = series(EXPORTER_UP, shop="=~$shop", magento_role="!=")
    return (count_by(firing, ROLE).truth(">", 0) * 2).or_else(max_by(observed, ROLE))


STANDS_ON: Final[tuple[Panel, ...]] = (
    Timeline(
        key="stands_on",
        title="What does the shop stand on?",
        meaning=(
            "Each role of a server that another exporter observes: whether an alert fires for it, and "
            "whether that exporter answers."
        ),
        good="Quiet throughout.",
        then="Look at its dashboard: the lowest layer that is bad is the cause of those above.",
        asks=(Ask(expr=_role_states(), legend="{{magento_role}}"),),
        unit="none",
        empty="no other exporter has a target with shop and magento_role: magento-exporter targets",
        mappings=words(
            {
                0.0: ("not observed", Colour.NEUTRAL),
                1.0: ("quiet", Colour.GOOD),
                2.0: ("an alert fires", Colour.CRITICAL),
            }
        ),
        link=Link("The golden path", GOLDEN_PATH, "page_seconds"),
        links=(
            Link("From outside", PROBES, "served"),
            Link("PHP & web", PHP_WEB, "full"),
            Link("Databases", DATABASE, "connections"),
            Link("Redis", REDIS, "up"),
            Link("Search", SEARCH, "alias"),
            Link("RabbitMQ", RABBITMQ, "memory_alarm"),
            Link("Machines", HOST, "disk_free"),
            Link("Deployments", DEPLOYS, "releases"),
        ),
        width=24,
        height=6,
    ),
)
