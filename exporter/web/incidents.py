"""``/incidents``: the alerts that fired, newest first, and one as Markdown for the review."""

from __future__ import annotations

from html import escape
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from exporter.evidence.bundles import ID, Bundle, when
from exporter.evidence.model import Evidence, Verdict, ranked
from exporter.evidence.service import EvidenceService
from exporter.web.app_state import AppState
from exporter.web.evidence_view import duration, text_of
from exporter.web.page import answer

router: Final = APIRouter()

_OFF: Final = "<p>Evidence is off. Set <code>evidence.token_file</code> to turn it on.</p>"
_ROUTING: Final = frozenset({"category", "service", "severity", "team"})
"""Labels that say whom to notify, and not where it is."""

_NONE: Final = "<p>No alert has been sent here yet.</p>"


@router.head("/incidents", include_in_schema=False)
@router.get("/incidents", response_class=HTMLResponse)
async def incidents(request: Request) -> HTMLResponse:
    """List the alerts that were sent here."""
    app: AppState = request.app.state.exporter
    return answer(
        "Incidents", f'<nav class="ways"><a href="./">Exporter</a></nav>\n<h1>Incidents</h1>\n{_list(app)}'
    )


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
    text = "\n".join(_markdown(found, app.evidence.declared.get(found.alert)))
    return PlainTextResponse(text + "\n", media_type="text/markdown")


def _list(app: AppState) -> str:
    if app.evidence is None:
        return _OFF
    trouble = app.evidence.bundles.trouble
    note = f'<p class="failing">Not kept over a restart: {escape(trouble)}</p>' if trouble else ""
    bundles = app.evidence.bundles.all()
    if not bundles:
        return note + _NONE
    rows = "".join(_row(bundle, app.evidence) for bundle in bundles)
    return (
        f'{note}<table class="incidents"><thead><tr><th>since</th><th>alert</th><th>labels</th>'
        f"<th>lasted</th><th>likeliest</th><th></th></tr></thead><tbody>\n{rows}</tbody></table>"
    )


def _row(bundle: Bundle, service: EvidenceService) -> str:
    query = escape(urlencode({"at": bundle.id, **bundle.labels}))
    where = {name: value for name, value in bundle.labels.items() if name not in _ROUTING}
    labels = escape(", ".join(f"{name} {value}" for name, value in where.items()))
    lasted = duration(bundle.ended_at - bundle.started_at) if bundle.ended_at else "fires"
    likeliest = escape(_likeliest(bundle, service.declared.get(bundle.alert)))
    name = escape(bundle.alert)
    return (
        f"<tr><td>{when(bundle.started_at)}</td>"
        f'<td data-title="alert"><a href="runbooks/{name}?{query}">{name}</a></td>'
        f'<td data-title="labels">{labels}</td>'
        f'<td data-title="lasted">{lasted}</td><td data-title="likeliest">{likeliest}</td>'
        f'<td><a href="incidents/{bundle.id}.md">Markdown</a></td></tr>\n'
    )


def _likeliest(bundle: Bundle, evidence: Evidence | None) -> str:
    judged = ranked(evidence, bundle.findings) if evidence else []
    return next((one.hypothesis.title for one in judged if one.verdict is Verdict.SUPPORTED), "not known")


def _markdown(bundle: Bundle, evidence: Evidence | None) -> list[str]:
    ended = when(bundle.ended_at) if bundle.ended_at else "still fires"
    lines = [
        f"# {bundle.alert}",
        "",
        f"- fired: {when(bundle.started_at)}",
        f"- resolved: {ended}",
        f"- looked at: {when(bundle.captured_at)}",
        *(f"- {name}: {value}" for name, value in bundle.labels.items()),
    ]
    if evidence:
        lines += ["", "## Hypotheses when it fired", ""]
        lines += [f"- {one.verdict}: {one.hypothesis.title}" for one in ranked(evidence, bundle.findings)]
        lines += ["", "## Facts when it fired", "", "| fact | value |", "|---|---|"]
        lines += [f"| {fact.title} | {text_of(fact, bundle.findings)} |" for fact in evidence.facts]
    return lines
