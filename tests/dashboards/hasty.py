"""``python -m tests.dashboards.hasty --directory DIR``: a demo in a hurry, for faults that show late in life.

Its shop and its exporter run SCALE times faster. The rules do not, nor do the limits of the panels.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from sandbox import demo
from sandbox.stack import BESIDE

SCALE: Final = 20
RATE: Final = "15"
"""Orders a minute of ours."""


def options(directory: Path) -> demo.Options:
    """Return what the demo is to be."""
    return demo.Options(
        directory=directory,
        scrape_seconds=5,
        beside=BESIDE,
        exporter=("tests.system.gameday.exporter", str(SCALE)),
        exporter_settings={
            "limits": {"minimum_refresh_seconds": 0.5},
            "tuning": {
                "settle_seconds": 120 / SCALE,
                "abandoned_after_seconds": 3600 / SCALE,
                "unpaid_late_after_seconds": 86_400 / SCALE,
                "held_late_after_seconds": 172_800 / SCALE,
            },
        },
        shop_arguments=("--speed", str(SCALE), "--rate", RATE),
        history=("--history-days", "0.1", "--rate", RATE),
    )


def main() -> None:
    """Run it until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path, required=True)
    demo.run(options(parser.parse_args().directory))


if __name__ == "__main__":
    main()
