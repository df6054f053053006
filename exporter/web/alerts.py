"""``POST /api/alerts``: Alertmanager's webhook, which makes the exporter capture evidence."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse
from pydantic import AwareDatetime, BaseModel, Field, ValidationError
from starlette.requests import ClientDisconnect

from exporter.errors import NotificationError
from exporter.evidence.service import Notice
from exporter.web.app_state import AppState
from exporter.web.labels import of_alert, refused
from exporter.web.runbooks import has_runbook

router: Final = APIRouter()

LARGEST: Final = 262_144
"""Bytes of a notification at most."""

MOST: Final = 50
"""Alerts in one notification at most; Alertmanager's ``max_alerts`` is set to it."""

OLDEST_SECONDS: Final = 30 * 86_400.0
AHEAD_SECONDS: Final = 3600.0
"""An alert that started longer ago, or later than this from now, is refused."""


class _Alert(BaseModel):
    """One alert, as far as it is used."""

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    startsAt: AwareDatetime  # noqa: N815 - Alertmanager's name
    endsAt: AwareDatetime  # noqa: N815
    fingerprint: str = Field(pattern=r"^[0-9a-f]{16}$")


class _Notification(BaseModel):
    """Alertmanager's message, version 4."""

    version: Literal["4"]
    alerts: Annotated[list[_Alert], Field(max_length=MOST)]


@router.post(
    "/api/alerts",
    response_class=PlainTextResponse,
    responses={
        400: {"description": "Not a notification of Alertmanager"},
        401: {"description": "Wrong token"},
        404: {"description": "Evidence is off"},
        413: {"description": "Too large"},
        415: {"description": "Compressed"},
        503: {"description": "Too many alerts wait; send again"},
    },
)
async def notified(request: Request) -> PlainTextResponse:
    """Take a notification. What is captured shows on the alert's runbook page."""
    app: AppState = request.app.state.exporter
    # The body is read before anything is answered: the server itself answers one that is malformed.
    try:
        body = await _body(request)
    except ClientDisconnect:
        return PlainTextResponse("the request ended early\n", 400)
    except NotificationError as refusal:
        return PlainTextResponse(f"{refusal}\n", refusal.status)
    if app.evidence is None or app.evidence_token is None:
        return PlainTextResponse("evidence is off: set evidence.token_file\n", 404)
    try:
        _check_token(request, app.evidence_token)
        notices = _read(body, lambda name: has_runbook(app.runbooks, name))
    except NotificationError as refusal:
        return PlainTextResponse(f"{refusal}\n", refusal.status)
    if not app.evidence.take(notices):
        return PlainTextResponse("too many alerts wait\n", 503, {"Retry-After": "30"})
    return PlainTextResponse("ok\n")


def _check_token(request: Request, token: Callable[[], bytes]) -> None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(value.strip().encode(), token()):
        raise NotificationError(401, "unauthorized")


async def _body(request: Request) -> bytes:
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise NotificationError(415, "send it uncompressed")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST:
            raise NotificationError(413, f"larger than {LARGEST} bytes")
    return body


def _read(body: bytes, known: Callable[[str], bool]) -> list[Notice]:
    try:
        notification = _Notification.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise NotificationError(400, f"{place or 'body'}: not a notification of Alertmanager") from None
    now = datetime.now().astimezone().timestamp()
    return [_notice(alert, known, now) for alert in notification.alerts]


def _notice(alert: _Alert, known: Callable[[str], bool], now: float) -> Notice:
    name = alert.labels.get("alertname", "")
    if not known(name):
        raise NotificationError(400, "alertname: no such alert")
    started = alert.startsAt.timestamp()
    if not now - OLDEST_SECONDS <= started <= now + AHEAD_SECONDS:
        raise NotificationError(400, "startsAt: too long ago, or in the future")
    ended = alert.endsAt.timestamp() if alert.status == "resolved" else 0.0
    if label := refused(alert.labels):
        raise NotificationError(400, f"labels: {label[:40]!r} has markup, or is too long")
    return Notice(
        name, of_alert(alert.labels), alert.fingerprint, started, max(ended, started) if ended else 0.0
    )
