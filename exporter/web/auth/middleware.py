"""The middleware before every route: 401 without a right login, and the configured response headers."""

from __future__ import annotations

from typing import Any, Final

from fastapi.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.web.auth.credentials import Access
from exporter.web.auth.web_auth import WebAuth

OPEN_PATHS: Final = frozenset({"/-/healthy", "/api/alerts"})
"""The first is for probes and says only that the process lives. The second asks for a token of its own."""

_REFUSALS: Final = {
    Access.DENIED: PlainTextResponse(
        "unauthorized\n", 401, {"WWW-Authenticate": 'Basic realm="magento-exporter", Bearer'}
    ),
    Access.BUSY: PlainTextResponse("too many logins wait\n", 429, {"Retry-After": "5"}),
}


class AuthMiddleware:
    """Pure ASGI middleware."""

    def __init__(self, app: ASGIApp, auth: WebAuth) -> None:
        self._app = app
        self._auth = auth

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through or answer 401."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name: value for name, value in scope["headers"] if name == b"authorization"}
        authorization = headers.get(b"authorization", b"").decode("latin-1")
        client = scope["client"][0] if scope.get("client") else ""
        if scope["path"] in OPEN_PATHS:
            access = Access.ALLOWED
        else:
            access = await self._auth.access(authorization, client)
        if access is Access.ALLOWED:
            await self._app(scope, receive, self._with_headers(send))
        else:
            await _REFUSALS[access](scope, receive, send)

    def _with_headers(self, send: Send) -> Send:
        extra = [(k.lower().encode(), v.encode()) for k, v in self._auth.headers.items()]
        if not extra:
            return send

        async def send_more(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        return send_more
