"""Play faults and healthy years through the generated rules: ``python -m tests.system.simulator``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from tests.system.simulator import report
from tests.system.simulator.alertmanager import Alertmanager
from tests.system.simulator.report import Pack
from tests.system.simulator.rules import load, needed
from tests.system.simulator.scenarios import faults, healthy
from tests.system.simulator.servers import GROUPS as SERVER_GROUPS
from tests.system.simulator.servers import servers

ROOT: Final = Path(__file__).resolve().parents[3]
RULES: Final = ROOT / "alerts" / "generated"
SAVED: Final = ROOT / "build" / "simulation.json"
PAGE: Final = ROOT / "docs" / "alerts.md"
ROUTES: Final = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
GROUPS: Final = ("magento_selling", "magento_slo")


def pack(rules: Path = RULES, routes: Path = ROUTES, groups: tuple[str, ...] = GROUPS) -> Pack:
    """Return the alerts of the groups, what they read, and the routes."""
    found = load(sorted(rules.glob("*.yml")))
    wanted = needed(found, lambda rule: rule.alerts and rule.group in groups)
    return Pack(wanted, Alertmanager.load(routes))


def say(text: str) -> None:
    """Write to the terminal."""
    sys.stdout.write(f"{text}\n")


def main() -> int:
    """Play what was asked for and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", choices=("faults", "healthy", "all"))
    parser.add_argument("--rules", type=Path, default=RULES, help="directory of rule files")
    parser.add_argument("--alertmanager", type=Path, default=ROUTES, help="Alertmanager's configuration")
    parser.add_argument("--groups", default=",".join(GROUPS), help="the groups whose alerts are evaluated")
    parser.add_argument("--seeds", type=int, default=5, help="how often each fault is played")
    parser.add_argument("--years", type=int, default=1, help="how often each healthy shop is played")
    parser.add_argument("--only", default="", help="only the scenarios whose name contains this")
    parser.add_argument(
        "--no-holidays", action="store_true", help="the exporter knows no public holidays (tuning.holidays)"
    )
    parser.add_argument("--json", type=Path, help="write the results there as well")
    parser.add_argument(
        "--save", action="store_true", help=f"write all results to {SAVED.name} and docs/alerts.md"
    )
    options = parser.parse_args()
    played = pack(options.rules, options.alertmanager, tuple(options.groups.split(",")))
    outcomes, years = [], []
    if options.what in ("faults", "all"):
        outcomes = [
            report.play_fault(played, one, range(options.seeds))
            for one in faults()
            if options.only in one.name
        ]
        below = pack(options.rules, options.alertmanager, SERVER_GROUPS)
        outcomes += [report.play_fault(below, one, [0]) for one in servers() if options.only in one.name]
        say(report.faults_table(outcomes))
    if options.what in ("healthy", "all"):
        years = [
            report.play_year(played, one, range(options.years))
            for one in healthy(sundays=not options.no_holidays)
            if options.only in one.name
        ]
        say(report.years_table(years))
    data = json.dumps(report.as_data(outcomes, years), indent=1) + "\n"
    if options.json:
        options.json.write_text(data, encoding="utf-8")
    if options.save:
        if options.what != "all" or options.only:
            parser.error("--save is for all results")
        SAVED.write_text(data, encoding="utf-8")
        PAGE.write_text(report.page(PAGE.read_text(encoding="utf-8"), outcomes, years), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
