"""``/``: what this exporter observes, how fresh it is, and what is off and why, in one glance."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from exporter.core.runner import CollectorState, Outcome
from exporter.web.app_state import AppState
from exporter.web.evidence_view import duration
from exporter.web.page import answer

router: Final = APIRouter()

_LINKS: Final = (
    ("metrics", "Metrics"),
    ("rules.yml", "Alert rules"),
    ("-/ready", "Ready"),
    ("-/healthy", "Healthy"),
)
_SOURCES: Final = {
    "database": "Database",
    "redis": "Redis or Valkey",
    "varnish": "Varnish",
    "fastly": "Fastly",
    "rabbitmq": "RabbitMQ",
    "artemis": "ActiveMQ Artemis",
    "search": "Search engine",
    "php": "PHP-FPM",
    "files": "Shop's directory",
}


@router.head("/", include_in_schema=False)
@router.get("/", response_class=HTMLResponse)
async def landing(request: Request) -> HTMLResponse:
    """Return the landing page. It shows the last results and collects nothing."""
    app: AppState = request.app.state.exporter
    links = " · ".join(f'<a href="{href}">{name}</a>' for href, name in _LINKS)
    return answer(
        "Magento exporter",
        f"{_state(app)}{_sources(app)}{_off(app)}{_collectors(app)}<p><small>{links}</small></p>",
    )


def _state(app: AppState) -> str:
    """Say in one sentence whether all is observed, and list what fires."""
    states = list(app.runner.states.values())
    failing = [state for state in states if state.outcome is Outcome.FAILING]
    down = [name for name, good in app.runner.source_up().items() if not good]
    if down:
        kind, words = "failing", f"{_names(down)} cannot be reached"
    elif failing:
        kind, words = "failing", f"{len(failing)} of {len(states)} collectors fail"
    elif any(state.runs for state in states):
        kind, words = "ok", f"All {len(states)} collectors succeed"
    else:
        kind, words = "", "Nothing was collected yet: Prometheus has not asked"
    return (
        f'<section class="state {kind}"><h1>{escape(words)}</h1>\n'
        f'<dl class="numbers">{_freshness(states)}{_firing(app)}</dl></section>\n'
    )


def _names(sources: Sequence[str]) -> str:
    return " and ".join(_SOURCES.get(source, source) for source in sources)


def _freshness(states: Sequence[CollectorState]) -> str:
    now = time.time()
    ages = [now - state.succeeded_at for state in states if state.succeeded_at]
    series = sum(state.exposition.series for state in states)
    pairs = [("Series", f"{series:,}")]
    if ages:
        pairs = [("Newest result", duration(min(ages))), ("Oldest result", duration(max(ages))), *pairs]
    return "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in pairs)


def _firing(app: AppState) -> str:
    """Return the number of alerts that were sent here and fire; nothing without the webhook."""
    if app.evidence is None or app.evidence_token is None:
        return ""
    firing = sum(not bundle.ended_at for bundle in app.evidence.bundles.all())
    return f'<div><dt>Alerts that fire</dt><dd><a href="incidents">{firing}</a></dd></div>'


def _sources(app: AppState) -> str:
    up = app.runner.source_up()
    tiles = []
    for source, states in _by_source(app):
        good = up.get(source)
        word = {True: "ok", False: "failing", None: "off"}[good]
        text = {True: "answers", False: "does not answer", None: "not known"}[good]
        tiles.append(
            f'<li class="{word}"><b>{escape(_SOURCES.get(source, source))}</b><i class="{word}">{text}</i>'
            f"<br><small>{len(states)} collector{'s' if len(states) > 1 else ''}</small></li>\n"
        )
    return f'<h2>Sources</h2>\n<ul class="tiles">\n{"".join(tiles)}</ul>\n' if tiles else ""


def _by_source(app: AppState) -> Iterator[tuple[str, list[CollectorState]]]:
    states = sorted(app.runner.states.values(), key=lambda state: state.collector.source)
    for source, some in groupby(states, key=lambda state: state.collector.source):
        yield source, list(some)


def _collectors(app: AppState) -> str:
    """Return the table of collectors, those that fail first."""
    states = sorted(
        app.runner.states.values(), key=lambda state: (state.outcome is not Outcome.FAILING, state.name)
    )
    rows = "".join(map(_row, states))
    return (
        '<h2>Collectors</h2>\n<table class="collectors"><thead><tr><th>Collector</th><th>State</th>'
        '<th class="number">Age</th><th class="number">Took</th><th class="number">Series</th></tr></thead>'
        f"<tbody>\n{rows}</tbody></table>\n"
        if rows
        else ""
    )


def _row(state: CollectorState) -> str:
    age = duration(time.time() - state.succeeded_at) if state.succeeded_at else "never"
    took = f"{state.duration * 1000:.0f}&nbsp;ms" if state.runs else ""
    word = f"failing: {state.reason}" if state.outcome is Outcome.FAILING else str(state.outcome)
    return (
        f"<tr><td>{escape(state.name)}<small>{escape(state.collector.help)}</small></td>"
        f'<td><i class="{state.outcome}">{escape(word)}</i></td>'
        f'<td class="number" data-title="age">{age}</td>'
        f'<td class="number" data-title="took">{took}</td>'
        f'<td class="number" data-title="series">{state.exposition.series:,}</td></tr>\n'
    )


def _off(app: AppState) -> str:
    """Return what is off, by reason: one setting often explains several collectors."""
    if not app.off:
        return ""
    ordered = sorted(app.off.items(), key=lambda item: (item[1], item[0]))
    items = "".join(
        f"<li><b>{escape(why)}</b>: {escape(', '.join(name for name, _ in some))}</li>\n"
        for why, some in groupby(ordered, key=lambda item: item[1])
    )
    return f'<h2>Off, and why</h2>\n<ul class="card off">\n{items}</ul>\n'
