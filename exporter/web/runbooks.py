"""``/runbooks/`` and ``/runbooks/<alert>``: the pages that alerts link to, readable on a phone at 3 a.m.

The pages are the Markdown files of ``runbooks/``; a wheel carries them along.
They are served by the exporter itself so that a link works where the shop is,
without the internet: style and script are part of each page, and its
Content-Security-Policy forbids everything else.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from exporter.evidence.bundles import ID, Bundle
from exporter.evidence.questions import Asking
from exporter.evidence.service import Seen
from exporter.files.reading import reason
from exporter.web.app_state import AppState
from exporter.web.buttons import buttons_of
from exporter.web.labels import is_plain, named, of_alert, plain
from exporter.web.page import answer
from exporter.web.runbook_page import Link, Shown, list_of, page_of
from exporter.web.runbook_text import Runbook, read

log: Final = logging.getLogger("exporter.web")
router: Final = APIRouter()

_HERE: Final = Path(__file__).parent
_PACKAGED: Final = _HERE / "pages"
_IN_REPOSITORY: Final = _HERE.parents[1] / "runbooks"
_NAME: Final = re.compile(r"(?!README$)[A-Za-z0-9]{1,100}")
"""Names of pages. A README is for those who read the files."""
_USUAL: Final = "http://localhost:9816"


def directory(chosen: Path | None) -> Path:
    """Return where the pages are: the user's, the wheel's, or the repository's."""
    if chosen is not None:
        return chosen
    return _PACKAGED if _PACKAGED.is_dir() else _IN_REPOSITORY


def has_runbook(chosen: Path | None, alert: str) -> bool:
    """Return whether there is a page for the alert."""
    return _NAME.fullmatch(alert) is not None and (directory(chosen) / f"{alert}.md").is_file()


@router.head("/runbooks/", include_in_schema=False)
@router.get("/runbooks/", response_class=HTMLResponse)
async def index(request: Request) -> HTMLResponse:
    """List the runbooks by severity and subject."""
    app: AppState = request.app.state.exporter
    files = sorted(directory(app.runbooks).glob("*.md"))
    found = [_runbook(file) for file in files if _NAME.fullmatch(file.stem)]
    return answer("Runbooks", list_of([page for page in found if page is not None]), up="../")


@router.head("/runbooks/{alert}", include_in_schema=False)
@router.get(
    "/runbooks/{alert}",
    response_class=HTMLResponse,
    responses={404: {"description": "No such runbook"}},
)
async def runbook(request: Request, alert: str) -> Response:
    """Return one runbook as a page, with the alert's labels in the query string filled into its commands."""
    app: AppState = request.app.state.exporter
    file = directory(app.runbooks) / f"{alert}.md"
    found = _runbook(file) if _NAME.fullmatch(alert) else None
    if found is None:
        return PlainTextResponse("no such runbook\n", status_code=404)
    link = _link(request)
    then = _bundle(app, found, link, request.query_params.get("at", ""))
    labels = then.labels if then else link.labels
    shown = Shown(
        evidence=app.evidence.declared.get(alert) if app.evidence else None,
        then=then,
        now=await _now(app, found, labels, then),
        buttons=buttons_of(found, labels, then, grafana=app.grafana, alertmanager=app.alertmanager),
        commands=app.commands,
    )
    return answer(alert, page_of(found, replace(link, labels=labels), shown), up="../")


def _bundle(app: AppState, page: Runbook, link: Link, at: str) -> Bundle | None:
    """Return what was seen when the alert fired: the bundle that the link names, or the newest that fits."""
    if app.evidence is None:
        return None
    bundles = app.evidence.bundles
    found = bundles.find(at) if ID.fullmatch(at) else bundles.latest(page.name, of_alert(link.labels))
    return found if found is not None and found.alert == page.name else None


async def _now(app: AppState, page: Runbook, labels: Mapping[str, str], then: Bundle | None) -> Seen | None:
    """Return what is seen now: the facts, the answers to the page's queries, and the cost."""
    if app.evidence is None:
        return None
    times = (then.started_at, then.ended_at) if then else (0.0, 0.0)
    return await app.evidence.now(page.name, labels, Asking(tuple(page.queries), *times))


def _runbook(file: Path) -> Runbook | None:
    try:
        return read(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        log.warning("runbook %s: %s", file, reason(error))
        return None


def _link(request: Request) -> Link:
    """Return what the link carries. Only plain values are taken, since they are copied into a shell."""
    given = named(request.query_params.items())
    labels = plain(given.items())
    # The address is whatever the client put into its Host header.
    address = str(request.base_url).rstrip("/")
    return Link(labels, sorted(given.keys() - labels), address if is_plain(address) else _USUAL)
