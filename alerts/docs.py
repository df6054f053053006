"""The part of docs/alerts.md that is derived: every alert, with its limit and how to tune it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from alerts.catalogue import Catalogue
from alerts.lib.condition import THRESHOLD
from alerts.lib.model import Alert
from alerts.lib.prometheus import limit_text
from exporter.errors import SpecError
from promql.durations import Duration
from promql.render import layout

BEGIN: Final = "<!-- alerts: begin (written by python -m alerts) -->"
END: Final = "<!-- alerts: end -->"

TITLES: Final = {
    "probe": "From outside",
    "selling": "Selling",
    "slo": "Objectives",
    "orders": "After the order",
    "cron": "Cron",
    "indexers": "Indexers",
    "queues": "Queues and bulk requests",
    "page_cache": "Page cache and sessions",
    "platform": "What the shop stands on",
    "security": "Break-ins",
    "exporter": "The exporter",
}


def page(current: str, found: Catalogue) -> str:
    """Return the page with the derived part made anew; raise :exc:`SpecError` if it has no place for it."""
    before, begin, rest = current.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SpecError("docs/alerts.md has lost the marks between which the alerts are written")
    return f"{before}{BEGIN}\n\n" + "\n".join(_subjects(found)) + f"\n{END}{after}"


def _subjects(found: Catalogue) -> Iterator[str]:
    for subject, alerts in found.alerts.items():
        yield f"### {TITLES[subject]}\n"
        for alert in alerts:
            yield from _entry(alert)


def _entry(alert: Alert) -> Iterator[str]:
    yield f"#### {alert.name}\n"
    severity = alert.severity_in_words.capitalize()
    yield f"{alert.summary} {alert.impact} *{severity}, team {alert.team.value}.*\n"
    yield f"- Why this limit: {alert.why}"
    yield f"- First action: {alert.first_action}"
    yield f"- Must hold for {Duration(alert.for_)}{_keeps(alert)}. {_tuning(alert)}"
    yield f"- Missing data: {alert.no_data.value}"
    silenced = (
        "Silent while the shop is in maintenance mode."
        if alert.maintenance
        else "Not silenced by maintenance."
    )
    yield f"- {silenced} [Runbook](../runbooks/{alert.runbook}.md).\n"
    yield f"```promql\n{layout(alert.expr)}\n```\n"


def _keeps(alert: Alert) -> str:
    return f", keeps firing for {Duration(alert.keep_firing_for)}" if alert.keep_firing_for else ""


def _tuning(alert: Alert) -> str:
    if alert.scope is None:
        return "It has no limit to tune."
    labels = ", ".join(f"`{label}`" for label in ("alert", "job", *([alert.scope] if alert.scope else [])))
    return f"Limit {limit_text(alert)}; own limits: `{THRESHOLD.name}` with {labels}."
