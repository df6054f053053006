"""Where an alert leads: its runbook, its panel. The bases are chosen when the files are generated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote_plus

from alerts.lib.model import Alert, Category
from exporter.core.panels import panel_id
from exporter.pack.addresses import NO_GRAFANA, NO_RUNBOOKS, NO_STANDBY
from promql.metrics import SHOP

DEMO_RUNBOOKS: Final = "http://localhost:9816/runbooks/"
DEMO_GRAFANA: Final = "http://localhost:3000"

VARIABLES: Final = (*SHOP, "store", "job_code", "indexer", "queue", "varnish", "collector")
"""The dashboard variables that a link sets from the alert's labels of the same name."""


@dataclass(frozen=True, slots=True)
class Links:
    """The bases of the links in notifications; without them, Prometheus does not load the rules.

    ``standby`` serves the runbooks of the alerts that say that the exporter does not; empty: nobody does.
    """

    runbooks: str = NO_RUNBOOKS
    grafana: str = NO_GRAFANA
    standby: str = NO_STANDBY

    def runbook(self, alert: Alert) -> str:
        """Return the template of the address of the alert's runbook, with its labels for the commands."""
        return self._runbook(alert, {name: f"{{{{ $labels.{name} | urlquery }}}}" for name in carried(alert)})

    def runbook_for(self, alert: Alert, labels: Mapping[str, str]) -> str:
        """Return the address as it reads for an alert with these labels."""
        return self._runbook(alert, {name: quote_plus(labels.get(name, "")) for name in carried(alert)})

    def _runbook(self, alert: Alert, values: Mapping[str, str]) -> str:
        query = "&".join(f"{name}={value}" for name, value in values.items())
        base = (alert.blinds and self.standby) or self.runbooks
        return f"{base.rstrip('/')}/{alert.runbook}" + (f"?{query}" if query else "")

    def panel(self, alert: Alert) -> str:
        """Return the template of the address of the alert's panel, with the variables set."""
        return self._panel(alert, {name: f"{{{{ $labels.{name} | urlquery }}}}" for name in variables(alert)})

    def panel_for(self, alert: Alert, labels: Mapping[str, str]) -> str:
        """Return the address as it reads for an alert with these labels."""
        return self._panel(alert, {name: quote_plus(labels.get(name, "")) for name in variables(alert)})

    def _panel(self, alert: Alert, values: Mapping[str, str]) -> str:
        chosen = "".join(f"var-{name}={value}&" for name, value in values.items())
        panel = panel_id(alert.panel.dashboard, alert.panel.key)
        return f"{self.grafana.rstrip('/')}/d/{alert.panel.dashboard}?{chosen}viewPanel={panel}"


DEMO: Final = Links(DEMO_RUNBOOKS, DEMO_GRAFANA, standby="")


def carried(alert: Alert) -> tuple[str, ...]:
    """Return the labels that tell where the alert fires."""
    return (*alert.cases.target_labels, *alert.series_labels)


def variables(alert: Alert) -> list[str]:
    """Return the dashboard variables whose label the alert carries.

    On the dashboards, ``job`` and ``instance`` are those of this exporter: a server's own would find nothing.
    """
    elsewhere = SHOP[:-1] if alert.category is Category.PLATFORM else ()
    return [name for name in VARIABLES if name in carried(alert) and name not in elsewhere]
