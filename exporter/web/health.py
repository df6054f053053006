"""Health: ``/-/healthy`` says the process lives, ``/-/ready`` that it has something to say.

| path | 200 | 503 |
|---|---|---|
| ``/-/healthy`` | always; touches no backend | never |
| ``/-/ready`` | some collector has a good result that is not too old | none has |
"""

from __future__ import annotations

import time
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from exporter.core.render import EMPTY_EXPOSITION
from exporter.core.runner import Outcome
from exporter.web.app_state import AppState

router: Final = APIRouter()


@router.head("/-/healthy", include_in_schema=False)
@router.get("/-/healthy", response_class=PlainTextResponse)
async def healthy() -> PlainTextResponse:
    """Answer that the process lives."""
    return PlainTextResponse("ok\n")


@router.head("/-/ready", include_in_schema=False)
@router.get(
    "/-/ready",
    response_class=PlainTextResponse,
    responses={503: {"description": "No collector has a usable result"}},
)
async def ready(request: Request) -> PlainTextResponse:
    """Answer whether a scrape would show the shop. The first question runs the collectors once."""
    app: AppState = request.app.state.exporter
    states = app.runner.states.values()
    if all(state.outcome is Outcome.WAITING for state in states):
        await app.runner.scrape(deadline=app.scrape_seconds)
    now = time.time()
    if any(state.shown(now) is not EMPTY_EXPOSITION for state in states):
        return PlainTextResponse("ready\n")
    return PlainTextResponse("no collector has a usable result\n", status_code=503)
