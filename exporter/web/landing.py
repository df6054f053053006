"""``/``: what this exporter is, and how each collector is doing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from html import escape
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from exporter import __version__
from exporter.core.runner import CollectorState, Outcome
from exporter.web.app_state import AppState

router: Final = APIRouter()

STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --bad: #c62828; --good: #2e7d32; }
@media (prefers-color-scheme: dark) { :root { --bad: #ff8a80; --good: #81c784; } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .6rem; text-align: left; vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
@media (max-width: 40rem) { .help { display: none; } }
.ok { color: var(--good); } .failing { color: var(--bad); font-weight: 600; } .off { opacity: .65; }
nav a { margin-right: 1rem; }
"""
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Magento exporter</title><style>{style}</style></head><body>
<h1>Magento exporter <small>{version}</small></h1>
<nav><a href="metrics">Metrics</a><a href="runbooks/">Runbooks</a><a href="incidents">Incidents</a>
<a href="rules.yml">Alert rules</a>
<a href="-/ready">Ready</a><a href="-/healthy">Healthy</a></nav>
<h2>Sources</h2><p>{sources}</p>
<h2>Collectors</h2><div class="wide"><table>
<tr><th>Collector</th><th>State</th><th class="number">Age</th><th class="number">Took</th>
<th class="number">Series</th><th class="help">What it shows</th></tr>
{rows}</table></div>
</body></html>
"""


@router.head("/", include_in_schema=False)
@router.get("/", response_class=HTMLResponse)
async def landing(request: Request) -> HTMLResponse:
    """Return the landing page. It shows the last results and collects nothing."""
    app: AppState = request.app.state.exporter
    up = app.runner.source_up()
    sources = ", ".join(
        f'<span class="{"ok" if good else "failing"}">{escape(name)} {"up" if good else "down"}</span>'
        for name, good in sorted(up.items())
    )
    rows = "".join((*_running(app), *_off(app)))
    html = _PAGE.format(
        style=STYLE, version=escape(__version__), sources=sources or "not asked yet", rows=rows
    )
    return HTMLResponse(html)


def _running(app: AppState) -> Iterator[str]:
    now = time.time()
    for state in app.runner.states.values():
        age = f"{now - state.succeeded_at:.0f} s" if state.succeeded_at else ""
        took = f"{state.duration * 1000:.0f} ms" if state.runs else ""
        yield (
            f'<tr><td>{escape(state.name)}</td><td class="{state.outcome}">{escape(_state(state))}</td>'
            f'<td class="number">{age}</td><td class="number">{took}</td>'
            f'<td class="number">{state.exposition.series or ""}</td>'
            f'<td class="help">{escape(state.collector.help)}</td></tr>\n'
        )


def _state(state: CollectorState) -> str:
    return f"failing: {state.reason}" if state.outcome is Outcome.FAILING else str(state.outcome)


def _off(app: AppState) -> Iterator[str]:
    for name, why in app.off.items():
        yield f'<tr class="off"><td>{escape(name)}</td><td colspan="5">off: {escape(why)}</td></tr>\n'
