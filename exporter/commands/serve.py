"""``serve``."""

from __future__ import annotations

import argparse

from exporter.app import build, create_app, web_auth
from exporter.settings import Settings
from exporter.web.server import run_server


def arguments(_parser: argparse.ArgumentParser) -> None:
    """Declare no options of its own."""


def run(settings: Settings, _options: argparse.Namespace) -> int:
    """Serve /metrics until SIGTERM."""
    auth = web_auth(settings)
    exporter = build(settings)
    host, port = settings.web.address()
    return run_server(
        create_app(exporter, auth),
        host=host,
        port=port,
        tls=auth.tls(),
        scrape_seconds=settings.limits.scrape_seconds,
        shutdown_seconds=settings.limits.shutdown_seconds,
    )
