"""``targets``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from exporter.settings import Settings
from exporter.targets.command import find
from exporter.targets.files import write


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--shop", metavar="NAME", required=True, help="the shop's name in Prometheus")
    parser.add_argument("--out", metavar="DIR", help="write the files there instead of printing them")
    parser.add_argument(
        "--exporter", metavar="ROLE=HOST:PORT", action="append", default=[],
        help="where a role's exporter listens, if not beside the server on its usual port; repeat it",
    )  # fmt: skip
    parser.add_argument("--machine", metavar="HOST", help="this machine's name for Prometheus")
    parser.add_argument("--prober", metavar="HOST:PORT", help="the blackbox_exporter, better elsewhere")
    parser.add_argument(
        "--page", metavar="NAME=PATH", action="append", default=[],
        help="a further page to probe, such as category=women.html; repeat it",
    )  # fmt: skip


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Print or write Prometheus' targets of the exporters of the shop's servers, with their roles."""
    found = find(settings, options)
    for remark in found.remarks:
        print(f"magento-exporter: {remark}", file=sys.stderr)
    if options.out:
        changed = write(Path(options.out), found.files)
        print(f"wrote {', '.join(changed)}" if changed else "nothing changed")
        return 0
    for name, content in found.files.items():
        print(f"# {name}\n{content}", end="")
    return 0
