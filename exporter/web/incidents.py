"""``/incidents``: what fires, the most urgent first, then what fired and happened, and one for the review."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from exporter.evidence.bundles import ID, Bundle, when
from exporter.evidence.events import Event
from exporter.evidence.model import Evidence, Verdict, ranked
from exporter.evidence.service import EvidenceService
from exporter.web.app_state import AppState
from exporter.web.evidence_view import duration, lost, lost_twice, text_of
from exporter.web.labels import urgency
from exporter.web.page import answer

router: Final = APIRouter()

_OFF: Final = (
    '<p class="card">Alerts are not sent here. Set <code>evidence.token_file</code> to turn it on.</p>'
)
_HIDDEN: Final = frozenset({"category", "service", "severity", "team", "job", "instance"})
"""Labels that say whom to notify, or who saw it, and not where it is."""

_NONE: Final = '<p class="card">No alert has been sent here yet, and nothing else has happened.</p>'
_KINDS: Final = {
    "deploy": "Deploy",
    "maintenance": "Maintenance",
    "flush": "Cache flushed",
    "reindex": "Full reindex",
}
_AROUND: Final = 7200.0
"""Seconds before an alert in which what happened is listed with it."""


@router.head("/incidents", include_in_schema=False)
@router.get("/incidents", response_class=HTMLResponse)
async def incidents(request: Request) -> HTMLResponse:
    """List the alerts that were sent here, and what happened to the shop."""
    app: AppState = request.app.state.exporter
    return answer("Incidents", f"<h1>Incidents</h1>\n{_list(app)}")


@router.head("/incidents/{incident}.md", include_in_schema=False)
@router.get(
    "/incidents/{incident}.md",
    response_class=PlainTextResponse,
    responses={404: {"description": "No such incident"}},
)
async def incident(request: Request, incident: str) -> Response:
    """Return one alert with its evidence as Markdown."""
    app: AppState = request.app.state.exporter
    found = app.evidence.bundles.find(incident) if app.evidence and ID.fullmatch(incident) else None
    if app.evidence is None or found is None:
        return PlainTextResponse("no such incident\n", status_code=404)
    text = "\n".join(_markdown(found, app.evidence.declared.get(found.alert), _beside(app, found)))
    return PlainTextResponse(text + "\n", media_type="text/markdown")


def _list(app: AppState) -> str:
    if app.evidence is None:
        return _OFF
    trouble = app.evidence.bundles.trouble
    note = "" if app.evidence_token else _OFF
    note += f'<p class="failing">Not kept over a restart: {escape(trouble)}</p>' if trouble else ""
    bundles, events = app.evidence.bundles.all(), app.events.all() if app.events else []
    bundles.sort(key=lambda bundle: -bundle.started_at)
    fires = sorted(
        (one for one in bundles if not one.ended_at), key=lambda one: urgency(one.labels.get("severity", ""))
    )
    rows = [
        *((bundle.started_at, _bundle(bundle, app.evidence)) for bundle in bundles if bundle.ended_at),
        *((event.at, _event(event)) for event in events),
    ]
    over = [text for _, text in sorted(rows, key=lambda row: row[0], reverse=True)]
    now = _timeline("Fires now", [_bundle(bundle, app.evidence) for bundle in fires])
    return note + (now + _timeline("Before", over) or _NONE)


def _timeline(title: str, rows: Sequence[str]) -> str:
    return f'<h2>{title}</h2>\n<ol class="timeline">\n{"".join(rows)}</ol>\n' if rows else ""


def _bundle(bundle: Bundle, service: EvidenceService) -> str:
    query = escape(urlencode({"at": bundle.id, **bundle.labels}))
    where = {name: value for name, value in bundle.labels.items() if name not in _HIDDEN}
    labels = " · ".join(f"{escape(name)} <b>{escape(value)}</b>" for name, value in where.items())
    severity = escape(bundle.labels.get("severity", ""))
    badge = f'<i class="{severity}">{severity}</i> ' if severity else ""
    lasted = (
        f"lasted {duration(bundle.ended_at - bundle.started_at)}"
        if bundle.ended_at
        else '<i class="fires">fires</i>'
    )
    name = escape(bundle.alert)
    costs = f'<p class="cost">{lost_twice(bundle.cost)}</p>' if bundle.cost.orders is not None else ""
    return (
        f'<li class="{severity}"><div><p><small>{when(bundle.started_at)}</small> {badge}{lasted}</p>\n'
        f'<h3><a href="runbooks/{name}?{query}">{name}</a></h3>\n<p>{labels}</p>\n'
        f"<p>Likeliest: {escape(_likeliest(bundle, service.declared.get(bundle.alert)))}</p></div>\n"
        f'<div>{costs}<p><small><a class="row" href="incidents/{bundle.id}.md">For the review</a></small></p>'
        "</div></li>\n"
    )


def _event(event: Event) -> str:
    return (
        f'<li class="event"><p><small>{when(event.at)}</small> <i class="event">'
        f"{escape(_KINDS.get(event.kind, event.kind))}</i> {escape(_said(event))}</p></li>\n"
    )


def _said(event: Event) -> str:
    what = "" if event.kind == "maintenance" else event.what
    lasted = f"for {duration(event.ended_at - event.at)}" if event.ended_at else ""
    return " ".join(part for part in (what, lasted) if part)


def _likeliest(bundle: Bundle, evidence: Evidence | None) -> str:
    judged = ranked(evidence, bundle.findings) if evidence else []
    return next((one.hypothesis.title for one in judged if one.verdict is Verdict.SUPPORTED), "not known")


def _beside(app: AppState, bundle: Bundle) -> list[tuple[float, str]]:
    """Return what else happened from two hours before the alert to its end, in the order of time."""
    ends = bundle.ended_at or float("inf")
    begins = bundle.started_at - _AROUND
    others = app.evidence.bundles.all() if app.evidence else []
    found = [(one.started_at, f"{one.alert} fired") for one in others if one.id != bundle.id]
    found += [(one.ended_at, f"{one.alert} was resolved") for one in others if one.ended_at and one != bundle]
    for event in app.events.all() if app.events else ():
        found.append((event.at, f"{_KINDS.get(event.kind, event.kind)} {_said(event)}".strip()))
    found += [(bundle.started_at, f"**{bundle.alert} fired**"), (bundle.captured_at, "evidence was taken")]
    if bundle.ended_at:
        found.append((bundle.ended_at, f"**{bundle.alert} was resolved**"))
    return sorted(one for one in found if begins <= one[0] <= max(ends, bundle.captured_at))


def _markdown(
    bundle: Bundle, evidence: Evidence | None, beside: Sequence[tuple[float, str]]
) -> Iterator[str]:
    yield f"# {bundle.alert}"
    yield ""
    yield f"- fired: {when(bundle.started_at)}"
    yield f"- resolved: {when(bundle.ended_at) if bundle.ended_at else 'still fires'}"
    if bundle.ended_at:
        yield f"- lasted: {duration(bundle.ended_at - bundle.started_at)}"
    yield f"- cost, by the orders that were expected: {lost(bundle.cost)}"
    yield f"- looked at: {when(bundle.captured_at)}"
    for name, value in bundle.labels.items():
        yield f"- {name}: {value}"
    yield from ("", "## Timeline", "", "| time | what |", "|---|---|")
    for at, what in beside:
        yield f"| {when(at)} | {what} |"
    if evidence:
        yield from ("", "## Hypotheses when it fired", "")
        for judged in ranked(evidence, bundle.findings):
            yield f"- {judged.verdict}: {judged.hypothesis.title}"
        yield from ("", "## Facts when it fired", "", "| fact | value |", "|---|---|")
        for fact in evidence.facts:
            yield f"| {fact.title} | {text_of(fact, bundle.findings)} |"
    yield from ("", "## What we change", "", "- ")
