"""``python -m tests.system.gameday [FAULT ...]``: switch faults on, watch, run the runbooks, end the faults.

Rules, exporter, shop and Alertmanager run SCALE times faster than in life, so that a fault takes
minutes and not hours, in waves of faults whose alerts are disjoint. ``--healthy`` plays none and lets a
simulated day pass, which takes 48 minutes. Writes ``build/gameday.json`` and, unless faults are named,
the table in ``docs/alerts.md``; exit code 1 if something was not as expected.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from sandbox import faults
from sandbox.demo import clear, install_packages, interruptible, say
from sandbox.paths import PROJECT
from sandbox.stack import exclusive
from tests.system.gameday import report
from tests.system.gameday.day import GameDay
from tests.system.gameday.expectations import EXPECTED, LEFT_OUT, WAVES
from tests.system.gameday.sink import Sink

SCALE: Final = 30.0
DAY: Final = 86_400.0


def main() -> int:
    """Play the game day."""
    options = _parser().parse_args()
    unknown = [name for name in options.fault if name not in EXPECTED]
    if unknown:
        sys.exit(f"no such fault: {', '.join(unknown)}; there are {', '.join(EXPECTED)}")
    scale = options.scale
    wanted = options.fault or ([] if options.healthy else list(EXPECTED))
    waves = [some for wave in WAVES if (some := [name for name in wave if name in wanted])]
    healthy_seconds = DAY / scale if options.healthy else 0.0
    day = _play(options.directory.resolve(), scale, waves, healthy_seconds, options.json)
    if options.publish or not options.fault:
        report.publish(options.json, PROJECT / "docs" / "alerts.md")
    return 1 if report.complaints(day) else 0


def _play(
    state: Path, scale: float, waves: Sequence[Sequence[str]], healthy: float, results: Path
) -> GameDay:
    state.mkdir(parents=True, exist_ok=True)
    with interruptible(), exclusive(state), Sink() as sink:
        clear(state)
        install_packages()
        day = GameDay(
            state,
            scale=scale,
            waves=waves,
            healthy_seconds=healthy,
            sink=sink,
            after_wave=lambda played: report.write(results, played),
        )
        try:
            day.run()
        except KeyboardInterrupt:
            say("stopped")
        finally:
            report.write(results, day)
        clear(state)
    return day


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.system.gameday", description="Play faults and watch the pack."
    )
    parser.add_argument("fault", nargs="*", help="faults to play; all by default")
    parser.add_argument("--healthy", action="store_true", help="play no fault: a day with nothing to say")
    parser.add_argument(
        "--publish", action="store_true", help="write the table in docs/alerts.md also if faults are named"
    )
    parser.add_argument("--scale", type=float, default=SCALE, help=f"how much faster than life ({SCALE:g})")
    parser.add_argument(
        "--directory", type=Path, default=PROJECT / "build" / "gameday", help="state directory"
    )
    parser.add_argument(
        "--json", type=Path, default=PROJECT / "build" / "gameday.json", help="where results go"
    )
    return parser


def faults_without_expectation() -> Iterator[str]:
    """Yield the faults of the registry that neither have an expectation nor a reason for having none."""
    for fault in faults.FAULTS:
        if fault.name not in EXPECTED and fault.name not in LEFT_OUT:
            yield fault.name


if __name__ == "__main__":
    sys.exit(main())
