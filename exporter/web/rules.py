"""``/rules.yml``: the pack's alert rules, with links to this exporter's own runbooks."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from exporter.errors import UsageError
from exporter.pack.addresses import addresses
from exporter.pack.material import rules
from exporter.web.app_state import AppState

router: Final = APIRouter()


class YAMLResponse(Response):
    """An answer in YAML."""

    media_type = "application/yaml"


@router.head("/rules.yml", include_in_schema=False)
@router.get(
    "/rules.yml",
    response_class=YAMLResponse,
    responses={409: {"description": "No address is known under which people reach runbooks or Grafana"}},
)
def alert_rules(request: Request) -> Response:
    """Return the rules. Runbooks are where the client asks, unless the settings say otherwise."""
    app: AppState = request.app.state.exporter
    own = (
        f"{str(request.base_url).rstrip('/')}/runbooks/"  # the client's Host header, which `addresses` checks
    )
    try:
        links = addresses(app.links.runbooks or own, app.links.grafana, app.links.standby)
    except UsageError as error:
        text = f"{error}. Set links.grafana, and links.runbooks or ask at the address that people use.\n"
        return PlainTextResponse(text, status_code=409)
    return YAMLResponse(links.fill_in(rules()))
