"""The buttons below a runbook's head: the panel at that time, a silence, and whom to call next."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Final
from urllib.parse import quote, urlencode

from exporter.core.panels import panel_id
from exporter.evidence.bundles import Bundle
from exporter.web.runbook_text import Runbook, anchor

_PANEL: Final = re.compile(r"<code>([a-z-]+)</code>, panel <code>([a-z0-9_]+)</code>")
_ESCALATE: Final = "Escalate"
_VARIABLES: Final = frozenset(
    {"job", "instance", "shop", "store", "job_code", "indexer", "queue", "varnish", "collector"}
)
_BEFORE_MS: Final = 3_600_000
_AFTER_MS: Final = 1_800_000


def buttons_of(
    page: Runbook,
    labels: Mapping[str, str],
    then: Bundle | None,
    *,
    grafana: str,
    alertmanager: str,
) -> str:
    """Return the buttons whose addresses are known; empty if there is none."""
    links = [
        *_panel(page, labels, then, grafana),
        *_silence(page, labels, alertmanager),
        *([("Escalate", f"#{anchor(_ESCALATE)}")] if _ESCALATE in page.sections else []),
    ]
    made = "".join(f'<a class="button" href="{escape(href)}">{text}</a>' for text, href in links)
    return f'<nav class="act">{made}</nav>\n' if made else ""


def _panel(
    page: Runbook, labels: Mapping[str, str], then: Bundle | None, grafana: str
) -> Iterator[tuple[str, str]]:
    found = _PANEL.search(page.facts.get("Panel", ""))
    if not grafana or found is None:
        return
    chosen = {f"var-{name}": value for name, value in labels.items() if name in _VARIABLES}
    window = {}
    if then is not None:
        # From an hour before the alert fired, to now or to half an hour after its end.
        end = f"{then.ended_at * 1000 + _AFTER_MS:.0f}" if then.ended_at else "now"
        window = {"from": f"{then.started_at * 1000 - _BEFORE_MS:.0f}", "to": end}
    query = urlencode({**chosen, "viewPanel": panel_id(found[1], found[2]), **window})
    yield "Panel", f"{grafana.rstrip('/')}/d/{found[1]}?{query}"


def _silence(page: Runbook, labels: Mapping[str, str], alertmanager: str) -> Iterator[tuple[str, str]]:
    if not alertmanager:
        return
    matchers = ",".join(f'{name}="{value}"' for name, value in {"alertname": page.name, **labels}.items())
    yield "Silence", f"{alertmanager.rstrip('/')}/#/silences/new?filter={quote(f'{{{matchers}}}', safe='')}"
