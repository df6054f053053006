"""The FastAPI application and its routes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI

from exporter import __version__
from exporter.web import health, landing, metrics, runbooks
from exporter.web.security import Guard, Protection

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_application(lifespan: Lifespan, protection: Protection | None = None) -> FastAPI:
    """Return the application. ``lifespan`` sets ``app.state.site``, a :class:`~exporter.web.site.Site`."""
    application = FastAPI(
        title="Magento exporter",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,  # its pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    for part in (metrics, health, landing, runbooks):
        application.include_router(part.router)
    if protection is not None:
        application.add_middleware(Guard, protection=protection)
    return application
