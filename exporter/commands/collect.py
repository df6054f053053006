"""``collect``."""

from __future__ import annotations

import argparse
import asyncio
import sys

from exporter.app import Exporter, build
from exporter.core.render import Format
from exporter.core.runner import Outcome
from exporter.settings import Settings
from exporter.web.app_state import AppState
from exporter.web.metrics import page


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--format", choices=[f.name.lower() for f in Format], default="text")


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Run every collector once and print the exposition; exit code 1 if one failed."""
    return asyncio.run(_collect(settings, Format[options.format.upper()]))


async def _collect(settings: Settings, wanted: Format) -> int:
    exporter = build(settings)
    try:
        states = await exporter.runner.scrape(deadline=settings.limits.scrape_seconds)
        background = [state.flight for state in states if state.flight is not None and state.in_flight()]
        if background:
            await asyncio.wait(background, timeout=settings.limits.scrape_seconds)
        sys.stdout.write(page(_app_state(exporter), states, wanted).decode())
        failed = [state for state in states if state.outcome is not Outcome.OK]
        for state in failed:
            reason = state.reason or "no result in time"
            print(f"magento-exporter: collector {state.name}: {reason}", file=sys.stderr)
        return 1 if failed else 0
    finally:
        await exporter.close()


def _app_state(exporter: Exporter) -> AppState:
    limits = exporter.settings.limits
    return AppState(exporter.runner, exporter.off, limits.scrape_seconds, limits.scrape_offset_seconds)
