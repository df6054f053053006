"""``doctor``."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from dataclasses import replace
from typing import Final

from exporter.app import build, context_factory
from exporter.doctor import examine
from exporter.doctor.examination import Examination, Status
from exporter.doctor.report import as_json, as_table
from exporter.settings import Settings

CONSUMER_START_SECONDS: Final = 70.0
"""How long cron may take to start a missing consumer: it does so once a minute."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--json", action="store_true", help="machine-readable report")
    parser.add_argument("--strict", action="store_true", help="warnings count as errors")
    parser.add_argument("--as-user", metavar="USER", help="look as the user that will serve")
    parser.add_argument(
        "--as-group", metavar="GROUP", action="append", default=[], help="a group more, as often as needed"
    )
    parser.add_argument(
        "--patience",
        metavar="SECONDS",
        type=float,
        default=CONSUMER_START_SECONDS,
        help="how long cron may take to start a missing consumer (default %(default)g)",
    )


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Check everything before the first scrape; exit code 1 if something would not work."""
    exporter = build(settings.model_copy(update={"state_file": None}))
    context = context_factory(settings, exporter.backends)
    # The report is about the real state file, which is not changed here.
    subject = Examination(replace(exporter, settings=settings), context, options.patience)
    findings = list(examine(subject))
    asyncio.run(exporter.close())
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    print(as_json(findings) if options.json else as_table(findings, coloured=coloured))
    worst = {Status.ERROR, Status.WARNING} if options.strict else {Status.ERROR}
    return 1 if worst & {finding.status for finding in findings} else 0
