"""The FastAPI application and its routes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI

from exporter import __version__
from exporter.web import alerts, health, incidents, landing, metrics, rules, runbooks
from exporter.web.auth.middleware import AuthMiddleware
from exporter.web.auth.web_auth import WebAuth

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_application(lifespan: Lifespan, auth: WebAuth | None = None) -> FastAPI:
    """Return the application. ``lifespan`` sets ``app.state.exporter`` to an :class:`AppState`."""
    application = FastAPI(
        title="Magento exporter",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,  # its pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    for part in (metrics, health, landing, runbooks, alerts, incidents, rules):
        application.include_router(part.router)
    if auth is not None:
        application.add_middleware(AuthMiddleware, auth=auth)
    return application
